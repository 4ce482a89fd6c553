//! Problems as a person reads them: the line, a caret, what was expected, what to do.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::problem::Problem;

/// How wide the text may be.
const WIDTH: usize = 110;

/// A problem as text that ends with a line break.
pub fn text(problem: &Problem, colour: bool) -> String {
    let theme = GraphicalTheme {
        characters: ThemeCharacters {
            error: "error:".to_owned(),
            underline: '^',
            underbar: '^',
            ..ThemeCharacters::unicode()
        },
        styles: if colour {
            ThemeStyles::ansi()
        } else {
            ThemeStyles::none()
        },
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_context_lines(0)
        .with_width(WIDTH)
        .without_syntax_highlighting();
    let mut out = String::new();
    // Writing to a string can't fail; the plain message is there in case the handler does.
    if handler
        .render_report(&mut out, &Shown::new(problem))
        .is_err()
    {
        return format!("error: {}\n", problem.message);
    }
    let lines = out.lines().map(str::trim_end).collect::<Vec<_>>();
    format!("{}\n", lines.join("\n").trim_end())
}

/// The line of a problem and the caret under it, without the frame around them, and without what could move a terminal's cursor
/// or change its colours; none when no line is shown.
pub fn excerpt(problem: &Problem) -> Option<String> {
    problem.source_line.as_ref()?;
    let bare = Problem {
        message: String::new(),
        expected: None,
        suggestion: None,
        ..problem.clone()
    };
    let text = text(&bare, false);
    // Between the corners of the frame; a line of the file may hold anything, but the frame begins and ends it.
    let lines = text.lines().skip_while(|line| !line.contains('╭')).skip(1);
    let lines: Vec<_> = lines
        .take_while(|line| !line.trim_start().starts_with('╰'))
        .map(|line| line.replace(char::is_control, "\u{fffd}"))
        .collect();
    Some(lines.join("\n"))
}

/// A problem, and its line with room for a caret after the end.
#[derive(Debug)]
struct Shown<'a>(&'a Problem, String);

impl<'a> Shown<'a> {
    /// The offset in the shown line, in bytes, of a character of the file's line.
    fn offset(&self, character: usize) -> usize {
        let line = self.0.source_line.as_deref().unwrap_or_default();
        let index = character.saturating_sub(self.0.left_out);
        line.char_indices()
            .nth(index)
            .map_or(line.len(), |(byte, _)| byte)
    }

    fn new(problem: &'a Problem) -> Self {
        let line = problem.source_line.as_deref().unwrap_or_default();
        Self(problem, format!("{line} "))
    }

    fn span(&self) -> SourceSpan {
        let start = self.offset(self.0.column.saturating_sub(1));
        let end = self.offset(self.0.column.saturating_sub(1) + self.0.length);
        (start, (end - start).max(1)).into()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.source_line.is_none() && !self.0.path.is_empty() {
            write!(formatter, "{}: ", self.0.path)?;
        }
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let expected = self
            .0
            .expected
            .as_ref()
            .filter(|_| self.0.source_line.is_none());
        let expected = expected.map(|expected| format!("expected {expected}"));
        let parts: Vec<_> = expected
            .into_iter()
            .chain(self.0.suggestion.clone())
            .collect();
        (!parts.is_empty()).then(|| Box::new(parts.join("\n")) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_line.as_ref().map(|_| self as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.source_line.as_ref()?;
        let label = self.0.expected.as_ref();
        let label = label.map(|expected| format!("expected {expected}"));
        let span = LabeledSpan::new_with_span(label, self.span());
        Some(Box::new(std::iter::once(span)))
    }
}

impl SourceCode for Shown<'_> {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let line = self.1.as_str();
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.path.clone(),
            line.as_bytes(),
            (0, line.len()).into(),
            self.0.line.saturating_sub(1),
            self.0.column.saturating_sub(1),
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::{excerpt, text};
    use crate::problem::Problem;
    use crate::source::Source;

    fn source() -> Source {
        Source {
            path: "migrations/a.yaml".to_owned(),
            text: "kind: Migration\nspec:\n  setps: []\n".to_owned(),
        }
    }

    #[test]
    fn shows_the_line_with_a_caret() {
        let problem = source()
            .problem(&(24..29), "unknown key `setps`")
            .expected("one of `steps`, `checks`")
            .suggest("did you mean `steps`?");
        insta::assert_snapshot!(text(&problem, false));
        assert!(text(&problem, true).contains("\u{1b}["));
        assert_eq!(excerpt(&problem).unwrap(), " 3 │   setps: []\n   ·   ^^^^^");
        assert_eq!(excerpt(&Problem::whole("a.yaml", "too large")), None);
    }

    #[test]
    fn shows_the_end_of_a_line_and_a_part_of_a_long_one() {
        insta::assert_snapshot!(text(&source().problem(&(15..15), "here"), false));
        let long = Source {
            path: "a.sql".to_owned(),
            text: format!("{}HERE{}", "é".repeat(300), "x".repeat(300)),
        };
        insta::assert_snapshot!(text(&long.problem(&(600..604), "there"), false));
    }
}
