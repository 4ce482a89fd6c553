//! `whimbrel run`: what the process of a Job does. It reads the objects as the operator does, once, and has nothing to say to
//! them: the operator reads how it ended.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{TryStreamExt as _, pin_mut};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher as watch};
use kube::{Api, Config, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use whimbrel_config::Kind;
use whimbrel_core::name::MigrationName;
use whimbrel_engine::{Context, EngineError, Opened, Prepared};
use whimbrel_project::DefinitionCache;
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;
use whimbrel_server::Limits;

use crate::api::resource;
use crate::approvals;
use crate::cluster::{Cluster, Stores};
use crate::measures::Measures;
use crate::operator::{Operator, Settings};
use crate::reconcile::Known;
use crate::requests::Clients;
use crate::source;
use crate::survey::{asked, selection};
use crate::watch::PAGE;

/// The plan of an environment, as its objects and its databases are now.
pub struct Found {
    /// The environment, opened.
    pub opened: Opened,
    /// Its plan.
    pub prepared: Prepared,
    /// Whether everything is applied.
    pub is_current: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The API server doesn't say.
    #[error("the API server doesn't say what there is: {0}")]
    Cluster(#[from] kube::Error),
    /// The objects can't be listed.
    #[error("the objects can't be listed: {0}")]
    Listed(#[from] watcher::Error),
    /// There is no such environment.
    #[error("there is no Environment `{name}` in the namespace {namespace}")]
    NoEnvironment {
        /// The name.
        name: String,
        /// Where it isn't.
        namespace: String,
    },
    /// Somebody deleted it.
    #[error("the Environment `{0}` is being deleted")]
    Deleted(String),
    /// Its source can't be read.
    #[error("the GitSource `{name}`: {message}")]
    Source {
        /// The source.
        name: String,
        /// Why.
        message: String,
        /// Whether the same may work later.
        is_temporary: bool,
    },
    /// Its definitions can't be had.
    #[error("{0}")]
    Definitions(String),
    /// It can't be planned.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl RunError {
    /// Whether the same may work later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Cluster(error)
            | Self::Listed(
                watcher::Error::InitialListFailed(error)
                | watcher::Error::WatchStartFailed(error)
                | watcher::Error::WatchFailed(error),
            ) => is_temporary(error),
            Self::Listed(_) => true,
            Self::Source { is_temporary, .. } => *is_temporary,
            Self::Engine(error) => error.is_temporary(),
            Self::NoEnvironment { .. } | Self::Deleted(_) | Self::Definitions(_) => false,
        }
    }
}

/// An API server that says no says it again.
fn is_temporary(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}

/// Opens an environment and plans it, or the revert of what is named, as the operator does.
///
/// # Errors
/// See [`RunError`].
pub async fn find(
    configuration: Config,
    settings: Settings,
    context: Context,
    environment: &str,
    reverting: &[MigrationName],
) -> Result<Found, RunError> {
    let clients = Clients::new(&configuration, settings.watch_timeout)?;
    let client = clients.objects.clone();
    let namespace = settings.namespace.clone();
    if let Some(metrics) = context.metrics() {
        metrics.meter().of_namespace(&namespace);
    }
    let context = crate::surroundings(context, &clients, &settings);
    let of = |kind| resource(kind);
    let environments = Writer::new(of(Kind::Environment));
    let sources = Writer::new(of(Kind::GitSource));
    let migrations = Writer::new(of(Kind::Migration));
    let approvals = Writer::new(of(Kind::Approval));
    let stores = Stores {
        environments: environments.as_reader(),
        sources: sources.as_reader(),
        migrations: migrations.as_reader(),
        approvals: approvals.as_reader(),
    };
    macro_rules! list {
        ($kind:ident, $writer:ident) => {
            list(
                Api::namespaced_with(client.clone(), &namespace, &of(Kind::$kind)),
                $writer,
            )
        };
    }
    tokio::try_join!(
        list!(Environment, environments),
        list!(GitSource, sources),
        list!(Migration, migrations),
        list!(Approval, approvals),
    )?;
    let cluster = Cluster::new(clients, namespace.clone(), stores);
    let Some(object) = cluster.environment(environment) else {
        return Err(RunError::NoEnvironment {
            name: environment.to_owned(),
            namespace,
        });
    };
    if object.metadata.deletion_timestamp.is_some() {
        return Err(RunError::Deleted(environment.to_owned()));
    }
    let metrics = context.metrics().cloned().unwrap_or_else(Metrics::new);
    // It keeps nothing: nobody waits for its end, and nobody stops it but the run's own stop.
    let (guard, _) = mpsc::channel(1);
    let operator = Arc::new(Operator::new(
        cluster,
        context,
        settings,
        Arc::new(Limits::default()),
        Stop::default(),
        guard,
        Measures::new(metrics),
    ));
    if let Some(of) = &object.spec.source_ref {
        source::read_once(&operator, &of.name).await?;
    }
    let selection = selection(&operator, &object, &DefinitionCache::default()).await;
    let selection = selection.map_err(RunError::Definitions)?;
    let approvals = approvals::of_environment(&operator, environment);
    let context = &operator.context;
    let closing = context.closing().clone();
    let (known, surveyed) = asked(context, &selection, &approvals, reverting, closing).await?;
    let is_current = known == Known::Current;
    let (opened, prepared) = surveyed.into_parts();
    let prepared = prepared.ok_or_else(|| RunError::Definitions("there is no plan".to_owned()))?;
    Ok(Found {
        opened,
        prepared,
        is_current,
    })
}

/// Lists the objects of a kind into a store, page by page.
async fn list<K>(api: Api<K>, writer: Writer<K>) -> Result<(), RunError>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    let config = watcher::Config::default().page_size(PAGE);
    let events = watch(api, config)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer);
    pin_mut!(events);
    while let Some(event) = events.try_next().await? {
        if matches!(event, Event::InitDone) {
            return Ok(());
        }
    }
    Ok(())
}
