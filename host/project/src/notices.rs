//! What a definition's author should know of how its SQL is taken, as notes with file and line.

use whimbrel_config::{SourceTree, sql_origin};
use whimbrel_core::definition::{Action, Migration};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::history::Direction;
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::{Values, expand_sql};
use whimbrel_database::split_with_notices;

/// The rule that says that an outer `BEGIN … COMMIT` is left out.
pub const OUTER_TRANSACTION: &str = "outer-transaction";

/// The notes on a migration's SQL, up and down. What is wrong with it is told by preparing it.
pub(crate) fn notices(
    tree: &dyn SourceTree,
    dialect: Dialect,
    migration: &Migration,
    parameters: &Values,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (step, action) in migration.steps.iter().enumerate() {
        let Action::Sql(action) = &action.action else {
            continue;
        };
        let up = (Direction::Apply, Some(action.sql.as_str()));
        let down = (Direction::Revert, action.revert.as_deref());
        for (direction, sql) in [up, down] {
            // Few texts hold these words, and only those are split a second time.
            let Some(sql) = sql.filter(|sql| mentions(sql, "begin") || mentions(sql, "start"))
            else {
                continue;
            };
            let Ok(sql) = expand_sql(dialect, sql, parameters) else {
                continue;
            };
            let Ok((_, notices)) = split_with_notices(dialect, &sql) else {
                continue;
            };
            for notice in notices {
                let origin = sql_origin(tree, migration, step, direction)
                    .unwrap_or_else(|| migration.origin.clone());
                found.push(Finding {
                    rule: OUTER_TRANSACTION.to_owned(),
                    severity: Severity::Note,
                    message: notice.message,
                    help: Some(
                        "take both statements out; nothing changes for databases that have it"
                            .to_owned(),
                    ),
                    migration: Some(migration.name.clone()),
                    target: None,
                    path: Some(origin.path),
                    line: Some(origin.line.max(1) + notice.line.saturating_sub(1)),
                    column: None,
                    excerpt: None,
                });
            }
        }
    }
    found
}

/// Whether a text holds a word, in whatever case.
fn mentions(text: &str, word: &str) -> bool {
    text.as_bytes()
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
