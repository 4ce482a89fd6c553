//! A name says what is inside. These say nothing.

use super::Source;

const FORBIDDEN: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    source
        .path
        .split('/')
        .filter_map(|part| part.split('.').next())
        .filter(|part| FORBIDDEN.contains(part))
        .map(|part| {
            format!(
                "{}: {part:?} says nothing about what is inside",
                source.path
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_name_without_meaning_is_found_as_file_and_as_folder() {
        assert_eq!(check(&source("host/core/src/utils.rs", "")).len(), 1);
        assert_eq!(check(&source("host/core/src/common/mod.rs", "")).len(), 1);
        assert!(check(&source("host/core/src/commonality.rs", "")).is_empty());
    }
}
