//! A secret store's login, kept by the host between calls: sealed, and known to the scrubber.
//!
//! Each call gets a new instance of the plugin, so what isn't put here is forgotten. Only secret stores have one.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::secrets::session as host;
use crate::{Duration, Fault, clock, import};

/// What an earlier call of this backend put.
#[must_use]
pub fn get() -> Option<Vec<u8>> {
    import!(host::get, session_get())
}

/// Keeps a login until `expires`, in milliseconds since the Unix epoch. `conceal` are the secret texts in it: the host
/// hides them wherever they would appear.
pub fn put(login: &[u8], conceal: &[Vec<u8>], expires: Option<u64>) {
    import!(host::put, session_put(login, conceal, expires));
}

/// Forgets the login.
pub fn forget() {
    import!(host::forget, session_forget());
}

/// Says under which login this call works, by a name that is no secret, and until when it holds, in milliseconds since the
/// Unix epoch. For stores that end what they lent when the login ends: leases of this call then count as no longer than it.
pub fn under(login: &str, expires: Option<u64>) {
    import!(host::under, session_under(login, expires));
}

/// What an earlier call [kept](keep). What can't be read counts as nothing: another release put it.
#[must_use]
pub fn load<T: DeserializeOwned>() -> Option<T> {
    serde_json::from_slice(&get()?).ok()
}

/// [Puts](put) a login that has several parts.
///
/// # Errors
/// It can't be written as JSON.
pub fn keep<T: Serialize>(login: &T, conceal: &[&str], expires: Option<u64>) -> Result<(), Fault> {
    let conceal: Vec<Vec<u8>> = conceal.iter().map(|text| text.as_bytes().into()).collect();
    put(&serde_json::to_vec(login)?, &conceal, expires);
    Ok(())
}

/// An access token, as a server gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What is shown to the store.
    pub text: String,
    /// For how long, from when it was asked for.
    pub holds: Duration,
}

/// Checks a token that a `with:` gives: text without white space.
///
/// # Errors
/// It is something else; the fault points at `pointer`.
pub fn check(pointer: &str, token: &str) -> Result<(), Fault> {
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Fault::invalid(pointer, "expected an access token"));
    }
    Ok(())
}

/// The token that the host keeps.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    /// Milliseconds since the Unix epoch.
    expires: u64,
}

/// The token that an earlier call kept, if it holds for longer than `margin`.
#[must_use]
pub fn token(margin: Duration) -> Option<String> {
    let kept: Kept = load()?;
    let needed = clock::now().saturating_add(margin.as_millis());
    (kept.expires > needed).then_some(kept.token)
}

/// Does something with the token that an earlier call kept, if it holds for longer than `margin`; else with a new one.
/// When the kept one turns out to be over, it is done once more with a new one. Needs the grant `clock`.
///
/// # Errors
/// No token was given, or as `act` fails.
pub fn with_token<R>(
    margin: Duration,
    ask: impl Fn() -> Result<Token, Fault>,
    act: impl Fn(&str) -> Result<R, Fault>,
    is_over: impl Fn(&Result<R, Fault>) -> bool,
) -> Result<R, Fault> {
    if let Some(kept) = token(margin) {
        let answer = act(&kept);
        if !is_over(&answer) {
            return answer;
        }
        forget();
    }
    let asked = clock::now();
    let Token { text, holds } = ask()?;
    let kept = Kept {
        expires: asked.saturating_add(holds.as_millis()),
        token: text,
    };
    keep(&kept, &[&kept.token], Some(kept.expires))?;
    act(&kept.token)
}
