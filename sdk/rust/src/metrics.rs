//! Business metrics, exported as `whimbrel_custom_<name>`. Needs the grant `metrics`; without it nothing is recorded.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::observe::metrics as host;
use crate::import;

/// Adds to a counter.
pub fn add(counter: &str, labels: &[(String, String)], amount: f64) {
    import!(host::add, metric(counter, labels, amount));
}

/// Sets a gauge.
pub fn set(gauge: &str, labels: &[(String, String)], value: f64) {
    import!(host::set, metric(gauge, labels, value));
}

/// Records a value in a histogram.
pub fn observe(histogram: &str, labels: &[(String, String)], value: f64) {
    import!(host::observe, metric(histogram, labels, value));
}
