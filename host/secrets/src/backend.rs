//! What every secret backend can do, built in or plugin. Mirrors `whimbrel:secrets/backend`.
//!
//! A backend only carries out: it reads anew whenever it is asked. Caching, single flight, retries, the renewal of
//! leases and the choice of a field are the [`Resolver`](crate::Resolver)'s, so that no backend can get them wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::Value as Json;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::Fault;
use zeroize::Zeroizing;

/// What a store calls the only field of a secret when it gives it no name.
pub const UNNAMED_FIELD: &str = "value";

/// A lease's name as its backend knows it; no secret, but kept out of what is shown to strangers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub String);

/// A time for which a backend lends a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// Whether [`Backend::renew`] can lengthen it.
    pub renewable: bool,
    /// From the moment of the answer.
    pub time_to_live: Duration,
}

/// One secret as a backend gave it. No `Debug`, `Display`, `Serialize`: it can't be shown by accident.
#[non_exhaustive]
pub struct Secret {
    /// Fields by name; a store that keeps one value without a name calls it [`UNNAMED_FIELD`].
    pub fields: BTreeMap<String, SecretSlice<u8>>,
    /// Which version it is, where the backend counts them.
    pub version: Option<String>,
    /// Milliseconds since the Unix epoch after which it is of no use.
    pub expires: Option<u64>,
    /// For how long it is lent; none for a secret that stays.
    pub lease: Option<Lease>,
    /// What else the backend tells of it. Shown to people, so never a value.
    pub details: Json,
}

impl Secret {
    /// A secret of these fields, without version or lease.
    #[must_use]
    pub const fn new(fields: BTreeMap<String, SecretSlice<u8>>) -> Self {
        Self {
            fields,
            version: None,
            expires: None,
            lease: None,
            details: Json::Null,
        }
    }

    /// One value without a name. The bytes that are given are wiped.
    #[must_use]
    pub fn of_value(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        let bytes = bytes.into();
        // Copied into a room of just its size: shrinking one would leave a copy behind.
        let value = SecretSlice::from(bytes.to_vec());
        Self::new(BTreeMap::from([(UNNAMED_FIELD.to_owned(), value)]))
    }

    /// The same with its version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same, of no use after so many milliseconds since the Unix epoch.
    #[must_use]
    pub const fn with_expires(mut self, expires: u64) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The same, lent for a time.
    #[must_use]
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Whether it is one: the backend didn't say that anybody may see its fields.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        is_sensitive(&self.details)
    }

    /// The same with what else the backend tells.
    #[must_use]
    pub fn with_details(mut self, details: Json) -> Self {
        self.details = details;
        self
    }
}

/// What can be said of a secret without revealing it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// The names that a reference's `key` can take; none when the backend can't tell without reading.
    pub fields: Vec<String>,
    /// Which version is the current one.
    pub version: Option<String>,
    /// When the backend will change it next, in milliseconds since the Unix epoch.
    pub next_rotation: Option<u64>,
    /// For how long it would be lent.
    pub time_to_live: Option<Duration>,
    /// What else the backend tells. Shown to people, so never a value.
    pub details: Json,
}

impl Shape {
    /// The shape of a secret that was read, for a backend that has no way to ask for less.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        let named = secret.fields.iter().flat_map(|(name, value)| {
            let document = serde_json::from_slice(value.expose_secret()).ok();
            match document {
                // The keys of a document without a name are what its fields are called.
                Some(Json::Object(map)) if name == UNNAMED_FIELD => map.keys().cloned().collect(),
                _ => vec![name.clone()],
            }
        });
        Self {
            fields: named.collect(),
            version: secret.version.clone(),
            next_rotation: None,
            time_to_live: secret.lease.as_ref().map(|lease| lease.time_to_live),
            details: secret.details.clone(),
        }
    }
}

impl Shape {
    /// Whether it is one of a secret: the backend didn't say that anybody may see its fields.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        is_sensitive(&self.details)
    }
}

/// Whether what has these details is a secret. Only a plain no counts.
#[must_use]
pub fn is_sensitive(details: &Json) -> bool {
    details.get("sensitive") != Some(&Json::Bool(false))
}

/// What became of a lease that was to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It holds for longer.
    Renewed(Lease),
    /// Renewed for less than was asked: new credentials are needed soon.
    Truncated(Lease),
    /// It is over, or was revoked: new credentials are needed now.
    Gone,
}

/// A place that keeps secrets.
///
/// A fault's message, hint and code are shown: they must not hold a value or a part of one. Its class and retry advice
/// are acted on: what is [`Unavailable`](whimbrel_core::fault::FaultClass::Unavailable) is tried again by the caller,
/// never by the backend.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What it is and where, for a person: `environment variables`, `Vault at https://vault:8200`.
    fn describe(&self) -> String;

    /// Reads one secret, always anew: all of its fields, whatever the reference's `key` is.
    ///
    /// # Errors
    /// It isn't there, isn't permitted, or can't be reached.
    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault>;

    /// What can be said without revealing anything, and where possible without reading the value.
    ///
    /// # Errors
    /// As for [`Backend::read`].
    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault>;

    /// Lengthens a lease to so long from now. A backend without leases has none that could be renewed.
    ///
    /// # Errors
    /// It can't be reached, or refuses; the lease holds for as long as it did. One that is over is no error but
    /// [`Renewal::Gone`].
    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        let _ = (lease, want);
        Ok(Renewal::Gone)
    }

    /// Ends a lease, and returns when what was lent can't be used any more. One that is unknown or over is fine.
    ///
    /// # Errors
    /// It can't be reached, or refuses.
    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        let _ = lease;
        Ok(())
    }

    /// Notes that nobody holds a lease any more: it is over, or was ended as far as could be.
    fn forget(&self, lease: &LeaseId) {
        let _ = lease;
    }

    /// Ends the login and revokes what it owns. Idempotent.
    ///
    /// # Errors
    /// It can't be reached, or refuses.
    async fn close(&self) -> Result<(), Fault> {
        Ok(())
    }
}
