//! Why an operator can't begin.

use whimbrel_server::ServeError;

/// Why an operator can't begin.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// It isn't known how the API server is reached.
    #[error("it isn't known how the API server is reached: {0}")]
    Configuration(#[from] kube::config::InferConfigError),
    /// There is no client for the API server.
    #[error("there is no client for the API server: {0}")]
    Client(#[from] kube::Error),
    /// The probes' place can't be had.
    #[error(transparent)]
    Probes(#[from] ServeError),
}
