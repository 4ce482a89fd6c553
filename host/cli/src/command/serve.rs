//! `whimbrel serve`: keeps environments where their sources say, and answers over HTTP.

mod sources;
mod written;

use std::sync::Arc;

use whimbrel_engine::Context;
use whimbrel_project::DefinitionCache;
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;
use whimbrel_server::{Ended, Limits, Listen, Settings, SourceSettings, Tls, serve};

use crate::arguments::{Global, Serve};
use crate::engine::{selection, service};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::remote::signing_key;

/// What the only source is called.
const SOURCE: &str = "default";

pub(crate) async fn run(
    arguments: &Serve,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let context = service(output);
    // Before the sandbox is asked for, whose calls are counted, too.
    let metrics = context.metrics().cloned().unwrap_or_else(Metrics::new);
    let context = context.with_metrics(metrics);
    let settings = settings(arguments, global, output, &context).await?;
    let stop = Stop::default();
    let interrupt = Interrupt::listen(stop.clone(), output.clone());
    let listeners = {
        let output = output.clone();
        Arc::new(move || output.sinks())
    };
    let announce = |listen: &Listen| output.answer(&format!("listening on {listen}\n"));
    let ended = serve(&settings, context, listeners, stop, announce).await;
    let ended = ended.map_err(|error| {
        let hints = error.hints();
        let error = CliError::new(Exit::Usage, error);
        hints.into_iter().fold(error, CliError::hint)
    })?;
    Ok(match ended {
        Ended::Gracefully => Exit::Success,
        Ended::Cut => interrupt.exit(),
    })
}

async fn settings(
    arguments: &Serve,
    global: &Global,
    output: &Output,
    context: &Context,
) -> Result<Settings, CliError> {
    let folder = std::env::current_dir()
        .map_err(|error| CliError::failed(format!("the current folder is gone: {error}")))?;
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: certificate.clone(),
            key: key.clone(),
            client_authority: arguments.tls_client_authority.clone(),
        }),
        _ => None,
    };
    let mut limits = Limits::default();
    if let Some(grace) = arguments.grace {
        limits.grace = grace;
    }
    if let Some(interval) = arguments.drift_interval {
        limits.drift_interval = interval;
    }
    let mut sources = sources::read(arguments, &folder, context).await?;
    let is_bare = arguments.configs.is_empty() && arguments.written.is_empty();
    let has_default = is_bare || global.project.is_some();
    let mut named = Vec::new();
    if arguments.sources.is_empty() && has_default {
        named.push((SOURCE.to_owned(), global.clone()));
    }
    named.extend(arguments.sources.iter().map(|(name, project)| {
        let global = Global {
            project: Some(project.clone()),
            ..global.clone()
        };
        (name.clone(), global)
    }));
    for (name, global) in named {
        let settings = source(arguments, &global, output)?;
        if sources.insert(name.clone(), settings).is_some() {
            return Err(CliError::usage(format!("two sources are called `{name}`")));
        }
    }
    Ok(Settings {
        listen: arguments.listen.clone(),
        tls,
        tokens: arguments.tokens.clone(),
        written: written::read(arguments, &folder, context)?,
        folder,
        sources,
        limits,
    })
}

fn source(arguments: &Serve, global: &Global, output: &Output) -> Result<SourceSettings, CliError> {
    let mut selection = selection(global, output)?;
    selection.cache = Some(DefinitionCache::default());
    selection.signing = signing_key(output.scrubber())?;
    Ok(SourceSettings {
        environments: selection.environment.take().into_iter().collect(),
        selection,
        interval: arguments.interval,
        hosted: None,
    })
}
