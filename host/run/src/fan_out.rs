//! All targets of an environment at once, within the policy's bounds, each failing for itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::Instrument as _;
use uuid::Uuid;
use whimbrel_core::name::TargetName;
use whimbrel_database::Ramp;
use whimbrel_signal::Signal;
use whimbrel_signal::metric::RunResult;

use crate::RunError;
use crate::change::milliseconds;
use crate::dependencies::Dependencies;
pub use crate::progress::Done;
use crate::surroundings::Request;
use crate::target::TargetRun;

/// The target of the span that tells a run's lines in a log by `run` and `trace` (W3C, the run's id without dashes).
pub const LOG_SPAN: &str = "whimbrel::run_span";

/// What became of one target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The target.
    pub target: TargetName,
    /// What was done to it, in order.
    pub done: Vec<Done>,
    /// Why it ended early; none when everything was done.
    #[serde(skip)]
    pub error: Option<RunError>,
}

/// What became of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The run.
    pub run: Uuid,
    /// Every target that had work, in the plan's order.
    pub targets: Vec<TargetReport>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

impl RunReport {
    /// Whether every target came to its end.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.targets.iter().all(|target| target.error.is_none())
    }
}

/// The right to work on a target: one of the run's, and one of its server's.
pub(crate) struct Permits {
    semaphores: Vec<Arc<Semaphore>>,
    held: Mutex<Vec<OwnedSemaphorePermit>>,
    ramp: Arc<Ramp>,
}

impl Permits {
    fn new(semaphores: Vec<Arc<Semaphore>>, ramp: Arc<Ramp>) -> Self {
        Self {
            semaphores,
            held: Mutex::new(Vec::new()),
            ramp,
        }
    }

    async fn acquire(&self) {
        let mut held = self.held.lock().await;
        for semaphore in &self.semaphores {
            // Nobody closes these semaphores.
            if let Ok(permit) = Arc::clone(semaphore).acquire_owned().await {
                held.push(permit);
            }
        }
    }

    /// Begins with the target, a few of the run at a time.
    pub(crate) async fn begin<T>(&self, beginning: impl Future<Output = T>) -> T {
        self.ramp.begin(beginning).await
    }

    /// Gives the permits to others while something is waited for.
    pub(crate) async fn aside<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.held.lock().await.clear();
        let result = waiting.await;
        self.acquire().await;
        result
    }
}

/// Runs a plan on every target that has work. Targets fail each for itself; migrations of a failed target that others
/// depend on fail those.
pub async fn run(request: Request) -> RunReport {
    let run = Uuid::now_v7();
    // Every line of the log that is written meanwhile says which run it is about, as the run's events do.
    let span = tracing::error_span!(target: LOG_SPAN, "run", %run, trace = %run.simple());
    run_as(request, run).instrument(span).await
}

async fn run_as(request: Request, run: Uuid) -> RunReport {
    let begun = Instant::now();
    let work: Vec<TargetName> = request
        .plan
        .targets
        .iter()
        .filter(|target| !target.work.is_empty() || !target.blockers.is_empty())
        .map(|target| target.target.clone())
        .collect();
    request.access.bus.emit(Signal::RunStarted {
        run: run.to_string(),
        environment: request.plan.environment.to_string(),
        targets: work.len(),
    });
    let dependencies = Arc::new(Dependencies::of(&request.plan));
    let all = Arc::new(Semaphore::new(to_usize(request.policy.concurrency.get())));
    let mut servers: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    let ramp = Arc::new(Ramp::default());
    let mut tasks = JoinSet::new();
    for (place, target) in work.iter().cloned().enumerate() {
        let mut semaphores = Vec::new();
        if let Some(bound) = request.policy.per_server {
            let server = servers
                .entry(request.access.connector.server(&target))
                .or_insert_with(|| Arc::new(Semaphore::new(to_usize(bound.get()))));
            semaphores.push(Arc::clone(server));
        }
        semaphores.push(Arc::clone(&all));
        let (request, dependencies) = (request.clone(), Arc::clone(&dependencies));
        let permits = Permits::new(semaphores, Arc::clone(&ramp));
        let work = async move {
            permits.acquire().await;
            let report = one(&request, &target, run, &dependencies, &permits).await;
            (place, report)
        };
        tasks.spawn(work.in_current_span());
    }
    let mut reports: BTreeMap<usize, TargetReport> = BTreeMap::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((place, report)) => {
                reports.insert(place, report);
            }
            Err(error) => {
                tracing::error!(%error, "a target's task ended abnormally; this is a bug of Whimbrel");
            }
        }
    }
    for (place, target) in work.into_iter().enumerate() {
        reports.entry(place).or_insert_with(|| TargetReport {
            target,
            done: Vec::new(),
            error: Some(RunError::Plan(crate::PlanError {
                message: "its task ended abnormally".to_owned(),
                hint: Some("this is a bug of Whimbrel; please report it with the log".to_owned()),
            })),
        });
    }
    let report = RunReport {
        run,
        targets: reports.into_values().collect(),
        milliseconds: milliseconds(begun),
    };
    request.access.bus.emit(Signal::RunFinished {
        run: run.to_string(),
        result: if report.is_success() {
            RunResult::Succeeded
        } else {
            RunResult::Failed
        },
        milliseconds: report.milliseconds,
    });
    report
}

async fn one(
    request: &Request,
    target: &TargetName,
    run: Uuid,
    dependencies: &Dependencies,
    permits: &Permits,
) -> TargetReport {
    let planned = request
        .plan
        .targets
        .iter()
        .find(|planned| &planned.target == target);
    request.access.bus.emit(Signal::TargetStarted {
        target: target.clone(),
        migrations: planned.map_or(0, |planned| planned.work.len()),
    });
    let (done, result) = TargetRun {
        request,
        target,
        run,
        dependencies,
        permits,
    }
    .run()
    .await;
    let error = result.err();
    if error.is_none() {
        // Another run may have applied some of it before the lock was ours: it is there all the same.
        let by_others = planned
            .into_iter()
            .flat_map(whimbrel_core::plan::TargetPlan::applies)
            .filter(|change| !done.iter().any(|item| item.migration == change.migration));
        for change in by_others {
            dependencies.finished(&change.migration);
        }
    } else {
        let finished: Vec<_> = done.iter().map(|item| &item.migration).collect();
        let missed = planned
            .into_iter()
            .flat_map(whimbrel_core::plan::TargetPlan::applies)
            .map(|change| &change.migration)
            .filter(|name| !finished.contains(name));
        dependencies.missed(missed);
    }
    request.access.bus.emit(Signal::TargetFinished {
        target: target.clone(),
        result: error
            .as_ref()
            .map_or_else(|| "done".to_owned(), ToString::to_string),
        class: error.as_ref().map(RunError::class),
    });
    TargetReport {
        target: target.clone(),
        done,
        error,
    }
}

fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
