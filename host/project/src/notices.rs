//! What a definition's author should know of how its SQL is taken, as notes at their places.

use whimbrel_config::{SourceTree, Spot, TextOf, place_of};
use whimbrel_core::definition::{Action, Migration};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::history::Direction;
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::{Values, fill};
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
            let filled = fill(dialect, sql, parameters);
            let Ok((_, notices)) = split_with_notices(dialect, &filled.text) else {
                continue;
            };
            for notice in notices {
                let text = TextOf::Step(step, direction);
                let spot = Spot::Text(text, filled.origin(notice.offset));
                let finding = Finding {
                    help: Some(
                        "take both statements out; nothing changes for databases that have it"
                            .to_owned(),
                    ),
                    migration: Some(migration.name.clone()),
                    ..Finding::new(OUTER_TRANSACTION, Severity::Note, notice.message)
                };
                found.push(finding.at(place_of(tree, migration, spot)));
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
