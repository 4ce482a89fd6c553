//! Where in the files of a project something stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A column of a line of a file. Ordered as the files are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Path from the project's root.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The line with a caret under the column, for a person; none where the file isn't there any more.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl fmt::Display for Place {
    /// As an editor opens it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, line, column, ..
        } = self;
        write!(formatter, "{path}:{line}:{column}")
    }
}
