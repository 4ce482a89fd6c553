//! Takes secret values out of whatever is about to be shown.

mod clean;
mod form;
mod index;
mod stream;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use whimbrel_core::digest::Digest;
use zeroize::Zeroizing;

pub use clean::Scrubbed;
use form::forms;
use index::Index;
pub use stream::ScrubbedWriter;

use crate::limits::{SHORTEST_VALUE, VALUES};

/// What stands in for a secret value.
const REDACTED: &str = "[redacted]";

/// Knows every live secret value, and finds it in all of its usual forms: as it is, as JSON, XML, SQL and URLs write
/// it, in base64 wherever in a group it begins, in hexadecimal; a value of several lines also line by line. Clones
/// share what they know.
#[derive(Clone, Default)]
pub struct Scrubber {
    known: Arc<RwLock<Known>>,
    /// Leaves everything as it is: the canary suite must be able to fail.
    #[cfg(feature = "crash-points")]
    blind: bool,
}

#[derive(Default)]
struct Known {
    index: Index,
    values: HashMap<Digest, Value>,
    /// The values that were told for good, from the oldest on.
    order: BTreeMap<u64, Digest>,
    count: u64,
}

struct Value {
    bytes: Zeroizing<Vec<u8>>,
    /// Its place in the order, if it was told for good.
    place: Option<u64>,
    /// How many hold it for a while.
    holders: usize,
}

/// Keeps a value known to its scrubber until it is dropped.
#[must_use]
pub struct Concealed {
    scrubber: Scrubber,
    digest: Option<Digest>,
}

impl Scrubber {
    /// One that finds nothing, whatever it is told. Only for the suite that proves that the others find something.
    #[cfg(feature = "crash-points")]
    #[must_use]
    pub fn blind() -> Self {
        Self {
            blind: true,
            ..Self::default()
        }
    }

    /// Remembers a value. One of fewer than four bytes isn't looked for: it would blank out ordinary words.
    pub fn register(&self, value: &str) {
        self.register_bytes(value.as_bytes());
    }

    /// Remembers a value that may be no text.
    pub fn register_bytes(&self, value: &[u8]) {
        if value.len() >= SHORTEST_VALUE {
            self.write().register(value);
        }
    }

    /// Knows a value for as long as what is given back lives: for what may be a secret, such as the texts of a secret
    /// store's answer.
    pub fn conceal(&self, value: &[u8]) -> Concealed {
        let known = value.len() >= SHORTEST_VALUE;
        Concealed {
            digest: known.then(|| self.write().hold(value)),
            scrubber: self.clone(),
        }
    }

    /// The text with every known value replaced.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        match self.scrub_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(clean) => match String::from_utf8(clean) {
                Ok(clean) => clean,
                // A value that is no text began or ended inside of a character.
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        }
    }

    /// The bytes with every known value replaced.
    #[must_use]
    pub fn scrub_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        #[cfg(feature = "crash-points")]
        if self.blind {
            return Cow::Borrowed(bytes);
        }
        let known = self.read();
        if known.index.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let found = known.index.find(bytes);
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut after = 0;
        for range in found {
            clean.extend_from_slice(bytes.get(after..range.start).unwrap_or_default());
            clean.extend_from_slice(REDACTED.as_bytes());
            after = range.end;
        }
        clean.extend_from_slice(bytes.get(after..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// From where on bytes must wait for what follows them; their length if they needn't.
    fn unfinished(&self, bytes: &[u8]) -> usize {
        #[cfg(feature = "crash-points")]
        if self.blind {
            return bytes.len();
        }
        let known = self.read();
        let from = known.index.unfinished(bytes);
        // What begins there may also be the end of a value that is whole.
        let whole = known.index.find(bytes).into_iter();
        let mut around = whole
            .filter(|range| range.start < from && from < range.end)
            .map(|range| range.start);
        around.next().unwrap_or(from)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn register(&mut self, bytes: &[u8]) {
        let digest = self.add(bytes);
        self.count += 1;
        let place = self.count;
        if let Some(value) = self.values.get_mut(&digest)
            && let Some(before) = value.place.replace(place)
        {
            self.order.remove(&before);
        }
        self.order.insert(place, digest);
        while self.order.len() > VALUES {
            let Some((_, oldest)) = self.order.pop_first() else {
                return;
            };
            if let Some(value) = self.values.get_mut(&oldest) {
                value.place = None;
            }
            self.forget(oldest);
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Digest {
        let digest = self.add(bytes);
        if let Some(value) = self.values.get_mut(&digest) {
            value.holders += 1;
        }
        digest
    }

    fn release(&mut self, digest: Digest) {
        if let Some(value) = self.values.get_mut(&digest) {
            value.holders = value.holders.saturating_sub(1);
        }
        self.forget(digest);
    }

    fn add(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        if !self.values.contains_key(&digest) {
            for form in forms(bytes) {
                self.index.insert(form);
            }
            let value = Value {
                bytes: Zeroizing::new(bytes.to_vec()),
                place: None,
                holders: 0,
            };
            self.values.insert(digest, value);
        }
        digest
    }

    /// Forgets a value that nobody needs any more.
    fn forget(&mut self, digest: Digest) {
        let needed = |value: &Value| value.place.is_some() || value.holders > 0;
        if self.values.get(&digest).is_none_or(needed) {
            return;
        }
        if let Some(value) = self.values.remove(&digest) {
            for form in forms(&value.bytes) {
                self.index.remove(&form);
            }
        }
    }
}

impl Drop for Concealed {
    fn drop(&mut self) {
        if let Some(digest) = self.digest {
            self.scrubber.write().release(digest);
        }
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Scrubber")
    }
}
