//! Every backend before its real store, and what each must do.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod aws;
mod azure;
mod gcp;
mod git_hosts;
mod kubernetes;
mod leases;
mod logins;
mod sops;
mod strongbox;
mod terraform_state;
mod vault;
