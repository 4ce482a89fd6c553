//! What the catalog says of a statement that can't run in a transaction, before it and after a crash.

use serde_json::Value as Json;
use whimbrel_core::statement::Probe;

use crate::session::{DatabaseError, Session};

/// What a probe's two observations mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The statement took effect.
    Done,
    /// Nothing changed: run it again.
    RunAgain,
    /// It left an invalid index that wasn't there before: drop that concurrently, then run it again.
    DropInvalidThenRunAgain {
        /// The statement that drops it; runs outside of a transaction, with `lock_timeout` 0.
        drop: String,
    },
    /// Nobody can tell: a person decides.
    Unknown {
        /// What was seen.
        saw: String,
        /// How a person finds out and goes on.
        how_to_decide: String,
    },
}

/// Looks at the catalog.
///
/// # Errors
///
/// The catalog can't be read.
pub async fn observe(_session: &mut dyn Session, _probe: &Probe) -> Result<Json, DatabaseError> {
    Ok(Json::Null)
}

/// Decides by what was seen before the statement and now. Also to be asked after the statement succeeded: with `IF NOT
/// EXISTS` an invalid index of an earlier attempt makes it "succeed".
#[must_use]
pub fn decide(_probe: &Probe, _before: &Json, _now: &Json) -> Verdict {
    Verdict::RunAgain
}
