//! Documents of a project into core types, with every mistake of a tree reported at once, where it stands.
//!
//! The only crate that knows YAML. It reads through a [`SourceTree`] and knows neither Git nor databases.

#![forbid(unsafe_code)]
// A problem is large, and rare: a tree has none, or its reading ends with them.
#![allow(clippy::result_large_err)]

mod cache;
mod check;
mod document;
mod environment_checks;
mod environments;
mod files;
mod foreign;
mod git_source;
mod git_source_checks;
mod grant_checks;
mod json;
mod limits;
mod load;
mod locate;
mod mask;
mod migration_document;
mod migrations;
mod node;
mod parallel;
mod problem;
mod project;
mod provider;
mod reference_checks;
mod references;
mod render;
mod schema;
mod secret_checks;
mod shape;
mod source;
mod spot;
mod sql_file;
mod structural;
mod tree;
mod written;
mod written_text;
mod yaml;

pub use cache::DefinitionCache;
pub use git_source::{GitSourceDocument, read_git_sources};
pub use limits::FILE_SIZE;
pub use load::{
    Control, Definitions, LoadOptions, Migrations, Notice, load, load_control, load_migrations,
    load_migrations_again, load_own_migrations,
};
pub use locate::{backend_problem, for_each_place, sql_origin, with_problem};
pub use problem::{Problem, Problems};
pub use project::control_ref;
pub use provider::{ProviderDocument, read_provider};
pub use schema::schema;
pub use shape::Kind;
pub use spot::{Spot, TextOf, place_of};
pub use structural::structural;
pub use tree::{Entry, EntryKind, FolderTree, Identified, SourceError, SourceTree, check_path};
pub use written::WrittenTree;
