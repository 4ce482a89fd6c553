//! Finds many patterns in one pass over a text.
//!
//! Every pattern is filed under its first four bytes. A table of bits says of almost every place of an ordinary text
//! that none begins there; where one may, the longest that does is taken. Patterns come and go without anything being
//! built anew, and what is dropped is wiped: an automaton would keep copies of secrets in its states.

use std::collections::HashMap;
use std::ops::Range;

use super::form::Form;
use crate::limits::SHORTEST_VALUE;

/// The first bytes of a pattern.
type Head = [u8; SHORTEST_VALUE];

/// Bits of the table: with ten thousand patterns one place in six is looked at more closely.
const BITS: usize = 1 << 16;

struct Pattern {
    bytes: Form,
    /// How many values have this form.
    owners: usize,
}

/// The patterns that are looked for.
pub(super) struct Index {
    /// The longest first.
    patterns: HashMap<Head, Vec<Pattern>>,
    /// A bit for each head; one that is set may stand for none any more.
    heads: Vec<u64>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            patterns: HashMap::new(),
            heads: vec![0; BITS / 64],
        }
    }
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(super) fn insert(&mut self, form: Form) {
        let Some(head) = form.first_chunk::<SHORTEST_VALUE>().copied() else {
            return;
        };
        let (word, bit) = place(&head);
        if let Some(word) = self.heads.get_mut(word) {
            *word |= bit;
        }
        let bucket = self.patterns.entry(head).or_default();
        match bucket.iter_mut().find(|pattern| pattern.bytes == form) {
            Some(pattern) => pattern.owners += 1,
            None => {
                let at = bucket.partition_point(|other| other.bytes.len() >= form.len());
                let bytes = form;
                bucket.insert(at, Pattern { bytes, owners: 1 });
            }
        }
    }

    pub(super) fn remove(&mut self, form: &Form) {
        let Some(head) = form.first_chunk::<SHORTEST_VALUE>() else {
            return;
        };
        if let Some(bucket) = self.patterns.get_mut(head) {
            for pattern in bucket.iter_mut().filter(|pattern| pattern.bytes == *form) {
                pattern.owners = pattern.owners.saturating_sub(1);
            }
            bucket.retain(|pattern| pattern.owners > 0);
            if bucket.is_empty() {
                self.patterns.remove(head);
            }
        }
    }

    /// Where patterns are, in order; those that touch or overlap are one.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, head) in text.windows(SHORTEST_VALUE).enumerate() {
            let Some(bucket) = self.bucket(head) else {
                continue;
            };
            let rest = text.get(at..).unwrap_or_default();
            let longest = bucket
                .iter()
                .find(|pattern| rest.starts_with(&pattern.bytes));
            let Some(pattern) = longest else { continue };
            let end = at + pattern.bytes.len();
            match found.last_mut() {
                Some(last) if at <= last.end => last.end = last.end.max(end),
                _ => found.push(at..end),
            }
        }
        found
    }

    /// From where on the text may be the beginning of a pattern that goes on after it; its length if nowhere.
    pub(super) fn unfinished(&self, text: &[u8]) -> usize {
        let begins = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            if rest.len() < SHORTEST_VALUE {
                return self.patterns.keys().any(|head| head.starts_with(rest));
            }
            let head = rest.get(..SHORTEST_VALUE).unwrap_or_default();
            self.bucket(head).is_some_and(|bucket| {
                let longer = |pattern: &Pattern| pattern.bytes.len() > rest.len();
                bucket
                    .iter()
                    .take_while(|pattern| longer(pattern))
                    .any(|pattern| pattern.bytes.starts_with(rest))
            })
        };
        (0..text.len()).find(|at| begins(*at)).unwrap_or(text.len())
    }

    fn bucket(&self, head: &[u8]) -> Option<&Vec<Pattern>> {
        let head: &Head = head.try_into().ok()?;
        let (word, bit) = place(head);
        if self.heads.get(word)? & bit == 0 {
            return None;
        }
        self.patterns.get(head)
    }
}

/// Where the bit of a head is.
fn place(head: &Head) -> (usize, u64) {
    let spread = u32::from_le_bytes(*head).wrapping_mul(0x9E37_79B1) >> 16;
    let bit = usize::try_from(spread).unwrap_or_default() % BITS;
    (bit / 64, 1 << (bit % 64))
}
