//! Documents of a project into core types, with every mistake of a tree reported at once, where it stands.
//!
//! The only crate that knows YAML. It reads through a [`SourceTree`] and knows neither Git nor databases.

#![forbid(unsafe_code)]

mod limits;
mod load;
mod problem;
mod tree;

pub use load::{Control, Definitions, LoadOptions, Notice, load, load_control, load_migrations};
pub use problem::{Problem, Problems};
pub use tree::{Entry, EntryKind, FolderTree, SourceError, SourceTree};
