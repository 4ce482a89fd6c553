//! `whimbrel:sql/sources`: other databases, as the step's `reads:` names them. No run provides any yet.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::sql::database::{Error, RowSet, Value};
use crate::bindings::imports::whimbrel::sql::sources;
use crate::instance::State;

impl State {
    fn no_source<T>(&self, source: &str) -> Result<Result<T, Error>> {
        let reason = match self.working("sources").and_then(|_| self.database()) {
            Err(denied) => denied.to_string(),
            Ok(_) => format!(
                "the step can't read {source:?}: no database of that name is among its `reads:`, or this whimbrel doesn't provide any yet"
            ),
        };
        Ok(Err(Error::Refused(reason)))
    }
}

impl sources::Host for State {
    fn dialect_of(&mut self, source: String) -> Result<Result<String, Error>> {
        self.no_source(&source)
    }

    fn quote(&mut self, source: String, _: String) -> Result<Result<String, Error>> {
        self.no_source(&source)
    }

    fn query(&mut self, source: String, _: String, _: Vec<Value>) -> Result<Result<RowSet, Error>> {
        self.no_source(&source)
    }

    fn pump(
        &mut self,
        source: String,
        _: String,
        _: Vec<Value>,
        _: String,
        _: Vec<String>,
    ) -> Result<Result<u64, Error>> {
        self.no_source(&source)
    }
}
