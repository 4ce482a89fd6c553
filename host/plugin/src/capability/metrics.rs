//! `whimbrel:observe/metrics`: with the grant to whoever listens to the call; without it nothing is recorded, which is said
//! once.

use wasmtime::Result;
use whimbrel_signal::metric::{Change, Custom, Dropped, Measurement, check_custom};

use crate::bindings::imports::whimbrel::observe::metrics;
use crate::call::Level;
use crate::grants::Need;
use crate::instance::State;

impl State {
    fn record(
        &mut self,
        name: String,
        mut labels: Vec<(String, String)>,
        change: Change,
    ) -> Result<()> {
        self.working("metrics").map_err(super::Denied::trap)?;
        if !self.allows(Need::Metrics) {
            self.complain("metrics aren't recorded: grant `metrics` to the plugin");
            return Ok(());
        }
        if let Err(reason) = check_custom(&name, &labels) {
            self.complain("a metric was dropped: its name or its labels break the rules");
            self.measured(Measurement::Dropped(reason));
            return Ok(());
        }
        if self.hush.is_on() {
            for (_, value) in &mut labels {
                *value = self.hush.clean(value);
            }
        }
        let series = format!("{name}{labels:?}");
        if !self.series.contains(&series) && self.series.len() >= self.limits.metric_series {
            self.complain("metrics were dropped: too many series");
            self.measured(Measurement::Dropped(Dropped::PluginBudget));
            return Ok(());
        }
        self.series.insert(series);
        self.measured(Measurement::Custom(Custom {
            name,
            labels,
            change,
        }));
        Ok(())
    }

    fn measured(&self, measurement: Measurement) {
        if let Some(sink) = &self.metrics {
            sink(measurement);
        }
    }

    /// Says something once per call.
    fn complain(&mut self, message: &'static str) {
        // Complaints share the set with the series: no series begins with an exclamation mark.
        if self.series.insert(format!("!{message}")) {
            self.say(Level::Warn, message.to_owned(), Vec::new());
        }
    }
}

impl metrics::Host for State {
    fn add(&mut self, name: String, labels: Vec<(String, String)>, amount: f64) -> Result<()> {
        self.record(name, labels, Change::Add(amount))
    }

    fn set(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Result<()> {
        self.record(name, labels, Change::Set(value))
    }

    fn observe(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Result<()> {
        self.record(name, labels, Change::Observe(value))
    }
}
