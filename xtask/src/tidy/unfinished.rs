//! Nothing half done is committed, and no test is switched off.

use super::Source;

/// Assembled so that this file doesn't break its own rule.
fn marks() -> [String; 6] {
    [
        format!("{}!(", "todo"),
        format!("{}!(", "unimplemented"),
        format!("FIX{}", "ME"),
        format!("#[{}", "ignore"),
        format!("pytest.{}", "skip"),
        format!("mark.{}", "skip"),
    ]
}

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    let is_code = [".rs", ".py", ".sh", ".toml"]
        .iter()
        .any(|ending| source.path.ends_with(ending));
    let Some(text) = source.text.filter(|_| is_code) else {
        return Vec::new();
    };
    let marks = marks();
    let found = |line: &str| {
        marks
            .iter()
            .find(|mark| line.contains(mark.as_str()))
            .cloned()
    };
    text.lines()
        .zip(1..)
        .filter_map(|(line, number)| Some((number, found(line)?)))
        .map(|(number, mark)| format!("{}:{number}: {mark:?} is unfinished work", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn unfinished_work_is_found_with_its_line() {
        let text = format!("fn a() {{\n    {}!()\n}}\n", "todo");
        let found = check(&source("host/a.rs", &text));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("host/a.rs:2: "), "{found:?}");
    }

    #[test]
    fn a_test_that_is_switched_off_is_found() {
        let text = format!("@pytest.mark.{}(reason='slow')\n", "skip");
        assert_eq!(check(&source("tests/a.py", &text)).len(), 1);
    }
}
