//! What a migration writes into its target's history, as commands for the transactions that carry them.

use serde_json::json;
use whimbrel_core::history::{Direction, EventKind, JournalEntry, JournalState, MigrationState};
use whimbrel_core::plan::PlannedOperation;
use whimbrel_database::Command;
use whimbrel_database::history::{
    Finished, JournalKey, NewEvent, NewRecord, event_insert, journal_clear, journal_insert,
    record_delete, record_finish, record_insert, record_replace, record_state,
};

use crate::change::{Execution, encode};

impl<'a> Execution<'a> {
    /// The migration's row at this run's first commit.
    pub(crate) fn begin_records(&self) -> Vec<Command> {
        let dialect = self.writer.dialect();
        if self.begun {
            return Vec::new();
        }
        match self.direction {
            Direction::Revert => vec![record_state(
                dialect,
                &self.change.migration,
                MigrationState::Reverting,
                &self.context.run.to_string(),
            )],
            Direction::Apply if self.exists() => {
                vec![record_replace(
                    dialect,
                    &self.new_record(MigrationState::Applying),
                )]
            }
            Direction::Apply => vec![record_insert(
                dialect,
                &self.new_record(MigrationState::Applying),
            )],
        }
    }

    /// The migration's row, journal and event at its last commit.
    pub(crate) fn end_records(&self) -> Vec<Command> {
        let dialect = self.writer.dialect();
        let name = &self.change.migration;
        match self.direction {
            Direction::Revert => vec![
                journal_clear(dialect, name),
                record_delete(dialect, name),
                event_insert(dialect, &self.event(EventKind::Reverted)),
            ],
            Direction::Apply => vec![
                journal_clear(dialect, name),
                record_finish(
                    dialect,
                    name,
                    &Finished {
                        state: MigrationState::Applied,
                        run: self.context.run.to_string(),
                        duration_milliseconds: None,
                        rows: self.rows,
                        undo: self.undo.clone(),
                    },
                ),
                event_insert(dialect, &self.event(EventKind::Applied)),
            ],
        }
    }

    pub(crate) fn mark_begun(&mut self) {
        self.begun = true;
    }

    pub(crate) fn mark_committed(&mut self) {
        self.committed += 1;
    }

    pub(crate) fn keep_undo(&mut self, position: u32, undo: &[u8]) {
        if !undo.is_empty() {
            self.undo.insert(position, encode(undo));
        }
    }

    /// The journal's entry for an operation, from before this run.
    pub(crate) fn journal_entry(&self, planned: &PlannedOperation) -> Option<&'a JournalEntry> {
        self.journal
            .iter()
            .find(|entry| entry.direction == self.direction && entry.position == planned.position)
    }

    pub(crate) fn key(&self, planned: &PlannedOperation) -> JournalKey {
        JournalKey {
            migration: self.change.migration.clone(),
            direction: self.direction,
            position: planned.position,
        }
    }

    pub(crate) fn journal_row(&self, planned: &PlannedOperation, state: JournalState) -> Command {
        self.journal_row_with(planned, state, None)
    }

    pub(crate) fn journal_row_with(
        &self,
        planned: &PlannedOperation,
        state: JournalState,
        probe: Option<serde_json::Value>,
    ) -> Command {
        journal_insert(
            self.writer.dialect(),
            &JournalEntry {
                migration: self.change.migration.clone(),
                direction: self.direction,
                position: planned.position,
                hash: planned.operation.hash,
                state,
                batch: 0,
                checkpoint: None,
                rows_done: 0,
                rows_total: None,
                probe,
                undo: None,
            },
        )
    }

    pub(crate) fn new_record(&self, state: MigrationState) -> NewRecord {
        let prepared = &self.change.prepared;
        NewRecord {
            name: self.change.migration.clone(),
            state,
            checksum: prepared.checksum.clone(),
            definition: prepared.definition.clone(),
            parameters: prepared.parameters.clone(),
            plugins: prepared.plugins.clone(),
            revision: self.context.request.access.revision.clone(),
            run: self.context.run.to_string(),
            actor: self.context.request.access.actor.clone(),
            duration_milliseconds: None,
            rows: self.rows,
            undo: self.undo.clone(),
        }
    }

    pub(crate) fn event(&self, kind: EventKind) -> NewEvent {
        NewEvent {
            kind,
            migration: Some(self.change.migration.clone()),
            run: self.context.run.to_string(),
            actor: self.context.request.access.actor.clone(),
            revision: self.context.request.access.revision.clone(),
            plan: Some(self.context.plan),
            details: json!({"checksum": self.change.checksum, "direction": self.direction.as_str()}),
        }
    }
}
