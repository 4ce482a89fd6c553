//! What is measured: the catalogue of metrics, the words their labels take, handles to say them, and the budget that keeps
//! the number of series bounded whatever is said.
//!
//! A [`Meter`] is shared by everything that measures in one process. Saying something never fails, never waits for
//! anything but a short lock, and never takes memory beyond the budget: what doesn't fit goes to a series of its own
//! (`database="__other__"`) or is dropped, and both are counted.

mod cluster;
mod custom;
mod family;
mod forget;
mod gauge;
mod meter;
mod room;
mod series;
mod word;

pub use cluster::NAMESPACE;
pub use custom::{Change, Custom, Measurement, Origin, check_custom};
pub use family::{Family, Folding, Kind, Label, Name};
pub use gauge::Gauge;
pub use meter::Meter;
pub use prometheus::proto::MetricFamily;
pub use series::OTHER;
pub use word::{
    Dropped, ErrorClass, FetchResult, PluginResult, Provider, RunResult, SecretOperation,
    SecretResult, Standing, StepKind, WebhookResult,
};

#[cfg(test)]
mod tests;
