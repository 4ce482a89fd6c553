//! What is asked, as a plugin writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName};
use whimbrel_engine::Passing;
use whimbrel_project::{DatabaseOverride, Override};

use crate::sealed::Sealed;

/// A question or an order about an environment.
#[derive(Clone, Debug)]
pub enum Request {
    /// Of a project of its own.
    Project(Terms, ProjectRequest),
    /// Of one migration that is the whole of its project.
    Migration(Terms, MigrationRequest),
    /// Of one that only its name is said of: how it stands, and what it is.
    Recorded(Terms, MigrationName, DatabaseName),
}

/// Which environment is meant, and what holds for it.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The environment's name.
    pub environment: EnvironmentName,
    /// Values of parameters, in place of the environment's.
    pub parameters: BTreeMap<String, String>,
    /// How databases are reached, in place of what the environment says.
    pub databases: BTreeMap<DatabaseName, DatabaseRequest>,
    /// Destructive statements were looked at and may run, where the policy says `Confirm`.
    pub allow_destructive: bool,
}

/// A project of its own.
#[derive(Clone, Debug)]
pub struct ProjectRequest {
    /// Where it is.
    pub source: SourceRequest,
    /// The plan that may be run, and no other: its digest.
    pub plan: Option<String>,
    /// Everything that is applied is meant: of a revert.
    pub all: bool,
}

/// Where a project is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceRequest {
    /// A folder, or the address of a Git repository; may be absent where a server is asked that knows it.
    pub source: Option<String>,
    /// Branch, tag or commit; what the environment follows if absent.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The commit that was planned.
    pub revision: Option<String>,
}

/// A migration that is written in the request.
#[derive(Clone, Debug)]
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

/// A migration as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenMigration {
    name: MigrationName,
    database: DatabaseName,
    up: Option<String>,
    down: Option<String>,
}

/// A request as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    project: Option<SourceRequest>,
    migration: Option<WrittenMigration>,
    environment: EnvironmentName,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    databases: BTreeMap<DatabaseName, DatabaseRequest>,
    #[serde(default)]
    allow_destructive: bool,
    plan: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Request {
    /// Which environment is meant.
    pub const fn terms(&self) -> &Terms {
        match self {
            Self::Project(terms, _) | Self::Migration(terms, _) | Self::Recorded(terms, _, _) => {
                terms
            }
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// It isn't one.
    pub fn read(document: Json) -> Result<Self, Fault> {
        let wrong = |message: String| Fault::new(FaultClass::Invalid, "engine.request", message);
        let written: Written =
            serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
        let terms = Terms {
            environment: written.environment,
            parameters: written.parameters,
            databases: written.databases,
            allow_destructive: written.allow_destructive,
        };
        match (written.project, written.migration) {
            (Some(source), None) => Ok(Self::Project(
                terms,
                ProjectRequest {
                    source,
                    plan: written.plan,
                    all: written.all,
                },
            )),
            (
                None,
                Some(WrittenMigration {
                    name,
                    database,
                    up,
                    down,
                }),
            ) => Ok(match up {
                Some(up) => Self::Migration(
                    terms,
                    MigrationRequest {
                        name,
                        database,
                        up,
                        down,
                    },
                ),
                None => Self::Recorded(terms, name, database),
            }),
            _ => Err(wrong(
                "expected `project` or `migration`, and not both".to_owned(),
            )),
        }
    }
}

impl SourceRequest {
    /// Where the project is, for whoever has to find it.
    ///
    /// # Errors
    /// It isn't said.
    pub fn place(&self) -> Result<&str, Fault> {
        self.source.as_deref().ok_or_else(|| Fault {
            pointer: Some("/source".to_owned()),
            ..Fault::new(
                FaultClass::Invalid,
                "engine.no-source",
                "`source` is missing",
            )
            .with_hint(
                "only with an `endpoint` of the provider, a server knows where the project is",
            )
        })
    }
}

impl Terms {
    /// What is said of the environment.
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

    /// How gates are passed.
    #[must_use]
    pub fn passing(&self) -> Passing {
        Passing {
            destructive_confirmed: self.allow_destructive,
            ..Passing::default()
        }
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
