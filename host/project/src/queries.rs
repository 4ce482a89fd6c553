//! The queries of checks and metrics, made ready: each is one, and reads and does no more.

use whimbrel_config::{QueryOf, query_problem};
use whimbrel_core::definition::Migration;
use whimbrel_core::plan::{PrepareError, Prepared};
use whimbrel_database::require_read;

use crate::prepare::{Preparer, Problem};

/// A query, for messages.
struct Query<'a> {
    migration: &'a Migration,
    of: QueryOf,
    /// As a person calls it.
    what: String,
    text: &'a str,
}

impl Preparer {
    /// Adds the checks and metrics of a migration, parameters filled in.
    pub(crate) fn queries(
        &self,
        migration: &Migration,
        prepared: &mut Prepared,
    ) -> Result<(), PrepareError> {
        let query = |of, kind: &str, name: &str, text| Query {
            migration,
            of,
            what: format!("{kind} `{name}`"),
            text,
        };
        for (index, check) in migration.checks.before.iter().enumerate() {
            let query = query(QueryOf::Before(index), "check", &check.name, &check.query);
            let mut check = check.clone();
            check.query = self.query(&query, prepared)?;
            prepared.before.push(check);
        }
        for (index, check) in migration.checks.after.iter().enumerate() {
            let query = query(QueryOf::After(index), "check", &check.name, &check.query);
            let mut check = check.clone();
            check.query = self.query(&query, prepared)?;
            prepared.after.push(check);
        }
        for (index, metric) in migration.metrics.iter().enumerate() {
            let query = query(
                QueryOf::Metric(index),
                "metric",
                &metric.name,
                &metric.query,
            );
            let mut metric = metric.clone();
            metric.query = self.query(&query, prepared)?;
            prepared.metrics.push(metric);
        }
        Ok(())
    }

    /// Exactly one statement, which reads.
    fn query(&self, query: &Query<'_>, prepared: &mut Prepared) -> Result<String, PrepareError> {
        let statements = self.statements(query.text, prepared);
        let statements = statements.map_err(|problem| self.wrong(query, query.text, problem))?;
        let [(statement, _)] = statements.as_slice() else {
            let problem = Problem {
                line: 1,
                column: None,
                message: format!("expected one query, found {}", statements.len()),
                hint: "write one SELECT that gives one value".to_owned(),
            };
            return Err(self.wrong(query, query.text, problem));
        };
        if !self.is_reverted {
            require_read(self.dialect, &statement.text)
                .map_err(|error| self.wrong(query, &statement.text, error.into()))?;
        }
        Ok(statement.text.clone())
    }

    /// What is wrong in a text of a query, at its place in the migration's document.
    fn wrong(&self, query: &Query<'_>, text: &str, problem: Problem) -> PrepareError {
        let path = &query.migration.origin.path;
        let (word, nth) = word(query.text, text, &problem).unwrap_or_default();
        let place = query_problem(&*self.tree, query.migration, query.of, word, nth);
        let place = match place {
            Some(at) => format!("{}:{}:{}: ", at.path, at.line, at.column),
            // What the history stores has no file.
            None if path.is_empty() => String::new(),
            None => format!("{path}: "),
        };
        PrepareError {
            message: format!("{place}{}: {}", query.what, problem.message),
            hint: problem.hint,
        }
    }
}

/// The word that a problem is about, and how often it stands before that in the whole query.
fn word<'a>(whole: &str, text: &'a str, problem: &Problem) -> Option<(&'a str, usize)> {
    let line = usize::try_from(problem.line).ok()?;
    let column = usize::try_from(problem.column?).ok()?;
    let lines = text.split_inclusive('\n').take(line.checked_sub(1)?);
    let start: usize = lines.map(str::len).sum();
    let rest = text.get(start..)?;
    let offset = rest.char_indices().nth(column.checked_sub(1)?)?.0 + start;
    let rest = text.get(offset..)?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let word = rest.get(..end.unwrap_or(rest.len()))?;
    // A query without parameters is sent as it is written, but for what stands around it.
    let before = whole.find(text).unwrap_or_default();
    let before = whole.get(..before)?.matches(word).count();
    (!word.is_empty()).then(|| {
        (
            word,
            before
                + text
                    .get(..offset)
                    .map_or(0, |text| text.matches(word).count()),
        )
    })
}
