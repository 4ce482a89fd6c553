//! Every bound of the protocol's host, in one table, each with its reason.

use std::time::Duration;

/// How deep values and types may nest: people's reach ten, and each level is a frame of the stack.
pub(crate) const DEPTH: usize = 100;

/// The largest exponent of a number, either way: Terraform's own end below.
pub(crate) const EXPONENT: i64 = 1_000_000_000;

/// Up to how many digits a number is written out; beyond it has an exponent.
pub(crate) const WRITTEN_DIGITS: i64 = 400;

/// The most bytes of a message, either way: Terraform takes no larger answer.
pub(crate) const MESSAGE: usize = 64 << 20;

/// How long a call may go on after it was asked to stop, for its deadline or because Terraform is gone: statements in flight
/// end within it.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// How long Terraform may be without a connection before it counts as gone. It makes one and keeps it.
pub(crate) const GONE: Duration = Duration::from_secs(5);

/// How long Terraform may take to connect at all. It does so at once, or was killed meanwhile.
pub(crate) const FIRST_CONNECTION: Duration = Duration::from_secs(60);

/// How long a TLS handshake may take.
pub(crate) const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// How long the provider may take to close: Terraform waits until it has answered.
pub(crate) const CLOSE: Duration = Duration::from_secs(10);

/// How long connections may take to end after the last answer: Terraform kills who needs two seconds.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// The longest path of a socket, in bytes: what the system takes on every platform, with its final zero.
pub(crate) const SOCKET_PATH: usize = 103;
