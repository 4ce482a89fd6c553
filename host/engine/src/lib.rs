//! An open project, an environment, what is planned and gated, and its run: what every surface drives.
//!
//! Structs in, typed errors out. What this crate must not know: arguments, exit codes, terminals, HTTP. Whoever drives it
//! brings an [`Audience`], which hears what is worth saying.

#![forbid(unsafe_code)]

mod actor;
mod admitted;
mod approve;
mod closing;
mod context;
mod drift;
mod elsewhere;
mod ending;
mod error;
mod estimate;
mod expected;
mod history;
mod kept;
mod lent;
mod opened;
mod outcome;
mod prepared;
mod presence;
mod publish;
mod reader;
mod revert;
mod selection;
mod stand;
mod status;
mod summary;
mod surroundings;

pub use actor::{actor, approver};
pub use admitted::{Admitted, execute};
pub use approve::{Approved, approve};
pub use closing::Closing;
pub use context::{Audience, Context, sandbox};
pub use drift::{Comparison, Difference, compare};
pub use elsewhere::require_dependencies;
pub use ending::{Ending, ending, ending_before};
pub use error::EngineError;
pub use estimate::estimates;
pub use expected::{Expected, expected};
pub use history::history;
pub use kept::Kept;
pub use opened::{Meanwhile, Opened, plugins, plugins_of};
pub use outcome::Outcome;
pub use prepared::{Passing, Prepared};
pub use presence::Wanted;
pub use publish::{Publishing, awaiting, is_publishable, publish, publish_again};
pub use revert::{absent_at, named, prepare_revert};
pub use selection::{Selection, environment, opening, project};
pub use stand::Stand;
pub use status::{Status, standings, status};
pub use summary::{StatusSummary, plan_summary};
