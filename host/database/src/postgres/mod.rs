//! PostgreSQL.

mod classify;
mod connect;
mod driver;
mod error;
mod lint;
mod locks;
mod numeric;
mod parameter;
mod prepared;
mod reading;
mod refuse;
pub(crate) mod schema;
mod send;
mod session;
mod syntax;
mod tree;
mod value;
mod verifier;

pub(crate) use classify::classify;
pub(crate) use connect::connect;
pub(crate) use lint::{lint, rules as lint_rules};
pub(crate) use reading::refuse_write;
pub(crate) use refuse::refuse;
pub use session::PostgresCanceller;
pub(crate) use session::{LOCK_KEY, SESSION_LOCK};
