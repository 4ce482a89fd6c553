//! Other databases of the environment, named in the step's `reads:`. Read only, one snapshot per call.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::sql::sources as host;
use crate::database::Error;
use crate::{Dialect, RowSet, Value, import};

/// The dialect of a source.
///
/// # Errors
/// The step's `reads:` doesn't name it.
pub fn dialect(source: &str) -> Result<Dialect, Error> {
    import!(host::dialect_of, source_dialect(source)).map(|name| Dialect::from(name.as_str()))
}

/// Quotes a name for a source.
///
/// # Errors
/// The step's `reads:` doesn't name it.
pub fn quote(source: &str, name: &str) -> Result<String, Error> {
    import!(host::quote, source_quote(source, name))
}

/// Runs a query on a source.
///
/// # Errors
/// As the source, or the host, refuses.
pub fn query(source: &str, statement: &str, parameters: &[Value]) -> Result<RowSet, Error> {
    import!(host::query, source_query(source, statement, parameters))
}

/// Moves the rows of a query on a source into a table of the step's database, without passing through the plugin.
///
/// # Errors
/// As one of the databases, or the host, refuses.
pub fn pump(
    source: &str,
    statement: &str,
    parameters: &[Value],
    table: &str,
    columns: &[String],
) -> Result<u64, Error> {
    import!(
        host::pump,
        source_pump(source, statement, parameters, table, columns)
    )
}
