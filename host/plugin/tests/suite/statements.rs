//! A step's statements: what it is told, what it can't lie about, and that the database is quiet when its call ends.

use std::time::{Duration, Instant};

use crate::support::fake::Fake;
use crate::support::{apply, call, deed, does, plugin, trap};
use serde_json::json;
use whimbrel_core::fault::{FaultClass, Retry};
use whimbrel_plugin::{Limits, PluginError, SqlError};

#[tokio::test]
async fn every_kind_of_value_crosses() {
    let outcome = deed(json!({ "do": "query", "sql": "ALL" })).await.unwrap();
    assert_eq!(outcome.rows, 1);
}

#[tokio::test]
async fn names_are_quoted_by_the_dialect() {
    let outcome = deed(does("dialect")).await.unwrap();
    assert_eq!(outcome.details["dialect"], json!("sqlite"));
    assert_eq!(outcome.details["quoted"], "\"a\"\"b\"");
}

#[tokio::test]
async fn rows_that_change_are_witnessed() {
    let outcome = deed(json!({ "do": "execute", "sql": "UPDATE t" }))
        .await
        .unwrap();
    assert_eq!((outcome.rows, outcome.witnessed), (3, 3));
    let outcome = deed(does("insert")).await.unwrap();
    assert_eq!(outcome.witnessed, 1);
}

#[tokio::test]
async fn the_database_refuses_and_the_guest_hears_why() {
    let error = deed(json!({ "do": "execute", "sql": "FAIL" }))
        .await
        .unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!(
        (fault.class, fault.code.as_str()),
        (FaultClass::Conflict, "23505")
    );
    assert!(fault.message.contains("duplicate key: (id)=(1)"));
    let error = deed(json!({ "do": "execute", "sql": "LOST" }))
        .await
        .unwrap_err();
    assert!(error.is_cancelled() && error.fault().unwrap().retry == Retry::Backoff);
    assert_eq!(SqlError::Stop("lost".into()).to_string(), "stop: lost");
}

#[tokio::test]
async fn a_fault_keeps_its_pointer_and_hint() {
    let error = deed(does("fault")).await.unwrap_err();
    assert_eq!(error.fault().unwrap().pointer.as_deref(), Some("/do"));
    assert_eq!(error.hint().as_deref(), Some("do another"));
    assert_eq!(
        error.to_string(),
        "plugin bad: apply: no such deed (configuration)"
    );
}

#[tokio::test]
async fn lies_about_rows_are_refused() {
    let error = deed(does("lie")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("claims 18446744073709551615 rows"),
        "{error}"
    );
    let error = deed(does("lie-backwards")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rows done went back from 10 to 3"),
        "{error}"
    );
    let error = deed(does("lie-beyond")).await.unwrap_err();
    assert!(error.to_string().contains("rows done can't be"), "{error}");
    let error = deed(json!({ "do": "giant-checkpoint", "n": 70_000 }))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a checkpoint of 70000 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_total_that_was_too_low_is_raised() {
    let plugin = plugin(Limits::default()).await;
    let (database, watch) = Fake::new().watched();
    let _ = plugin.apply(&does("lie-backwards"), call(), database).await;
    assert_eq!(watch.statements(), ["commit 10 of Some(10)"]);
}

#[tokio::test]
async fn the_checkpoint_comes_back() {
    let plugin = plugin(Limits::default()).await;
    let database = Fake::with_checkpoint(b"ab").boxed();
    let outcome = plugin
        .apply(&does("checkpoint"), call(), database)
        .await
        .unwrap();
    assert_eq!(outcome.details["last"], json!([97, 98]));
    let outcome = deed(does("checkpoint")).await.unwrap();
    assert_eq!(outcome.details["last"], json!(null));
}

#[tokio::test]
async fn revert_gets_what_apply_left() {
    let plugin = plugin(Limits::default()).await;
    let outcome = plugin
        .revert(&does("nothing"), vec![1, 2], call(), Fake::new().boxed())
        .await
        .unwrap();
    assert_eq!(outcome.undo, [1, 2]);
    assert_eq!(outcome.summary, "done");
}

#[tokio::test]
async fn a_panic_is_shown_with_its_text_and_what_was_committed() {
    let report = trap(deed(does("panic")).await.unwrap_err());
    assert!(report.reason.contains("unreachable"), "{report}");
    let text = report.to_string();
    assert!(
        text.contains("on purpose") && text.contains("misdeeds.rs"),
        "{text}"
    );
    assert!(text.contains("nothing was committed"), "{text}");
}

#[tokio::test]
async fn a_trap_after_any_number_of_calls_rolls_back() {
    let plugin = plugin(Limits::default()).await;
    for n in 0..4 {
        let (database, watch) = Fake::new().watched();
        let config = json!({ "do": "query-panic", "n": n });
        let report = trap(plugin.apply(&config, call(), database).await.unwrap_err());
        assert!(
            report.log[0].contains(&format!("after {n} queries")),
            "{report}"
        );
        assert!(watch.is_quiet());
        let statements = watch.statements();
        assert_eq!(
            statements.last().map(String::as_str),
            (n > 0).then_some("rollback")
        );
    }
}

#[tokio::test]
async fn a_pause_with_an_open_transaction_is_refused() {
    let report = trap(deed(does("query-pause")).await.unwrap_err());
    assert!(
        report.reason.contains("commit or roll back first"),
        "{report}"
    );
}

#[tokio::test]
async fn a_driver_that_panics_is_our_bug() {
    let error = deed(json!({ "do": "query", "sql": "PANIC" }))
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Bug { .. }), "{error}");
    assert!(error.to_string().contains("the driver broke"), "{error}");
}

#[tokio::test]
async fn a_timeout_ends_only_when_the_statement_has() {
    let plugin = plugin(Limits::default()).await;
    let (database, watch) = Fake::new().watched();
    let mut call = call();
    call.timeout = Some(Duration::from_millis(40));
    let begun = Instant::now();
    let config = json!({ "do": "query", "sql": "SLEEP 300" });
    let error = plugin.apply(&config, call, database).await.unwrap_err();
    assert!(matches!(error, PluginError::Timeout { .. }), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(watch.is_quiet() && watch.was_interrupted());
    assert_eq!(watch.statements(), ["SLEEP 300", "rollback"]);
}

#[tokio::test]
async fn a_blocked_statement_is_interrupted() {
    let plugin = plugin(Limits::default()).await;
    let (database, watch) = Fake::new().watched();
    let mut call = call();
    call.timeout = Some(Duration::from_millis(40));
    let config = json!({ "do": "query", "sql": "BLOCK" });
    let error = plugin.apply(&config, call, database).await.unwrap_err();
    assert!(matches!(error, PluginError::Timeout { .. }), "{error}");
    assert!(watch.is_quiet());
}

#[tokio::test]
async fn a_call_that_is_asked_to_stop_stops() {
    let plugin = plugin(Limits::default()).await;
    let call = call();
    let stop = call.stop.clone();
    let config = does("until-cancelled");
    let running = plugin.apply(&config, call, Fake::new().boxed());
    let (ended, ()) = tokio::join!(running, async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        stop.stop();
    });
    let error = ended.unwrap_err();
    assert!(error.is_cancelled() && !error.is_retryable(), "{error}");
}

#[tokio::test]
async fn one_that_does_not_is_ended_after_its_grace() {
    let limits = Limits {
        stop_grace: Duration::from_millis(40),
        ..Limits::default()
    };
    let plugin = plugin(limits).await;
    let call = call();
    call.stop.stop();
    let (database, watch) = Fake::new().watched();
    let config = json!({ "do": "query", "sql": "BLOCK" });
    let error = plugin.apply(&config, call, database).await.unwrap_err();
    assert!(matches!(error, PluginError::Stopped { .. }), "{error}");
    assert!(error.is_cancelled() && watch.is_quiet());
}

#[tokio::test]
async fn a_caller_that_goes_away_drops_no_statement() {
    let plugin = plugin(Limits::default()).await;
    let (database, watch) = Fake::new().watched();
    let config = json!({ "do": "query", "sql": "SLEEP 100" });
    {
        let running = plugin.apply(&config, call(), database);
        tokio::select! {
            _ = running => panic!("it sleeps longer"),
            () = watch.started() => {}
        }
    }
    assert!(!watch.is_quiet());
    tokio::time::timeout(Duration::from_secs(5), async {
        while !watch.is_quiet() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(watch.statements(), ["SLEEP 100"]);
}

#[tokio::test]
async fn calls_are_on_their_own() {
    let plugin = plugin(Limits::default()).await;
    let config = json!({ "do": "query", "sql": "SLEEP 50", "n": 2 });
    let begun = Instant::now();
    let calls = (0..20).map(|_| apply(&plugin, config.clone()));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(begun.elapsed() < Duration::from_secs(2));
    // A call that dies leaves the plugin as it was.
    assert!(apply(&plugin, does("panic")).await.is_err());
    assert!(apply(&plugin, does("nothing")).await.is_ok());
}
