//! Who listens to a run, and how plans, states and histories look: for a person, a program, a pull request, a pipeline.
//!
//! Sinks read; they never decide, and none of them can fail a run. Renderers are pure functions from data to text. Text
//! for people may hold ANSI styles, which are never the only carrier of a meaning: whoever writes it strips them where
//! they don't belong.

#![forbid(unsafe_code)]

pub mod findings;
mod history;
mod junit;
pub mod metrics;
mod outcome;
pub mod plan;
mod promotion;
mod quantity;
mod secrets;
pub mod sink;
mod status;
mod style;
mod table;
mod target;
#[cfg(feature = "opentelemetry")]
pub mod traces;

pub use history::{HistoryView, TargetEvents};
pub use outcome::{DoneView, OutcomeView, TargetOutcome};
pub use plan::{Estimate, PlanView};
pub use promotion::{Promotable, PromotionView};
pub use quantity::{count, duration, plural};
pub use secrets::{BackendLine, PlanTime, SecretLine, SecretsView};
pub use status::{MigrationLine, MigrationStanding, StatusView, TargetStatus};
pub use style::{bad, dim, good, hint, strong, warn};
