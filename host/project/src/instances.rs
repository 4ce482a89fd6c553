//! From the rows of a `forEach` query to targets.

use std::collections::BTreeMap;

use whimbrel_core::name::{DatabaseName, TargetName};
use whimbrel_core::template::Values;
use whimbrel_core::value::{RowSet, Value};

/// The most targets of one logical database: beyond it the query is wrong more likely than the fleet is that large.
const MAXIMUM_TARGETS: usize = 100_000;

/// One target for each row: the first column names it, all columns are values of its URL.
pub(crate) fn instances(
    database: &DatabaseName,
    rows: &RowSet,
) -> Result<Vec<(TargetName, Values)>, String> {
    if rows.rows.len() > MAXIMUM_TARGETS {
        return Err(format!(
            "the query gives {} rows, at most {MAXIMUM_TARGETS} are taken",
            rows.rows.len()
        ));
    }
    let mut found: BTreeMap<TargetName, Values> = BTreeMap::new();
    for (row, number) in rows.rows.iter().zip(1..) {
        let mut values = Values::new();
        for (column, value) in rows.columns.iter().zip(row) {
            if *value == Value::Null {
                return Err(format!(
                    "row {number} has no value in the column `{column}`"
                ));
            }
            values.insert(column.clone(), value.display());
        }
        let instance = row.first().map(Value::display).unwrap_or_default();
        if instance.is_empty() {
            return Err(format!(
                "row {number} has nothing in its first column, which names the target"
            ));
        }
        let name = TargetName {
            database: database.clone(),
            instance: Some(instance.clone()),
        };
        if found.insert(name, values).is_some() {
            return Err(format!("the query gives `{instance}` twice"));
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use whimbrel_core::value::{RowSet, Value};

    use super::instances;

    fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> RowSet {
        RowSet {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows,
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn each_row_is_a_target_named_by_its_first_column() {
        let rows = rows(
            &["tenant", "port"],
            vec![
                vec![text("b"), Value::Integer(5433)],
                vec![text("a"), Value::Integer(5432)],
            ],
        );
        let found = instances(&"tenants".parse().unwrap(), &rows).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["tenants[a]", "tenants[b]"]);
        assert_eq!(found[1].1["port"], "5433");
    }

    #[test]
    fn rows_that_name_no_target_are_refused() {
        let database = "tenants".parse().unwrap();
        for (row, problem) in [
            (
                vec![text("a"), Value::Null],
                "no value in the column `port`",
            ),
            (vec![text(""), text("1")], "nothing in its first column"),
            (vec![text("twice"), text("1")], "gives `twice` twice"),
        ] {
            let rows = rows(&["tenant", "port"], vec![row.clone(), row]);
            let error = instances(&database, &rows).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
