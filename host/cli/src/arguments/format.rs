//! In which form a command answers, and the log.

use std::fmt;

use clap::ValueEnum;

/// Formats of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For pull requests
    Markdown,
    /// For pipelines
    Junit,
    /// For code hosts
    Sarif,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
        })
    }
}

/// Formats of progress and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: bars on a terminal, lines elsewhere
    Text,
    /// One JSON object per line
    Json,
}
