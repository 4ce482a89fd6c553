//! Environments and migrations as resources of Terraform: what their life means. What they do, the engine does.

mod data;
mod environment;
mod migration;
mod outside;
mod reference;
mod request;
mod state;
mod target;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored};
use whimbrel_sdk::serde_json;

use crate::request::Reached;
use crate::state::{OnDestroy, must_stay};

/// The schema, as Terraform gets it.
const SCHEMA: &str = include_str!("../provider.schema.json");

const ENVIRONMENT: &str = "whimbrel_environment";
const MIGRATION: &str = "whimbrel_migration";

/// The provider of Whimbrel's own resources.
#[derive(Debug)]
pub struct Terraform {
    reached: Reached,
}

impl ResourceProvider for Terraform {
    fn schema() -> Json {
        // It is part of this file; a test reads it.
        serde_json::from_str(SCHEMA).unwrap_or_default()
    }

    fn configure(config: Json) -> Result<Self, Fault> {
        Ok(Self {
            reached: Reached::new(&config),
        })
    }

    fn validate(kind: &str, config: &Json) -> Result<(), Vec<Fault>> {
        state::valid(kind, config)
    }

    fn plan(
        &self,
        kind: &str,
        prior: Option<&Stored>,
        config: &Json,
        proposed: Json,
    ) -> Result<Planned, Vec<Fault>> {
        let planned = match kind {
            ENVIRONMENT => environment::plan(&self.reached, prior, config, proposed),
            MIGRATION => migration::plan(&self.reached, prior, config, proposed),
            _ => Err(unknown(kind)),
        };
        planned.map_err(|fault| vec![fault])
    }

    fn plan_delete(kind: &str, current: &Stored) -> Result<(), Fault> {
        match OnDestroy::of(&current.state)? {
            OnDestroy::Fail => Err(must_stay(kind, &current.state)),
            OnDestroy::Keep | OnDestroy::Revert => Ok(()),
        }
    }

    fn create(&self, kind: &str, planned: Stored, config: &Json) -> Result<Stored, Fault> {
        match kind {
            ENVIRONMENT => environment::apply(&self.reached, planned, config),
            MIGRATION => migration::apply(&self.reached, planned, config),
            _ => Err(unknown(kind)),
        }
    }

    fn read(&self, kind: &str, current: Stored) -> Result<Option<Stored>, Fault> {
        match kind {
            ENVIRONMENT => environment::read(&self.reached, current),
            MIGRATION => migration::read(&self.reached, current),
            _ => Err(unknown(kind)),
        }
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

    fn delete(&self, kind: &str, current: Stored) -> Result<(), Fault> {
        match kind {
            ENVIRONMENT => environment::delete(&self.reached, &current),
            MIGRATION => migration::delete(&self.reached, &current),
            _ => Err(unknown(kind)),
        }
    }

    fn import_state(&self, kind: &str, id: &str) -> Result<Stored, Fault> {
        match kind {
            ENVIRONMENT => environment::import(&self.reached, id),
            MIGRATION => migration::import(&self.reached, id),
            _ => Err(unknown(kind)),
        }
    }

    fn read_data(&self, kind: &str, config: &Json) -> Result<Json, Fault> {
        match kind {
            "whimbrel_plan" => data::plan(&self.reached, config),
            "whimbrel_status" => data::status(&self.reached, config),
            _ => Err(unknown(kind)),
        }
    }

    fn function(name: &str, arguments: &[Json]) -> Result<Json, Vec<Fault>> {
        match (name, arguments) {
            ("parse_reference", [Json::String(text)]) => {
                reference::parse(text).map_err(|fault| vec![fault])
            }
            _ => Err(vec![unknown(name)]),
        }
    }
}

fn unknown(kind: &str) -> Fault {
    let message = format!("`{kind}` is nothing that this provider has");
    Fault::new(FaultClass::Unsupported, "terraform.unknown", message)
}

whimbrel_sdk::export_provider!(Terraform);

#[cfg(test)]
mod tests {
    use super::{SCHEMA, Terraform};
    use whimbrel_sdk::prelude::*;

    #[test]
    fn the_schema_can_be_read() {
        let schema = Terraform::schema();
        assert!(SCHEMA.contains("whimbrel_environment"));
        assert!(schema["resources"]["whimbrel_migration"]["attributes"]["up"]["required"] == true);
    }
}
