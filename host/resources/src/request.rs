//! What is asked, as a plugin writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName};
use whimbrel_project::{DatabaseOverride, Override};

use crate::sealed::Sealed;

/// A question or an order about an environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The project; none when `migration` is the whole of it.
    pub project: Option<ProjectRequest>,
    /// The one migration that it is about.
    pub migration: Option<MigrationRequest>,
    /// The environment's name.
    pub environment: EnvironmentName,
    /// Values of parameters, in place of the environment's.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// How databases are reached, in place of what the environment says.
    #[serde(default)]
    pub databases: BTreeMap<DatabaseName, DatabaseRequest>,
    /// Destructive statements were looked at and may run, where the policy says `Confirm`.
    #[serde(default)]
    pub allow_destructive: bool,
    /// The plan that may be run, and no other: its digest.
    pub plan: Option<String>,
    /// Everything that is applied is meant: of a revert.
    #[serde(default)]
    pub all: bool,
}

/// A project of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectRequest {
    /// A folder, or the address of a Git repository.
    pub source: String,
    /// Branch, tag or commit; what the environment follows if absent.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The commit that was planned.
    pub revision: Option<String>,
}

/// A migration that is written in the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationRequest {
    /// Its name.
    pub name: MigrationName,
    /// Its database.
    pub database: DatabaseName,
    /// What makes it.
    pub up: String,
    /// What takes it back.
    pub down: Option<String>,
}

/// How a database is reached: each a text, a secret reference or a sealed value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRequest {
    /// Its address.
    pub url: Option<Json>,
    /// Who connects.
    pub username: Option<Json>,
    /// The password.
    pub password: Option<Json>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// It isn't one.
    pub fn read(document: Json) -> Result<Self, Fault> {
        let request: Self = serde_json::from_value(document).map_err(|error| {
            Fault::new(FaultClass::Invalid, "engine.request", error.to_string())
        })?;
        if request.project.is_some() == request.migration.is_some() {
            let message = "expected `project` or `migration`, and not both";
            return Err(Fault::new(FaultClass::Invalid, "engine.request", message));
        }
        Ok(request)
    }

    /// What it says of the environment.
    ///
    /// # Errors
    /// A value isn't one.
    pub fn overriding(&self, sealed: &Sealed) -> Result<Override, Fault> {
        let mut databases = BTreeMap::new();
        for (name, said) in &self.databases {
            let source = |part: &str, value: &Option<Json>| {
                let value = value.as_ref();
                let pointer = format!("/databases/{name}/{part}");
                value
                    .map(|value| sealed.source(&pointer, value))
                    .transpose()
            };
            let database = DatabaseOverride {
                url: source("url", &said.url)?,
                username: source("username", &said.username)?,
                password: source("password", &said.password)?,
            };
            databases.insert(name.clone(), database);
        }
        Ok(Override {
            parameters: self.parameters.clone(),
            databases,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use serde_json::json;

    #[test]
    fn a_request_is_about_a_project_or_a_migration() {
        let project = json!({ "source": "/shop" });
        let migration = json!({ "name": "a", "database": "main", "up": "SELECT 1" });
        assert!(Request::read(json!({ "environment": "dev", "project": project })).is_ok());
        for wrong in [
            json!({ "environment": "dev" }),
            json!({ "environment": "dev", "project": project, "migration": migration }),
            json!({ "environment": "dev", "migration": migration, "more": 1 }),
        ] {
            assert_eq!(Request::read(wrong).unwrap_err().code, "engine.request");
        }
    }
}
