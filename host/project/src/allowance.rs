//! What authors of definitions let pass, each with a reason, in a comment beside it.
//!
//! `-- whimbrel:allow RULE REASON` in SQL, `# whimbrel:allow RULE REASON` in YAML; `allow-credential REASON` for what
//! looks like a credential. After code it holds for its line. On a line of its own it holds for the statement, or the
//! value, that follows; before the first section of a SQL file for the whole file.

use std::ops::RangeInclusive;

/// What [`Allowance::rule`] is for `allow-credential`.
pub(crate) const CREDENTIAL: &str = "plain-text-credential";

/// One comment that lets something pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// The rule.
    pub(crate) rule: String,
    /// Why; empty when nobody said it, and then nothing passes.
    pub(crate) reason: String,
    /// The comment's line, from 1.
    pub(crate) line: u32,
    /// The lines that it holds for.
    pub(crate) lines: RangeInclusive<u32>,
}

impl Allowance {
    /// Whether it lets pass what a rule found in a line.
    pub(crate) fn covers(&self, rule: &str, line: u32) -> bool {
        !self.reason.is_empty() && self.rule == rule && self.lines.contains(&line)
    }
}

/// A comment as it is written.
struct Comment<'a> {
    /// What stands before it in its line.
    code: &'a str,
    mark: &'static str,
    rule: &'a str,
    reason: &'a str,
}

/// Every allowance of a file.
pub(crate) fn allowances(text: &str) -> Vec<Allowance> {
    if !text.contains("whimbrel:") {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let first_section = lines
        .iter()
        .position(|line| is_section(line))
        .unwrap_or_default();
    let found = lines.iter().enumerate().filter_map(|(index, line)| {
        let comment = comment(line)?;
        let after = lines.get(index + 1..).unwrap_or_default();
        let (first, last) = if !comment.code.trim().is_empty() {
            (index, index)
        } else if index < first_section {
            (0, lines.len())
        } else if comment.mark == "#" {
            (index, index + value(after))
        } else {
            (index, index + statement(after))
        };
        Some(Allowance {
            rule: comment.rule.to_owned(),
            reason: comment.reason.to_owned(),
            line: number(index),
            lines: number(first)..=number(last),
        })
    });
    found.collect()
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn is_section(line: &str) -> bool {
    let word = line
        .trim_start()
        .strip_prefix("--")
        .and_then(|comment| comment.trim_start().strip_prefix("whimbrel:"));
    word.is_some_and(|word| matches!(word.trim_end(), "up" | "down"))
}

fn comment(line: &str) -> Option<Comment<'_>> {
    let (before, words) = line.rsplit_once("whimbrel:")?;
    let before = before.trim_end();
    let (code, mark) = ["--", "#"]
        .into_iter()
        .find_map(|mark| Some((before.strip_suffix(mark)?, mark)))?;
    let words = words.trim();
    let (verb, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let (rule, reason) = match verb {
        "allow-credential" => (CREDENTIAL, rest),
        "allow" => rest
            .trim_start()
            .split_once(char::is_whitespace)
            .unwrap_or((rest.trim_start(), "")),
        _ => return None,
    };
    Some(Comment {
        code,
        mark,
        rule,
        reason: reason.trim(),
    })
}

/// How many lines the next statement ends after.
fn statement(lines: &[&str]) -> usize {
    lines
        .iter()
        .position(|line| line.trim_end().ends_with(';'))
        .map_or(lines.len(), |index| index + 1)
}

/// How many lines the next value of a YAML document ends after: a line, and those further in.
fn value(lines: &[&str]) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = lines.iter().position(|line| !line.trim().is_empty()) else {
        return 0;
    };
    let depth = lines.get(first).map_or(0, |line| indent(line));
    lines
        .iter()
        .skip(first + 1)
        .position(|line| !line.trim().is_empty() && indent(line) <= depth)
        .map_or(lines.len(), |more| first + 1 + more)
}

#[cfg(test)]
mod tests {
    use super::allowances;

    fn covered(text: &str) -> Vec<(String, std::ops::RangeInclusive<u32>, String)> {
        allowances(text)
            .into_iter()
            .map(|found| (found.rule, found.lines, found.reason))
            .collect()
    }

    fn one(
        rule: &str,
        lines: std::ops::RangeInclusive<u32>,
        reason: &str,
    ) -> Vec<(String, std::ops::RangeInclusive<u32>, String)> {
        vec![(rule.to_owned(), lines, reason.to_owned())]
    }

    #[test]
    fn holds_for_the_statement_that_follows() {
        let text = "SELECT 1;\n-- whimbrel:allow renaming-table nobody reads it\nALTER TABLE a\n  RENAME TO b;\nSELECT 2;";
        assert_eq!(
            covered(text),
            one("renaming-table", 2..=4, "nobody reads it")
        );
        assert!(allowances(text)[0].covers("renaming-table", 3));
        assert!(!allowances(text)[0].covers("renaming-table", 5));
        assert!(!allowances(text)[0].covers("renaming-column", 3));
    }

    #[test]
    fn holds_for_its_line_or_for_the_whole_file() {
        assert_eq!(
            covered("SELECT 1; -- whimbrel: allow-credential an example\nSELECT 2;"),
            one("plain-text-credential", 1..=1, "an example")
        );
        assert_eq!(
            covered("-- whimbrel:allow renaming-table old\n-- whimbrel:up\nSELECT 1;\n"),
            one("renaming-table", 1..=4, "old")
        );
    }

    #[test]
    fn holds_for_a_value_of_a_document() {
        let text = "steps:\n  # whimbrel:allow renaming-table old\n  - sql: |\n      SELECT 1;\n\n      SELECT 2;\n  - sql: SELECT 3\n";
        assert_eq!(covered(text), one("renaming-table", 2..=6, "old"));
        assert_eq!(
            covered("a: b # whimbrel:allow-credential of a test\nc: d"),
            one("plain-text-credential", 1..=1, "of a test")
        );
        assert_eq!(covered("# whimbrel:allow x y"), one("x", 1..=1, "y"));
    }

    #[test]
    fn without_a_reason_nothing_passes() {
        let found = allowances("-- whimbrel:allow renaming-table\nALTER TABLE a RENAME TO b;");
        assert_eq!(found[0].reason, "");
        assert!(!found[0].covers("renaming-table", 2));
        assert_eq!(
            covered("SELECT 'whimbrel:allow x y'; -- whimbrel:other"),
            []
        );
    }
}
