//! Promotion records in a ref of the repository.

#![allow(clippy::unwrap_used)] // a test may panic

mod support;

use std::sync::Barrier;
use std::thread;

use serde_json::json;
use support::Work;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::promotion::PromotionRecord;
use whimbrel_git::{GitError, Repository};

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn record(name: &str, content: &str) -> PromotionRecord {
    PromotionRecord {
        migration: name.parse().unwrap(),
        checksum: Checksum::w1(&json!(content)),
        plugins: [("backfill".parse().unwrap(), Digest::of(b"component"))].into(),
        environment: staging(),
        revision: None,
        applied_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

#[test]
fn are_read_as_they_were_written() {
    let work = Work::new();
    let repository = work.open();
    assert!(repository.read_promotions(&staging()).unwrap().is_empty());
    repository
        .write_promotion(&staging(), &[record("10-b", "b"), record("9-a", "a")], &[])
        .unwrap();
    assert_eq!(
        repository.read_promotions(&staging()).unwrap(),
        [record("9-a", "a"), record("10-b", "b")]
    );
    assert!(
        repository
            .read_promotions(&"production".parse().unwrap())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn later_ones_replace_and_withdraw_and_the_past_stays() {
    let work = Work::new();
    let repository = work.open();
    repository
        .write_promotion(&staging(), &[record("1", "a"), record("2", "b")], &[])
        .unwrap();
    repository
        .write_promotion(
            &staging(),
            &[record("1", "edited"), record("3", "c")],
            &["2".parse().unwrap(), "never-there".parse().unwrap()],
        )
        .unwrap();
    assert_eq!(
        repository.read_promotions(&staging()).unwrap(),
        [record("1", "edited"), record("3", "c")]
    );
    let reference = "refs/whimbrel/promotions/staging";
    assert_eq!(work.git(&["rev-list", "--count", reference]), "2");
    assert_eq!(
        work.git(&["ls-tree", "--name-only", &format!("{reference}~1")]),
        "1.json\n2.json"
    );
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let work = Work::new();
    let repository = work.open();
    repository.write_promotion(&staging(), &[], &[]).unwrap();
    assert!(
        repository
            .resolve("refs/whimbrel/promotions/staging")
            .is_err()
    );
    for _ in 0..2 {
        repository
            .write_promotion(&staging(), &[record("1", "a")], &[])
            .unwrap();
    }
    let reference = "refs/whimbrel/promotions/staging";
    assert_eq!(work.git(&["rev-list", "--count", reference]), "1");
}

#[test]
fn writers_at_once_lose_nothing() {
    let work = Work::new();
    let path = work.path().to_path_buf();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let path = path.clone();
            thread::spawn(move || {
                let repository = Repository::open(&path).unwrap();
                for number in 0..5 {
                    let name = format!("{writer}-{number}");
                    repository
                        .write_promotion(&staging(), &[record(&name, &name)], &[])
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let repository = work.open();
    assert_eq!(repository.read_promotions(&staging()).unwrap().len(), 20);
    let reference = "refs/whimbrel/promotions/staging";
    assert_eq!(work.git(&["rev-list", "--count", reference]), "20");
}

#[test]
fn the_first_writers_at_once_lose_nothing_either() {
    const WRITERS: usize = 4;
    let work = Work::new();
    for round in 0..20 {
        let environment: EnvironmentName = format!("fresh-{round}").parse().unwrap();
        let together = Barrier::new(WRITERS);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (environment, together, path) = (&environment, &together, work.path());
                scope.spawn(move || {
                    let repository = Repository::open(path).unwrap();
                    let records = [record(&writer.to_string(), "a")];
                    together.wait();
                    repository
                        .write_promotion(environment, &records, &[])
                        .unwrap();
                });
            }
        });
        let records = work.open().read_promotions(&environment).unwrap();
        assert_eq!(records.len(), WRITERS, "round {round}");
    }
}

#[test]
fn a_record_that_is_none_is_named() {
    let work = Work::new();
    work.write("1.json", "{\"migration\": 1}");
    work.commit("not a record");
    work.git(&["update-ref", "refs/whimbrel/promotions/staging", "HEAD"]);
    let error = work.open().read_promotions(&staging()).unwrap_err();
    assert!(matches!(error, GitError::Record { .. }), "{error}");
    assert!(error.to_string().contains("`1.json` of staging"), "{error}");
}

#[test]
fn a_ref_that_stays_locked_gives_up() {
    let work = Work::new();
    work.write(".git/refs/whimbrel/promotions/staging.lock", "");
    let error = work
        .open()
        .write_promotion(&staging(), &[record("1", "a")], &[])
        .unwrap_err();
    assert!(matches!(error, GitError::Contended(_)), "{error}");
}
