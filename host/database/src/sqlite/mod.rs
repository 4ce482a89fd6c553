//! SQLite.

mod classify;
mod error;
mod identity;
mod lint;
mod lock_file;
mod reading;
mod refuse;
mod regular;
pub(crate) mod schema;
mod session;
mod syntax;
mod worker;

pub(crate) use classify::{classify, foreign_keys_pragma};
pub(crate) use lint::{RULES as LINT_RULES, lint};
pub(crate) use reading::refuse_write;
pub(crate) use refuse::refuse;
pub(crate) use session::connect;
