//! Changes every row of a table in batches by key order: short transactions, a checkpoint committed with each batch's
//! rows, progress with a total, and a pause between batches where replicas or vacuum need one.
//!
//! A run that is killed goes on after the last batch that it committed.

mod batch;
mod checkpoint;
mod config;
mod walk;

pub use config::{Config, Revert};
use whimbrel_sdk::prelude::*;

use crate::checkpoint::{Checkpoint, Direction, Undo};
use crate::walk::Walk;

/// The step `uses: backfill`.
pub struct Backfill;

impl MigrationStep for Backfill {
    type Config = Config;

    fn describe() -> Description {
        Description::new("Changes every row of a table in batches by key order")
            .with_dialects([Dialect::Sqlite, Dialect::Postgres])
    }

    fn plan(config: &Config, dialect: &Dialect) -> Result<Preview, Fault> {
        if let Dialect::Other(name) = dialect {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "backfill.dialect",
                format!("backfill doesn't know the dialect {name}"),
            ));
        }
        config.check()?;
        let rows = config.filter.as_ref().map_or_else(
            || "every row".to_owned(),
            |condition| format!("the rows with {condition}"),
        );
        let mut effects = vec![format!(
            "sets {} on {rows} of {}, {} rows at a time by {}",
            config.set, config.table, config.batch_size, config.key
        )];
        if let Some(revert) = &config.revert {
            let rows = revert.filter().map_or_else(
                || "every row".to_owned(),
                |condition| format!("the rows with {condition}"),
            );
            effects.push(format!(
                "reverting sets {} on {rows} of the keys it went through",
                revert.set()
            ));
        }
        Ok(Preview::new(effects).with_reversible(config.revert.is_some()))
    }

    fn estimate(config: &Config) -> Result<Json, Fault> {
        config.check()?;
        let filter = batch::condition(config.filter.as_deref());
        let table = batch::table(&config.table);
        let rows = database::query(&format!("SELECT count(*) FROM {table} WHERE {filter}"), &[])?;
        let rows = rows.single().and_then(Value::as_integer).unwrap_or(0);
        let size = i64::from(config.batch_size);
        Ok(json!({ "rows": rows, "batches": rows.div_euclid(size) + i64::from(rows % size > 0) }))
    }

    fn apply(config: &Config) -> Result<Outcome, Fault> {
        config.check()?;
        let walk = Walk {
            config,
            set: &config.set,
            filter: config.filter.as_deref(),
            direction: Direction::Apply,
        };
        let start = match Checkpoint::last()? {
            Some(checkpoint) if checkpoint.direction == Direction::Apply => checkpoint,
            _ => walk.begin()?,
        };
        let end = walk.run(start)?;
        let undo = Undo {
            first: end.first.clone(),
            last: end.key.clone(),
        };
        Ok(
            Outcome::new(end.rows, format!("{} rows of {}", end.rows, config.table))
                .with_undo(undo.to_bytes()?),
        )
    }

    fn revert(config: &Config, undo: &[u8]) -> Result<Outcome, Fault> {
        config.check()?;
        let Some(revert) = &config.revert else {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "backfill.not-reversible",
                format!("the backfill of {} says no revert", config.table),
            )
            .with_hint("give its `with:` a `revert:` with the expression that undoes `set`"));
        };
        let walk = Walk {
            config,
            set: revert.set(),
            filter: revert.filter(),
            direction: Direction::Revert,
        };
        let last = Checkpoint::last()?;
        let start = match last {
            Some(checkpoint) if checkpoint.direction == Direction::Revert => checkpoint,
            // An unfinished apply is reverted as far as it came; a finished one says so itself.
            Some(checkpoint) if undo.is_empty() => Undo {
                first: checkpoint.first,
                last: checkpoint.key,
            }
            .into_start(&walk)?,
            _ => Undo::from_bytes(undo)?.into_start(&walk)?,
        };
        let end = walk.run(start)?;
        Ok(Outcome::new(
            end.rows,
            format!("{} rows of {} set back", end.rows, config.table),
        ))
    }
}

whimbrel_sdk::export_step!(Backfill);
