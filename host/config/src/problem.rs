//! What is wrong with a tree, said so that the author can put it right without looking anything up.

use std::fmt;

use serde::Serialize;
use whimbrel_core::place::Place;

use crate::{limits, render};

/// One mistake, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Path of the file from the project's root.
    pub path: String,
    /// Line from 1; 0 when the problem is the file as a whole.
    pub line: usize,
    /// Column from 1, in characters; 0 when the problem is the file as a whole.
    pub column: usize,
    /// How many characters are underlined.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What was expected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do about it, when something is near enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The line as it stands in the file, with passwords masked; of a very long one the part that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
    /// How many characters `source_line` leaves out at its beginning.
    #[serde(skip)]
    pub(crate) left_out: usize,
}

impl Problem {
    /// A problem that is a file, or a folder, as a whole.
    pub(crate) fn whole(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            column: 0,
            length: 0,
            message: message.into(),
            expected: None,
            suggestion: None,
            source_line: None,
            left_out: 0,
        }
    }

    /// The same, saying what was expected.
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same, naming what was probably meant, if anything was.
    pub(crate) fn nearest<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match whimbrel_core::suggestion::nearest(word, candidates) {
            Some(nearest) => self.suggest(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }

    /// Where it stands, with the line and a caret.
    #[must_use]
    pub fn place(&self) -> Place {
        let number = |number: usize| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
        Place {
            path: self.path.clone(),
            line: number(self.line),
            column: number(self.column),
            excerpt: render::excerpt(self),
        }
    }

    pub(crate) fn push(self, problems: &mut Vec<Self>) {
        problems.push(self);
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&render::text(self, false))
    }
}

/// Everything that is wrong with a tree, by path and line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The problems, at most as many as a person would read.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: usize,
}

impl Problems {
    /// Sorted, each once, and no more than are read.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        let omitted = problems.len().saturating_sub(limits::PROBLEMS);
        problems.truncate(limits::PROBLEMS);
        Self { problems, omitted }
    }

    /// Each on a line of its own, without the text of the files: for places that show no more.
    #[must_use]
    pub fn brief(&self) -> String {
        let lines = self.problems.iter().map(|problem| {
            let Problem {
                path,
                line,
                column,
                message,
                ..
            } = problem;
            let expected = problem.expected.as_ref();
            let expected = expected.map(|expected| format!("; expected {expected}"));
            let expected = expected.unwrap_or_default();
            match line {
                0 => format!("{path}: {message}{expected}"),
                _ => format!("{path}:{line}:{column}: {message}{expected}"),
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// All of them as text, in colour if that is wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let texts = self.problems.iter().map(|p| render::text(p, colour));
        let mut out = texts.collect::<Vec<_>>().join("\n");
        if self.omitted > 0 {
            out.push_str(&format!("\n… and {} more\n", self.omitted));
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// Words of which one is expected.
pub fn alternatives<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        [one, two] => format!("{one} or {two}"),
        _ => format!("one of {}", quoted.join(", ")),
    }
}
