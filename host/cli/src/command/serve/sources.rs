//! The sources that files of `--config` name: from their documents to what a server keeps.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use whimbrel_config::{FILE_SIZE, GitSourceDocument, Problem, Problems, read_git_sources};
use whimbrel_core::fault::Fault;
use whimbrel_core::git_source::SourcePlace;
use whimbrel_core::lineage::AbsentRule;
use whimbrel_engine::{Context, Selection};
use whimbrel_git::Address;
use whimbrel_plugin::Mismatch;
use whimbrel_project::{
    DefinitionCache, Location, Place, ProjectError, RemoteLocation, SourceSecrets, load_options,
    reporter, webhook_receiver,
};
use whimbrel_server::{Hosted, Limits, SourceSettings};

use crate::arguments::Serve;
use crate::error::CliError;
use crate::remote::{mirrored, signing_key};

/// Mirrors of what pull requests bring.
const PROPOSALS: &str = "pull-requests";

/// The sources of all files, by their names. Relative paths are counted from `folder`.
pub(super) async fn read(
    arguments: &Serve,
    folder: &Path,
    context: &Context,
) -> Result<BTreeMap<String, SourceSettings>, CliError> {
    let mut sources = BTreeMap::new();
    for file in &arguments.configs {
        let shown = file.display().to_string();
        let bytes = bytes(file)
            .map_err(|error| CliError::usage(format!("{shown} can't be read: {error}")))?;
        for document in read_git_sources(&shown, bytes, &load_options()).map_err(wrong)? {
            let name = document.source.name.to_string();
            if sources.contains_key(&name) {
                return Err(CliError::usage(format!("two sources are called `{name}`")));
            }
            let mut settings = source(document, folder, context).await?;
            settings.interval = settings.interval.or(arguments.interval);
            sources.insert(name, settings);
        }
    }
    Ok(sources)
}

fn bytes(file: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > FILE_SIZE {
        return Err(std::io::Error::other("it is too large"));
    }
    std::fs::read(file)
}

async fn source(
    document: GitSourceDocument,
    folder: &Path,
    context: &Context,
) -> Result<SourceSettings, CliError> {
    let source = &document.source;
    let meter = context.metrics().map(|metrics| metrics.meter().clone());
    let secrets = SourceSecrets::new(folder, context.scrubber().clone(), meter);
    let at = |pointer: &'static str| {
        let document = &document;
        move |fault: Fault| told(document, pointer, &fault)
    };
    let verification = secrets.verification(&source.verify).await;
    let pull_requests = source.report.as_ref();
    let pull_requests = pull_requests.and_then(|report| report.pull_requests.as_ref());
    let (place, proposals) = match &source.place {
        SourcePlace::Folder(path) => {
            let path = folder.join(path);
            if !path.is_dir() {
                return Err(wrong_at(&document, "/path", "there is no such folder"));
            }
            let location = Location {
                folder: path,
                reference: source.reference.clone(),
            };
            (Place::Here(location), None)
        }
        SourcePlace::Repository { url, folder } => {
            let address = Address::parse(url)
                .map_err(|error| wrong_at(&document, "/url", &error.to_string()))?;
            let location = RemoteLocation {
                address,
                reference: source.reference.clone(),
                prefix: folder.trim_matches('/').to_owned(),
            };
            let proposals = pull_requests
                .map(|_| mirrored(&location, PROPOSALS, Limits::proposal_fetch()))
                .transpose()?;
            let remote = mirrored(&location, "", whimbrel_git::Limits::default())?;
            let place = Place::Elsewhere {
                remote,
                reference: location.reference,
            };
            (place, proposals)
        }
    };
    let hosted = Hosted {
        receiver: receiver(&document, &secrets, context).await?,
        reporter: shows(&document, &secrets, context).await?,
        source: Arc::new(source.clone()),
        secrets,
        proposals,
    };
    Ok(SourceSettings {
        selection: Selection {
            place,
            control_ref: None,
            verification: verification.map_err(at("/verify"))?,
            // The process has one name, whatever it keeps.
            signing: signing_key(context.scrubber())?,
            cache: Some(DefinitionCache::default()),
            environment: None,
            databases: Vec::new(),
            absent: AbsentRule::AskGit,
        },
        environments: source
            .environments
            .iter()
            .map(ToString::to_string)
            .collect(),
        interval: source
            .interval
            .map(whimbrel_core::duration::Duration::to_std),
        hosted: Some(hosted),
    })
}

async fn receiver(
    document: &GitSourceDocument,
    secrets: &SourceSecrets,
    context: &Context,
) -> Result<Option<Arc<whimbrel_plugin::WebhookReceiver>>, CliError> {
    let source = &document.source;
    let Some(spec) = &source.webhook else {
        return Ok(None);
    };
    let failed = |fault: Fault| told(document, "/webhook", &fault);
    let receiver = webhook_receiver(&source.name, spec, secrets, &context.sandbox()?).await;
    let receiver = receiver.map_err(failed)?;
    fits(
        document,
        "/webhook/with",
        receiver.mismatches().await.map_err(failed)?,
    )?;
    Ok(Some(Arc::new(receiver)))
}

async fn shows(
    document: &GitSourceDocument,
    secrets: &SourceSecrets,
    context: &Context,
) -> Result<Option<Arc<whimbrel_plugin::Reporter>>, CliError> {
    let source = &document.source;
    let Some(spec) = &source.report else {
        return Ok(None);
    };
    let failed = |fault: Fault| told(document, "/report", &fault);
    let sandbox = context.sandbox()?;
    let reporter = reporter(&source.name, spec, secrets, &sandbox, context.scrubber()).await;
    let reporter = reporter.map_err(failed)?;
    fits(
        document,
        "/report/with",
        reporter.mismatches().await.map_err(failed)?,
    )?;
    Ok(Some(Arc::new(reporter)))
}

/// Whether a plugin takes its configuration; what is wrong, each thing where it stands.
fn fits(
    document: &GitSourceDocument,
    with: &str,
    mismatches: Vec<Mismatch>,
) -> Result<(), CliError> {
    if mismatches.is_empty() {
        return Ok(());
    }
    let problems = mismatches.into_iter().map(|mismatch| {
        let pointer = format!("{with}{}", mismatch.pointer);
        let problem = document.problem(&pointer, &mismatch.message);
        hinted(problem, mismatch.hint.as_deref())
    });
    Err(wrong(Problems::new(problems.collect())))
}

fn told(document: &GitSourceDocument, pointer: &str, fault: &Fault) -> CliError {
    let problem = document.problem(pointer, &fault.message);
    wrong(Problems::new(vec![hinted(problem, fault.hint.as_deref())]))
}

fn wrong_at(document: &GitSourceDocument, pointer: &str, message: &str) -> CliError {
    wrong(Problems::new(vec![document.problem(pointer, message)]))
}

fn hinted(problem: Problem, hint: Option<&str>) -> Problem {
    match hint {
        Some(hint) => problem.suggest(hint),
        None => problem,
    }
}

fn wrong(problems: Problems) -> CliError {
    ProjectError::Definitions(problems).into()
}
