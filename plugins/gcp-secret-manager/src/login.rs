//! Requests with an access token, which is kept between calls while it holds.
//!
//! <https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>

use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::session::Token;
use whimbrel_sdk::{serde, session};

use crate::config::{Config, Metadata, Source};
use crate::refusal;

/// Tokens are replaced when they hold no longer than this: as Google's own libraries, and less than the five minutes
/// before its end at which the metadata server has a new one.
const MARGIN: Duration = Duration::from_secs(225);

/// Sends with the configured token, or with one of the metadata server, and then once more with a new one when a kept
/// one isn't taken.
pub(crate) fn send(
    config: &Config,
    send: impl Fn(&str) -> Result<Response, Fault>,
) -> Result<Response, Fault> {
    match &config.credentials {
        Source::Token(token) => send(token),
        Source::Metadata(metadata) => {
            session::with_token(MARGIN, || ask(metadata), send, Response::refuses_login)
        }
    }
}

fn ask(metadata: &Metadata) -> Result<Token, Fault> {
    #[derive(Deserialize)]
    #[serde(crate = "serde")]
    struct Given {
        access_token: String,
        /// Seconds.
        expires_in: u64,
    }
    let url = format!(
        "{}/computeMetadata/v1/instance/service-accounts/default/token",
        metadata.endpoint.trim_end_matches('/')
    );
    let response = http::send(&Request::get(url).with_header("metadata-flavor", "Google"))?;
    if !response.is_success() {
        return Err(refusal::of_metadata(&response));
    }
    let given: Given = response
        .json()
        .map_err(|_| refusal::unreadable("the metadata server"))?;
    Ok(Token {
        text: given.access_token,
        holds: Duration::from_secs(given.expires_in),
    })
}
