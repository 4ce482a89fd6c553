//! What whoever drives the engine says of an environment, in place of what its documents say.

use std::collections::BTreeMap;

use whimbrel_core::environment::{
    BUILTIN_BACKENDS, DatabaseSpec, Environment, SecretReference, ValueSource,
};
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

/// Why something can't be said of an environment: what that is, as a JSON pointer, the problem, and what may help.
pub type Unsayable = (String, String, Option<String>);

impl Override {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.databases.is_empty()
    }

    /// Refuses values of parameters that an environment hasn't got.
    ///
    /// # Errors
    /// There is one.
    pub fn require_known(&self, environment: &Environment) -> Result<(), ProjectError> {
        let known = |name: &String| environment.parameter_names().any(|known| known == name);
        match self.parameters.keys().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => Err(ProjectError::UnknownParameter {
                environment: environment.name.clone(),
                name: name.clone(),
                known: environment.parameter_names().map(str::to_owned).collect(),
            }),
        }
    }

    /// The first parameter here that says where an environment's databases are, or part of it.
    #[must_use]
    pub fn parameter_of_an_address(&self, environment: &Environment) -> Option<&str> {
        let databases = serde_json::json!(environment.databases).to_string();
        let backends = serde_json::json!(environment.secrets).to_string();
        let names = self.parameters.keys().map(String::as_str);
        let mut names = names.filter(|name| {
            let placeholder = format!("${{{name}}}");
            databases.contains(&placeholder) || backends.contains(&placeholder)
        });
        names.next()
    }

    /// What somebody may not say of an environment whose credentials aren't theirs: a password itself, and a reference to
    /// what the environment doesn't reach. It reaches what its own backends keep. What everything in this process can
    /// read, variables and files, is reached by who has the same reference.
    #[must_use]
    pub fn unsayable(&self, environment: &Environment) -> Option<Unsayable> {
        let own = references(environment);
        for (name, said) in &self.databases {
            let parts = [
                ("url", &said.url),
                ("username", &said.username),
                ("password", &said.password),
            ];
            for (part, value) in parts {
                let wrong = |message: String, hint: &str| {
                    let pointer = format!("/databases/{name}/{part}");
                    let message = format!("`{part}` of `{name}`: {message}");
                    Some((pointer, message, Some(hint.to_owned())))
                };
                let reference = match value {
                    None => continue,
                    Some(ValueSource::Secret(reference)) => reference,
                    Some(ValueSource::Literal(text)) => {
                        let is_foreign = text.starts_with("ref+");
                        if is_foreign || part == "password" {
                            let message = "a password, and what is kept, is said by reference";
                            return wrong(message.to_owned(), "`secret://BACKEND/PATH#KEY`");
                        }
                        if part == "url" && holds_password(text) {
                            let message = "a URL can't hold a password";
                            return wrong(message.to_owned(), PASSWORD_HINT);
                        }
                        continue;
                    }
                };
                let is_builtin = BUILTIN_BACKENDS.contains(&reference.backend.as_str());
                let is_configured = environment.secrets.contains_key(&reference.backend);
                let is_reached = (is_configured && !is_builtin) || own.contains(&reference);
                if !is_reached {
                    let environment = &environment.name;
                    return wrong(
                        format!("`{environment}` doesn't reach {reference}"),
                        "a variable or a file is named as the environment's document names it, anything else by a backend \
                         that it configures",
                    );
                }
            }
        }
        None
    }

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

/// What to do about a password in a URL.
const PASSWORD_HINT: &str = "say it as `password`, by reference";

/// Whether an address holds a password, or may hold one.
#[must_use]
pub fn holds_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@');
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    user.is_some_and(|(user, _)| user.contains(':'))
        || options
            .split('&')
            .any(|option| option.starts_with("password="))
}

/// Every reference of an environment's document.
fn references(environment: &Environment) -> Vec<&SecretReference> {
    let databases = environment.databases.values().flat_map(|database| {
        let optional = [database.username.as_ref(), database.password.as_ref()];
        let values = optional.into_iter().flatten().chain([&database.url]);
        values.filter_map(|value| match value {
            ValueSource::Secret(reference) => Some(reference),
            ValueSource::Literal(_) => None,
        })
    });
    databases.collect()
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
