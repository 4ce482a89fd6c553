//! What a caller says of an environment in place of its documents: parameters, and how databases are reached. Whoever runs the
//! server grants it to tokens; nobody else may.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use whimbrel_core::environment::{Environment, ValueSource};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::DatabaseName;
use whimbrel_core::policy::ApplyRule;
use whimbrel_project::{DatabaseOverride, Override};

use crate::settings::Grants;
use crate::tokens::Caller;

/// How a database is reached, as a body says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reached {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<ValueSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<ValueSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<ValueSource>,
}

/// Values of parameters, as a body says them.
pub(crate) type Parameters = BTreeMap<String, String>;

/// How databases are reached, as a body says it.
pub(crate) type Databases = BTreeMap<DatabaseName, Reached>;

/// What is said, by somebody who may. Whether it can be said of an environment is seen when that is read.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    over: Override,
    grants: Grants,
    by: String,
}

impl Said {
    /// What a body says; none if it says nothing of the kind.
    ///
    /// # Errors
    /// The caller isn't granted it.
    pub(crate) fn new(
        parameters: &Parameters,
        databases: &Databases,
        caller: &Caller,
    ) -> Result<Option<Self>, Fault> {
        let grants = caller.grants;
        require(
            grants.parameters || parameters.is_empty(),
            "parameters",
            &caller.name,
        )?;
        require(
            grants.databases || databases.is_empty(),
            "databases",
            &caller.name,
        )?;
        let databases = databases.iter().map(|(name, reached)| {
            let said = DatabaseOverride {
                url: reached.url.clone(),
                username: reached.username.clone(),
                password: reached.password.clone(),
            };
            (name.clone(), said)
        });
        let over = Override {
            parameters: parameters.clone(),
            databases: databases.collect(),
        };
        let said = Self {
            over,
            grants,
            by: caller.name.clone(),
        };
        Ok((!said.over.is_empty()).then_some(said))
    }

    /// Whether it is about another database than the environment's own.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.over.databases.values().any(|said| said.url.is_some())
    }

    /// The same for the engine.
    pub(crate) const fn over(&self) -> &Override {
        &self.over
    }

    /// Refuses what can't be said of an environment, or not by this caller.
    ///
    /// # Errors
    /// See there.
    pub(crate) fn require(&self, environment: &Environment) -> Result<(), Fault> {
        // Who may say parameters alone doesn't choose by them where databases are.
        if let Some(name) = self.over.parameter_of_an_address(environment) {
            require(self.grants.databases, "databases", &self.by).map_err(|fault| Fault {
                message: format!(
                    "the parameter `{name}` says where databases are: {}",
                    fault.message
                ),
                pointer: Some("/parameters".to_owned()),
                ..fault
            })?;
        }
        self.over
            .require_known(environment)
            .map_err(|error| Fault {
                pointer: Some("/parameters".to_owned()),
                hint: error.hint(),
                ..Fault::new(FaultClass::Invalid, "serve.parameter", error.to_string())
            })?;
        match self.over.unsayable(environment) {
            None => Ok(()),
            Some((pointer, message, hint)) => Err(Fault {
                pointer: Some(pointer),
                hint,
                ..Fault::new(FaultClass::Denied, "serve.databases", message)
            }),
        }
    }

    /// Refuses to plan or run it where the server applies by itself, which it does without it.
    ///
    /// # Errors
    /// It does.
    pub(crate) fn require_waiting(&self, environment: &Environment) -> Result<(), Fault> {
        if environment.policy.apply == ApplyRule::Approve {
            return Ok(());
        }
        let word = if self.over.databases.is_empty() {
            "parameters"
        } else {
            "databases"
        };
        let name = &environment.name;
        let message = format!(
            "the server applies `{name}` by itself, without the `{word}` that are said here"
        );
        Err(Fault {
            pointer: Some(format!("/{word}")),
            ..Fault::new(FaultClass::Conflict, "serve.goes-on", message)
                .with_hint("the environment needs `policy.apply: Approve`")
        })
    }

    /// The same for whoever looks at what was done. References stay references.
    pub(crate) fn shown(&self) -> Json {
        let text = |value: &Option<ValueSource>| {
            value.as_ref().map(|value| match value {
                ValueSource::Literal(text) => text.clone(),
                ValueSource::Secret(reference) => reference.to_string(),
            })
        };
        let databases = self.over.databases.iter().map(|(name, said)| {
            let mut parts = serde_json::Map::new();
            for (part, value) in [
                ("url", text(&said.url)),
                ("username", text(&said.username)),
                ("password", text(&said.password)),
            ] {
                parts.extend(value.map(|value| (part.to_owned(), value.into())));
            }
            (name.to_string(), Json::Object(parts))
        });
        let databases: serde_json::Map<_, _> = databases.collect();
        json!({ "parameters": self.over.parameters, "databases": databases })
    }
}

/// Refuses what a token isn't granted.
pub(crate) fn require(is_granted: bool, grant: &str, by: &str) -> Result<(), Fault> {
    if is_granted {
        return Ok(());
    }
    let message = format!(
        "`{grant}` can't be said to a server: its environment says it, and `{by}` isn't granted `{grant}`"
    );
    Err(Fault {
        pointer: Some(format!("/{grant}")),
        ..Fault::new(FaultClass::Denied, "serve.ungranted", message).with_hint(format!(
            "whoever runs the server may grant it, `--token {by}=secret://…,{grant}`; else write it into the environment's \
             document, or use a provider without `endpoint`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Said;
    use crate::settings::{Access, Grants};
    use crate::tokens::Caller;

    fn said(parameters: bool, databases: bool) -> Result<Option<Said>, String> {
        let caller = Caller {
            name: "ann".to_owned(),
            access: Access::Apply,
            grants: Grants {
                parameters,
                databases,
            },
        };
        let of = |value| serde_json::from_value(value).unwrap();
        let said = Said::new(
            &serde_json::from_value(json!({ "a": "b" })).unwrap(),
            &of(json!({ "shop": { "url": "sqlite:a.db" } })),
            &caller,
        );
        said.map_err(|fault| fault.pointer.unwrap())
    }

    #[test]
    fn only_what_is_granted_may_be_said() {
        assert_eq!(said(false, true).unwrap_err(), "/parameters");
        assert_eq!(said(true, false).unwrap_err(), "/databases");
        let said = said(true, true).unwrap().unwrap();
        assert_eq!(
            said.shown(),
            json!({ "parameters": { "a": "b" }, "databases": { "shop": { "url": "sqlite:a.db" } } })
        );
    }
}
