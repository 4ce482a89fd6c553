//! `whimbrel:observe/metrics`: with the grant to the sandbox's sink; without it nothing is recorded, which is said once.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::observe::metrics;
use crate::call::Level;
use crate::grants::Need;
use crate::instance::State;
use crate::sandbox::Metric;

/// Names that a metric or a label may have.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl State {
    fn record(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
        metric: impl FnOnce(String, Vec<(String, String)>) -> Metric,
    ) -> Result<()> {
        self.working("metrics").map_err(super::Denied::trap)?;
        if !self.allows(Need::Metrics) {
            self.complain("metrics aren't recorded: grant `metrics` to the plugin");
            return Ok(());
        }
        let labels_ok = labels.len() <= 8
            && labels
                .iter()
                .all(|(label, value)| is_name(label) && value.len() <= 128);
        if !is_name(&name) || !labels_ok {
            self.complain("a metric was dropped: its name or its labels break the rules");
            return Ok(());
        }
        let series = format!("{name}{labels:?}");
        if !self.series.contains(&series) && self.series.len() >= self.limits.metric_series {
            self.complain("metrics were dropped: too many series");
            return Ok(());
        }
        self.series.insert(series);
        if let Some(sink) = &self.metrics {
            sink(metric(name, labels));
        }
        Ok(())
    }

    /// Says something once per call.
    fn complain(&mut self, message: &'static str) {
        // Complaints share the set with the series: no series begins with an exclamation mark.
        if self.series.insert(format!("!{message}")) {
            self.say(Level::Warn, message, &[]);
        }
    }
}

impl metrics::Host for State {
    fn add(&mut self, name: String, labels: Vec<(String, String)>, amount: f64) -> Result<()> {
        let plugin = self.plugin().to_owned();
        self.record(name, labels, |name, labels| Metric::Add {
            plugin,
            name,
            labels,
            amount,
        })
    }

    fn set(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Result<()> {
        let plugin = self.plugin().to_owned();
        self.record(name, labels, |name, labels| Metric::Set {
            plugin,
            name,
            labels,
            value,
        })
    }

    fn observe(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Result<()> {
        let plugin = self.plugin().to_owned();
        self.record(name, labels, |name, labels| Metric::Observe {
            plugin,
            name,
            labels,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_have_rules() {
        assert!(is_name("rows_done_2"));
        for text in ["", "Rows", "2rows", "a-b", "ü", &"a".repeat(65)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
