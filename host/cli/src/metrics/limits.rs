//! How long handing metrics over may take, with the reason: a run's outcome mustn't wait for who only looks on.

use std::time::Duration;

/// All of a push: its secret, the connection and the answer. A healthy gateway answers in milliseconds.
pub(super) const PUSH: Duration = Duration::from_secs(5);

/// Writing the file. A disk takes milliseconds; a network file system that hangs must not hold the run up.
pub(super) const TEXTFILE: Duration = Duration::from_secs(5);

/// The most bytes of a file of before that are looked at: what this program writes is far smaller.
pub(super) const FORMER: u64 = 4 << 20;

/// How much of a gateway's refusal is told.
pub(super) const REFUSAL: usize = 300;
