//! `whimbrel operator`: keeps the environments and migrations of a Kubernetes namespace.

use whimbrel_operator::{Settings, configuration, operate};
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;
use whimbrel_server::{Ended, Listen};

use crate::arguments::{Global, LogFormat, Operator};
use crate::engine::service;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::remote::{cache_folder, signing_key};

pub(crate) async fn run(
    arguments: &Operator,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let usage = |error| CliError::new(Exit::Usage, error);
    let configuration = configuration().await.map_err(|error| {
        usage(error).hint("run it in a pod with a service account, or set KUBECONFIG")
    })?;
    let cache = arguments.cache.clone().or_else(cache_folder);
    let cache = cache.ok_or_else(|| {
        CliError::failed("there is no place to keep mirrors of repositories")
            .hint("`--cache FOLDER`, or set HOME, XDG_CACHE_HOME or WHIMBREL_CACHE")
    })?;
    let namespace = arguments.namespace.clone();
    let settings = Settings {
        namespace: namespace.unwrap_or_else(|| configuration.default_namespace.clone()),
        cache,
        resync: arguments.resync,
        drift_interval: arguments.drift_interval,
        revert_within: arguments.revert_within,
        release_within: arguments.release_within,
        watch_timeout: arguments.watch_timeout,
        shards: arguments.shards,
        lease_duration: arguments.lease_duration,
        runs: arguments.runs,
        has_local_secrets: arguments.local_secrets,
        run_arguments: run_arguments(arguments, global),
        signing: signing_key(output.scrubber())?,
    };
    // Before the sandbox is asked for, whose calls are counted, too.
    let context = service(output).with_metrics(Metrics::new());
    let stop = Stop::default();
    let interrupt = Interrupt::listen(stop.clone(), output.clone());
    let announce = |listen: &Listen| output.answer(&format!("listening on {listen}\n"));
    let listen = arguments.listen.clone();
    let ended = operate(configuration, settings, context, listen, stop, announce).await;
    Ok(match ended.map_err(usage)? {
        Ended::Gracefully => Exit::Success,
        Ended::Cut => interrupt.exit(),
    })
}

/// What a Job's process says and may is what the operator's own does.
fn run_arguments(arguments: &Operator, global: &Global) -> Vec<String> {
    let mut said = Vec::new();
    if global.log_format == LogFormat::Json {
        said.extend(["--log-format", "json"]);
    }
    if arguments.local_secrets {
        said.push("--local-secrets");
    }
    said.into_iter().map(str::to_owned).collect()
}
