//! What a secret store answers, checked before anybody gets it: bounded, countable, and known to the scrubber.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_secrets::{Lease, LeaseId, Renewal, Secret, Shape, is_sensitive};
use whimbrel_signal::Scrubber;

use crate::bindings::store::exports::whimbrel::secrets::backend as wit;
use crate::limits::Limits;
use crate::plugin::Plugin;

/// The last instant that calendars have: milliseconds of the year 9999's end.
const LAST_INSTANT: u64 = 253_402_300_799_999;

/// Checks the answers of one function.
pub struct Answers<'a> {
    pub plugin: &'a Plugin,
    pub function: &'static str,
    pub scrubber: &'a Scrubber,
    pub limits: &'a Limits,
}

impl Answers<'_> {
    /// A secret. Its values are known to the scrubber before this returns, whether or not it can be used; unless the plugin
    /// says that they are none.
    pub fn secret(&self, given: wit::Secret) -> Result<Secret, Fault> {
        // Into types that wipe themselves before anything can go wrong.
        let given_fields: Vec<(String, SecretSlice<u8>)> = given
            .fields
            .into_iter()
            .map(|(name, value)| (name, SecretSlice::from(value)))
            .collect();
        let details = self.document(&given.details);
        // What isn't read is a secret, as what says nothing of it is.
        if details.as_ref().map_or(true, is_sensitive) {
            for (_, value) in &given_fields {
                self.reveal(value);
            }
        }
        let size: usize = given_fields
            .iter()
            .map(|(_, value)| value.expose_secret().len())
            .sum();
        if size > self.limits.secret_bytes || given_fields.len() > self.limits.secret_fields {
            return Err(self.unusable(&format!(
                "a secret of {size} bytes in {} fields",
                given_fields.len()
            )));
        }
        let count = given_fields.len();
        let mut fields = BTreeMap::new();
        for (name, value) in given_fields {
            self.name("a field", &name)?;
            fields.insert(name, value);
        }
        if fields.len() < count {
            return Err(self.unusable("two fields of one name"));
        }
        let mut details = details?;
        scrub(&mut details, self.scrubber);
        let mut secret = Secret::new(fields).with_details(details);
        if let Some(version) = given.version {
            self.name("a version", &version)?;
            secret = secret.with_version(version);
        }
        if let Some(expires) = given.expires {
            secret = secret.with_expires(expires.min(LAST_INSTANT));
        }
        if let Some(lease) = given.lease {
            secret = secret.with_lease(self.lease(lease)?);
        }
        Ok(secret)
    }

    /// What can be said of a secret.
    pub fn shape(&self, given: wit::Shape) -> Result<Shape, Fault> {
        if given.fields.len() > self.limits.secret_fields {
            return Err(self.unusable(&format!("a shape of {} fields", given.fields.len())));
        }
        for name in &given.fields {
            self.name("a field", name)?;
        }
        if let Some(version) = &given.version {
            self.name("a version", version)?;
        }
        Ok(Shape {
            fields: given.fields,
            version: given.version,
            next_rotation: given.next_rotation.map(|at| at.min(LAST_INSTANT)),
            time_to_live: given.ttl.map(|seconds| self.time_to_live(seconds)),
            details: self.details(&given.details)?,
        })
    }

    /// What became of a lease.
    pub fn renewal(&self, given: wit::Renewal) -> Result<Renewal, Fault> {
        Ok(match given {
            wit::Renewal::Renewed(lease) => Renewal::Renewed(self.lease(lease)?),
            wit::Renewal::Truncated(lease) => Renewal::Truncated(self.lease(lease)?),
            wit::Renewal::Gone => Renewal::Gone,
        })
    }

    fn lease(&self, given: wit::Lease) -> Result<Lease, Fault> {
        self.name("a lease", &given.id)?;
        Ok(Lease {
            time_to_live: self.time_to_live(given.ttl),
            id: LeaseId(given.id),
            renewable: given.renewable,
        })
    }

    /// A lie about time must not stop whoever counts with it.
    fn time_to_live(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).min(self.limits.longest_lease)
    }

    fn reveal(&self, value: &SecretSlice<u8>) {
        self.scrubber.register_bytes(value.expose_secret());
    }

    /// Names are shown, so they are short, legible, and there.
    fn name(&self, what: &str, name: &str) -> Result<(), Fault> {
        let limit = self.limits.name_bytes;
        if name.is_empty() || name.len() > limit || name.contains(char::is_control) {
            let reason = format!("{what} whose name is empty, over {limit} bytes, or not legible");
            return Err(self.unusable(&reason));
        }
        Ok(())
    }

    fn details(&self, text: &str) -> Result<Json, Fault> {
        let mut details = self.document(text)?;
        scrub(&mut details, self.scrubber);
        Ok(details)
    }

    fn document(&self, text: &str) -> Result<Json, Fault> {
        let document = self.plugin.json(self.function, text);
        document.map_err(|error| super::fault(&error))
    }

    fn unusable(&self, reason: &str) -> Fault {
        let error = self.plugin.unusable(self.function, reason.to_owned());
        Fault::new(FaultClass::Internal, "plugin.answer", error.to_string())
    }
}

/// Details are shown: a value that slipped into them is taken out.
fn scrub(document: &mut Json, scrubber: &Scrubber) {
    match document {
        Json::String(text) => *text = scrubber.scrub(text),
        Json::Array(items) => items.iter_mut().for_each(|item| scrub(item, scrubber)),
        Json::Object(fields) => fields.values_mut().for_each(|field| scrub(field, scrubber)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
