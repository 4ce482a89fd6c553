//! Runs as traces of OpenTelemetry: a span of the run, of each target, of each migration, and of each step.
//!
//! A run's trace has the run's id without dashes, which is what every line of its log as JSON says as well.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use opentelemetry::trace::{SpanBuilder, SpanId, SpanKind, Status, TraceContextExt as _, TraceId};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider};
use whimbrel_core::name::TargetName;
use whimbrel_signal::metric::RunResult;
use whimbrel_signal::{Signal, Sink};

/// Who makes the spans, as OpenTelemetry calls it.
const SCOPE: &str = "whimbrel";

thread_local! {
    /// The trace that the next span without a parent begins.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Gives traces the ids of their runs.
#[derive(Debug, Default)]
pub struct RunIds(RandomIdGenerator);

impl IdGenerator for RunIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Makes the spans of one run.
#[derive(Debug)]
pub struct Traces {
    tracer: SdkTracer,
    open: Mutex<Open>,
}

/// The spans that haven't ended. A target does one thing after the other.
#[derive(Debug, Default)]
struct Open {
    run: Option<Context>,
    targets: BTreeMap<TargetName, Context>,
    migrations: BTreeMap<TargetName, Context>,
    steps: BTreeMap<TargetName, Context>,
}

impl Traces {
    /// Gives its spans to a provider, which should take its ids from [`RunIds`].
    #[must_use]
    pub fn new(provider: &SdkTracerProvider) -> Self {
        Self {
            tracer: provider.tracer(SCOPE),
            open: Mutex::default(),
        }
    }

    fn begin(
        &self,
        name: String,
        kind: SpanKind,
        attributes: Vec<KeyValue>,
        parent: Option<&Context>,
    ) -> Context {
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_attributes(attributes);
        let none = Context::new();
        let parent = parent.unwrap_or(&none);
        let span = self.tracer.build_with_context(builder, parent);
        parent.with_span(span)
    }
}

impl Sink for Traces {
    fn emit(&self, signal: &Signal) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match signal {
            Signal::RunStarted {
                run,
                environment,
                targets,
            } => {
                NEXT.set(TraceId::from_hex(&run.replace('-', "")).ok());
                let attributes = vec![
                    KeyValue::new("whimbrel.run", run.clone()),
                    KeyValue::new("whimbrel.environment", environment.clone()),
                    KeyValue::new("whimbrel.targets", count(*targets)),
                ];
                let name = format!("run {environment}");
                open.run = Some(self.begin(name, SpanKind::Internal, attributes, None));
                NEXT.set(None);
            }
            Signal::TargetStarted { target, migrations } => {
                let attributes = vec![
                    KeyValue::new("whimbrel.database", target.to_string()),
                    KeyValue::new("whimbrel.migrations", count(*migrations)),
                ];
                let name = format!("database {target}");
                let span = self.begin(name, SpanKind::Internal, attributes, open.run.as_ref());
                open.targets.insert(target.clone(), span);
            }
            Signal::LockTaken {
                target,
                epoch,
                waited_milliseconds,
            } => {
                if let Some(span) = open.targets.get(target) {
                    let attributes = vec![
                        KeyValue::new("whimbrel.epoch", *epoch),
                        KeyValue::new("whimbrel.waited_milliseconds", large(*waited_milliseconds)),
                    ];
                    span.span().add_event("lock taken", attributes);
                }
            }
            Signal::MigrationStarted {
                target,
                migration,
                direction,
                resumed,
            } => {
                let attributes = vec![
                    KeyValue::new("whimbrel.database", target.to_string()),
                    KeyValue::new("whimbrel.migration", migration.to_string()),
                    KeyValue::new("whimbrel.direction", direction.as_str()),
                    KeyValue::new("whimbrel.resumed", *resumed),
                ];
                let parent = open.targets.get(target);
                let name = migration.to_string();
                let span = self.begin(name, SpanKind::Internal, attributes, parent);
                open.migrations.insert(target.clone(), span);
            }
            Signal::StepStarted { target, title, .. } => {
                let parent = open.migrations.get(target);
                let span = self.begin(title.clone(), SpanKind::Client, Vec::new(), parent);
                open.steps.insert(target.clone(), span);
            }
            Signal::StepFinished {
                target,
                kind,
                dialect,
                rows,
                ..
            } => {
                if let Some(span) = open.steps.remove(target) {
                    let span = span.span();
                    span.set_attribute(KeyValue::new("whimbrel.step", kind.as_str()));
                    span.set_attribute(KeyValue::new("db.system.name", dialect.to_string()));
                    span.set_attribute(KeyValue::new("whimbrel.rows", large(*rows)));
                    span.end();
                }
            }
            Signal::Retrying {
                target,
                attempt,
                reason,
                ..
            } => {
                if let Some(span) = open.migrations.get(target) {
                    let attributes = vec![
                        KeyValue::new("whimbrel.attempt", i64::from(*attempt)),
                        KeyValue::new("whimbrel.reason", reason.clone()),
                    ];
                    span.span().add_event("tried again", attributes);
                }
            }
            Signal::MigrationFinished { target, rows, .. } => {
                if let Some(span) = open.migrations.remove(target) {
                    let rows = KeyValue::new("whimbrel.rows", large(*rows));
                    span.span().set_attribute(rows);
                    span.span().end();
                }
            }
            Signal::MigrationFailed { target, error, .. } => {
                let spans = [open.steps.remove(target), open.migrations.remove(target)];
                for span in spans.into_iter().flatten() {
                    span.span().set_status(Status::error(error.clone()));
                    span.span().end();
                }
            }
            Signal::TargetFinished {
                target,
                result,
                class,
            } => {
                let inner = [open.steps.remove(target), open.migrations.remove(target)];
                for span in inner.into_iter().flatten() {
                    span.span().end();
                }
                if let Some(span) = open.targets.remove(target) {
                    let span = span.span();
                    span.set_attribute(KeyValue::new("whimbrel.result", result.clone()));
                    if let Some(class) = class {
                        span.set_attribute(KeyValue::new("error.type", class.as_str()));
                        span.set_status(Status::error(class.as_str()));
                    }
                    span.end();
                }
            }
            Signal::RunFinished { result, .. } => {
                if let Some(span) = open.run.take() {
                    let span = span.span();
                    span.set_attribute(KeyValue::new("whimbrel.result", result.as_str()));
                    if *result == RunResult::Failed {
                        span.set_status(Status::error(result.as_str()));
                    }
                    span.end();
                }
            }
            Signal::LockWaiting { .. }
            | Signal::StepProgress { .. }
            | Signal::PluginLog { .. }
            | Signal::Metric { .. } => {}
        }
    }
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn large(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
