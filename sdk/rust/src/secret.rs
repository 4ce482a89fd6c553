//! What a secret store is asked for, and what it answers.

use std::fmt;

use serde_json::Value as Json;

use crate::Duration;

/// Which secret is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What the store calls it.
    pub path: String,
    /// A version, or a stage of the store's own; none means the current one.
    pub version: Option<String>,
    /// Whatever else the store understands.
    pub options: Json,
}

impl Reference {
    /// The current version of a secret.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            version: None,
            options: Json::Null,
        }
    }

    /// Whether the options say `raw`: the secret as it is kept, instead of its parts.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.options.get("raw") == Some(&Json::Bool(true))
    }

    /// A fixed version of it.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same with options.
    #[must_use]
    pub fn with_options(mut self, options: Json) -> Self {
        self.options = options;
        self
    }
}

/// A time for which a store lends a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The store's name for it.
    pub id: String,
    /// Whether `renew` may lengthen it.
    pub is_renewable: bool,
    /// From the moment of the answer.
    pub time_to_live: Duration,
}

/// A secret. Its values don't print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// Names and values; a store that keeps one value without a name calls it `value`.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Which version it is.
    pub version: Option<String>,
    /// When it stops being of use, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
    /// Its lease, if it is lent.
    pub lease: Option<Lease>,
    /// Anything else worth knowing, and no secret.
    pub details: Json,
}

impl Secret {
    /// The name of the field of a secret that is one value.
    pub const VALUE: &str = "value";

    /// A secret of these fields.
    #[must_use]
    pub fn new(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }

    /// A secret that is one value without a name.
    pub fn of_value(value: impl Into<Vec<u8>>) -> Self {
        Self::new(vec![(Self::VALUE.to_owned(), value.into())])
    }

    /// A secret of a JSON object's fields: texts as they are, anything else as JSON. None when it is no object.
    #[must_use]
    pub fn of_json(object: &Json) -> Option<Self> {
        let fields = object.as_object()?.iter().map(|(name, value)| {
            let bytes = match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), bytes.into_bytes())
        });
        Some(Self::new(fields.collect()))
    }

    /// What a store keeps without names: the fields of a JSON object, unless the reference wants it
    /// [raw](Reference::is_raw); anything else is one value.
    #[must_use]
    pub fn of_unnamed(bytes: impl Into<Vec<u8>>, reference: &Reference) -> Self {
        let bytes = bytes.into();
        let document: Option<Json> = if reference.is_raw() {
            None
        } else {
            serde_json::from_slice(&bytes).ok()
        };
        document
            .as_ref()
            .and_then(Self::of_json)
            .unwrap_or_else(|| Self::of_value(bytes))
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The same, being this version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same, of no use after this moment.
    #[must_use]
    pub const fn with_expiry(mut self, expires: Option<u64>) -> Self {
        self.expires = expires;
        self
    }

    /// The same, lent.
    #[must_use]
    pub fn with_lease(mut self, lease: Option<Lease>) -> Self {
        self.lease = lease;
        self
    }

    /// The same with something else worth knowing.
    #[must_use]
    pub fn with_details(mut self, details: Json) -> Self {
        self.details = details;
        self
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("Secret")
            .field("fields", &names)
            .field("version", &self.version)
            .field("expires", &self.expires)
            .field("lease", &self.lease)
            .field("details", &self.details)
            .finish()
    }
}

/// What can be said of a secret without revealing it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The names of its fields; empty when the store can't tell without reading.
    pub fields: Vec<String>,
    /// The version that a read would give now.
    pub version: Option<String>,
    /// When it will be rotated, in milliseconds since the Unix epoch.
    pub next_rotation: Option<u64>,
    /// How long a lease of it would hold, or how long it stays as it is.
    pub time_to_live: Option<Duration>,
    /// Anything else worth knowing, and no secret.
    pub details: Json,
}

/// What became of a lease that was to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It holds for as long as was asked, or longer.
    Renewed(Lease),
    /// It holds for less: new credentials are needed soon.
    Truncated(Lease),
    /// It is over, or was never there.
    Gone,
}

impl Renewal {
    /// Renewed or truncated, by what was asked and what was given.
    #[must_use]
    pub fn of(lease: Lease, want: Duration) -> Self {
        if lease.time_to_live < want {
            Self::Truncated(lease)
        } else {
            Self::Renewed(lease)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Lease, Renewal, Secret};
    use serde_json::json;

    #[test]
    fn values_do_not_print() {
        let secret = Secret::of_json(&json!({ "user": "ada", "port": 5432 })).unwrap();
        assert_eq!(secret.field("user"), Some(&b"ada"[..]));
        assert_eq!(secret.field("port"), Some(&b"5432"[..]));
        let text = format!("{:?}", secret.with_version("3"));
        assert!(text.contains("user") && !text.contains("ada") && !text.contains("5432"));
        assert!(Secret::of_json(&json!("ada")).is_none());
    }

    #[test]
    fn less_than_was_asked_is_truncated() {
        let lease = |seconds| Lease {
            id: "a".into(),
            is_renewable: true,
            time_to_live: Duration::from_secs(seconds),
        };
        let want = Duration::from_secs(10);
        assert!(matches!(Renewal::of(lease(9), want), Renewal::Truncated(_)));
        assert!(matches!(Renewal::of(lease(10), want), Renewal::Renewed(_)));
    }
}
