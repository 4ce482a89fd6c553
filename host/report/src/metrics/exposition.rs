//! Metrics as text.

use std::fmt::Write as _;

use prometheus::{Encoder as _, TextEncoder};
use whimbrel_signal::metric::MetricFamily;

/// The content type of [`super::Metrics::render`].
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of [`super::Metrics::render_openmetrics`].
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// In Prometheus' text format.
pub(super) fn text(families: &[MetricFamily]) -> String {
    let mut bytes = Vec::new();
    // Writing to memory can't fail, and what can't be written is left out of the end.
    let _ = TextEncoder::new().encode(families, &mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}

/// The same text as OpenMetrics: a counter's family is named without `_total`, and the end is marked.
pub(super) fn openmetrics(text: &str) -> String {
    let mut answer = String::with_capacity(text.len() + 16);
    let mut help = None;
    for line in text.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
            continue;
        }
        let typed = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '));
        let Some((name, kind)) = typed else {
            answer.push_str(line);
            answer.push('\n');
            continue;
        };
        let family = match kind {
            "counter" => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        // Writing to a string can't fail.
        let _ = writeln!(answer, "# TYPE {family} {kind}");
        let said = help
            .take()
            .and_then(|line| line.strip_prefix("# HELP ")?.split_once(' '));
        if let Some((_, said)) = said {
            let _ = writeln!(answer, "# HELP {family} {said}");
        }
    }
    answer.push_str("# EOF\n");
    answer
}
