//! What lasts between calls: the checkpoint of a batch and the undo of the whole. Later releases must read both.

use whimbrel_sdk::database::Error;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{serde, serde_json};

use crate::walk::Walk;

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "serde", rename_all = "lowercase")]
pub enum Direction {
    /// `set` is done.
    Apply,
    /// `revert` is done.
    Revert,
}

/// Where a walk is. Committed together with the rows of its batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "serde")]
pub struct Checkpoint {
    /// Which way.
    pub direction: Direction,
    /// The first key of all; none when there are no rows.
    pub first: Option<Value>,
    /// The last key that is done; none before the first batch.
    pub key: Option<Value>,
    /// Where a walk back ends; a walk forth ends where the rows do.
    #[serde(default)]
    pub until: Option<Value>,
    /// Rows done.
    pub rows: u64,
    /// Rows in all, as counted at the beginning.
    pub total: u64,
}

impl Checkpoint {
    /// The last one that was committed for this step.
    ///
    /// # Errors
    /// Its bytes are of no release that this one knows.
    pub fn last() -> Result<Option<Self>, Fault> {
        database::last_checkpoint()
            .map(|bytes| {
                serde_json::from_slice(&bytes).map_err(|error| unreadable("checkpoint", &error))
            })
            .transpose()
    }

    /// Commits it with everything since the last commit.
    ///
    /// # Errors
    /// As the database, or the host, refuses.
    pub fn commit(&self) -> Result<(), Fault> {
        let bytes = serde_json::to_vec(self)?;
        database::commit(&bytes, self.rows, Some(self.total.max(self.rows)))
            .map_err(|error: Error| Fault::from(error))
    }
}

/// The keys that an apply went through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "serde")]
pub struct Undo {
    /// The first of them; none when there were no rows.
    pub first: Option<Value>,
    /// The last of them.
    pub last: Option<Value>,
}

impl Undo {
    /// As the history keeps it.
    ///
    /// # Errors
    /// Never for the values of a key.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        Ok(serde_json::to_vec(self)?)
    }

    /// From what the history kept; empty means that nothing was done.
    ///
    /// # Errors
    /// Its bytes are of no release that this one knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Ok(Self {
                first: None,
                last: None,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| unreadable("undo", &error))
    }

    /// Where the walk back over these keys begins.
    ///
    /// # Errors
    /// Its rows can't be counted.
    pub fn into_start(self, walk: &Walk<'_>) -> Result<Checkpoint, Fault> {
        let total = walk.count_between(&self)?;
        Ok(Checkpoint {
            direction: Direction::Revert,
            first: self.first,
            key: None,
            until: self.last,
            rows: 0,
            total,
        })
    }
}

fn unreadable(what: &str, error: &serde_json::Error) -> Fault {
    Fault::new(
        FaultClass::Internal,
        "backfill.unreadable",
        format!("the {what} can't be read: {error}"),
    )
    .with_hint(
        "it was written by a later release of backfill, or by another step: use that release",
    )
}
