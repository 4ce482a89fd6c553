//! What a server measures of itself, besides what its runs do and ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_core::name::TargetName;
use whimbrel_report::metrics::Metrics;
use whimbrel_signal::metric::{FetchResult, Gauge, Name, Provider, WebhookResult};

use crate::server::Server;
use crate::settings::SourceSettings;

/// The metrics of the process, with the gauges that are read off when somebody asks.
pub(crate) struct Measures {
    metrics: Metrics,
    queue: Gauge,
    lags: BTreeMap<String, Gauge>,
}

impl Measures {
    /// For these sources.
    pub(crate) fn new(metrics: Metrics, sources: &BTreeMap<String, SourceSettings>) -> Self {
        let meter = metrics.meter();
        if sources.values().any(SourceSettings::has_webhook) {
            meter.webhooks();
        }
        Self {
            queue: meter.gauge(Name::QueueDepth, &[]),
            lags: sources
                .keys()
                .map(|name| (name.clone(), meter.gauge(Name::SyncLag, &[name])))
                .collect(),
            metrics,
        }
    }

    /// An environment is kept: what never happened there counts from zero.
    pub(crate) fn keep(&self, environment: &str) {
        self.metrics.meter().environment(environment);
    }

    /// A repository was fetched.
    pub(crate) fn fetched(&self, source: &str, result: FetchResult) {
        self.metrics.meter().fetch(source, result);
    }

    /// A Git host delivered something.
    pub(crate) fn delivered(&self, provider: Provider, result: WebhookResult) {
        self.metrics.meter().webhook(provider, result);
    }

    /// Every database of an environment was brought, or found, to be as defined.
    pub(crate) fn up_to_date(&self, environment: &str) {
        self.metrics.meter().up_to_date(environment);
    }

    /// So many migrations of a database aren't as they were applied.
    pub(crate) fn drifted(&self, environment: &str, target: &TargetName, migrations: usize) {
        self.metrics.drifted(environment, target, migrations);
    }

    /// An environment is kept no more.
    pub(crate) fn forget(&self, environment: &str) {
        self.metrics.forget_environment(environment);
    }

    /// All metrics as they are now, as text or as OpenMetrics.
    pub(crate) fn show(&self, server: &Server, as_openmetrics: bool) -> Arc<str> {
        self.queue.set(to_float(server.waiting()));
        for (name, lag) in &self.lags {
            if let Some(source) = server.sources.get(name) {
                lag.set(source.age().as_secs_f64());
            }
        }
        if as_openmetrics {
            self.metrics.render_openmetrics().into()
        } else {
            self.metrics.render()
        }
    }
}

fn to_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
