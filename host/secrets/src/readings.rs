//! The secrets of one connection: every reference to one secret gets the same reading of it, so that a username and
//! its password belong together.

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Mutex;
use whimbrel_core::environment::{SecretReference, ValueSource};

use crate::flight::Reading;
use crate::{Lent, Resolver, SecretError};

/// What was read for one connection.
pub struct Readings {
    resolver: Resolver,
    /// Numbers of readings that turned out to be of no use.
    refused: HashMap<SecretReference, u64>,
    got: Mutex<HashMap<SecretReference, Arc<Reading>>>,
}

impl Readings {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            refused: HashMap::new(),
            got: Mutex::default(),
        }
    }

    /// The value that a reference means now.
    ///
    /// # Errors
    /// It can't be had; see [`SecretError`].
    pub async fn resolve(&self, reference: &SecretReference) -> Result<SecretString, SecretError> {
        let what = whole(reference);
        // Held while reading, so that two fields of one secret can't come from two readings.
        let mut got = self.got.lock().await;
        let reading = if let Some(reading) = got.get(&what) {
            Arc::clone(reading)
        } else {
            let newer_than = self.refused.get(&what).copied().unwrap_or_default();
            let reading = self.resolver.read(reference, &what, newer_than).await?;
            if let Some(lease) = &reading.lease {
                self.resolver.table().share(&lease.record);
            }
            got.insert(what, Arc::clone(&reading));
            reading
        };
        drop(got);
        self.resolver.field(reference, &reading.secret)
    }

    /// The value of a field that may be written in the document or kept in a backend.
    ///
    /// # Errors
    /// As [`Readings::resolve`].
    pub async fn value(&self, source: &ValueSource) -> Result<SecretString, SecretError> {
        match source {
            ValueSource::Literal(text) => Ok(SecretString::from(text.as_str())),
            ValueSource::Secret(reference) => self.resolve(reference).await,
        }
    }

    /// What was lent with what was read: recorded before it is used, watched while it is, ended when the connection is.
    pub fn lent(self) -> Lent {
        let got = self.got.into_inner();
        let leases = got
            .into_values()
            .filter_map(|reading| reading.lease.clone())
            .collect();
        Lent::new(self.resolver, leases)
    }

    /// For another try after what was read here was refused: nothing that was read before counts, whatever is kept.
    pub async fn again(&self) -> Self {
        let got = self.got.lock().await;
        let mut refused = self.refused.clone();
        for (what, reading) in &*got {
            refused.insert(what.clone(), reading.number);
        }
        Self {
            resolver: self.resolver.clone(),
            refused,
            got: Mutex::default(),
        }
    }
}

/// What a reference reads, whichever field it means.
pub(crate) fn whole(reference: &SecretReference) -> SecretReference {
    SecretReference {
        key: None,
        ..reference.clone()
    }
}
