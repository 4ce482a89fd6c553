//! `whimbrel operator`: environments and migrations as objects of a Kubernetes cluster.
//!
//! What this crate must not know: how a plan is made or run. It observes objects, asks the engine, writes how things stand
//! into `status`, and keeps nothing that a restart would miss: the databases' histories are the truth.

#![forbid(unsafe_code)]
// Requests to the API server inside of what asks databases: the futures are deep.
#![recursion_limit = "256"]

mod api;
mod approvals;
mod cluster;
mod crds;
mod definition;
mod deletion;
mod error;
mod events;
mod heard;
mod jobs;
mod keeper;
mod measures;
#[cfg(test)]
mod model;
mod operator;
mod pace;
mod reconcile;
mod referenced;
mod refusals;
mod report;
mod requests;
mod run;
mod secrets;
mod shards;
mod source;
mod strays;
mod survey;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::runtime::reflector::store::Writer;
use kube::{Api, Config};
use tokio::sync::mpsc;
use whimbrel_config::Kind;
use whimbrel_core::environment::CLUSTER_BACKEND;
use whimbrel_engine::Context;
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;
use whimbrel_server::probes::{Probed, answer};
use whimbrel_server::{Ended, Limits, Listen};

pub use crds::crds;
pub use error::OperatorError;
pub use operator::Settings;
pub use run::{Found, RunError, find};

use api::resource;
use cluster::{Cluster, Stores};
use heard::{Heard, hearing};
use measures::Measures;
use operator::Operator;
use pace::paced;
use requests::Clients;
use secrets::{Closed, ClusterSecrets};
use shards::Leases;

/// How long an operator that ends tries to give its shards back: less than a Lease holds, or there would be no use in it.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// How long the end of the process waits until the API server takes what is still to be told.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How the API server is reached: as a pod's service account says it, or as a kubeconfig does.
///
/// # Errors
/// Neither is there, or it is wrong.
pub async fn configuration() -> Result<Config, OperatorError> {
    Ok(Config::infer().await?)
}

/// Keeps the objects of a namespace until it is asked to stop. The first request lets what is in flight come to a safe point
/// within the grace, the second cancels it.
///
/// # Errors
/// It can't begin: nothing was changed.
pub async fn operate(
    configuration: Config,
    settings: Settings,
    context: Context,
    listen: Listen,
    stop: Stop,
    announce: impl Fn(&Listen),
) -> Result<Ended, OperatorError> {
    let timeout = settings.watch_timeout;
    let clients = Clients::new(&configuration, timeout)?;
    let limits = Arc::new(Limits::default());
    let namespace = settings.namespace.clone();
    let (environments, sources) = (Kind::Environment, Kind::GitSource);
    let (migrations, approvals) = (Kind::Migration, Kind::Approval);
    let environments = Writer::new(resource(environments));
    let sources = Writer::new(resource(sources));
    let migrations = Writer::new(resource(migrations));
    let approvals = Writer::new(resource(approvals));
    let stores = Stores {
        environments: environments.as_reader(),
        sources: sources.as_reader(),
        migrations: migrations.as_reader(),
        approvals: approvals.as_reader(),
    };
    let metrics = context.metrics().cloned().unwrap_or_else(Metrics::new);
    metrics.meter().of_namespace(&namespace);
    let context = surroundings(context.with_metrics(metrics.clone()), &clients, &settings);
    let watches = clients.watches.clone();
    let for_leases = clients.objects.clone();
    let (guard, mut all_gone) = mpsc::channel(1);
    let lease = settings.lease_duration;
    let cluster = Cluster::new(clients, namespace.clone(), stores);
    let operator = Arc::new(Operator::new(
        cluster,
        context,
        settings,
        Arc::clone(&limits),
        stop.clone(),
        guard,
        Measures::new(metrics.clone()),
    ));
    let is_ready = Arc::new(AtomicBool::new(false));
    let probed = Probed {
        pulses: operator.pulses.clone(),
        is_ready: Arc::clone(&is_ready),
        metrics: metrics.clone(),
        measure: {
            let operator = Arc::clone(&operator);
            Arc::new(move || operator.measure())
        },
        limits: Arc::clone(&limits),
    };
    announce(&answer(&listen, probed, stop.clone()).await?);
    let times = operator.watch_times();
    macro_rules! follow {
        ($kind:ident, $writer:ident, $changed:path) => {{
            let heard = Heard::new(Kind::$kind, &operator.pulses, metrics.meter(), timeout);
            let client = hearing(paced(watches.clone()), Arc::clone(&heard));
            let api = Api::namespaced_with(client, &namespace, &resource(Kind::$kind));
            let told = Arc::clone(&operator);
            let changed = move |object: &_| $changed(&told, object);
            let (times, stop) = (times.clone(), stop.clone());
            tokio::spawn(watch::follow(api, $writer, heard, times, stop, changed));
        }};
    }
    follow!(GitSource, sources, watch::source);
    follow!(Migration, migrations, watch::migration);
    follow!(Approval, approvals, watch::approval);
    follow!(Environment, environments, watch::environment);
    tokio::spawn(deletion::release_orphans(Arc::clone(&operator)));
    tokio::spawn(strays::tell_strays(Arc::clone(&operator)));
    let shards = Arc::clone(&operator.shards);
    let me = shards.me().to_owned();
    let leases = Leases::new(for_leases, &namespace, me, lease);
    let (is_listed, listed) = tokio::sync::watch::channel(false);
    let pulse = operator.pulses.begin("leases".to_owned());
    let kept = shards::keep(shards, leases, timeout, stop.clone(), pulse, is_listed);
    let kept = tokio::spawn(kept);
    tokio::spawn(begin(Arc::clone(&operator), listed, is_ready));
    stop.requested().await;
    operator.release();
    let insisted = tokio::select! {
        _ = all_gone.recv() => {
            operator.cluster.events.flush(LAST_WORDS).await;
            None
        }
        () = tokio::time::sleep(limits.grace) => Some(false),
        () = stop.insisted() => Some(true),
    };
    if let Some(insisted) = insisted {
        if !insisted {
            stop.request();
        }
        // What is cancelled still records what it did.
        let _ = tokio::time::timeout(limits.grace, all_gone.recv()).await;
    }
    // What can't be given back is taken when its time is over.
    let _ = tokio::time::timeout(GIVING_BACK, kept).await;
    Ok(if insisted.is_none() {
        Ended::Gracefully
    } else {
        Ended::Cut
    })
}

/// The same context with the secrets that objects may refer to.
fn surroundings(context: Context, clients: &Clients, settings: &Settings) -> Context {
    let namespace = &settings.namespace;
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(clients.objects.clone(), namespace);
    let of_cluster = Arc::new(ClusterSecrets::new(secrets, namespace.clone()));
    let context = context.with_backend(CLUSTER_BACKEND, of_cluster);
    if settings.has_local_secrets {
        return context;
    }
    context
        .with_backend("env", Arc::new(Closed))
        .with_backend("file", Arc::new(Closed))
}

/// Once everything was listed: what one object says of another counts only then.
async fn begin(
    operator: Arc<Operator>,
    mut listed: tokio::sync::watch::Receiver<bool>,
    is_ready: Arc<AtomicBool>,
) {
    let stores = &operator.cluster.stores;
    let all = tokio::join!(
        stores.environments.wait_until_ready(),
        stores.migrations.wait_until_ready(),
        stores.sources.wait_until_ready(),
        stores.approvals.wait_until_ready(),
    );
    let listed = listed.wait_for(|is_listed| *is_listed).await.is_ok();
    if let (Ok(()), Ok(()), Ok(()), Ok(()), true) = (all.0, all.1, all.2, all.3, listed) {
        is_ready.store(true, Ordering::Relaxed);
        operator.begin();
    }
}
