//! Access tokens, kept between calls while they hold.
//!
//! <https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>

use whimbrel_sdk::http::{self, Request};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, serde, serde_json, session};

use crate::config::{Config, Metadata, Source};
use crate::refusal;

/// Tokens are replaced when they hold no longer than this, in milliseconds: as Google's own libraries, and less than the
/// five minutes before its end at which the metadata server has a new one.
const MARGIN: u64 = 225_000;

/// A token to show.
pub(crate) struct Token {
    pub(crate) text: String,
    /// Whether an earlier call got it, so that asking again may give another.
    pub(crate) is_kept: bool,
}

/// What the host keeps.
#[derive(Serialize, Deserialize)]
#[serde(crate = "serde")]
struct Kept {
    token: String,
    /// Milliseconds since the Unix epoch.
    expires: u64,
}

/// The token of an earlier call, or a new one.
pub(crate) fn token(config: &Config) -> Result<Token, Fault> {
    match &config.credentials {
        Source::Token(text) => Ok(Token {
            text: text.clone(),
            is_kept: false,
        }),
        Source::Metadata(metadata) => {
            // What can't be read was put by another release.
            let kept: Option<Kept> =
                session::get().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            match kept {
                Some(kept) if kept.expires > clock::now().saturating_add(MARGIN) => Ok(Token {
                    text: kept.token,
                    is_kept: true,
                }),
                _ => new(metadata),
            }
        }
    }
}

/// Another token, because the kept one isn't taken any more.
pub(crate) fn renewed(config: &Config) -> Result<Token, Fault> {
    session::forget();
    token(config)
}

fn new(metadata: &Metadata) -> Result<Token, Fault> {
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
    let asked = clock::now();
    let response = http::send(&Request::get(url).with_header("metadata-flavor", "Google"))?;
    if !response.is_success() {
        return Err(refusal::of_metadata(&response));
    }
    let given: Given = response
        .json()
        .map_err(|_| refusal::unreadable("the metadata server"))?;
    let kept = Kept {
        token: given.access_token,
        expires: asked.saturating_add(given.expires_in.saturating_mul(1_000)),
    };
    session::put(
        &serde_json::to_vec(&kept)?,
        &[kept.token.clone().into_bytes()],
        Some(kept.expires),
    );
    Ok(Token {
        text: kept.token,
        is_kept: false,
    })
}
