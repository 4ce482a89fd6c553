//! What Prometheus reads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use whimbrel_report::metrics::{OPENMETRICS, TEXT};

use crate::problem::Problem;
use crate::server::Server;

/// All metrics of this process, in the format that is asked for.
pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let as_openmetrics = accepted.is_some_and(prefers_openmetrics);
    // Ten thousand series take milliseconds, in which runs want to go on.
    let shown =
        tokio::task::spawn_blocking(move || server.measures.show(&server, as_openmetrics)).await;
    let shown = shown.map_err(|error| Problem::unavailable(error.to_string()))?;
    let mut response = shown.to_string().into_response();
    let kind = if as_openmetrics { OPENMETRICS } else { TEXT };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// Whether OpenMetrics is wanted at least as much as the older format.
pub(crate) fn prefers_openmetrics(accept: &str) -> bool {
    let weight = |kind: &str| {
        let offers = accept.split(',').filter_map(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(kind) {
                return None;
            }
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            Some(quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
        });
        offers.fold(0.0_f64, f64::max)
    };
    let wanted = weight("application/openmetrics-text");
    wanted > 0.0 && wanted >= weight("text/plain")
}

#[cfg(test)]
mod tests {
    use super::prefers_openmetrics;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        // As Prometheus 2.42 and 3 ask.
        assert!(prefers_openmetrics(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        assert!(prefers_openmetrics(
            "application/openmetrics-text; q=0.6, text/plain; q=0.5"
        ));
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.3,text/plain;version=0.0.4",
        ] {
            assert!(!prefers_openmetrics(accept), "{accept}");
        }
    }
}
