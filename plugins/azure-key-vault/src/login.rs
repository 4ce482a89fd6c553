//! Access tokens, kept between calls while they hold.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, serde, serde_json, session};

use crate::config::{Config, Source};
use crate::source;

/// Tokens are replaced when they hold no longer than this, in milliseconds: five minutes, as Azure's own SDKs.
const MARGIN: u64 = 300_000;

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
    if let Source::Token(text) = &config.credentials {
        return Ok(Token {
            text: text.clone(),
            is_kept: false,
        });
    }
    // What can't be read was put by another release.
    let kept: Option<Kept> = session::get().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(kept) = kept
        && kept.expires > clock::now().saturating_add(MARGIN)
    {
        return Ok(Token {
            text: kept.token,
            is_kept: true,
        });
    }
    let asked = clock::now();
    let given = source::ask(config)?;
    let kept = Kept {
        token: given.token,
        expires: asked.saturating_add(given.seconds.saturating_mul(1_000)),
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

/// Another token, because the kept one isn't taken any more.
pub(crate) fn renewed(config: &Config) -> Result<Token, Fault> {
    session::forget();
    token(config)
}
