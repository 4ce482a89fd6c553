//! The order of migrations: of names within one database, and of `dependsOn` across all.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

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

/// Puts migrations in the order in which they may run one after the other: by name, each after what it depends on
/// and after the earlier names of its database.
///
/// # Errors
/// The first thing that no order satisfies; [`problems`] gives all of them.
pub fn order<M: Borrow<Migration>>(migrations: &[M]) -> Result<Vec<&Migration>, OrderError> {
    let migrations: Vec<_> = migrations.iter().map(Borrow::borrow).collect();
    if let Some(sorted) = by_name_alone(&migrations) {
        return Ok(sorted);
    }
    match problems(&migrations).into_iter().next() {
        Some(error) => Err(error),
        None => Graph::new(&migrations).sorted().map_err(OrderError::Cycle),
    }
}

/// Everything that keeps migrations from having an order.
#[must_use]
pub fn problems<M: Borrow<Migration>>(migrations: &[M]) -> Vec<OrderError> {
    let migrations: Vec<_> = migrations.iter().map(Borrow::borrow).collect();
    if by_name_alone(&migrations).is_some() {
        return Vec::new();
    }
    let graph = Graph::new(&migrations);
    let mut problems = Vec::new();
    for (name, migration) in &graph.migrations {
        for dependency in &migration.depends_on {
            match graph.migrations.get(dependency) {
                None => problems.push(OrderError::Unknown {
                    migration: (*name).clone(),
                    dependency: dependency.clone(),
                }),
                Some(other) if other.database == migration.database && dependency > *name => {
                    problems.push(OrderError::Contradiction {
                        migration: (*name).clone(),
                        dependency: dependency.clone(),
                    });
                }
                Some(_) => {}
            }
        }
    }
    // A contradiction is a circle as well, through the order of names: it is said once, in the clearer words.
    if problems.is_empty()
        && let Err(circle) = graph.sorted()
    {
        problems.push(OrderError::Cycle(circle));
    }
    problems
}

/// The order of names, where that satisfies everything: each name once, and every dependency there and before what needs
/// it. So it is nearly always, and a thousand migrations are put in order without a graph.
fn by_name_alone<'a>(migrations: &[&'a Migration]) -> Option<Vec<&'a Migration>> {
    let mut sorted = migrations.to_vec();
    if !sorted.is_sorted_by(|a, b| a.name < b.name) {
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        if !sorted.is_sorted_by(|a, b| a.name < b.name) {
            return None;
        }
    }
    if sorted
        .iter()
        .all(|migration| migration.depends_on.is_empty())
    {
        return Some(sorted);
    }
    let mut seen = HashSet::new();
    for migration in &sorted {
        if !migration.depends_on.iter().all(|name| seen.contains(name)) {
            return None;
        }
        seen.insert(&migration.name);
    }
    Some(sorted)
}

struct Graph<'a> {
    migrations: BTreeMap<&'a MigrationName, &'a Migration>,
    /// What must come before each: what it depends on, and the name before it in its database.
    before: BTreeMap<&'a MigrationName, BTreeSet<&'a MigrationName>>,
}

impl<'a> Graph<'a> {
    fn new(migrations: &[&'a Migration]) -> Self {
        let migrations: BTreeMap<_, _> = migrations.iter().map(|m| (&m.name, *m)).collect();
        let mut latest = BTreeMap::new();
        let mut before = BTreeMap::new();
        for (name, migration) in &migrations {
            let mut names: BTreeSet<_> = migration
                .depends_on
                .iter()
                .filter(|dependency| migrations.contains_key(dependency))
                .collect();
            names.extend(latest.insert(&migration.database, *name));
            before.insert(*name, names);
        }
        Self { migrations, before }
    }

    /// The order, or a circle that keeps it from being one.
    fn sorted(&self) -> Result<Vec<&'a Migration>, Vec<MigrationName>> {
        let mut waiting = self.before.clone();
        let mut after: BTreeMap<_, Vec<&MigrationName>> = BTreeMap::new();
        for (name, names) in &self.before {
            for earlier in names {
                after.entry(*earlier).or_default().push(name);
            }
        }
        let mut ready: BTreeSet<_> = waiting
            .iter()
            .filter(|(_, names)| names.is_empty())
            .map(|(name, _)| *name)
            .collect();
        let mut sorted = Vec::with_capacity(waiting.len());
        while let Some(name) = ready.pop_first() {
            waiting.remove(name);
            sorted.extend(self.migrations.get(name).copied());
            for later in after.get(name).into_iter().flatten() {
                if let Some(names) = waiting.get_mut(*later) {
                    names.remove(name);
                    if names.is_empty() {
                        ready.insert(later);
                    }
                }
            }
        }
        if waiting.is_empty() {
            return Ok(sorted);
        }
        Err(circle_of(&waiting))
    }
}

/// A circle among names of which each waits for another one of them.
fn circle_of(waiting: &BTreeMap<&MigrationName, BTreeSet<&MigrationName>>) -> Vec<MigrationName> {
    let mut path: Vec<&MigrationName> = Vec::new();
    let mut next = waiting.keys().next().copied();
    while let Some(name) = next {
        if let Some(start) = path.iter().position(|seen| *seen == name) {
            path.drain(..start);
            break;
        }
        path.push(name);
        next = waiting
            .get(name)
            .and_then(|names| names.iter().find(|name| waiting.contains_key(**name)))
            .copied();
    }
    path.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{OrderError, order, problems};
    use crate::definition::{Checks, Migration, Origin};

    fn migration(name: &str, database: &str, depends_on: &[&str]) -> Migration {
        Migration {
            name: name.parse().unwrap(),
            database: database.parse().unwrap(),
            depends_on: depends_on
                .iter()
                .map(|name| name.parse().unwrap())
                .collect(),
            steps: Vec::new(),
            checks: Checks::default(),
            metrics: Vec::new(),
            origin: Origin::default(),
        }
    }

    fn names(migrations: &[Migration]) -> Vec<&str> {
        let sorted = order(migrations).unwrap();
        sorted.into_iter().map(|m| m.name.as_str()).collect()
    }

    #[test]
    fn follows_names_and_dependencies() {
        let migrations = [
            migration("10", "shop", &[]),
            migration("9", "shop", &["11"]),
            migration("11", "other", &[]),
            migration("1", "other", &[]),
            migration("2", "third", &[]),
        ];
        assert_eq!(names(&migrations), ["1", "2", "11", "9", "10"]);
    }

    #[test]
    fn a_dependency_against_the_order_of_names_is_a_contradiction() {
        let found = problems(&[migration("1", "shop", &["2"]), migration("2", "shop", &[])]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "`1` depends on `2`, which comes after it by name in the same database"
        );
    }

    #[test]
    fn finds_circles_also_through_the_order_of_names() {
        let direct = [
            migration("1", "a", &["2"]),
            migration("2", "b", &["1"]),
            migration("0", "b", &[]),
        ];
        assert_eq!(
            order(&direct).unwrap_err().to_string(),
            "the migrations `1` → `2` depend on each other in a circle"
        );
        let indirect = [
            migration("1", "a", &["5"]),
            migration("2", "a", &[]),
            migration("5", "b", &["2"]),
        ];
        let Err(OrderError::Cycle(circle)) = order(&indirect) else {
            panic!("a circle was expected");
        };
        assert_eq!(circle.len(), 3);
        let own = [migration("1", "a", &["1"])];
        assert!(matches!(order(&own), Err(OrderError::Cycle(_))));
    }

    #[test]
    fn names_what_is_missing() {
        let error = order(&[migration("1", "a", &["0"])]).unwrap_err();
        assert_eq!(error.to_string(), "`1` depends on `0`, which doesn't exist");
    }
}
