//! The walk over a table, batch by batch, forth or back.

use whimbrel_sdk::prelude::*;

use crate::batch::{Batch, Bounds};
use crate::checkpoint::{Checkpoint, Direction, Undo};
use crate::config::Config;

/// One walk: what it sets on which rows.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The step's configuration.
    pub config: &'a Config,
    /// What to set.
    pub set: &'a str,
    /// On which rows.
    pub filter: Option<&'a str>,
    /// Which way.
    pub direction: Direction,
}

impl Walk<'_> {
    fn batch(&self) -> Batch {
        Batch::new(
            &self.config.table,
            &self.config.key,
            self.set,
            self.filter,
            self.config.batch_size,
        )
    }

    /// Where a walk forth begins.
    ///
    /// # Errors
    /// A row has no key: it would be left out silently.
    pub fn begin(&self) -> Result<Checkpoint, Fault> {
        let (total, first, missing) = self.batch().survey()?;
        if missing {
            let (table, key) = (&self.config.table, &self.config.key);
            return Err(Fault {
                pointer: Some("/key".to_owned()),
                ..Fault::new(
                    FaultClass::Conflict,
                    "backfill.no-key",
                    format!("{table} has rows without a {key}, which no batch would reach"),
                )
            }
            .with_hint("name a column that is unique and never NULL, or leave those rows out with `where:`"));
        }
        Ok(Checkpoint {
            direction: self.direction,
            first,
            key: None,
            until: None,
            rows: 0,
            total,
        })
    }

    /// The rows within the keys of a finished walk.
    ///
    /// # Errors
    /// As the database refuses.
    pub fn count_between(&self, undo: &Undo) -> Result<u64, Fault> {
        if undo.last.is_none() {
            return Ok(0);
        }
        self.batch().count(Bounds {
            from: undo.first.as_ref(),
            after: None,
            until: undo.last.as_ref(),
        })
    }

    /// Walks on from there to the end, and says where it came.
    ///
    /// # Errors
    /// As the database refuses, or the call should stop: what was committed stays.
    pub fn run(&self, start: Checkpoint) -> Result<Checkpoint, Fault> {
        let mut at = start;
        let back = at.direction == Direction::Revert;
        if back && at.until.is_none() {
            return Ok(at);
        }
        let batch = self.batch();
        let dialect = database::dialect();
        let mut pausing = false;
        loop {
            call::check()?;
            if pausing {
                call::pause(self.config.pause)?;
            }
            let done = batch.run(
                &dialect,
                Bounds {
                    // Forth, a row that arrived below the first key still counts; back, only what was gone through.
                    from: at.first.as_ref().filter(|_| back),
                    after: at.key.as_ref(),
                    until: at.until.as_ref(),
                },
            )?;
            let Some(last) = done.last else {
                return Ok(at);
            };
            at.key = Some(last);
            at.rows += done.changed;
            at.commit()?;
            if done.seen < u64::from(self.config.batch_size) {
                return Ok(at);
            }
            pausing = true;
        }
    }
}
