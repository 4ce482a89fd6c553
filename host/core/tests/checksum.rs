//! `w1` is frozen: rows of existing targets hold it. A vector that fails here is a broken product, not a stale test.

#![allow(missing_docs, clippy::unwrap_used)]

use serde::Deserialize;
use serde_json::{Value as Json, json};
use whimbrel_core::canonical::text;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::Migration;

#[derive(Deserialize)]
struct Vector {
    name: String,
    definition: Json,
    canonical: String,
    checksum: Checksum,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors/w1.json")).unwrap()
}

fn read(definition: &Json) -> Migration {
    Migration::from_canonical("0001-x".parse().unwrap(), definition).unwrap()
}

fn checksum(definition: &Json) -> Checksum {
    read(definition).checksum().unwrap()
}

#[test]
fn the_vectors_hold() {
    let vectors = vectors();
    assert!(vectors.len() >= 8);
    for vector in vectors {
        let migration = read(&vector.definition);
        let canonical = text(&migration.canonical().unwrap());
        assert_eq!(canonical, vector.canonical, "{}", vector.name);
        assert_eq!(
            migration.checksum().unwrap(),
            vector.checksum,
            "{}",
            vector.name
        );
    }
}

#[test]
fn every_vector_is_another_definition() {
    let mut checksums: Vec<_> = vectors()
        .into_iter()
        .map(|vector| vector.checksum)
        .collect();
    checksums.sort();
    let all = checksums.len();
    checksums.dedup();
    assert_eq!(checksums.len(), all);
}

#[test]
fn a_rename_keeps_the_checksum() {
    let definition = json!({"database": "shop", "steps": [{"sql": "SELECT 1"}]});
    let mut migration = read(&definition);
    let before = migration.checksum().unwrap();
    migration.name = "0002-y".parse().unwrap();
    migration.origin.path = "elsewhere.yaml".to_owned();
    assert_eq!(migration.checksum().unwrap(), before);
}

#[test]
fn meaning_counts_and_writing_does_not() {
    let one =
        json!({"database": "shop", "steps": [{"uses": "backfill", "with": {"a": 1, "b": 1.5}}]});
    let same: Json = serde_json::from_str(
        r#"{"steps": [{"with": {"b": 15e-1, "a": 1.0}, "uses": "backfill"}], "dependsOn": [], "database": "shop"}"#,
    )
    .unwrap();
    assert_eq!(checksum(&one), checksum(&same));
}

#[test]
fn absent_is_not_null_and_not_empty() {
    let with = |value: Json| json!({"database": "shop", "steps": [{"uses": "x", "with": value}]});
    assert_ne!(
        checksum(&with(json!({}))),
        checksum(&with(json!({"a": null})))
    );
    let step = |step: Json| json!({"database": "shop", "steps": [step]});
    let without = checksum(&step(json!({"sql": "SELECT 1"})));
    assert_ne!(
        without,
        checksum(&step(json!({"sql": "SELECT 1", "revert": ""})))
    );
    assert_ne!(
        checksum(&step(json!({"uses": "x"}))),
        checksum(&step(json!({"uses": "x", "with": {}})))
    );
}

#[test]
fn history_gives_back_what_it_kept() {
    for vector in vectors() {
        let kept = read(&vector.definition).canonical().unwrap();
        let again = read(&kept);
        assert_eq!(again.canonical().unwrap(), kept, "{}", vector.name);
    }
}
