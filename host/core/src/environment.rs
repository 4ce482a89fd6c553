//! Environments: which databases there are, how to reach them, and what policy holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::name::{DatabaseName, EnvironmentName, PluginName};
use crate::policy::Policy;

pub use crate::secret_reference::{
    BUILTIN_BACKENDS, CLUSTER_BACKEND, SecretReference, SecretReferenceError, ValueSource,
};

/// The most characters of what stands in for a value: every database takes so long a name.
const STAND_IN: usize = 63;

/// One environment with everything that it inherits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The ref, or pattern of tags, that drives it; the control ref if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Only what that environment has applied, byte for byte, may be applied here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<EnvironmentName>,
    /// Values of `${NAME}` in SQL.
    pub parameters: BTreeMap<String, String>,
    /// Values of `${NAME}` that a backend keeps, and says to be no secrets. Read once for all targets, they stand among the
    /// others too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameter_references: BTreeMap<String, SecretReference>,
    /// The logical databases.
    pub databases: BTreeMap<DatabaseName, DatabaseSpec>,
    /// The secret backends that it adds to the built-in `env` and `file`.
    pub secrets: BTreeMap<String, SecretBackend>,
    /// What is allowed.
    pub policy: Policy,
}

impl Environment {
    /// The names of the parameters, whether or not their values are known.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        let read = self.parameter_references.keys();
        self.parameters.keys().chain(read).map(String::as_str)
    }

    /// The parameters, each that wasn't read yet with its name as its value. For whoever looks at SQL and has no backends: a
    /// value is always one token, so that the text falls into the same statements.
    #[must_use]
    pub fn parameters_or_names(&self) -> BTreeMap<String, String> {
        let stand_in = |name: &String| (name.clone(), name.chars().take(STAND_IN).collect());
        let mut all: BTreeMap<_, _> = self.parameter_references.keys().map(stand_in).collect();
        all.extend(self.parameters.clone());
        all
    }

    /// The parameters as they are written: of one that is read, its reference.
    #[must_use]
    pub fn written_parameters(&self) -> BTreeMap<String, String> {
        let mut all = self.parameters.clone();
        let references = &self.parameter_references;
        all.extend(
            references
                .iter()
                .map(|(name, reference)| (name.clone(), reference.to_string())),
        );
        all
    }
}

/// One logical database, or with `for_each` the shape of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Where it is; may hold `${NAME}` of a parameter or of a `for_each` column.
    pub url: ValueSource,
    /// Who to connect as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<ValueSource>,
    /// Never a literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<ValueSource>,
    /// The role to take on after connecting, so that short-lived users own nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Makes it many databases: one for each row of a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
}

/// Where the list of targets of one logical database comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// A query whose rows are the targets and whose columns are `${NAME}` of the URL; the first column names a target.
    pub query: String,
    /// The database of the same environment to ask.
    pub of: DatabaseName,
}

/// A secret backend that an environment configures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretBackend {
    /// The plugin that speaks to it.
    pub plugin: PluginName,
    /// The plugin's configuration.
    #[serde(default)]
    pub with: Json,
}

/// Documents merge deeply: maps key by key, anything else is replaced, and `null` takes a key away.
pub fn merge(base: &mut Json, over: &Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    base.remove(key);
                } else {
                    merge(base.entry(key.clone()).or_insert(Json::Null), value);
                }
            }
        }
        (base, Json::Object(over)) => {
            let mut empty = Json::Object(serde_json::Map::new());
            merge(&mut empty, &Json::Object(over.clone()));
            *base = empty;
        }
        (base, over) => *base = over.clone(),
    }
}

/// What keeps an environment from being resolved.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InheritError {
    /// It extends one that isn't there.
    #[error("`{environment}` extends `{parent}`, which doesn't exist")]
    Unknown {
        /// The environment that extends.
        environment: EnvironmentName,
        /// What it extends.
        parent: EnvironmentName,
    },
    /// Environments extend each other in a circle.
    #[error("the environments {} extend each other in a circle", circle(.0))]
    Cycle(
        /// The circle: each extends the next, the last one the first.
        Vec<EnvironmentName>,
    ),
}

fn circle(names: &[EnvironmentName]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" → ")
}

/// An environment and those that it extends, nearest first.
///
/// # Errors
/// A parent that isn't there, or a circle that the environment itself is part of or leads to.
pub fn ancestry<'a>(
    name: &'a EnvironmentName,
    parents: &'a BTreeMap<EnvironmentName, Option<EnvironmentName>>,
) -> Result<Vec<&'a EnvironmentName>, InheritError> {
    let mut chain = vec![name];
    let mut current = name;
    while let Some(parent) = parents.get(current).and_then(Option::as_ref) {
        if let Some(start) = chain.iter().position(|seen| *seen == parent) {
            let circle = chain.into_iter().skip(start).cloned().collect();
            return Err(InheritError::Cycle(circle));
        }
        if !parents.contains_key(parent) {
            return Err(InheritError::Unknown {
                environment: current.clone(),
                parent: parent.clone(),
            });
        }
        chain.push(parent);
        current = parent;
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::{DatabaseSpec, InheritError, ValueSource, ancestry, merge};
    use crate::name::EnvironmentName;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn merges_maps_and_replaces_the_rest() {
        let mut base = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": "gone"});
        let over = json!({"a": {"y": [3], "z": {"n": null, "m": 1}}, "b": {"d": null}, "c": null});
        merge(&mut base, &over);
        assert_eq!(
            base,
            json!({"a": {"x": 1, "y": [3], "z": {"m": 1}}, "b": {}})
        );
    }

    #[test]
    fn follows_parents_up() {
        let name = |text: &str| text.parse().unwrap();
        let parents: BTreeMap<_, _> = [
            ("base", None),
            ("dev", Some("base")),
            ("mine", Some("dev")),
            ("a", Some("b")),
            ("b", Some("c")),
            ("c", Some("b")),
            ("lost", Some("nowhere")),
        ]
        .map(|(child, parent)| (name(child), parent.map(name)))
        .into();
        let mine = name("mine");
        let chain = ancestry(&mine, &parents).unwrap();
        let chain: Vec<_> = chain.into_iter().map(EnvironmentName::as_str).collect();
        assert_eq!(chain, ["mine", "dev", "base"]);
        let error = ancestry(&name("a"), &parents).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environments `b` → `c` extend each other in a circle"
        );
        let lost = name("lost");
        assert!(matches!(
            ancestry(&lost, &parents),
            Err(InheritError::Unknown { .. })
        ));
    }

    #[test]
    fn a_database_reads_literals_and_references() {
        let database: DatabaseSpec = serde_json::from_value(json!({
            "url": "sqlite:shop.db",
            "password": "secret://env/PASSWORD",
            "username": {"secret": "file", "path": "run/user"},
        }))
        .unwrap();
        assert_eq!(
            database.url,
            ValueSource::Literal("sqlite:shop.db".to_owned())
        );
        assert!(matches!(database.password, Some(ValueSource::Secret(_))));
        assert!(matches!(database.username, Some(ValueSource::Secret(_))));
        assert!(serde_json::from_value::<ValueSource>(json!("secret://broken")).is_err());
        let of_cluster = json!({"secretKeyRef": {"name": "shop-db", "key": "password"}});
        let ValueSource::Secret(reference) = serde_json::from_value(of_cluster).unwrap() else {
            panic!("a reference");
        };
        assert_eq!(
            reference.to_string(),
            "secret://secretKeyRef/shop-db#password"
        );
    }
}
