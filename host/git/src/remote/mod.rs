//! Repositories that are elsewhere: where they are, what proves who asks, and a mirror of them in the cache.
//!
//! Git's protocol is spoken here, over rustls and libssh2, and objects are kept through libgit2. libgit2's own HTTPS
//! would bring a second TLS stack that finds its authorities by changing the process's environment, and its time limits
//! hold for the whole process.

mod address;
mod advertisement;
mod connection;
mod credentials;
mod error;
mod exchange;
mod http;
mod known_hosts;
mod limits;
mod link;
mod local;
mod mirror;
mod packs;
mod pkt;
mod references;
mod remains;
mod ssh;
mod watched;

pub use address::Address;
pub use credentials::{Access, HttpCredential, KnownHosts, SshKey};
pub use error::{HostKeyProblem, RemoteError};
pub(crate) use known_hosts::wildcard;
pub use limits::Limits;
pub use mirror::{Fetched, Mirror, Move};
