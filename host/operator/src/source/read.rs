//! Reads what a `GitSource` says, and its repository.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::json;
use whimbrel_config::read_git_sources;
use whimbrel_core::environment::CLUSTER_BACKEND;
use whimbrel_core::git_source::{self, SourcePlace};
use whimbrel_core::lineage::AbsentRule;
use whimbrel_core::name::EnvironmentName;
use whimbrel_engine::{EngineError, Selection, opening};
use whimbrel_git::{Address, Fetched, PROMOTIONS};
use whimbrel_project::{
    Control, DefinitionCache, Place, ProjectError, Remote, RemoteLocation, SourceSecrets,
    load_options,
};

use crate::api::{GROUP, GitSource, VERSION};
use crate::operator::Operator;
use crate::secrets::{Closed, ClusterSecrets};

/// What was read of a source.
pub(super) struct Read {
    pub selection: Selection,
    pub revision: Option<String>,
    pub environments: BTreeSet<String>,
    /// Whether an environment has published something, elsewhere: another one may wait for it here.
    pub is_promoted: bool,
}

/// Why a source can't be read, and whether it is tried again by itself.
pub(super) struct Unread {
    pub message: String,
    pub is_temporary: bool,
}

impl Unread {
    fn of(error: &EngineError) -> Self {
        let hint = error.hints().into_iter().next();
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        Self {
            message: format!("{}{hint}", error.brief()),
            is_temporary: error.is_temporary(),
        }
    }

    fn wrong(message: impl std::fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            is_temporary: false,
        }
    }
}

/// What an object says.
pub(super) fn definition(object: &GitSource) -> Result<git_source::GitSource, Unread> {
    let document = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "GitSource",
        "metadata": { "name": object.name_any() }, "spec": object.spec.definition,
    });
    let path = format!("{}.json", object.name_any());
    let read = read_git_sources(&path, document.to_string().into_bytes(), &load_options());
    let read = read.map_err(|problems| Unread::wrong(problems.brief()))?;
    let of = read.into_iter().next().map(|document| document.source);
    of.ok_or_else(|| Unread::wrong("it defines no source"))
}

/// Fetches the repository and reads which environments it defines.
pub(super) async fn read(
    operator: &Arc<Operator>,
    object: &GitSource,
    known: Option<Selection>,
) -> Result<(Read, Duration), Unread> {
    let of = definition(object)?;
    let secrets = secrets(operator);
    let failed = |fault| Unread::of(&ProjectError::Access(Box::new(fault)).into());
    let access = secrets.access(&of.auth).await.map_err(failed)?;
    let verification = secrets.verification(&of.verify).await.map_err(failed)?;
    let remote = remote(operator, &of)?.with_access(access);
    let selection = Selection {
        place: Place::Elsewhere {
            remote: remote.clone(),
            reference: of.reference.clone(),
        },
        control_ref: None,
        verification,
        signing: operator.settings.signing.clone(),
        cache: known
            .and_then(|known| known.cache)
            .or_else(|| Some(DefinitionCache::default())),
        environment: None,
        databases: Vec::new(),
        absent: AbsentRule::AskGit,
    };
    let interval = of.interval.map_or(
        operator.limits.interval,
        whimbrel_core::duration::Duration::to_std,
    );
    let read = tokio::task::spawn_blocking(move || fetch(remote, of.reference, selection)).await;
    let read = read.map_err(EngineError::Task).and_then(|read| read);
    Ok((read.map_err(|error| Unread::of(&error))?, interval))
}

fn fetch(
    remote: Remote,
    reference: Option<String>,
    mut selection: Selection,
) -> Result<Read, EngineError> {
    let Fetched {
        repository, moves, ..
    } = remote.fetch(reference.as_deref())?;
    selection.place = Place::Fetched {
        remote,
        repository,
        reference,
    };
    let opening = opening(&selection, Control::Environment(None))?;
    let revision = opening.control_revision().or_else(|| opening.revision());
    let environments = &opening.documents().environments;
    Ok(Read {
        revision: revision.map(ToString::to_string),
        environments: environments
            .keys()
            .map(EnvironmentName::to_string)
            .collect(),
        selection,
        is_promoted: moves
            .iter()
            .any(|one| one.reference.starts_with(PROMOTIONS)),
    })
}

fn remote(operator: &Operator, of: &git_source::GitSource) -> Result<Remote, Unread> {
    let SourcePlace::Repository { url, folder } = &of.place else {
        return Err(Unread::wrong(
            "`path` is a folder of one machine, and the operator has none",
        ));
    };
    let address =
        Address::parse(url).map_err(|error| Unread::of(&ProjectError::Remote(error).into()))?;
    let location = RemoteLocation {
        address,
        reference: of.reference.clone(),
        prefix: folder.trim_matches('/').to_owned(),
    };
    let cache = operator.settings.cache.join("repositories");
    let access = whimbrel_git::Access::default();
    let limits = whimbrel_git::Limits::default();
    let folder = operator.settings.cache.clone();
    Ok(Remote::new(&cache, &location, access, limits, folder))
}

fn secrets(operator: &Operator) -> SourceSecrets {
    let namespace = operator.cluster.namespace.clone();
    let of_cluster = Arc::new(ClusterSecrets::new(operator.cluster.secrets(), namespace));
    let scrubber = operator.context.scrubber().clone();
    let secrets = SourceSecrets::new(&operator.settings.cache, scrubber, None)
        .with_backend(CLUSTER_BACKEND, of_cluster);
    if operator.settings.has_local_secrets {
        return secrets;
    }
    secrets
        .with_backend("env", Arc::new(Closed))
        .with_backend("file", Arc::new(Closed))
}
