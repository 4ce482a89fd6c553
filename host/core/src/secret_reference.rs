//! Where a value of an environment is: written there, or kept in a secret backend.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

/// A value of an environment: written there, or kept in a secret backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ValueSource {
    /// Written in the document.
    Literal(String),
    /// Kept in a secret backend.
    Secret(SecretReference),
}

impl<'de> Deserialize<'de> for ValueSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Map(ReferenceMap),
            Cluster(ClusterReference),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) if text.starts_with(SCHEME) => {
                Self::Secret(text.parse().map_err(serde::de::Error::custom)?)
            }
            Form::Text(text) => Self::Literal(text),
            Form::Map(map) => Self::Secret(map.into()),
            Form::Cluster(reference) => Self::Secret(reference.into()),
        })
    }
}

/// Where a secret value is kept. Displayed as `secret://BACKEND/PATH?version=V#KEY`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SecretReference {
    /// The backend: one that the environment configures, or `env` or `file`.
    #[serde(rename = "secret")]
    pub backend: String,
    /// What the backend calls the secret: a path, the name of a variable, a file.
    pub path: String,
    /// The part of a secret that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A fixed version; the newest if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What else the backend's plugin wants to know; `null` if nothing.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub options: Json,
}

/// The secret backends that are always there.
pub const BUILTIN_BACKENDS: [&str; 2] = ["env", "file"];

/// The backend of `secretKeyRef`: a `Secret` of the cluster, which only an operator can read.
pub const CLUSTER_BACKEND: &str = "secretKeyRef";

const SCHEME: &str = "secret://";

/// The text was no secret reference.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a secret reference such as `secret://BACKEND/PATH#KEY`")]
pub struct SecretReferenceError;

impl FromStr for SecretReference {
    type Err = SecretReferenceError;

    fn from_str(text: &str) -> Result<Self, SecretReferenceError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SecretReferenceError)?;
        let (rest, key) = match rest.split_once('#') {
            Some((rest, key)) => (rest, Some(key)),
            None => (rest, None),
        };
        let (rest, version) = match rest.split_once('?') {
            Some((rest, query)) => {
                let version = query.strip_prefix("version=").ok_or(SecretReferenceError)?;
                (rest, Some(version))
            }
            None => (rest, None),
        };
        let (backend, path) = rest.split_once('/').ok_or(SecretReferenceError)?;
        let parts = [Some(backend), Some(path), key, version];
        if parts.into_iter().flatten().any(str::is_empty) {
            return Err(SecretReferenceError);
        }
        Ok(Self {
            backend: backend.to_owned(),
            path: path.to_owned(),
            key: key.map(str::to_owned),
            version: version.map(str::to_owned),
            options: Json::Null,
        })
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}/{}", self.backend, self.path)?;
        if let Some(version) = &self.version {
            write!(formatter, "?version={version}")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "#{key}")?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceMap {
    secret: String,
    path: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    options: Json,
}

/// `{ secretKeyRef: { name: …, key: … } }`, as Kubernetes writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterReference {
    #[serde(rename = "secretKeyRef")]
    selector: SecretKeySelector,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretKeySelector {
    name: String,
    key: String,
}

impl From<ClusterReference> for SecretReference {
    fn from(reference: ClusterReference) -> Self {
        Self {
            backend: CLUSTER_BACKEND.to_owned(),
            path: reference.selector.name,
            key: Some(reference.selector.key),
            version: None,
            options: Json::Null,
        }
    }
}

impl From<ReferenceMap> for SecretReference {
    fn from(map: ReferenceMap) -> Self {
        Self {
            backend: map.secret,
            path: map.path,
            key: map.key,
            version: map.version,
            options: map.options,
        }
    }
}

impl<'de> Deserialize<'de> for SecretReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match ValueSource::deserialize(deserializer)? {
            ValueSource::Secret(reference) => Ok(reference),
            ValueSource::Literal(_) => Err(serde::de::Error::custom(SecretReferenceError)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::SecretReference;

    #[test]
    fn secret_references_have_two_forms() {
        let text = "secret://vault/database/creds/shop?version=3#password";
        let reference: SecretReference = text.parse().unwrap();
        assert_eq!(reference.to_string(), text);
        let map = json!({"secret": "vault", "path": "database/creds/shop", "key": "password", "version": "3"});
        assert_eq!(serde_json::to_value(&reference).unwrap(), map);
        assert_eq!(
            serde_json::from_value::<SecretReference>(map).unwrap(),
            reference
        );
        assert_eq!(
            serde_json::from_value::<SecretReference>(json!(text)).unwrap(),
            reference
        );
        assert_eq!(
            "secret://env/PASSWORD"
                .parse::<SecretReference>()
                .unwrap()
                .key,
            None
        );
        for bad in [
            "vault/x",
            "secret://vault",
            "secret:///x",
            "secret://v/x#",
            "secret://v/x?v=1",
        ] {
            assert!(bad.parse::<SecretReference>().is_err(), "{bad}");
        }
        assert!(serde_json::from_value::<SecretReference>(json!("plain")).is_err());
    }
}
