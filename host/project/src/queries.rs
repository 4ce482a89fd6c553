//! The queries of checks and metrics, made ready: each is one, and reads and does no more.

use whimbrel_config::TextOf;
use whimbrel_core::definition::Migration;
use whimbrel_core::plan::Prepared;
use whimbrel_core::statement::Statement;
use whimbrel_core::template::Filled;
use whimbrel_database::require_read;

use crate::mistakes::{Mistakes, Source, Wrong};
use crate::prepare::Preparer;

impl Preparer {
    /// Adds the checks and metrics of a migration, parameters filled in.
    pub(crate) fn queries(
        &self,
        migration: &Migration,
        prepared: &mut Prepared,
        mistakes: &mut Mistakes<'_>,
    ) {
        let mut query = |of, text: &str, prepared: &mut Prepared| {
            self.query(text, prepared).unwrap_or_else(|wrong| {
                mistakes.add_in_text(of, wrong);
                String::new()
            })
        };
        for (index, check) in migration.checks.before.iter().enumerate() {
            let mut check = check.clone();
            check.query = query(TextOf::Before(index), &check.query, prepared);
            prepared.before.push(check);
        }
        for (index, check) in migration.checks.after.iter().enumerate() {
            let mut check = check.clone();
            check.query = query(TextOf::After(index), &check.query, prepared);
            prepared.after.push(check);
        }
        for (index, metric) in migration.metrics.iter().enumerate() {
            let mut metric = metric.clone();
            metric.query = query(TextOf::Metric(index), &metric.query, prepared);
            prepared.metrics.push(metric);
        }
    }

    /// Exactly one statement, which reads.
    fn query(&self, text: &str, prepared: &mut Prepared) -> Result<String, Vec<Wrong>> {
        let found = self.statements(text, prepared)?;
        let [(statement, _)] = found.statements.as_slice() else {
            return Err(vec![Wrong {
                offset: 0,
                message: format!("expected one query, found {}", found.statements.len()),
                hint: "write one SELECT that gives one value".to_owned(),
            }]);
        };
        if matches!(self.source, Source::Files(_)) {
            require_read(self.dialect, &statement.text).map_err(|error| {
                let filled = found.filled.as_ref();
                let offset = written(text, filled, statement, error.offset);
                vec![Wrong::of_sql(error, offset)]
            })?;
        }
        Ok(statement.text.clone())
    }
}

/// Where in a text as it is written a byte of its only statement comes from.
fn written(text: &str, filled: Option<&Filled<'_>>, statement: &Statement, offset: usize) -> usize {
    let sent = filled.map_or(text, |filled| filled.text.as_str());
    let before = usize::try_from(statement.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let lines = sent.split_inclusive('\n').take(before);
    let line: usize = lines.map(str::len).sum();
    let rest = sent.get(line..).unwrap_or_default();
    let offset = line + rest.find(&statement.text).unwrap_or_default() + offset;
    filled.map_or(offset, |filled| filled.origin(offset))
}
