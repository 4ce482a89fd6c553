//! The targets: connect, dialects (split, classify, lint), lock and fence, history and journal tables.
//!
//! Every dialect is a folder of the same shape (`sqlite/`, `postgres/`); everything else is written once over the trait
//! [`session::Session`]. This crate must not know what a plan is: it hands out commands, and `whimbrel-run` composes
//! them into transactions.

#![forbid(unsafe_code)]

pub mod dialect;
pub mod endpoint;
pub mod heartbeat;
pub mod history;
pub mod lock;
mod ownership;
pub mod probe;
mod ramp;
mod reuse;
pub mod session;

mod postgres;
mod sqlite;

pub use dialect::{
    LintFinding, SplitNotice, SqlError, lint, lint_rules, quote_identifier, quote_literal,
    require_read, split, split_query, split_whole, split_with_notices,
};
pub use endpoint::{Endpoint, EndpointError};
pub use heartbeat::{Heartbeat, Heartbeats};
pub use lock::{Fence, Holder, LockError, LockSettings};
pub use ownership::owned_by_login;
pub use ramp::Ramp;
pub use session::{
    Backend, Canceller, Command, CommandError, DatabaseError, Done, Session, SessionSettings,
    connect,
};
