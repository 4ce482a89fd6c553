//! What is shown at a source's Git host: plans of pull requests, and what became of commits. Loops of their own: neither what
//! is applied nor any answer waits for them, and what can't be shown is tried again a few times and then only logged.

mod comment;
mod proposal;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use whimbrel_core::fault::{Fault, Retry};
use whimbrel_plugin::{CommitState, CommitStatus, PullRequest, Reporter};

use crate::limits::Limits;
use crate::server::Server;
use crate::source::Source;

use queue::{Entry, Queue};

pub(crate) use queue::Full;

/// What is shown of one source.
pub(crate) struct Reports {
    reporter: Arc<Reporter>,
    proposals: Queue<PullRequest>,
    statuses: Queue<CommitStatus>,
}

impl Reports {
    pub(crate) fn new(reporter: Arc<Reporter>, limits: &Limits) -> Self {
        Self {
            reporter,
            proposals: Queue::new(limits.proposals),
            statuses: Queue::new(limits.statuses),
        }
    }

    /// Asks for the plan of a pull request as it is now; whether it is planned at all.
    ///
    /// # Errors
    /// Too many wait.
    pub(crate) fn propose(&self, source: &Source, request: &PullRequest) -> Result<bool, Full> {
        let key = request.number.to_string();
        // What waits is about an older state of it.
        self.proposals.remove(&key);
        let wanted = source
            .hosted()
            .and_then(|hosted| hosted.source.report.as_ref()?.pull_requests.as_ref());
        let Some(wanted) = wanted.filter(|_| request.open) else {
            return Ok(false);
        };
        if request.fork.is_some() && !wanted.allow_forks {
            tracing::info!(source = %source.name, number = request.number, "a pull request of a fork isn't planned");
            return Ok(false);
        }
        self.proposals.put(key, request.clone())?;
        Ok(true)
    }

    /// Shows what became of a commit in an environment.
    pub(crate) fn applied(
        &self,
        environment: &str,
        commit: &str,
        state: CommitState,
        summary: &str,
    ) {
        let context = format!("whimbrel/{environment}");
        let status = CommitStatus {
            commit: commit.to_owned(),
            context: context.clone(),
            state,
            summary: summary.to_owned(),
            link: None,
        };
        if self.statuses.put(format!("{context} {commit}"), status) == Err(Full) {
            tracing::warn!(%environment, "too many statuses wait to be shown, so this one isn't");
        }
    }
}

/// Shows what there is to show of a source until the server ends.
pub(crate) fn keep(server: &Arc<Server>, source: &Arc<Source>) {
    if source.reports.is_none() {
        return;
    }
    tokio::spawn(keep_statuses(Arc::clone(server), Arc::clone(source)));
    tokio::spawn(keep_proposals(Arc::clone(server), Arc::clone(source)));
}

async fn keep_statuses(server: Arc<Server>, source: Arc<Source>) {
    let Some(reports) = &source.reports else {
        return;
    };
    loop {
        let entry = tokio::select! {
            () = server.stop.requested() => return,
            entry = reports.statuses.next() => entry,
        };
        if let Err(fault) = reports.reporter.set_status(&entry.work).await {
            later(&server, &source, &reports.statuses, entry, &fault);
        }
    }
}

async fn keep_proposals(server: Arc<Server>, source: Arc<Source>) {
    let Some(reports) = &source.reports else {
        return;
    };
    loop {
        let entry = tokio::select! {
            () = server.stop.requested() => return,
            entry = reports.proposals.next() => entry,
        };
        let shown = tokio::select! {
            () = server.stop.requested() => return,
            shown = proposal::show(&server, &source, reports, &entry.work) => shown,
        };
        if let Err(fault) = shown {
            later(&server, &source, &reports.proposals, entry, &fault);
        }
    }
}

/// Tries it again when the fault says so.
fn later<T>(server: &Server, source: &Source, queue: &Queue<T>, entry: Entry<T>, fault: &Fault) {
    let is_last = entry.attempts + 1 >= server.limits.report_attempts;
    let pause = match fault.retry {
        Retry::Never => None,
        Retry::Backoff => Some(server.limits.backoff(entry.attempts + 1)),
        Retry::After(milliseconds) => {
            let pause = Duration::from_millis(milliseconds);
            // Whatever is asked before that makes it longer.
            queue.rest(pause);
            Some(pause)
        }
    };
    match pause.filter(|_| !is_last) {
        Some(pause) => {
            tracing::info!(source = %source.name, about = %entry.key, "a result can't be shown yet: {fault}");
            queue.again(entry, pause);
        }
        None => {
            tracing::warn!(source = %source.name, about = %entry.key, "a result isn't shown: {fault}");
        }
    }
}
