//! Where each part of a migration stands.

use crate::support::{MemoryTree, base, options};
use whimbrel_config::{Spot, TextOf, load, place_of};
use whimbrel_core::definition::Migration;
use whimbrel_core::history::Direction::{Apply, Revert};

const DOCUMENT: &str = "apiVersion: whimbrel.dev/v1alpha1
kind: Migration
metadata: { name: 0002-a }
spec:
  steps:
    - sql: |
        SELECT 1;
        SELECT ${long};
      revert: \"SELECT 'é\\n';\\tDROP TABLE a\"
    - sqlFile: 0002-a-up.sql
    - uses: backfill
      with: { table: a }
  checks:
    before: [{ name: a, query: 'SELECT ''x'', b', equals: 1 }]
    after:
      - name: b
        query: >
          SELECT
            c
        equals: 1
  metrics:
    - { name: m, type: gauge, query: SELECT 2 }
";

fn tree() -> MemoryTree {
    let sections = "-- whimbrel:up\n\n  SELECT 1;\n  SELECT 2\n-- whimbrel:down\nSELECT 3;\n";
    base()
        .with("environments/dev.yaml", "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: dev }\nspec: { databases: { shop: { url: \"sqlite:a.db\" } }, parameters: { long: x } }\n")
        .with("migrations/0002-a.yaml", DOCUMENT)
        .with("migrations/0002-a-up.sql", "-- first\nSELECT b;\n")
        .with("migrations/0003-b.sql", sections)
}

fn migrations(tree: &MemoryTree) -> (Migration, Migration) {
    let definitions = load(tree, &options()).unwrap_or_else(|problems| panic!("{problems}"));
    let find = |name: &str| {
        let mut all = definitions.migrations.iter();
        let found = all.find(|migration| migration.name.as_str() == name);
        Migration::clone(found.unwrap())
    };
    (find("0002-a"), find("0003-b"))
}

/// The place of a word of a text.
fn place(tree: &MemoryTree, migration: &Migration, text: TextOf, word: &str) -> (String, String) {
    let offset = text.of(migration).unwrap().find(word).unwrap();
    let place = place_of(tree, migration, Spot::Text(text, offset));
    let excerpt = place.excerpt.clone().unwrap_or_default();
    (place.to_string(), excerpt)
}

#[test]
fn a_word_of_a_text_is_found_however_the_text_is_written() {
    let tree = tree();
    let (a, b) = migrations(&tree);
    for (migration, text, word, at, length) in [
        (&a, TextOf::Step(0, Apply), "SELECT", "0002-a.yaml:7:9", 6),
        (&a, TextOf::Step(0, Apply), "${long}", "0002-a.yaml:8:16", 7),
        (&a, TextOf::Step(0, Apply), ";\nS", "0002-a.yaml:7:17", 1),
        (&a, TextOf::Step(0, Revert), "DROP", "0002-a.yaml:9:31", 4),
        (&a, TextOf::Step(1, Apply), "SELECT", "0002-a-up.sql:2:1", 6),
        (&a, TextOf::Before(0), "b", "0002-a.yaml:14:47", 1),
        (&a, TextOf::After(0), "c", "0002-a.yaml:19:13", 1),
        (&a, TextOf::Metric(0), "2", "0002-a.yaml:22:45", 1),
        (&b, TextOf::Step(0, Apply), "SELECT 2", "0003-b.sql:4:3", 6),
        (&b, TextOf::Step(0, Revert), "3", "0003-b.sql:6:8", 1),
    ] {
        let (found, excerpt) = place(&tree, migration, text, word);
        assert_eq!(found, format!("migrations/{at}"), "{word}");
        let carets = excerpt.matches('^').count();
        assert_eq!(carets, length, "{excerpt}");
    }
}

#[test]
fn what_is_no_text_has_a_place_too() {
    let tree = tree();
    let (a, b) = migrations(&tree);
    for (migration, spot, at) in [
        (&a, Spot::Whole, "0002-a.yaml:3:19"),
        (&a, Spot::Uses(2), "0002-a.yaml:11:13"),
        (&a, Spot::With(2, "/table"), "0002-a.yaml:12:15"),
        (&a, Spot::With(2, "/none"), "0002-a.yaml:12:7"),
        (&b, Spot::Whole, "0003-b.sql:1:1"),
    ] {
        let found = place_of(&tree, migration, spot);
        assert_eq!(found.to_string(), format!("migrations/{at}"));
        assert!(found.excerpt.is_some());
    }
}

/// A folder may change while a plan is made: there is a place all the same.
#[test]
fn files_that_are_others_by_now_leave_the_nearest_place() {
    let (a, b) = migrations(&tree());
    let gone = base();
    let broken = tree().with("migrations/0002-a.yaml", "spec: [");
    for tree in [&gone, &broken] {
        let (found, excerpt) = place(tree, &a, TextOf::Before(0), "b");
        assert_eq!(
            (found.as_str(), excerpt.as_str()),
            ("migrations/0002-a.yaml:3:1", "")
        );
    }
    let (found, _) = place(&gone, &b, TextOf::Step(0, Revert), "3");
    assert_eq!(found, "migrations/0003-b.sql:6:1");
    let short = tree().with("migrations/0003-b.sql", "é");
    let (found, _) = place(&short, &b, TextOf::Step(0, Revert), "3");
    assert_eq!(found, "migrations/0003-b.sql:1:2");
    let other = tree().with("migrations/0002-a.yaml", "spec: { steps: 1 }");
    let (found, _) = place(&other, &a, TextOf::Step(0, Apply), "SELECT");
    assert_eq!(found, "migrations/0002-a.yaml:1:16");
}
