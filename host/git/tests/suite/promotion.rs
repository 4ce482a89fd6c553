//! Promotion records in a ref of the repository.

use std::sync::Barrier;
use std::thread;

use crate::support::Work;
use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::promotion::PromotionRecord;
use whimbrel_git::{GitError, Publication, Published, Reach, Repository};

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn record(name: &str, content: &str) -> PromotionRecord {
    PromotionRecord {
        migration: name.parse().unwrap(),
        checksum: Checksum::w1(&json!(content)),
        plugins: [("backfill".parse().unwrap(), Digest::of(b"component"))].into(),
        project: Some("shop".parse().unwrap()),
        environment: staging(),
        revision: None,
        applied_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// What nobody signs and nobody verifies.
fn publish(
    repository: &Repository,
    environment: &EnvironmentName,
    records: &[PromotionRecord],
    reach: Reach,
) -> Result<Published, GitError> {
    repository.publish_promotions(&Publication {
        environment,
        records,
        reach,
        key: None,
        signers: None,
    })
}

#[test]
fn are_read_as_they_were_written() {
    let work = Work::new();
    let repository = work.open();
    assert!(repository.read_promotions(&staging()).unwrap().is_empty());
    let records = [record("10-b", "b"), record("9-a", "a")];
    let published = publish(&repository, &staging(), &records, Reach::Everything).unwrap();
    assert_eq!(published.distrusted, None);
    assert_eq!(
        published.head,
        repository.promotion_head(&staging()).unwrap()
    );
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
    let write = |records: &[PromotionRecord], reach| {
        publish(&repository, &staging(), records, reach).unwrap();
        repository.read_promotions(&staging()).unwrap()
    };
    let first = [record("1", "a"), record("2", "b")];
    assert_eq!(write(&first, Reach::Everything), first);
    // Of a part, what wasn't looked at stays.
    let part = [record("1", "edited")];
    assert_eq!(
        write(&part, Reach::Part),
        [record("1", "edited"), record("2", "b")]
    );
    let last = [record("1", "edited"), record("3", "c")];
    assert_eq!(write(&last, Reach::Everything), last);
    let reference = "refs/whimbrel/promotions/staging";
    assert_eq!(work.git(&["rev-list", "--count", reference]), "3");
    assert_eq!(
        work.git(&["ls-tree", "--name-only", &format!("{reference}~1")]),
        "1.json\n2.json"
    );
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let work = Work::new();
    let repository = work.open();
    let published = publish(&repository, &staging(), &[], Reach::Everything).unwrap();
    assert_eq!(published.head, None);
    assert_eq!(repository.promotion_head(&staging()).unwrap(), None);
    for reach in [Reach::Everything, Reach::Part] {
        publish(&repository, &staging(), &[record("1", "a")], reach).unwrap();
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
                    let records = [record(&name, &name)];
                    publish(&repository, &staging(), &records, Reach::Part).unwrap();
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
                    let records = [PromotionRecord {
                        environment: environment.clone(),
                        ..record(&writer.to_string(), "a")
                    }];
                    together.wait();
                    publish(&repository, environment, &records, Reach::Part).unwrap();
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
fn what_holds_anything_but_records_of_its_environment_is_none() {
    let work = Work::new();
    let repository = work.open();
    let dev: EnvironmentName = "dev".parse().unwrap();
    let of_dev = [PromotionRecord {
        environment: dev.clone(),
        ..record("1", "a")
    }];
    publish(&repository, &dev, &of_dev, Reach::Everything).unwrap();
    publish(
        &repository,
        &staging(),
        &[record("1", "a")],
        Reach::Everything,
    )
    .unwrap();
    let reference = "refs/whimbrel/promotions/staging";
    let good = work.git(&["show", &format!("{reference}:1.json")]);
    let refused = || match repository.read_promotions(&staging()) {
        Err(GitError::NotRecords { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    work.git(&["update-ref", reference, "refs/whimbrel/promotions/dev"]);
    assert_eq!(refused(), "`1.json` is a record of dev");
    // A second record of the same migration, in a file that no writer would replace.
    for (path, problem) in [
        ("x.json", "`x.json` is a record of the migration 1"),
        ("folder/1.json", "`folder` is no file"),
    ] {
        let file = work.write(path, &good);
        work.commit("disguised");
        work.git(&["update-ref", reference, "HEAD"]);
        assert_eq!(refused(), problem);
        std::fs::remove_file(file).unwrap();
    }
    work.write("1.json", &" ".repeat(1 << 17));
    work.commit("large");
    work.git(&["update-ref", reference, "HEAD"]);
    assert_eq!(refused(), "`1.json` is too large");
    let blob = work.git(&["rev-parse", "HEAD:1.json"]);
    work.git(&["update-ref", reference, &blob]);
    assert_eq!(refused(), "its ref names no commit");
    // Whoever publishes all of it needs nothing of what was there.
    publish(
        &repository,
        &staging(),
        &[record("1", "a")],
        Reach::Everything,
    )
    .unwrap();
    assert_eq!(
        repository.read_promotions(&staging()).unwrap(),
        [record("1", "a")]
    );
}

#[test]
fn a_ref_that_stays_locked_gives_up() {
    let work = Work::new();
    work.write(".git/refs/whimbrel/promotions/staging.lock", "");
    let records = [record("1", "a")];
    let error = publish(&work.open(), &staging(), &records, Reach::Everything).unwrap_err();
    assert!(matches!(error, GitError::Contended(_)), "{error}");
}
