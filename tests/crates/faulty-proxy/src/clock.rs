//! A server's clock that is wrong: what it writes as `Date`, and which signatures it takes for too old or too new.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use whimbrel_test_server::{Request, Response};

/// How far a signature may be from AWS's clock, in minutes.
const MARGIN: i64 = 5;

/// How AWS writes times in signatures.
const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The time of so many seconds from now, as HTTP writes it.
pub(crate) fn date(seconds: i64) -> String {
    let printer = rfc2822::DateTimePrinter::new();
    printer
        .timestamp_to_rfc9110_string(&then(seconds))
        .expect("a time that can be written")
}

/// What a server whose clock is wrong by so many seconds says to a request that was signed by another; nothing if it takes it.
pub(crate) fn refusal(request: &Request, seconds: i64) -> Option<Response> {
    let signed = request.header("x-amz-date")?;
    let at = DateTime::strptime(FORMAT, signed).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let now = then(seconds);
    let (earliest, latest) = (now - MARGIN.minutes(), now + MARGIN.minutes());
    let written = |time: Timestamp| time.strftime(FORMAT).to_string();
    let said = if at < earliest {
        format!(
            "Signature expired: {signed} is now earlier than {} ({} - {MARGIN} min.)",
            written(earliest),
            written(now)
        )
    } else if at > latest {
        format!(
            "Signature not yet current: {signed} is still later than {} ({} + {MARGIN} min.)",
            written(latest),
            written(now)
        )
    } else {
        return None;
    };
    let body = serde_json::json!({ "__type": "InvalidSignatureException", "message": said });
    Some(Response::json(400, body.to_string()).with_header("date", date(seconds)))
}

fn then(seconds: i64) -> Timestamp {
    Timestamp::now() + seconds.seconds()
}
