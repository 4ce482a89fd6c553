//! What a host says when it doesn't do what was asked.

use whimbrel_sdk::http::{Refusal, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::time;

/// The longest time that is waited for a limit to end: GitHub counts by the hour.
const LONGEST_WAIT_MS: u64 = 3_600_000;

/// What a host says of its limits by name, in order of preference. GitHub and GitLab name the second at which the limit ends.
const RESETS: [&str; 2] = ["x-ratelimit-reset", "ratelimit-reset"];

/// The fault of a token that isn't taken, or of too many requests.
pub(crate) fn of_token_or_rate(response: &Response, doing: &str) -> Option<Fault> {
    match response.status {
        401 => Some(
            fault(response, doing, FaultClass::Denied, "git.credentials")
                .with_hint("the token was revoked, has expired or was never valid: give a new one"),
        ),
        429 => Some(limited(response, doing)),
        // GitHub says so for both of its limits.
        403 if is_limited(response) => Some(limited(response, doing)),
        _ => None,
    }
}

/// The fault of any other refusal.
pub(crate) fn of(response: &Response, doing: &str) -> Fault {
    use FaultClass::{Conflict, Denied, Internal, Invalid, NotFound, Unavailable};
    let (class, code, hint) = match response.status {
        403 => (
            Denied,
            "git.denied",
            "the token must be allowed to write commit statuses and comments of pull requests in this repository",
        ),
        404 => (
            NotFound,
            "git.not-found",
            "look at `api` and `repository`; many hosts also say so of what the token may not see",
        ),
        409 | 412 => (Conflict, "git.conflict", ""),
        300..=399 => (
            Invalid,
            "git.moved",
            "has the repository another name now? look at `api` and `repository`",
        ),
        400 | 413 | 422 => (Invalid, "git.invalid", ""),
        500..=599 => (Unavailable, "git.unavailable", ""),
        _ => (
            Internal,
            "git.unexpected",
            "is `api` the address of this host's API?",
        ),
    };
    let retry = match class {
        Unavailable => response.retry_after(),
        Conflict => Retry::Backoff,
        _ => Retry::Never,
    };
    fault(response, doing, class, code)
        .with_hint(hint)
        .with_retry(retry)
}

fn is_limited(response: &Response) -> bool {
    response.header("retry-after").is_some()
        || response.header("x-ratelimit-remaining") == Some("0")
        || said(response).to_ascii_lowercase().contains("rate limit")
}

fn limited(response: &Response, doing: &str) -> Fault {
    fault(response, doing, FaultClass::Unavailable, "git.rate-limited").with_retry(wait(response))
}

/// When the host says that its limit ends.
fn wait(response: &Response) -> Retry {
    match response.retry_after() {
        Retry::After(wait) => return Retry::After(wait.min(LONGEST_WAIT_MS)),
        Retry::Backoff | Retry::Never => {}
    }
    let reset = RESETS.iter().find_map(|name| response.header(name));
    let reset = reset.and_then(|text| text.trim().parse::<u64>().ok());
    // The host's own clock: a reporter has none, and ours may differ.
    let now = response.header("date").and_then(time::from_http_date);
    match (reset, now) {
        (Some(reset), Some(now)) => {
            let wait = reset.saturating_mul(1_000).saturating_sub(now);
            // The second in which it ends is still within it.
            Retry::After(wait.saturating_add(1_000).min(LONGEST_WAIT_MS))
        }
        _ => Retry::Backoff,
    }
}

fn fault(response: &Response, doing: &str, class: FaultClass, code: &str) -> Fault {
    let said = said(response);
    let refusal = Refusal {
        doing,
        status: response.status,
        name: "",
        said: &said,
    };
    Fault::new(class, code, refusal.to_string())
}

/// The host's own words, wherever it puts them.
fn said(response: &Response) -> String {
    let body: Json = response.json().unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Json::as_str);
    let plain = text("/message")
        .or_else(|| text("/error/message"))
        .or_else(|| text("/errors/0/message"))
        .or_else(|| text("/error_description"))
        .or_else(|| text("/error"));
    match (plain, body.get("message")) {
        (Some(plain), _) => plain.to_owned(),
        // GitLab has lists of what is wrong by field.
        (None, Some(message)) => message.to_string(),
        (None, None) => String::new(),
    }
}
