//! A way to a Git server, whatever carries it: what it has is read first, then one request is made.

use std::io::Read;

use super::RemoteError;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// To be given objects.
    Fetch,
    /// To take objects.
    Push,
}

impl Service {
    /// The program at the other end.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "git-upload-pack",
            Self::Push => "git-receive-pack",
        }
    }
}

/// A way to a Git server.
pub(super) trait Connection {
    /// Begins, and gives what the server has.
    fn begin(&mut self, service: Service) -> Result<Box<dyn Read>, RemoteError>;

    /// Makes the one request, and gives the answer.
    fn finish(&mut self, service: Service, request: Vec<u8>) -> Result<Box<dyn Read>, RemoteError>;
}
