//! A file holds one idea: above 400 lines it says why it is long, above 800 there is no reason good enough.

use super::Source;

const REASON_NEEDED: usize = 400;
const NEVER: usize = 800;
/// Stands in the first lines of a long file, followed by the reason.
const MARK: &str = "tidy: long because ";

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    let is_code = [".rs", ".py", ".sh"]
        .iter()
        .any(|ending| source.path.ends_with(ending));
    let Some(text) = source.text.filter(|_| is_code) else {
        return Vec::new();
    };
    let lines = text.lines().count();
    let has_reason = text.lines().take(40).any(|line| {
        line.split_once(MARK)
            .is_some_and(|(_, reason)| reason.trim().len() >= 10)
    });
    if lines > NEVER {
        vec![format!(
            "{}: {lines} lines; more than {NEVER} is never right",
            source.path
        )]
    } else if lines > REASON_NEEDED && !has_reason {
        vec![format!(
            "{}: {lines} lines; split it by reason to change, or say `{MARK}…` at its top",
            source.path
        )]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_short_file_needs_no_reason() {
        assert!(check(&source("host/a.rs", &"x\n".repeat(400))).is_empty());
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        let text = "x\n".repeat(401);
        assert_eq!(check(&source("host/a.rs", &text)).len(), 1);
        let reasoned = format!("// tidy: long because one table is read as one\n{text}");
        assert!(check(&source("host/a.rs", &reasoned)).is_empty());
    }

    #[test]
    fn no_reason_helps_a_huge_file() {
        let text = format!(
            "// tidy: long because one table is read as one\n{}",
            "x\n".repeat(801)
        );
        assert_eq!(check(&source("host/a.rs", &text)).len(), 1);
    }

    #[test]
    fn only_code_is_counted() {
        assert!(check(&source("docs/benchmarks.md", &"x\n".repeat(900))).is_empty());
    }
}
