//! Which databases another revision changes, so that only those are planned again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_config::Definitions;
use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::name::{DatabaseName, EnvironmentName};

/// The databases of an environment whose plan may differ between two sets of definitions, by these alone: their
/// migrations, how they are reached, and what holds for all of them. What a target has meanwhile is another question.
#[must_use]
pub fn changed_databases(
    before: &Definitions,
    after: &Definitions,
    environment: &EnvironmentName,
) -> BTreeSet<DatabaseName> {
    let (was, is) = (
        before.environments.get(environment),
        after.environments.get(environment),
    );
    let all = || {
        let both = was.into_iter().chain(is);
        both.flat_map(|environment| environment.databases.keys().cloned())
            .collect()
    };
    let (Some(was), Some(is)) = (was, is) else {
        return all();
    };
    if before.project != after.project || common(was) != common(is) {
        return all();
    }
    let (then, now) = (by_database(before), by_database(after));
    let names: BTreeSet<&DatabaseName> = was.databases.keys().chain(is.databases.keys()).collect();
    names
        .into_iter()
        .filter(|name| {
            was.databases.get(*name) != is.databases.get(*name)
                || !are_same(then.get(name), now.get(name))
        })
        .cloned()
        .collect()
}

/// What holds for all databases of an environment.
fn common(environment: &Environment) -> Environment {
    Environment {
        databases: BTreeMap::new(),
        ..environment.clone()
    }
}

/// A definition that was parsed once is mostly the same object.
fn are_same(then: Option<&Vec<&Arc<Migration>>>, now: Option<&Vec<&Arc<Migration>>>) -> bool {
    let (then, now) = (then.into_iter().flatten(), now.into_iter().flatten());
    let is_same =
        |one: &Arc<Migration>, other: &Arc<Migration>| Arc::ptr_eq(one, other) || one == other;
    then.clone().count() == now.clone().count()
        && then.zip(now).all(|(one, other)| is_same(one, other))
}

/// Definitions have their migrations by name, so that equal lists are equal plans.
fn by_database(definitions: &Definitions) -> BTreeMap<&DatabaseName, Vec<&Arc<Migration>>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for migration in &definitions.migrations {
        all.entry(&migration.database).or_default().push(migration);
    }
    all
}
