//! The mock host serves every import, so that any plugin can be exercised natively.

#![allow(clippy::unwrap_used)]

use whimbrel_sdk::database::Error;
use whimbrel_sdk::log::Level;
use whimbrel_sdk::mock::{Host, Script};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, http, metrics, sources};

#[test]
fn statements_commits_and_rollbacks() {
    let (answer, host) = Host::new(Script::new().on("sqlite"))
        .with_checkpoint(vec![1])
        .run(|| {
            assert_eq!(database::dialect(), Dialect::Sqlite);
            assert_eq!(database::last_checkpoint(), Some(vec![1]));
            assert_eq!(database::quote("a\"b"), "\"a\"\"b\"");
            database::insert("t", &["a".to_owned()], &[vec![1.into()], vec![2.into()]])?;
            database::rollback()?;
            database::commit(b"x", 2, None)?;
            Ok::<_, Error>(database::last_checkpoint())
        });
    assert_eq!(answer.unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(
        host.statements(),
        ["INSERT INTO \"t\" (\"a\") VALUES ($1)"; 2]
    );
    assert_eq!(host.commits().len(), 1);
}

#[test]
fn logs_metrics_and_the_call() {
    let (answer, host) = Host::new(Script::new()).stopping_after(0).run(|| {
        log::debug("d");
        log::info("i");
        log::warn("w");
        log::error("e");
        log::write(Level::Info, "rows", &[("n", "3")]);
        metrics::add("a", &[], 1.0);
        metrics::set("b", &[], 2.0);
        metrics::observe("c", &[], 3.0);
        assert_eq!(
            (call::attempt(), call::deadline(), clock::now()),
            (1, None, 0)
        );
        assert!(!call::run_id().is_empty() && !call::operation_id().is_empty());
        call::pause(Duration::from_millis(5)).unwrap_err();
        call::check()
    });
    assert_eq!(answer.unwrap_err().class, FaultClass::Cancelled);
    assert_eq!(host.logs().len(), 5);
    assert_eq!(host.logs().last().unwrap().1, "rows n=3");
    assert_eq!(host.metrics().len(), 3);
}

#[test]
fn what_no_test_grants_is_refused() {
    let request = http::Request {
        method: "GET".to_owned(),
        url: "https://example.org".to_owned(),
        headers: vec![],
        body: None,
        timeout_ms: None,
    };
    assert_eq!(http::send(&request).unwrap_err().class, FaultClass::Denied);
    assert!(sources::dialect("x").is_err() && sources::quote("x", "y").is_err());
    assert!(sources::query("x", "SELECT 1", &[]).is_err());
    assert!(sources::pump("x", "SELECT 1", &[], "t", &[]).is_err());
    assert!(matches!(
        database::execute("SELECT 1", &[]),
        Err(Error::Refused(_))
    ));
    assert!(call::pause(Duration::default()).is_ok());
}
