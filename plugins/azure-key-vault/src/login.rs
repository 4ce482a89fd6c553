//! Requests with an access token, which is kept between calls while it holds.

use whimbrel_sdk::http::Response;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::session;

use crate::config::{Config, Source};
use crate::source;

/// Tokens are replaced when they hold no longer than this: five minutes, as Azure's own SDKs.
const MARGIN: Duration = Duration::from_secs(300);

/// Sends with the configured token, or with one of the configured source, and then once more with a new one when a kept
/// one isn't taken.
pub(crate) fn send(
    config: &Config,
    send: impl Fn(&str) -> Result<Response, Fault>,
) -> Result<Response, Fault> {
    let kept = |ask: &dyn Fn() -> Result<session::Token, Fault>| {
        session::with_token(MARGIN, ask, &send, Response::refuses_login)
    };
    match &config.credentials {
        Source::Token(token) => send(token),
        Source::ManagedIdentity(source) => kept(&|| source::managed(config, source)),
        Source::WorkloadIdentity(source) => kept(&|| source::workload(config, source)),
        Source::ClientSecret(source) => kept(&|| source::secret(config, source)),
    }
}
