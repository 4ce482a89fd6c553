//! Stands before an HTTP server in tests, counts what is asked, and fails as it is told.
//!
//! ```no_run
//! use whimbrel_faulty_proxy::{Fault, FaultyProxy, Rule};
//!
//! let proxy = FaultyProxy::start("https://127.0.0.1:8200", Some("-----BEGIN CERTIFICATE-----…"));
//! proxy.inject(Rule::on("/v1/secret").times(2).fault(Fault::Status(503)));
//! // … the product asks proxy.address() …
//! assert_eq!(proxy.requests_for("/v1/secret"), 3);
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

mod clock;
mod rule;
mod serve;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use whimbrel_test_server::{Authority, Listener};

pub use rule::{Fault, Rule};

use serve::Upstream;

/// One request that came, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Whether the server behind got it.
    pub forwarded: bool,
    /// The status that the client got; none when it got no whole answer.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rules: Vec<Rule>,
    pub(crate) seen: Vec<Seen>,
}

/// A running proxy, over TLS, with an authority of its own.
#[derive(Debug)]
pub struct FaultyProxy {
    listener: Listener,
    authority: Authority,
    state: Arc<Mutex<State>>,
}

impl FaultyProxy {
    /// Starts one before a server on loopback: its URL, and the authority in PEM that signed its certificate.
    ///
    /// # Panics
    ///
    /// The URL has no port.
    #[must_use]
    pub fn start(upstream: &str, trusted: Option<&str>) -> Self {
        let upstream = Upstream::parse(upstream, trusted);
        let authority = Authority::default();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let listener = Listener::start(Some(&authority.identity()), move |connection| {
            serve::serve(connection, &upstream, &shared);
        });
        Self {
            listener,
            authority,
            state,
        }
    }

    /// Its URL, such as `https://127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://{}", self.listener.address())
    }

    /// The authority of its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.authority.certificate()
    }

    /// Adds a rule. Of several that fit a request, the oldest that isn't used up counts.
    pub fn inject(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Forgets all rules.
    pub fn mend(&self) {
        self.state().rules.clear();
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        self.state().seen.clear();
    }

    /// What was asked, in the order in which it ended.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many requests came for paths that begin so.
    #[must_use]
    pub fn requests_for(&self, path: &str) -> usize {
        let state = self.state();
        let fitting = state
            .seen
            .iter()
            .filter(|seen| seen.target.starts_with(path));
        fitting.count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
