//! The metrics of one run of the program: measured while a command works, and handed over when it has ended. Whatever
//! becomes of them, the command's outcome and its exit code stay.

mod limits;
mod push;
mod textfile;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use whimbrel_core::environment::SecretReference;
use whimbrel_report::metrics::Metrics;
use whimbrel_secrets::Resolver;
use whimbrel_signal::metric::{Dropped, ErrorClass, RunResult};

use crate::arguments::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

use push::{Credentials, Gateway};
use textfile::{Turn, Written};

/// Where a command's metrics go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsArguments {
    /// Write metrics into this file when the command has ended, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE", env = "WHIMBREL_METRICS_TEXTFILE")]
    pub(crate) metrics_textfile: Option<PathBuf>,
    /// Push metrics to the Pushgateway at this URL when the command has ended
    #[arg(long, value_name = "URL", env = "WHIMBREL_METRICS_PUSH")]
    pub(crate) metrics_push: Option<Gateway>,
    /// The secret with the gateway's bearer token
    #[arg(
        long,
        value_name = "secret://…",
        env = "WHIMBREL_METRICS_PUSH_TOKEN",
        requires = "metrics_push",
        conflicts_with = "metrics_push_basic"
    )]
    pub(crate) metrics_push_token: Option<SecretReference>,
    /// The secret with the gateway's `user:password`
    #[arg(
        long,
        value_name = "secret://…",
        env = "WHIMBREL_METRICS_PUSH_BASIC",
        requires = "metrics_push"
    )]
    pub(crate) metrics_push_basic: Option<SecretReference>,
    /// Trust these certificate authorities (PEM) of the gateway instead of the system's
    #[arg(
        long,
        value_name = "FILE",
        env = "WHIMBREL_METRICS_PUSH_CA",
        requires = "metrics_push"
    )]
    pub(crate) metrics_push_ca: Option<PathBuf>,
}

/// A command that is measured.
pub(crate) struct Measured<'a> {
    arguments: &'a MetricsArguments,
    output: &'a Output,
    metrics: Option<Metrics>,
    begun: Instant,
    about: Option<About>,
}

/// What the metrics are about, known once the project is open.
struct About {
    environment: String,
    /// None before it is open, and if it couldn't be opened.
    resolver: Option<Resolver>,
}

impl<'a> Measured<'a> {
    /// Begins to measure what goes over this output, if somebody wants it.
    pub(crate) fn begin(
        arguments: &'a MetricsArguments,
        global: &Global,
        output: &'a Output,
    ) -> Self {
        let wanted = arguments.metrics_textfile.is_some() || arguments.metrics_push.is_some();
        let metrics = wanted.then(|| output.measure());
        Self {
            arguments,
            output,
            metrics,
            begun: Instant::now(),
            // What can't be opened is still a run that failed.
            about: global.environment.as_ref().map(|environment| About {
                environment: environment.clone(),
                resolver: None,
            }),
        }
    }

    /// Says what is measured.
    pub(crate) fn about(&mut self, environment: &str, resolver: &Resolver) {
        if self.metrics.is_some() {
            self.about = Some(About {
                environment: environment.to_owned(),
                resolver: Some(resolver.clone()),
            });
        }
    }

    /// Hands the metrics over.
    pub(crate) async fn end(self, result: &Result<Exit, CliError>, deed: Deed) {
        let (Some(metrics), Some(about)) = (&self.metrics, &self.about) else {
            return;
        };
        self.conclude(metrics, &about.environment, result, deed);
        let succeeded = matches!(result, Ok(Exit::Success | Exit::Pending));
        // First, so that the gateway tells of a file that couldn't be written.
        let written = self.write(metrics, about, Turn::First).await;
        let is_pushed = self.pushed(metrics, about, succeeded).await;
        // And so that the file tells of a gateway that took nothing.
        if matches!(written, Some(Written::Later)) || (written.is_some() && !is_pushed) {
            self.write(metrics, about, Turn::Last).await;
        }
    }

    /// Writes the file; none if there is none to write or it couldn't be written, which is counted.
    async fn write(&self, metrics: &Metrics, about: &About, turn: Turn) -> Option<Written> {
        let file = self.arguments.metrics_textfile.clone()?;
        let environment = about.environment.clone();
        let shown = file.display().to_string();
        let written = tokio::task::spawn_blocking({
            let metrics = metrics.clone();
            move || textfile::write(&file, &metrics, &environment, turn)
        });
        let error = match tokio::time::timeout(limits::TEXTFILE, written).await {
            Ok(Ok(Ok(written))) => return Some(written),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it takes longer than {:?}", limits::TEXTFILE),
        };
        metrics.meter().dropped(Dropped::Textfile, 1);
        self.lost(&format!("the metrics were not written to {shown}: {error}"));
        None
    }

    /// Pushes, if a gateway is given; whether nothing was lost, which would be counted.
    async fn pushed(&self, metrics: &Metrics, about: &About, succeeded: bool) -> bool {
        let Some(gateway) = &self.arguments.metrics_push else {
            return true;
        };
        let pushed =
            tokio::time::timeout(limits::PUSH, self.push(gateway, metrics, about, succeeded));
        let pushed = pushed
            .await
            .unwrap_or_else(|_| Err(push::PushError::Slow(limits::PUSH)));
        if let Err(error) = &pushed {
            metrics.meter().dropped(Dropped::Push, 1);
            self.lost(&format!(
                "the metrics were not pushed to {gateway}: {error}"
            ));
        }
        pushed.is_ok()
    }

    async fn push(
        &self,
        gateway: &Gateway,
        metrics: &Metrics,
        about: &About,
        succeeded: bool,
    ) -> Result<(), push::PushError> {
        let token = self.arguments.metrics_push_token.as_ref();
        let reference = token.or(self.arguments.metrics_push_basic.as_ref());
        let credentials = match (reference, &about.resolver) {
            (None, _) => None,
            (Some(_), None) => return Err(push::PushError::NotOpen),
            (Some(reference), Some(resolver)) => {
                let secret = resolver.resolve(reference).await?;
                Some(match token {
                    Some(_) => Credentials::Bearer(secret),
                    None => Credentials::Basic(secret),
                })
            }
        };
        let push = push::Push {
            gateway,
            environment: &about.environment,
            namespace: metrics.meter().namespace(),
            credentials,
            authorities: self.arguments.metrics_push_ca.as_deref(),
            // What a failed run can't tell anew stays as it was known before.
            replace: succeeded,
        };
        push.send(metrics.render().to_string()).await
    }

    /// What no run said: that there was none to be done, or none that could begin.
    fn conclude(
        &self,
        metrics: &Metrics,
        environment: &str,
        result: &Result<Exit, CliError>,
        deed: Deed,
    ) {
        match result {
            Ok(Exit::Success | Exit::Pending) if deed == Deed::Whole => {
                metrics.meter().up_to_date(environment);
            }
            Err(error) if deed != Deed::Look && !metrics.has_run() => {
                let took = self.begun.elapsed();
                metrics.meter().run(environment, RunResult::Failed, took);
                metrics.meter().error(environment, class(error.exit()));
            }
            _ => {}
        }
    }

    fn lost(&self, text: &str) {
        self.output.complain(&format!("warning: {text}\n"));
    }
}

/// What a command does to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It brings every database to what is defined.
    Whole,
    /// It changes some databases, or not to what is defined.
    Part,
    /// It only looks.
    Look,
}

/// Why no run began.
const fn class(exit: Exit) -> ErrorClass {
    match exit {
        Exit::Locked => ErrorClass::Locked,
        Exit::Refused => ErrorClass::Refused,
        Exit::Retry => ErrorClass::Connection,
        Exit::Interrupted | Exit::Terminated => ErrorClass::Interrupted,
        _ => ErrorClass::Plan,
    }
}
