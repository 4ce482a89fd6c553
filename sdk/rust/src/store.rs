//! The world `secret-store` as a trait, and what turns the trait into the world's exports.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::bindings::store::exports::whimbrel::secrets::backend as wit;
use crate::configuration::parse;
use crate::secret::{Lease, Reference, Renewal, Secret, Shape};
use crate::{Duration, Fault, configured, log, session};

/// A store of secrets.
///
/// The host makes an instance per call and calls [`SecretStore::configure`] first in each; what must outlive a call (a
/// login) goes into [`crate::session`]. Retries, caching and the table of leases are the host's: say with
/// [`Fault::with_retry`] whether the same call may help later.
pub trait SecretStore: Sized + 'static {
    /// The backend's `with:`. Its doc comments become the descriptions that users see. References in it are resolved
    /// before it comes here.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes the store. Does no I/O: it runs before every call.
    ///
    /// # Errors
    /// The configuration makes no sense.
    fn configure(config: Self::Config) -> Result<Self, Fault>;

    /// Reads a secret.
    ///
    /// # Errors
    /// It can't be had.
    fn read(&self, reference: &Reference) -> Result<Secret, Fault>;

    /// Says what can be said of a secret without revealing it. Makes no lease.
    ///
    /// # Errors
    /// It isn't there, or must not be read.
    fn describe(&self, reference: &Reference) -> Result<Shape, Fault>;

    /// Asks that a lease holds for so long from now.
    ///
    /// # Errors
    /// There is no telling whether it still holds.
    fn renew(&self, lease: &str, want: Duration) -> Result<Renewal, Fault> {
        let _ = (lease, want);
        Ok(Renewal::Gone)
    }

    /// Ends a lease. Idempotent: one that is unknown or over is fine.
    ///
    /// # Errors
    /// It may still hold.
    fn revoke(&self, lease: &str) -> Result<(), Fault> {
        let _ = lease;
        Ok(())
    }

    /// Ends the login and revokes what it owns. Idempotent.
    ///
    /// # Errors
    /// It may still hold.
    fn close(&self) -> Result<(), Fault> {
        session::forget();
        Ok(())
    }
}

/// The world's exports over a [`SecretStore`]. Named by [`crate::export_store!`] and by tests that cross the border.
#[derive(Debug)]
pub struct ExportedStore<T>(PhantomData<T>);

impl<T: SecretStore> wit::Guest for ExportedStore<T> {
    fn schema() -> String {
        log::hook_panics();
        json!(schemars::schema_for!(T::Config)).to_string()
    }

    fn configure(config: String) -> Result<(), Fault> {
        log::hook_panics();
        let store = T::configure(parse(&config)?)?;
        configured::set(store);
        Ok(())
    }

    fn read(reference: wit::Reference) -> Result<wit::Secret, Fault> {
        configured::on(|store: &T| Ok(store.read(&reference.try_into()?)?.into()))
    }

    fn describe(reference: wit::Reference) -> Result<wit::Shape, Fault> {
        configured::on(|store: &T| Ok(store.describe(&reference.try_into()?)?.into()))
    }

    fn renew(lease: String, want: u64) -> Result<wit::Renewal, Fault> {
        configured::on(|store: &T| {
            let want = Duration::from_millis(want.saturating_mul(1_000));
            Ok(store.renew(&lease, want)?.into())
        })
    }

    fn revoke(lease: String) -> Result<(), Fault> {
        configured::on(|store: &T| store.revoke(&lease))
    }

    fn close() -> Result<(), Fault> {
        configured::on(T::close)
    }
}

impl TryFrom<wit::Reference> for Reference {
    type Error = Fault;

    fn try_from(reference: wit::Reference) -> Result<Self, Fault> {
        // A host that has nothing to say may say nothing.
        let options = if reference.options.trim().is_empty() {
            Json::Null
        } else {
            parse(&reference.options)?
        };
        Ok(Self {
            path: reference.path,
            version: reference.version,
            options,
        })
    }
}

impl From<Secret> for wit::Secret {
    fn from(secret: Secret) -> Self {
        Self {
            fields: secret.fields,
            version: secret.version,
            expires: secret.expires,
            lease: secret.lease.map(Into::into),
            details: secret.details.to_string(),
        }
    }
}

impl From<Shape> for wit::Shape {
    fn from(shape: Shape) -> Self {
        Self {
            fields: shape.fields,
            version: shape.version,
            next_rotation: shape.next_rotation,
            ttl: shape.time_to_live.map(Duration::as_secs),
            details: shape.details.to_string(),
        }
    }
}

impl From<Lease> for wit::Lease {
    fn from(lease: Lease) -> Self {
        Self {
            id: lease.id,
            renewable: lease.is_renewable,
            ttl: lease.time_to_live.as_secs(),
        }
    }
}

impl From<Renewal> for wit::Renewal {
    fn from(renewal: Renewal) -> Self {
        match renewal {
            Renewal::Renewed(lease) => Self::Renewed(lease.into()),
            Renewal::Truncated(lease) => Self::Truncated(lease.into()),
            Renewal::Gone => Self::Gone,
        }
    }
}
