//! `whimbrel:sql/database`: the call's database, through its desk.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::sql::database::{Error, Host, RowSet, Value};
use crate::capability::Denied;
use crate::convert;
use crate::desk::Operation;
use crate::instance::{State, Work};

impl State {
    /// Runs a statement on the call's database, if this call may.
    async fn on_database<T: Send + 'static>(
        &mut self,
        work: Work,
        operation: Operation<T>,
    ) -> Result<Result<T, Error>> {
        let desk = match self.database() {
            Err(denied) => return Ok(Err(Error::Refused(denied.to_string()))),
            Ok((Work::Read, _)) if work == Work::Write => {
                let reason = format!("{} only reads", self.scope.function);
                return Ok(Err(Error::Refused(reason)));
            }
            Ok((_, desk)) => desk.clone(),
        };
        self.meter.pause();
        let answer = desk.run(operation).await;
        self.meter.resume();
        Ok(answer.map_err(wasmtime::Error::new)?.map_err(Error::from))
    }

    /// Counts the rows that a statement changed.
    fn witness(&mut self, rows: &std::result::Result<u64, Error>) {
        if let Ok(rows) = rows {
            self.progress.witnessed = self.progress.witnessed.saturating_add(*rows);
        }
    }

    /// Why a commit can't be: what it says of itself would poison whoever reads the history.
    fn untrue(&self, checkpoint: &[u8], rows_done: u64) -> Option<String> {
        let limit = self.limits.checkpoint_bytes;
        if checkpoint.len() > limit {
            return Some(format!(
                "a checkpoint of {} bytes; at most {limit} are kept",
                checkpoint.len()
            ));
        }
        if i64::try_from(rows_done).is_err() {
            return Some(format!("rows done can't be {rows_done}"));
        }
        let before = self.progress.rows_done;
        (rows_done < before).then(|| format!("rows done went back from {before} to {rows_done}"))
    }
}

impl Host for State {
    fn dialect_of(&mut self) -> Result<String> {
        let (_, desk) = self.database().map_err(Denied::trap)?;
        Ok(desk.dialect().to_string())
    }

    fn quote(&mut self, name: String) -> Result<String> {
        let (_, desk) = self.database().map_err(Denied::trap)?;
        let quoted = desk.look(|database| database.quote(&name));
        quoted.ok_or_else(|| self.not_here("database").trap())
    }

    async fn query(
        &mut self,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<std::result::Result<RowSet, Error>> {
        let parameters = convert::values(parameters);
        let operation: Operation<_> = Box::new(move |database| {
            Box::pin(async move { database.query(&statement, parameters).await })
        });
        let answer = self.on_database(Work::Read, operation).await?;
        let limit = self.limits.result_bytes;
        Ok(answer.and_then(|rows| match convert::size(&rows) {
            size if size > limit => Err(Error::Refused(format!(
                "the rows take {size} bytes, at most {limit} cross at once: ask for fewer"
            ))),
            _ => Ok(convert::rows(rows)),
        }))
    }

    async fn execute(
        &mut self,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<std::result::Result<u64, Error>> {
        let parameters = convert::values(parameters);
        let operation: Operation<_> = Box::new(move |database| {
            Box::pin(async move { database.execute(&statement, parameters).await })
        });
        let answer = self.on_database(Work::Write, operation).await?;
        self.witness(&answer);
        Ok(answer)
    }

    async fn commit(
        &mut self,
        checkpoint: Vec<u8>,
        rows_done: u64,
        rows_total: Option<u64>,
    ) -> Result<std::result::Result<(), Error>> {
        if let Some(reason) = self.untrue(&checkpoint, rows_done) {
            return Ok(Err(Error::Refused(reason)));
        }
        // A total below what is done is an estimate that was too low, not a lie worth stopping for.
        let rows_total = rows_total.map(|total| total.max(rows_done).min(i64::MAX.unsigned_abs()));
        let operation: Operation<_> = Box::new(move |database| {
            Box::pin(async move { database.commit(checkpoint, rows_done, rows_total).await })
        });
        let answer = self.on_database(Work::Write, operation).await?;
        if answer.is_ok() {
            self.progress.commits += 1;
            self.progress.rows_done = rows_done;
            self.meter.renew();
            self.requests = 0;
        }
        Ok(answer)
    }

    async fn rollback(&mut self) -> Result<std::result::Result<(), Error>> {
        let operation: Operation<_> =
            Box::new(|database| Box::pin(async move { database.rollback().await }));
        self.on_database(Work::Write, operation).await
    }

    async fn insert(
        &mut self,
        table: String,
        columns: Vec<String>,
        rows: Vec<Vec<Value>>,
    ) -> Result<std::result::Result<u64, Error>> {
        let rows = rows.into_iter().map(convert::values).collect();
        let operation: Operation<_> = Box::new(move |database| {
            Box::pin(async move { database.insert(&table, &columns, rows).await })
        });
        let answer = self.on_database(Work::Write, operation).await?;
        self.witness(&answer);
        Ok(answer)
    }

    fn last_checkpoint(&mut self) -> Result<Option<Vec<u8>>> {
        let (_, desk) = self.database().map_err(Denied::trap)?;
        let looked = desk.look(|database| database.last_checkpoint());
        looked.ok_or_else(|| self.not_here("database").trap())
    }
}
