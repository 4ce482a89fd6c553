//! Reading one commit after another: only what a commit changed is parsed, and only what it changed is planned again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::{DEV, Shop};
use whimbrel_config::DefinitionCache;
use whimbrel_core::name::DatabaseName;
use whimbrel_project::{OpenOptions, OpenProject, ProjectError, changed_databases};

const COUNT: usize = 300;

struct Reader {
    shop: Shop,
    cache: DefinitionCache,
}

impl Reader {
    fn new() -> Self {
        let shop = Shop::new();
        for number in 0..COUNT {
            shop.table(&format!("{number:04}-table"), &format!("table_{number}"));
        }
        Self {
            shop,
            cache: DefinitionCache::default(),
        }
    }

    fn read(&self) -> Result<OpenProject, ProjectError> {
        let options = OpenOptions {
            cache: Some(self.cache.clone()),
            ..OpenOptions::default()
        };
        OpenProject::open(&self.shop.location(Some("HEAD")), &options)
    }

    /// How many entries a commit makes it parse; what it reads is what is read without a cache.
    fn parsed(&self) -> u64 {
        self.shop.commit("next");
        let before = self.cache.parsed();
        let read = self.read().unwrap();
        let plain = self.shop.open_at("HEAD");
        assert_eq!(
            read.definitions().migrations,
            plain.definitions().migrations
        );
        assert_eq!(read.definitions().checksums, plain.definitions().checksums);
        assert_eq!(read.definitions().notices, plain.definitions().notices);
        self.cache.parsed() - before
    }
}

#[test]
fn a_commit_costs_what_it_changed() {
    let reader = Reader::new();
    let shop = &reader.shop;
    assert!(reader.cache.is_empty());
    assert_eq!(reader.parsed(), COUNT as u64);
    assert_eq!(reader.cache.len(), COUNT);
    assert_eq!(reader.parsed(), 0);
    shop.table("0007-table", "edited");
    assert_eq!(reader.parsed(), 1);
    shop.table("0300-table", "added");
    shop.remove("migrations/0001-table.sql");
    assert_eq!(reader.parsed(), 1);
    shop.git(&[
        "mv",
        "migrations/0002-table.sql",
        "migrations/0400-table.sql",
    ]);
    assert_eq!(reader.parsed(), 1, "its name is a part of it");
    shop.write("README.md", "nothing");
    shop.write("migrations/notes.txt", "a notice");
    assert_eq!(reader.parsed(), 1);
}

#[test]
fn a_migration_is_also_the_files_that_it_names() {
    let reader = Reader::new();
    let shop = &reader.shop;
    shop.migration("0500-named", "  steps:\n    - sqlFile: named.sql\n");
    shop.write("migrations/named.sql", "SELECT 1;");
    shop.write(
        "migrations/0501-folder/migration.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0501-folder }\nspec:\n  database: shop\n  steps: [{ sqlFile: step.sql }]\n",
    );
    shop.write("migrations/0501-folder/step.sql", "SELECT 1;");
    assert_eq!(reader.parsed(), COUNT as u64 + 2);
    shop.write("migrations/named.sql", "SELECT 2;");
    assert_eq!(reader.parsed(), 1);
    shop.write("migrations/0501-folder/step.sql", "SELECT 2;");
    assert_eq!(reader.parsed(), 1);
}

#[test]
fn what_migrations_are_held_against_counts() {
    let reader = Reader::new();
    reader.parsed();
    let other = DEV.replace("shop:", "other: { url: \"sqlite:other.db\" }\n    shop:");
    reader.shop.write("environments/dev.yaml", &other);
    assert_eq!(reader.parsed(), COUNT as u64);
}

#[test]
fn what_is_wrong_is_said_as_ever() {
    let reader = Reader::new();
    reader.parsed();
    let shop = &reader.shop;
    for break_it in [
        &(|| shop.table("0300-table; ", "x")) as &dyn Fn(),
        &|| {
            shop.migration(
                "0300-again",
                "  dependsOn: [nowhere]\n  steps: [{ sql: SELECT 1 }]\n",
            );
        },
        &|| {
            shop.write("migrations/0001-table.json", "{}");
        },
        &|| {
            shop.write(
                "migrations/twice.yaml",
                "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0001-table }\nspec: { database: shop, steps: [{ sql: SELECT 1 }] }\n",
            );
        },
    ] {
        break_it();
        shop.commit("broken");
        let said = reader.read().unwrap_err().to_string();
        let plain = OpenProject::open(&shop.location(Some("HEAD")), &OpenOptions::default());
        assert_eq!(said, plain.unwrap_err().to_string());
        shop.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        assert_eq!(reader.parsed(), 0);
    }
}

#[test]
fn only_databases_that_changed_are_planned_again() {
    let shop = Shop::new();
    let two = DEV.replace("shop:", "other: { url: \"sqlite:other.db\" }\n    shop:");
    shop.write("environments/dev.yaml", &two);
    shop.table("1-orders", "orders");
    shop.commit("first");
    let environment = "dev".parse().unwrap();
    let changed = |before: &OpenProject, after: &OpenProject| {
        changed_databases(before.definitions(), after.definitions(), &environment)
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<BTreeSet<DatabaseName>>()
    };
    let mut before = shop.open();
    assert_eq!(changed(&before, &shop.open()), names(&[]));
    let mut step = |expected: &[&str], message: &str| {
        shop.commit(message);
        let after = shop.open();
        assert_eq!(changed(&before, &after), names(expected), "{message}");
        before = after;
    };
    shop.table("2-customers", "customers");
    step(&["shop"], "a migration");
    shop.write("README.md", "nothing");
    step(&[], "no definition");
    shop.write(
        "environments/dev.yaml",
        &two.replace("other.db", "another.db"),
    );
    step(&["other"], "where a database is");
    shop.write(
        "environments/dev.yaml",
        &two.replace("apply: Auto", "apply: Approve"),
    );
    step(&["other", "shop"], "policy");
    shop.write("environments/dev.yaml", DEV);
    step(&["other", "shop"], "an environment without one of them");
    shop.git(&["mv", "environments/dev.yaml", "environments/test.yaml"]);
    shop.write(
        "environments/test.yaml",
        &DEV.replace("name: dev", "name: test"),
    );
    step(&["shop"], "an environment that is gone");
}

#[test]
fn who_begins_together_parses_together() {
    let reader = Reader::new();
    reader.shop.commit("first");
    let projects: Vec<OpenProject> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| reader.read().unwrap()))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect()
    });
    assert_eq!(reader.cache.parsed(), COUNT as u64);
    let migrations = |project: &OpenProject| project.definitions().migrations.clone();
    let first = migrations(&projects[0]);
    for project in &projects[1..] {
        let all = migrations(project);
        assert!(
            first
                .iter()
                .zip(&all)
                .all(|(one, other)| Arc::ptr_eq(one, other))
        );
    }
}
