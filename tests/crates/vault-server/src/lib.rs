//! A real OpenBao for tests, over TLS on loopback, filled through `vaultrs`: a client that is not the product's.
//!
//! With `VAULT_ADDR`, `VAULT_TOKEN` (one that may do everything) and, unless it speaks plain HTTP, `VAULT_CACERT` the same tests run
//! against that server instead. Every helper makes mounts of its own, so that tests don't meet.
//!
//! ```no_run
//! # async fn example() {
//! let vault = whimbrel_vault_server::VaultServer::shared().await;
//! let mount = vault.kv2().await;
//! vaultrs::kv2::set(&vault.client(), &mount, "shop", &[("password", "canary")]).await.unwrap();
//! # }
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

mod database;
mod login;
mod review;
mod server;
mod token;

pub use database::{Database, Lent};
pub use login::{AppRole, TokenLogin};
pub use review::TokenReviewer;
pub use server::VaultServer;
pub use token::ServiceAccount;
