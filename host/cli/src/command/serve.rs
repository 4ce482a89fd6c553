//! `whimbrel serve`: keeps environments where their sources say, and answers over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_project::DefinitionCache;
use whimbrel_run::Stop;
use whimbrel_server::{Ended, Limits, Listen, Settings, SourceSettings, Tls, serve};

use crate::arguments::{Global, Serve};
use crate::engine::{context, selection};
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
    let settings = settings(arguments, global, output)?;
    let stop = Stop::default();
    let interrupt = Interrupt::listen(stop.clone(), output.clone());
    let listeners = {
        let output = output.clone();
        Arc::new(move || output.sinks())
    };
    let announce = |listen: &Listen| output.answer(&format!("listening on {listen}\n"));
    let ended = serve(&settings, context(output), listeners, stop, announce).await;
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

fn settings(arguments: &Serve, global: &Global, output: &Output) -> Result<Settings, CliError> {
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
    let mut sources = BTreeMap::new();
    if arguments.sources.is_empty() {
        sources.insert(SOURCE.to_owned(), source(arguments, global, output)?);
    }
    for (name, project) in &arguments.sources {
        let global = Global {
            project: Some(project.clone()),
            ..global.clone()
        };
        if sources
            .insert(name.clone(), source(arguments, &global, output)?)
            .is_some()
        {
            return Err(CliError::usage(format!("two sources are called `{name}`")));
        }
    }
    Ok(Settings {
        listen: arguments.listen.clone(),
        tls,
        tokens: arguments.tokens.clone(),
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
    })
}
