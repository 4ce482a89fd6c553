//! Reads Git repositories through their object database, and keeps promotion records in them.
//!
//! Nothing here checks files out, follows a symlink of a tree, or talks to the network. It knows of definitions only
//! that somebody wants to read their files.

#![forbid(unsafe_code)]

mod error;
mod follow;
mod identity;
mod lineage;
mod promotion;
mod repository;
mod tree;

pub use error::GitError;
pub use follow::Followed;
pub use identity::{Authorship, Identity};
pub use lineage::{Relation, Removal};
pub use repository::Repository;
pub use tree::GitTree;
