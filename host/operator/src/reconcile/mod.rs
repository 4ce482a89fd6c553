//! What is to be done, as a pure function of what was observed: no clock, no API server, no database.
//!
//! Whoever carries an action out observes again and asks again, so a crash after any of them leaves nothing that the next
//! process wouldn't see: what is known is the objects, and the databases' histories.

mod environment;
mod job;
mod leaving;
mod migrations;
mod question;
mod say;
mod status;
mod stray;

pub use environment::{Action, Known, Observed, Source, Waiting, step};
pub use job::{Asked, End, FINAL_EXITS, Next, REFUSED_EXIT, Seen, end, going, next};
pub use leaving::{Age, Fate, Judged, Leaving, Reason, Told, fates, judged};
pub use migrations::{Written, counts, migration_status, object_name, superfluous, written};
pub use question::{Failures, Question};
pub use say::{is_retried, say};
#[cfg(test)]
pub use status::Unseen;
pub use status::{Found, Last, Wrote, environment_status, is_news};
pub use stray::{NO_ENVIRONMENT, Place, astray, astray_status, missing, strayed, waiting_status};
