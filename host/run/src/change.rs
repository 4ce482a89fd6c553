//! One migration in one direction: its segments in order, each by its protocol, with one record at the end.

use std::collections::BTreeMap;
use std::time::Instant;

use backon::{BackoffBuilder, ExponentialBuilder};
use uuid::Uuid;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{
    Direction, EventKind, JournalEntry, JournalState, MigrationState, Record,
};
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Change, PlannedOperation};
use whimbrel_core::policy::Policy;
use whimbrel_database::Command;
use whimbrel_database::history::{NewRecord, journal_done, record_insert_with_event};
use whimbrel_signal::Signal;
use whimbrel_signal::metric::StepKind;

use crate::failure::Problem;
use crate::sabotage::without;
use crate::segment::{Segment, segments};
use crate::surroundings::Request;
use crate::writer::{PartError, Writer};
use crate::{RunError, checks, outside, plugin_step, transaction};

/// What a target's run is about.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) policy: &'a Policy,
    pub(crate) target: &'a TargetName,
    pub(crate) run: Uuid,
    pub(crate) plan: Digest,
}

impl Context<'_> {
    pub(crate) fn emit(&self, signal: Signal) {
        self.request.access.bus.emit(signal);
    }

    pub(crate) fn scrub(&self, text: &str) -> String {
        self.request.access.bus.scrubber().scrub(text)
    }
}

/// One migration on its way.
pub(crate) struct Execution<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) writer: &'a Writer,
    pub(crate) change: &'a Change,
    pub(crate) direction: Direction,
    /// The migration's row as it was when the run began.
    pub(crate) recorded: Option<&'a Record>,
    /// The migration's journal, both directions, as it was when the run began.
    pub(crate) journal: &'a [JournalEntry],
    /// Whether this run has written the migration's row already.
    pub(crate) begun: bool,
    /// How many operations this run has committed.
    pub(crate) committed: usize,
    /// How many batches of the plugin step at hand are committed.
    pub(crate) batches: i64,
    pub(crate) rows: i64,
    pub(crate) undo: BTreeMap<u32, String>,
    started: Instant,
}

/// What a finished migration amounts to.
pub(crate) struct Completed {
    pub(crate) milliseconds: u64,
    pub(crate) rows: u64,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        writer: &'a Writer,
        direction: Direction,
        change: &'a Change,
        recorded: Option<&'a Record>,
        journal: &'a [JournalEntry],
    ) -> Self {
        let undo = journal
            .iter()
            .filter(|entry| entry.direction == Direction::Apply)
            .filter_map(|entry| Some((entry.position, encode(entry.undo.as_ref()?))))
            .collect();
        let rows = journal
            .iter()
            .filter(|entry| entry.direction == direction && entry.state == JournalState::Done)
            .map(|entry| entry.rows_done)
            .sum();
        Self {
            context,
            writer,
            change,
            direction,
            recorded,
            journal,
            begun: false,
            committed: 0,
            batches: 0,
            rows,
            undo,
            started: Instant::now(),
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(mut self) -> Result<Completed, RunError> {
        self.context.emit(Signal::MigrationStarted {
            target: self.context.target.clone(),
            migration: self.change.migration.clone(),
            direction: self.direction,
            resumed: self.change.resumed,
        });
        match self.all_segments().await {
            Ok(()) => Ok(self.completed()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn all_segments(&mut self) -> Result<(), Problem> {
        let change = self.change;
        if self.direction == Direction::Apply && !self.is_journalled() {
            let problem = {
                let mut session = self.writer.session().await;
                checks::failing(session.as_mut(), &change.prepared.before)
                    .await
                    .map_err(|error| Problem::of("checks before", error))?
            };
            if let Some(problem) = problem {
                return Err(Problem::of(
                    "checks before",
                    transaction::check_error(problem),
                ));
            }
        }
        let segments = segments(&change.operations);
        let last = segments.len().saturating_sub(1);
        if segments.is_empty() {
            return self.conclude(Vec::new()).await;
        }
        for (index, segment) in segments.iter().enumerate() {
            if (index > 0 || self.begun) && self.context.request.access.stop.is_requested() {
                return Err(Problem::Stopped);
            }
            if index > 0 && self.writer.must_reconnect() {
                return Err(Problem::CredentialsEnd);
            }
            self.segment(segment, index == last).await?;
        }
        Ok(())
    }

    async fn segment(&mut self, segment: &Segment<'_>, last: bool) -> Result<(), Problem> {
        match segment {
            Segment::Transaction(operations) => self.transaction(operations, last).await,
            Segment::Outside(planned, probe) => {
                outside::run(self, planned, Some(probe)).await?;
                let done = journal_done(self.writer.dialect(), &self.key(planned), 0, None);
                self.journalled(done, last).await
            }
            Segment::Repeatable(planned) => {
                outside::run(self, planned, None).await?;
                let done = self.journal_row(planned, JournalState::Done);
                self.journalled(done, last).await
            }
            Segment::Plugin(planned) => plugin_step::run(self, planned, last).await,
        }
    }

    async fn transaction(
        &mut self,
        operations: &[&PlannedOperation],
        last: bool,
    ) -> Result<(), Problem> {
        let whole = last && !self.begun && !self.exists() && !without("fence");
        let records = |milliseconds: Option<i64>| {
            if whole {
                let record = NewRecord {
                    duration_milliseconds: milliseconds,
                    ..self.new_record(MigrationState::Applied)
                };
                let event = self.event(EventKind::Applied);
                return record_insert_with_event(&record, &event, self.writer.fence());
            }
            self.part_records(operations, last)
        };
        let after = if last { self.after() } else { &[] };
        let delays = ExponentialBuilder::default()
            .with_min_delay(self.context.request.access.settings.retry_delay)
            .with_max_delay(self.context.request.access.settings.retry_delay_limit)
            .with_max_times(self.context.request.access.settings.retries)
            .with_jitter()
            .build();
        let mut delays = delays.enumerate();
        let titles: Vec<_> = operations
            .iter()
            .map(|planned| planned.operation.title.as_str())
            .collect();
        let title = titles.first().copied().unwrap_or_default().to_owned();
        let begun_at = self.step_started(&title);
        loop {
            let result = transaction::run(
                self.writer,
                self.context,
                operations,
                after,
                &records,
                whole,
            )
            .await;
            let Err(PartError {
                operation,
                is_check,
                error,
            }) = result
            else {
                break;
            };
            let stopped = self.context.request.access.stop.is_requested();
            if error.is_retryable()
                && !stopped
                && let Some((attempt, delay)) = delays.next()
            {
                self.context.emit(Signal::Retrying {
                    target: self.context.target.clone(),
                    migration: self.change.migration.clone(),
                    attempt: u32::try_from(attempt + 1).unwrap_or(u32::MAX),
                    reason: error.to_string(),
                });
                tokio::time::sleep(delay).await;
                continue;
            }
            let title = operations
                .iter()
                .find(|planned| Some(planned.position) == operation)
                .map_or_else(|| blame(is_check), |planned| describe(planned));
            return Err(Problem::of(&title, error));
        }
        self.begun = true;
        self.committed += operations.len();
        self.step_finished(&title, StepKind::Sql, begun_at, (0, 0));
        Ok(())
    }

    /// What statements that are only a part of the migration's work commit with them.
    fn part_records(&self, operations: &[&PlannedOperation], last: bool) -> Vec<Command> {
        let mut records = Vec::new();
        if !(last && self.direction == Direction::Revert) {
            records.extend(self.begin_records());
        }
        if last {
            records.extend(self.end_records());
        } else if !without("journal") {
            let rows = operations.iter();
            records.extend(rows.map(|planned| self.journal_row(planned, JournalState::Done)));
        }
        records
    }

    /// Records that an operation outside of a transaction is done, and the whole migration with the last one.
    async fn journalled(&mut self, done: Command, last: bool) -> Result<(), Problem> {
        self.committed += 1;
        if last {
            return self.conclude(Vec::new()).await;
        }
        let mut records = self.begin_records();
        records.push(done);
        self.writer.record(records).await?;
        self.begun = true;
        Ok(())
    }

    /// The last transaction: what must hold afterwards, and the record.
    pub(crate) async fn conclude(&mut self, mut first: Vec<Command>) -> Result<(), Problem> {
        let mut records = Vec::new();
        if self.direction == Direction::Apply {
            records.extend(self.begin_records());
        }
        records.append(&mut first);
        records.extend(self.end_records());
        let open = self.writer.session().await.in_transaction();
        if !open {
            self.writer
                .open(Vec::new())
                .await
                .map_err(|error| error.error)?;
        }
        let problem = {
            let mut session = self.writer.session().await;
            checks::failing(session.as_mut(), self.after()).await
        };
        match problem {
            Ok(None) => {}
            Ok(Some(problem)) => {
                self.writer.abandon().await;
                return Err(Problem::of(
                    "checks after",
                    transaction::check_error(problem),
                ));
            }
            Err(error) => {
                self.writer.abandon().await;
                return Err(Problem::of("checks after", error));
            }
        }
        self.writer
            .close(records, false)
            .await
            .map_err(|error| Problem::of("commit", error.error))?;
        self.begun = true;
        Ok(())
    }

    fn after(&self) -> &'a [whimbrel_core::definition::Check] {
        match self.direction {
            Direction::Apply => &self.change.prepared.after,
            Direction::Revert => &[],
        }
    }

    /// Whether an earlier run committed some of it: a failure alone is no beginning.
    fn is_journalled(&self) -> bool {
        let mut entries = self.journal.iter();
        entries.any(|entry| entry.direction == Direction::Apply)
    }

    pub(crate) const fn exists(&self) -> bool {
        self.recorded.is_some()
    }

    pub(crate) fn step_started(&self, title: &str) -> Instant {
        self.context.emit(Signal::StepStarted {
            target: self.context.target.clone(),
            migration: self.change.migration.clone(),
            title: title.to_owned(),
        });
        Instant::now()
    }

    pub(crate) fn step_finished(
        &self,
        title: &str,
        kind: StepKind,
        begun: Instant,
        (rows, rest): (u64, u64),
    ) {
        self.context.emit(Signal::StepFinished {
            target: self.context.target.clone(),
            migration: self.change.migration.clone(),
            title: title.to_owned(),
            kind,
            dialect: self.writer.dialect(),
            took: begun.elapsed(),
            rows,
            rest,
        });
    }

    fn completed(&self) -> Completed {
        let completed = Completed {
            milliseconds: milliseconds(self.started),
            rows: u64::try_from(self.rows).unwrap_or_default(),
        };
        self.context.emit(Signal::MigrationFinished {
            target: self.context.target.clone(),
            migration: self.change.migration.clone(),
            direction: self.direction,
            milliseconds: completed.milliseconds,
            rows: completed.rows,
        });
        completed
    }
}

/// What failed when no statement did.
fn blame(is_check: bool) -> String {
    if is_check { "checks after" } else { "commit" }.to_owned()
}

/// A statement's step with its line, for a person.
pub(crate) fn describe(planned: &PlannedOperation) -> String {
    match &planned.operation.action {
        whimbrel_core::plan::OperationAction::Statement(statement) => {
            format!("{}, line {}", planned.operation.title, statement.line)
        }
        whimbrel_core::plan::OperationAction::Plugin { .. } => planned.operation.title.clone(),
    }
}

pub(crate) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
