//! What whoever drives the engine says of an environment, in place of what its documents say.

use std::collections::BTreeMap;

use whimbrel_core::environment::{DatabaseSpec, Environment, ValueSource};
use whimbrel_core::name::DatabaseName;

use crate::{Opening, ProjectError};

/// What is said of an environment. What isn't said stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// How databases are reached.
    pub databases: BTreeMap<DatabaseName, DatabaseOverride>,
}

/// What is said of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseOverride {
    /// Where it is.
    pub url: Option<ValueSource>,
    /// Who to connect as.
    pub username: Option<ValueSource>,
    /// Where the password is kept.
    pub password: Option<ValueSource>,
}

impl Opening {
    /// The same with this said of an environment.
    ///
    /// # Errors
    /// There is no such environment, or a database that it hasn't got is said without an address.
    pub fn with_override(
        mut self,
        environment: &str,
        said: &Override,
    ) -> Result<Self, ProjectError> {
        let mut changed = self.environment(environment)?.clone();
        said.apply(&mut changed)?;
        let environments = &mut self.documents_mut().environments;
        environments.insert(changed.name.clone(), changed);
        Ok(self)
    }
}

impl Override {
    fn apply(&self, environment: &mut Environment) -> Result<(), ProjectError> {
        let parameters = self.parameters.clone();
        let read = &mut environment.parameter_references;
        read.retain(|name, _| !parameters.contains_key(name));
        environment.parameters.extend(parameters);
        for (name, said) in &self.databases {
            match environment.databases.get_mut(name) {
                Some(database) => said.apply(database),
                None => {
                    let Some(url) = said.url.clone() else {
                        return Err(ProjectError::unknown_database(environment, name));
                    };
                    let mut database = DatabaseSpec {
                        url,
                        username: None,
                        password: None,
                        role: None,
                        for_each: None,
                    };
                    said.apply(&mut database);
                    environment.databases.insert(name.clone(), database);
                }
            }
        }
        Ok(())
    }
}

impl DatabaseOverride {
    fn apply(&self, database: &mut DatabaseSpec) {
        if let Some(url) = &self.url {
            database.url = url.clone();
        }
        if self.username.is_some() {
            database.username.clone_from(&self.username);
        }
        if self.password.is_some() {
            database.password.clone_from(&self.password);
        }
    }
}
