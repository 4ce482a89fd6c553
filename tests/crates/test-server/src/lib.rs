//! What servers for tests are made of: a process that ends with its test, a certificate authority of one's own, and just
//! enough HTTP for fakes and for a proxy that misbehaves.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

mod authority;
mod http;
mod listener;
mod process;
mod program;

pub use authority::{Authority, Identity};
pub use http::{Request, Response};
pub use listener::{Connection, Listener, Secured};
pub use process::Process;
pub use program::{free_port, program};
