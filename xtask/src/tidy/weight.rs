//! A clone stays light: nothing above one mebibyte.

use super::Source;

const MOST: u64 = 1024 * 1024;

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    if source.bytes <= MOST {
        return Vec::new();
    }
    vec![format!(
        "{}: {} bytes; a file above {MOST} doesn't belong in Git",
        source.path, source.bytes
    )]
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_heavy_file_is_found() {
        let heavy = Source {
            bytes: MOST + 1,
            ..source("a.bin", "")
        };
        assert_eq!(check(&heavy).len(), 1);
        assert!(
            check(&Source {
                bytes: MOST,
                ..heavy
            })
            .is_empty()
        );
    }
}
