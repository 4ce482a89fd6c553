//! Nothing is there that wasn't granted, and a plan is pure.

use std::sync::{Arc, Mutex};

use crate::support::fake::Fake;
use crate::support::{
    admit, apply, call, deed, does, hostile, listening, plugin, trap, with_manifest,
};
use serde_json::{Value as Json, json};
use whimbrel_core::fault::FaultClass;
use whimbrel_core::statement::Dialect;
use whimbrel_plugin::{Grants, HttpGrant, Level, Limits, PluginError, Sandbox, Settings};
use whimbrel_signal::metric::{Change, Dropped, Measurement, Meter};

async fn planned(config: Json) -> Result<Json, PluginError> {
    let plugin = plugin(Limits::default()).await;
    let preview = plugin.plan(&config, Dialect::Postgres).await?;
    Ok(preview.details)
}

#[tokio::test]
async fn without_the_grant_the_clock_traps_and_names_it() {
    let report = trap(deed(does("clock")).await.unwrap_err());
    assert!(report.reason.contains("no grant `clock`"), "{report}");
    assert!(report.reason.contains("whimbrel.yaml"), "{report}");
}

#[tokio::test]
async fn granted_and_needed_the_clock_runs() {
    let manifest = r#"{"id":"x","version":"1","needs":["clock"]}"#;
    let grants = Grants {
        clock: true,
        ..Grants::default()
    };
    let plugin = admit(
        with_manifest(hostile(), manifest),
        grants.clone(),
        Limits::default(),
    )
    .await
    .unwrap();
    let outcome = apply(&plugin, does("clock")).await.unwrap();
    assert!(outcome.rows > 1_600_000_000_000);
    // Used where it is granted, and done without where it isn't.
    let manifest = r#"{"id":"x","version":"1","needs":[],"uses":["clock"]}"#;
    for (granted, runs) in [(grants.clone(), true), (Grants::default(), false)] {
        let bytes = with_manifest(hostile(), manifest);
        let plugin = admit(bytes, granted, Limits::default()).await.unwrap();
        assert_eq!(apply(&plugin, does("clock")).await.is_ok(), runs);
    }
    // Granted, but the manifest doesn't say that it is needed.
    let plugin = admit(hostile(), grants, Limits::default()).await.unwrap();
    assert!(apply(&plugin, does("clock")).await.is_err());
}

#[tokio::test]
async fn http_answers_denied_with_the_grant_in_the_hint() {
    let error = deed(does("http")).await.unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!(fault.class, FaultClass::Denied);
    assert_eq!(fault.code, "http.denied");
    assert!(error.hint().unwrap().contains("grant `http`"));
    assert!(!error.is_retryable() && !error.is_cancelled());
}

#[tokio::test]
async fn a_step_too_sends_only_where_it_is_granted() {
    let manifest = r#"{"id":"x","version":"1","needs":["http"]}"#;
    for (to, code) in [
        ("https://a.example/*", "http.denied"),
        ("nonsense", "http.grant"),
    ] {
        let grants = Grants {
            http: vec![HttpGrant::to(to)],
            ..Grants::default()
        };
        let bytes = with_manifest(hostile(), manifest);
        let plugin = admit(bytes, grants, Limits::default()).await.unwrap();
        let error = apply(&plugin, does("http")).await.unwrap_err();
        assert_eq!(error.fault().unwrap().code, code, "{error}");
    }
}

#[tokio::test]
async fn other_databases_are_refused_unless_provided() {
    let error = deed(does("sources")).await.unwrap_err();
    assert!(error.to_string().contains("`reads:`"), "{error}");
    let outcome = deed(does("source-calls")).await.unwrap();
    assert_eq!(
        outcome.details.as_str().unwrap().matches("Refused").count(),
        3
    );
}

#[tokio::test]
async fn a_plan_can_only_log() {
    assert!(planned(does("nothing")).await.is_ok());
    assert!(planned(json!({ "do": "log", "n": 2 })).await.is_ok());
    for misdeed in [
        "query",
        "execute",
        "commit",
        "rollback",
        "insert",
        "http",
        "sources",
        "clock",
        "call",
        "sleep",
        "metrics",
        "checkpoint",
        "dialect",
    ] {
        let error = planned(does(misdeed)).await.unwrap_err();
        assert!(
            error.to_string().contains("which is pure"),
            "{misdeed}: {error}"
        );
    }
}

#[tokio::test]
async fn the_same_plan_twice_is_the_same() {
    let first = planned(does("nothing")).await.unwrap();
    assert_eq!(first, planned(does("nothing")).await.unwrap());
}

#[tokio::test]
async fn an_estimate_reads_and_no_more() {
    let plugin = plugin(Limits::default()).await;
    let estimate = async |what: &str| {
        let (database, watch) = Fake::new().watched();
        let answer = plugin.estimate(&does(what), call(), database).await;
        (answer, watch)
    };
    let (answer, watch) = estimate("query").await;
    assert_eq!(answer.unwrap(), Json::Null);
    assert!(watch.is_quiet());
    for misdeed in ["execute", "commit", "rollback", "insert"] {
        let (answer, watch) = estimate(misdeed).await;
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("estimate only reads"), "{error}");
        assert!(watch.statements().is_empty());
    }
}

#[tokio::test]
async fn metrics_go_to_the_sink_with_the_grant_only() {
    let seen: Arc<Mutex<Vec<Measurement>>> = Arc::default();
    let meter = Meter::default();
    let limits = Limits {
        metric_series: 5,
        ..Limits::default()
    };
    let sandbox = Sandbox::new(Settings {
        cache_dir: Some(crate::support::cache_dir()),
        limits,
        meter: Some(meter.clone()),
        ..Settings::default()
    })
    .unwrap();
    let manifest = r#"{"id":"x","version":"1","needs":["metrics"]}"#;
    let grants = Grants {
        metrics: true,
        ..Grants::default()
    };
    let name = "meter".parse().unwrap();
    let plugin = sandbox
        .admit(&name, with_manifest(hostile(), manifest), grants)
        .await
        .unwrap();
    let heard = || {
        let (mut call, lines) = listening();
        let sink = Arc::clone(&seen);
        call.metrics = Some(Arc::new(move |metric| sink.lock().unwrap().push(metric)));
        (call, lines)
    };
    let (call, lines) = heard();
    let config = json!({ "do": "metrics", "n": 3 });
    plugin
        .apply(&config, call, Fake::new().boxed())
        .await
        .unwrap();
    assert_eq!(seen.lock().unwrap().len(), 5);
    assert!(
        matches!(&seen.lock().unwrap()[3], Measurement::Custom(custom) if custom.change == Change::Set(2.0))
    );
    assert!(lines.lock().unwrap().is_empty());

    let (call, lines) = heard();
    let config = json!({ "do": "metrics", "n": 30 });
    plugin
        .apply(&config, call, Fake::new().boxed())
        .await
        .unwrap();
    let dropped = Measurement::Dropped(Dropped::PluginBudget);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let kept = seen.iter().filter(|measurement| **measurement != dropped);
    assert_eq!(kept.count(), 10, "no more than five series in a call");
    assert!(seen.contains(&dropped));
    assert_eq!(lines.lock().unwrap().len(), 1);
    // Without anybody who listens to the call, they go to the meter, which counts calls as well.
    let (call, _) = listening();
    plugin
        .apply(&config, call, Fake::new().boxed())
        .await
        .unwrap();
    let shown = format!("{:?}", meter.gather());
    for text in [
        "whimbrel_custom_deeds_0_total",
        "whimbrel_plugin_calls_total",
    ] {
        assert!(shown.contains(text), "{shown}");
    }
}

#[tokio::test]
async fn metrics_without_the_grant_are_dropped_with_one_word() {
    let plugin = plugin(Limits::default()).await;
    let (call, lines) = listening();
    let config = json!({ "do": "metrics", "n": 3 });
    plugin
        .apply(&config, call, Fake::new().boxed())
        .await
        .unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].0, Level::Warn);
    assert!(lines[0].1.contains("grant `metrics`"));
}

#[tokio::test]
async fn the_call_says_what_it_is_part_of() {
    let plugin = plugin(Limits::default()).await;
    let mut call = call();
    call.attempt = 2;
    call.timeout = Some(std::time::Duration::from_secs(60));
    let outcome = plugin
        .apply(&does("call"), call, Fake::new().boxed())
        .await
        .unwrap();
    assert_eq!(outcome.details["run"], "run-1");
    assert_eq!(outcome.details["operation"], "shop/0001/apply/0");
    assert_eq!(outcome.details["attempt"], 2);
    assert_eq!(outcome.details["cancelled"], false);
    assert!(outcome.details["deadline"].as_u64().unwrap() > 1_600_000_000_000);
}

#[tokio::test]
async fn every_interface_of_other_worlds_is_there_and_says_no() {
    let bytes = crate::support::built("test-components", "everything");
    let all = Grants {
        http: vec![],
        environment: vec!["HOME".to_owned()],
        files: vec!["/etc".into()],
        clock: true,
        random: true,
        metrics: true,
    };
    let plugin = admit(bytes, all, Limits::default()).await.unwrap();
    // Granted, but its manifest (there is none) doesn't need them.
    for (import, text) in [
        ("random", "no grant `random`"),
        ("environment", "no grant `environment`"),
        ("session.get", "secrets session is no part of apply"),
        ("session.put", "secrets session is no part of apply"),
        ("session.forget", "secrets session is no part of apply"),
        ("session.under", "secrets session is no part of apply"),
        ("verify.hmac", "secrets verify is no part of apply"),
        ("verify.token", "secrets verify is no part of apply"),
    ] {
        let report = trap(apply(&plugin, json!(import)).await.unwrap_err());
        assert!(report.reason.contains(text), "{import}: {report}");
    }
    for (import, text) in [
        ("files", "no grant `files`"),
        ("engine.plan", "engine is no part of apply"),
        ("engine.apply", "engine is no part of apply"),
        ("engine.revert", "engine is no part of apply"),
        ("engine.status", "engine is no part of apply"),
    ] {
        let error = apply(&plugin, json!(import)).await.unwrap_err();
        assert_eq!(error.fault().unwrap().class, FaultClass::Denied);
        assert!(error.to_string().contains(text), "{import}: {error}");
    }
    assert!(apply(&plugin, json!("nothing")).await.is_ok());
}
