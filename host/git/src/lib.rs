//! Reads Git repositories through their object database, and keeps promotion records in them.
//!
//! A repository is a clone of this machine, or a [`Mirror`] of one elsewhere, which is fetched here. Nothing checks files
//! out or follows a symlink of a tree, and of definitions it is known only that somebody wants to read their files.

#![forbid(unsafe_code)]

mod error;
mod follow;
mod identity;
mod lineage;
mod listing;
mod promotion;
mod publication;
mod remote;
mod repository;
mod signature;
mod tree;
mod version;

pub use error::GitError;
pub use follow::Followed;
pub use identity::{Authorship, Identity};
pub use lineage::{Relation, Removal};
pub use promotion::PROMOTIONS;
pub use publication::{Publication, Published, Reach};
pub use remote::{
    Access, Address, Fetched, HostKeyProblem, HttpCredential, KnownHosts, Limits, Mirror, Move,
    RemoteError, SshKey,
};
pub use repository::Repository;
pub use signature::{
    SignatureError, SignatureProblem, Signed, Signers, SignersError, SigningKey, SigningKeyError,
    Verify,
};
pub use tree::GitTree;
