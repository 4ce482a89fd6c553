//! What the catalog says of a statement that can't run in a transaction, before it and after a crash.

mod verdict;

use serde_json::{Value as Json, json};
use whimbrel_core::statement::{Dialect, Probe};
use whimbrel_core::value::Value;

pub use verdict::{Verdict, confirm, decide};

use crate::dialect::quote_identifier;
use crate::session::{Command, DatabaseError, Session};

/// Looks at the catalog.
///
/// # Errors
///
/// The catalog can't be read.
pub async fn observe(session: &mut dyn Session, probe: &Probe) -> Result<Json, DatabaseError> {
    let (sql, parameters) = match probe {
        Probe::None => return Ok(Json::Null),
        Probe::CreateIndex {
            schema,
            table,
            index,
        } => (
            CREATE_INDEX,
            vec![qualified(schema.as_deref(), table), index.clone()],
        ),
        Probe::DropIndex { schema, index } => {
            (DROP_INDEX, vec![qualified(schema.as_deref(), index)])
        }
        Probe::AddEnumValue {
            schema,
            r#type,
            label,
        } => (
            ENUM_VALUE,
            vec![qualified(schema.as_deref(), r#type), label.clone()],
        ),
    };
    let parameters = parameters.into_iter().map(Value::Text).collect();
    let done = session.run(&[Command::with(sql, parameters)]).await?;
    let row = done
        .first()
        .and_then(|done| done.rows.rows.first())
        .map(Vec::as_slice);
    Ok(match row {
        Some([Value::Integer(oid), valid, Value::Text(definition)]) => {
            json!({ "present": true, "oid": oid, "valid": *valid == Value::Boolean(true), "definition": definition })
        }
        Some([_]) => json!({ "present": true }),
        _ => json!({ "present": false }),
    })
}

/// The index is in the schema of its table, wherever the search path finds that. Something else of that name that is no
/// index isn't valid.
const CREATE_INDEX: &str = "SELECT c.oid, coalesce(i.indisvalid AND i.indisready AND i.indrelid = t.oid, false), \
     coalesce(pg_catalog.pg_get_indexdef(i.indexrelid), c.relname::text) \
     FROM pg_catalog.pg_class t \
     JOIN pg_catalog.pg_class c ON c.relnamespace = t.relnamespace AND c.relname = $2 \
     LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
     WHERE t.oid = pg_catalog.to_regclass($1)";

const DROP_INDEX: &str = "SELECT i.indexrelid, i.indisvalid AND i.indisready, \
     pg_catalog.pg_get_indexdef(i.indexrelid) \
     FROM pg_catalog.pg_index i WHERE i.indexrelid = pg_catalog.to_regclass($1)";

const ENUM_VALUE: &str = "SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype($1) AND enumlabel = $2";

pub(super) fn qualified(schema: Option<&str>, name: &str) -> String {
    let quote = |name: &str| quote_identifier(Dialect::Postgres, name);
    schema.map_or_else(
        || quote(name),
        |schema| format!("{}.{}", quote(schema), quote(name)),
    )
}
