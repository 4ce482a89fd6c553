//! A guest that takes more than it may have costs its own run and nothing else.

use std::time::{Duration, Instant};

use crate::support::fake::Fake;
use crate::support::{apply, call, deed, does, listening, plugin, quick, trap};
use serde_json::json;
use whimbrel_plugin::{Limits, PluginError};

#[tokio::test]
async fn an_infinite_loop_is_interrupted() {
    let plugin = plugin(quick()).await;
    let begun = Instant::now();
    let report = trap(apply(&plugin, does("loop")).await.unwrap_err());
    assert!(report.reason.contains("computed for 200ms"), "{report}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        report
            .backtrace
            .iter()
            .any(|frame| frame.contains("misdeeds")),
        "{report}"
    );
}

#[tokio::test]
async fn calls_in_a_loop_are_no_way_around() {
    let plugin = plugin(quick()).await;
    let report = trap(apply(&plugin, does("loop-with-calls")).await.unwrap_err());
    assert!(report.reason.contains("computed for"), "{report}");
}

#[tokio::test]
async fn a_loop_lets_others_run() {
    let plugin = plugin(quick()).await;
    let config = does("loop");
    let looping = apply(&plugin, config);
    let beside = async {
        let mut turns = 0;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            turns += 1;
        }
        turns
    };
    // Both on this one thread: the guest must give way.
    let begun = Instant::now();
    let (ended, turns) = tokio::join!(looping, async {
        let turns = beside.await;
        assert!(begun.elapsed() < Duration::from_millis(1_000));
        turns
    });
    assert!(ended.is_err());
    assert_eq!(turns, 10);
}

#[tokio::test]
async fn waiting_for_the_database_is_no_compute() {
    let plugin = plugin(quick()).await;
    let config = json!({ "do": "query", "sql": "SLEEP 60", "n": 10 });
    assert_eq!(apply(&plugin, config).await.unwrap().rows, 10);
}

#[tokio::test]
async fn a_sleeper_is_ended_by_the_wall_clock() {
    let plugin = plugin(quick()).await;
    let mut call = call();
    call.timeout = Some(Duration::from_millis(50));
    let config = json!({ "do": "sleep", "n": 60_000 });
    let error = plugin
        .apply(&config, call, Fake::new().boxed())
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Timeout { .. }), "{error}");
    assert!(
        error.to_string().contains("nothing was committed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_memory_bomb_says_what_it_wanted() {
    let report = trap(deed(does("memory")).await.unwrap_err());
    assert!(
        report
            .reason
            .contains("bytes of memory, the limit is 67108864"),
        "{report}"
    );
}

#[tokio::test]
async fn deep_recursion_overflows_its_own_stack() {
    let report = trap(deed(does("recursion")).await.unwrap_err());
    assert_eq!(report.reason, "its stack overflowed");
    assert!(report.backtrace.len() <= 20);
}

#[tokio::test]
async fn a_log_bomb_is_cut_and_the_cut_is_said() {
    let limits = Limits {
        log_lines: 100,
        ..Limits::default()
    };
    let plugin = plugin(limits).await;
    let (call, lines) = listening();
    let config = json!({ "do": "log", "n": 5_000, "size": 50_000 });
    let outcome = plugin.apply(&config, call, Fake::new().boxed()).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 101);
    assert!(lines.iter().all(|(_, line)| line.len() <= 8 << 10));
    assert!(lines[100].1.contains("further ones are dropped"));
}

#[tokio::test]
async fn giant_answers_are_refused() {
    for (config, text) in [
        (
            json!({ "do": "giant-summary", "n": 5_000 }),
            "its summary has 5000 bytes",
        ),
        (
            json!({ "do": "giant-undo", "n": 70_000 }),
            "its undo has 70000 bytes",
        ),
        (json!({ "do": "bad-json" }), "no JSON"),
    ] {
        let error = deed(config).await.unwrap_err();
        assert!(matches!(error, PluginError::Answer { .. }), "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = deed(json!({ "do": "giant-summary", "n": 40 << 20 }))
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Trap(_)), "{error}");
}

#[tokio::test]
async fn giant_statements_and_results_do_not_cross() {
    let error = deed(json!({ "do": "giant-statement", "n": 40 << 20 }))
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Trap(_)), "{error}");
    let big = json!({ "do": "query", "sql": "BIG 20000000" });
    let fault = deed(big).await.unwrap_err();
    assert!(
        fault.to_string().contains("at most 16777216 cross"),
        "{fault}"
    );
}

#[tokio::test]
async fn text_that_is_none_is_a_trap() {
    let report = trap(deed(does("bad-text")).await.unwrap_err());
    assert!(
        report.reason.contains("utf-8") || report.reason.contains("UTF-8"),
        "{report}"
    );
}

#[tokio::test]
async fn tables_and_memories_at_the_start_are_limited_too() {
    for (name, text) in [
        ("table-bomb.wat", "table elements, the limit is 20000"),
        ("memory-at-start.wat", "bytes of memory, the limit is"),
        ("many-instances.wat", "instance count too high"),
        ("loop-at-start.wat", "computed for"),
    ] {
        let error = crate::support::admit(
            crate::support::text(name),
            whimbrel_plugin::Grants::default(),
            quick(),
        )
        .await
        .unwrap_err();
        let report = trap(error);
        assert_eq!(report.function, "start");
        assert!(report.reason.contains(text), "{name}: {report}");
    }
}
