//! What `whimbrel_migration` asks of the engine, and the data sources and the function beside it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use terraform::Terraform;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Stored, is_unknown};

use support::{answering, bare, planned, proposed, provider, refusing, with};

const KIND: &str = "whimbrel_migration";

fn config() -> Json {
    json!({
        "environment": "dev", "database": null, "url": "sqlite:a.db", "username": null, "password": null,
        "password_wo": null, "name": "0001-a", "up": "CREATE TABLE a (id bigint)", "down": "DROP TABLE a",
        "parameters": null, "allow_destructive": null, "on_destroy": null,
    })
}

fn pending() -> Json {
    json!({ "state": "pending", "checksum": "w1:a", "appliedAt": null })
}

fn applied() -> Json {
    json!({ "state": "applied", "checksum": "w1:a", "appliedAt": "2026-01-01T00:00:00Z" })
}

fn made() -> Stored {
    let (planned, _) = planned(KIND, None, &config(), answering(pending()));
    let planned = planned.unwrap().stored;
    let (made, _) = answering(applied()).run(|| bare().create(KIND, planned, &config()));
    made.unwrap()
}

#[test]
fn a_plan_fills_in_what_is_left_out() {
    let (planned, asked) = planned(KIND, None, &config(), answering(pending()));
    let state = planned.unwrap().stored.state;
    assert_eq!(
        (&state["id"], &state["checksum"]),
        (&json!("dev,main,0001-a"), &json!("w1:a"))
    );
    assert_eq!(
        (&state["database"], &state["on_destroy"]),
        (&json!("main"), &json!("keep"))
    );
    assert!(is_unknown(&state["applied_at"]));
    let request = json!({
        "environment": "dev", "databases": { "main": { "url": "sqlite:a.db" } },
        "migration": {
            "name": "0001-a", "database": "main", "up": "CREATE TABLE a (id bigint)", "down": "DROP TABLE a",
        },
    });
    assert_eq!(asked, [("plan".to_owned(), request)]);
}

#[test]
fn what_is_applied_already_is_taken_over() {
    let (planned, _) = planned(KIND, None, &config(), answering(applied()));
    assert_eq!(
        planned.unwrap().stored.state["applied_at"],
        "2026-01-01T00:00:00Z"
    );
}

#[test]
fn what_is_applied_is_never_edited() {
    let edited = with(config(), json!({ "up": "CREATE TABLE b (id bigint)" }));
    let (refused, _) = planned(KIND, Some(&made()), &edited, refusing(FaultClass::Conflict));
    assert_eq!(refused.unwrap_err()[0].message, "it can't be");
}

#[test]
fn another_name_or_place_is_another_migration() {
    for (more, replace) in [
        (json!({ "name": "0002-b" }), "/name"),
        (json!({ "database": "stock" }), "/database"),
        (json!({ "environment": "test" }), "/environment"),
        (json!({ "url": "sqlite:b.db" }), "/url"),
    ] {
        let (planned, _) = planned(
            KIND,
            Some(&made()),
            &with(config(), more),
            answering(pending()),
        );
        assert_eq!(planned.unwrap().replace, [replace]);
    }
}

#[test]
fn another_address_of_the_provider_is_another_migration() {
    let at = |url: &str| {
        let block = json!({ "environment": "dev", "name": "main", "url": url, "username": "ada", "password": null });
        provider(json!({ "database": [block] }))
    };
    let config = with(config(), json!({ "url": null, "on_destroy": "revert" }));
    let planned = |prior: Option<&Stored>, url: &str| {
        let proposed = proposed(KIND, &config, prior);
        let (planned, _) =
            answering(pending()).run(|| at(url).plan(KIND, prior, &config, proposed));
        planned.unwrap()
    };
    let first = planned(None, "postgres://db/a").stored;
    assert_eq!(first.state["target"], "postgres://db/a");
    let (made, _) = answering(applied()).run(|| at("postgres://db/a").create(KIND, first, &config));
    let made = made.unwrap();
    assert!(
        planned(Some(&made), "postgres://bob@db:5432/a")
            .replace
            .is_empty()
    );
    assert_eq!(planned(Some(&made), "postgres://db/b").replace, ["/target"]);
    // It isn't looked for where it isn't, and what takes it back goes where it is.
    let elsewhere = made.clone();
    let (read, host) = answering(pending()).run(|| at("postgres://db/b").read(KIND, elsewhere));
    assert_eq!(read.unwrap().as_ref(), Some(&made));
    assert!(host.asked().is_empty());
    let (ended, host) = answering(pending()).run(|| at("postgres://db/b").delete(KIND, made));
    ended.unwrap();
    assert_eq!(
        host.asked()[0].1["databases"],
        json!({ "main": { "url": "postgres://db/a", "username": "ada" } })
    );
}

#[test]
fn a_database_that_is_not_there_yet_is_a_warning_for_a_new_one_only() {
    let (planned_new, _) = planned(KIND, None, &config(), refusing(FaultClass::Unavailable));
    let planned_new = planned_new.unwrap();
    assert!(is_unknown(&planned_new.stored.state["checksum"]) && planned_new.warnings.len() == 1);
    let (known, _) = planned(
        KIND,
        Some(&made()),
        &config(),
        refusing(FaultClass::Unavailable),
    );
    assert!(known.is_err());
}

#[test]
fn what_was_reverted_elsewhere_is_gone() {
    let before = made();
    let reading = before.clone();
    let (read, _) = answering(pending()).run(|| bare().read(KIND, reading));
    assert_eq!(read.unwrap(), None);
    let reading = before.clone();
    let (read, _) = answering(applied()).run(|| bare().read(KIND, reading));
    assert_eq!(read.unwrap(), Some(before));
}

#[test]
fn its_end_is_as_it_says() {
    let ending = |word: &str| Stored {
        state: with(
            made().state,
            json!({ "on_destroy": word, "allow_destructive": true }),
        ),
        ..made()
    };
    let keeping = ending("keep");
    let (kept, host) = answering(applied()).run(|| bare().delete(KIND, keeping));
    assert!(kept.is_ok() && host.asked().is_empty());
    let reverting = ending("revert");
    let (reverted, host) = answering(pending()).run(|| bare().delete(KIND, reverting));
    reverted.unwrap();
    let (question, request) = &host.asked()[0];
    assert_eq!(
        (question.as_str(), &request["allowDestructive"]),
        ("revert", &json!(true))
    );
    assert_eq!(request["migration"]["name"], "0001-a");
    assert!(Terraform::plan_delete(KIND, &ending("fail")).is_err());
}

#[test]
fn it_is_imported_by_name_with_the_text_that_is_recorded() {
    let recorded = json!({ "state": "applied", "up": "CREATE TABLE a (id bigint)", "down": null, "parameters": {} });
    let importing = |id: &'static str, answer: Json| {
        answering(answer).run(move || bare().import_state(KIND, id))
    };
    let (imported, host) = importing("dev,main,0001-a,sqlite:a,b.db", recorded);
    let request = json!({
        "environment": "dev", "databases": { "main": { "url": "sqlite:a,b.db" } },
        "migration": { "name": "0001-a", "database": "main", "up": null },
    });
    assert_eq!(host.asked(), [("status".to_owned(), request)]);
    let state = imported.unwrap().state;
    assert_eq!(
        (&state["id"], &state["up"], &state["down"]),
        (
            &json!("dev,main,0001-a"),
            &json!("CREATE TABLE a (id bigint)"),
            &Json::Null
        )
    );
    assert_eq!(
        (&state["url"], state.get("parameters")),
        (&json!("sqlite:a,b.db"), None)
    );
    let (missing, _) = importing("dev,main,0001-a", json!({ "state": "pending" }));
    assert_eq!(missing.unwrap_err().class, FaultClass::NotFound);
    let (wrong, host) = importing("dev,main", json!({}));
    assert!(
        wrong
            .unwrap_err()
            .hint
            .unwrap()
            .contains("ENVIRONMENT,DATABASE,NAME")
    );
    assert!(host.asked().is_empty());
}

#[test]
fn data_sources_say_what_the_engine_says() {
    let config =
        json!({ "source": "/shop", "ref": null, "environment": "dev", "parameters": null });
    let answer = json!({ "revision": "c1", "digest": "sha256:a", "stand": "pending", "pending": ["main/0001-a"],
        "findings": [], "text": "one", "more": 1 });
    let (plan, host) = answering(answer).run(|| bare().read_data("whimbrel_plan", &config));
    let plan = plan.unwrap();
    assert_eq!(
        (&plan["text"], &plan["source"], &plan["more"]),
        (&json!("one"), &json!("/shop"), &Json::Null)
    );
    assert_eq!(host.asked()[0].0, "plan");
    let answer = json!({ "revision": null, "migrations": [], "applied": 0, "pending": 2, "failed": 1, "drift": 0 });
    let (status, host) = answering(answer).run(|| bare().read_data("whimbrel_status", &config));
    assert_eq!(status.unwrap()["failed"], 1);
    assert_eq!(host.asked()[0].0, "status");
    let (unknown, _) = answering(Json::Null).run(|| bare().read_data("whimbrel_other", &config));
    assert_eq!(unknown.unwrap_err().class, FaultClass::Unsupported);
}

#[test]
fn a_function_says_which_argument_is_wrong() {
    let parse = |text: &str| Terraform::function("parse_reference", &[json!(text)]);
    assert_eq!(parse("secret://vault/a#b").unwrap()["key"], "b");
    assert_eq!(parse("a").unwrap_err()[0].pointer.as_deref(), Some("/0"));
    assert!(Terraform::function("other", &[]).is_err());
}

#[test]
fn a_server_knows_where_the_database_is() {
    let there = || provider(json!({ "endpoint": "unix:/run/whimbrel" }));
    let made = made();
    // What the state says of it was said to the engine in this process.
    let (read, host) = answering(applied()).run(|| there().read(KIND, made.clone()));
    assert_eq!(host.asked()[0].1["databases"], json!({ "main": {} }));
    assert_eq!(read.unwrap().unwrap().state, made.state);
    let config = with(config(), json!({ "url": null }));
    let proposed = proposed(KIND, &config, Some(&made));
    let (planned, _) =
        answering(applied()).run(|| there().plan(KIND, Some(&made), &config, proposed));
    let planned = planned.unwrap();
    assert!(planned.replace.is_empty());
    assert_eq!(planned.stored.state["target"], Json::Null);
}
