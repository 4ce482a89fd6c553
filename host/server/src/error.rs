//! Why a server doesn't start, or ends.

use whimbrel_engine::EngineError;
use whimbrel_secrets::SecretError;

use crate::settings::Listen;

/// Why a server doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anybody could reach it and do anything.
    #[error("{0} can be reached from elsewhere, and nothing says who may do what")]
    Open(Listen),
    /// It can't listen there.
    #[error("can't listen on {listen}")]
    Listen {
        /// Where.
        listen: Listen,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process listens on the socket.
    #[error("another process listens on {0}")]
    Taken(Listen),
    /// A file of TLS can't be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// A token can't be read.
    #[error("the token of `{name}` can't be read: {source}")]
    Token {
        /// Whose.
        name: String,
        /// Why.
        #[source]
        source: Box<SecretError>,
    },
    /// A token that anybody could guess.
    #[error("the token of `{0}` is shorter than 16 characters")]
    ShortToken(String),
    /// The engine can't be started.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ServeError {
    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Open(_) => vec![
                "name a token with `--token secret://env/NAME`, or an authority of clients' certificates, or listen on \
                 127.0.0.1 or unix:PATH"
                    .to_owned(),
            ],
            Self::Taken(_) => vec!["end that one first, or listen elsewhere".to_owned()],
            Self::Token { source, .. } => source.hint().into_iter().collect(),
            Self::ShortToken(_) => vec!["`openssl rand -hex 32` makes a good one".to_owned()],
            Self::Engine(error) => error.hints(),
            Self::Listen { .. } | Self::Tls(_) => Vec::new(),
        }
    }
}
