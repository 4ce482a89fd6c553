//! The text of one file, and how a place in it is shown to a person.

use std::ops::Range;

use crate::mask;
use crate::problem::Problem;

/// The longest line that is shown whole, in characters.
const SHOWN: usize = 160;

/// How much of a longer line is shown before the place that matters.
const BEFORE: usize = 60;

/// The text of one file, LF line ends, without a byte order mark.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the project's root.
    pub path: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A problem at a range of bytes.
    pub fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        let start = floor(&self.text, span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let column = self
            .text
            .get(line_start..start)
            .unwrap_or_default()
            .chars()
            .count();
        let end = floor(&self.text, span.end.max(start));
        let spanned = self.text.get(start..end).unwrap_or_default();
        let length = spanned
            .split('\n')
            .next()
            .map_or(0, |text| text.trim_end().chars().count());
        let (shown, left_out) = cut(&mask::line(line), column);
        Problem {
            path: self.path.clone(),
            line: self.line(start),
            column: column + 1,
            length: length.max(1),
            message: message.into(),
            expected: None,
            suggestion: None,
            source_line: Some(shown),
            left_out,
        }
    }

    /// The line, from 1, of a byte.
    pub fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The text of a range.
    pub fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

/// The part of a line around a column, and how many characters were left out before it.
fn cut(line: &str, column: usize) -> (String, usize) {
    if line.chars().count() <= SHOWN {
        return (line.to_owned(), 0);
    }
    let skipped = column.saturating_sub(BEFORE);
    let shown = line.chars().skip(skipped).take(SHOWN).collect();
    (shown, skipped)
}

/// The nearest boundary of a character at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn counts_characters_and_lines() {
        let source = Source {
            path: "a.yaml".to_owned(),
            text: "first\nné: välue\nlast".to_owned(),
        };
        let start = source.text.find("välue").unwrap();
        let problem = source.problem(&(start..start + 6), "wrong");
        assert_eq!((problem.line, problem.column, problem.length), (2, 5, 5));
        assert_eq!(problem.source_line.as_deref(), Some("né: välue"));
        let end = source.problem(&(source.text.len()..source.text.len() + 9), "end");
        assert_eq!((end.line, end.column, end.length), (3, 5, 1));
    }

    #[test]
    fn cuts_long_lines() {
        let source = Source {
            path: "a.sql".to_owned(),
            text: "x".repeat(1_000),
        };
        let problem = source.problem(&(500..501), "wrong");
        assert_eq!(problem.column, 501);
        assert_eq!(problem.left_out, 440);
        assert_eq!(problem.source_line.map(|line| line.len()), Some(160));
    }
}
