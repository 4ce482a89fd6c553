//! Lookup tables as resources of Terraform: a map of rows there, append-only migrations in the database.

mod kept;
mod statement;
mod table;
mod upgrade;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored};
use whimbrel_sdk::serde_json;

use crate::table::Table;

/// The schema, as Terraform gets it.
const SCHEMA: &str = include_str!("../provider.schema.json");

/// The provider of lookup tables.
#[derive(Debug)]
pub struct LookupTables {
    prefix: Json,
}

impl ResourceProvider for LookupTables {
    fn schema() -> Json {
        // It is part of this file; a test reads it.
        serde_json::from_str(SCHEMA).unwrap_or_default()
    }

    fn configure(config: Json) -> Result<Self, Fault> {
        let prefix = config.get("lookup_table_prefix").cloned();
        Ok(Self {
            prefix: prefix.unwrap_or_default(),
        })
    }

    fn validate(_: &str, config: &Json) -> Result<(), Vec<Fault>> {
        table::valid(config)
    }

    fn plan(
        &self,
        _: &str,
        prior: Option<&Stored>,
        _: &Json,
        proposed: Json,
    ) -> Result<Planned, Vec<Fault>> {
        let planned = table::plan(&self.prefix, prior, proposed);
        planned.map_err(|fault| vec![fault])
    }

    fn create(&self, _: &str, planned: Stored, _: &Json) -> Result<Stored, Fault> {
        Table::read(planned)?.apply(&self.prefix)
    }

    fn read(&self, _: &str, current: Stored) -> Result<Option<Stored>, Fault> {
        Table::read(current)?.found()
    }

    fn update(
        &self,
        kind: &str,
        _: Stored,
        planned: Stored,
        config: &Json,
    ) -> Result<Stored, Fault> {
        self.create(kind, planned, config)
    }

    fn delete(&self, _: &str, current: Stored) -> Result<(), Fault> {
        Table::read(current)?.take_back()
    }

    fn upgrade(_: &str, version: u64, state: Json) -> Result<Json, Fault> {
        upgrade::upgraded(version, state)
    }
}

whimbrel_sdk::export_provider!(LookupTables);
