//! What `whimbrel_environment` asks of the engine, and what it makes of the answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use terraform::Terraform;
use whimbrel_sdk::mock::Host;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, has_unknown, is_unknown, unknown};
use whimbrel_sdk::serde_json;

use support::{answering, bare, planned, proposed, provider, refusing, with};

const KIND: &str = "whimbrel_environment";

fn config() -> Json {
    json!({
        "source": "/shop", "ref": "main", "environment": "dev", "parameters": null, "databases": null,
        "allow_destructive": null, "on_destroy": null,
    })
}

/// What the engine says of a plan.
fn pending() -> Json {
    json!({
        "stand": "pending", "revision": "c1", "digest": "sha256:a", "refusals": ["approval: nobody has"],
        "findings": ["it is slow"], "after": { "migrations": ["0001-a"], "applied": 1 },
    })
}

/// What the engine says of how it stands.
fn stands() -> Json {
    json!({
        "revision": "c1", "migrations": ["0001-a"], "applied": 1, "pending": 0, "failed": 0, "drift": 0,
        "head": "c2", "digest": "sha256:a",
    })
}

/// One that was planned and applied.
fn made() -> Stored {
    let (planned, _) = planned(KIND, None, &config(), answering(pending()));
    let planned = planned.unwrap().stored;
    let (made, _) = answering(stands()).run(|| bare().create(KIND, planned, &config()));
    made.unwrap()
}

/// The same after Terraform has looked at it.
fn looked_at() -> Stored {
    let made = made();
    let (read, _) = answering(stands()).run(|| bare().read(KIND, made));
    read.unwrap().unwrap()
}

#[test]
fn a_plan_says_what_will_be() {
    let (planned, asked) = planned(KIND, None, &config(), answering(pending()));
    let Planned {
        stored, warnings, ..
    } = planned.unwrap();
    let request = json!({ "project": { "source": "/shop", "ref": "main" }, "environment": "dev" });
    assert_eq!(asked, [("plan".to_owned(), request)]);
    let expected = json!({
        "id": "/shop,dev", "revision": "c1", "plan": "sha256:a", "migrations": ["0001-a"], "applied": 1,
        "pending": 0, "drift": 0, "on_destroy": "keep",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&stored.state[name], value, "{name}");
    }
    let warnings: Vec<_> = warnings.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(warnings, ["approval: nobody has", "it is slow"]);
}

#[test]
fn exactly_what_was_planned_is_applied() {
    let (planned, _) = planned(KIND, None, &config(), answering(pending()));
    let planned = planned.unwrap().stored;
    let (made, host) = answering(stands()).run(|| bare().create(KIND, planned.clone(), &config()));
    let [(question, request)] = host.asked() else {
        panic!("{:?}", host.asked());
    };
    assert_eq!(question, "apply");
    assert_eq!(
        (&request["project"]["revision"], &request["plan"]),
        (&json!("c1"), &json!("sha256:a"))
    );
    assert_eq!(made.unwrap().state, planned.state);
}

#[test]
fn the_commit_that_was_looked_at_is_planned_and_none_of_another_ref() {
    let seen = looked_at();
    let (_, asked) = planned(KIND, Some(&seen), &config(), answering(pending()));
    assert_eq!(asked[0].1["project"]["revision"], "c2");
    let other = with(config(), json!({ "ref": "v2" }));
    let (_, asked) = planned(KIND, Some(&seen), &other, answering(pending()));
    assert_eq!(
        asked[0].1["project"],
        json!({ "source": "/shop", "ref": "v2" })
    );
    // Whoever wrote another thing there is no authority.
    let forged = Stored {
        private: b"nonsense".to_vec(),
        ..seen
    };
    let (_, asked) = planned(KIND, Some(&forged), &config(), answering(pending()));
    assert_eq!(asked[0].1["project"]["revision"], Json::Null);
}

#[test]
fn an_empty_plan_changes_nothing() {
    let seen = looked_at();
    let current = with(
        pending(),
        json!({ "stand": "current", "digest": "sha256:empty" }),
    );
    let (planned, _) = planned(KIND, Some(&seen), &config(), answering(current));
    assert_eq!(planned.unwrap().stored.state, seen.state);
}

#[test]
fn what_can_not_be_asked_yet_is_unknown() {
    let unread = with(
        pending(),
        json!({ "stand": "unread", "message": "it isn't there" }),
    );
    for host in [answering(unread), refusing(FaultClass::Unavailable)] {
        let (planned, _) = planned(KIND, None, &config(), host);
        let planned = planned.unwrap();
        assert!(is_unknown(&planned.stored.state["revision"]));
        assert_eq!(planned.warnings.len(), 1);
    }
    for databases in [json!({ "shop": { "url": unknown() } }), unknown()] {
        let config = with(config(), json!({ "databases": databases }));
        let (planned, asked) = planned(KIND, None, &config, answering(pending()));
        let state = planned.unwrap().stored.state;
        assert!(is_unknown(&state["id"]) && has_unknown(&state["targets"]) && asked.is_empty());
    }
}

#[test]
fn what_is_blocked_is_refused() {
    let blocked = with(
        pending(),
        json!({ "stand": "blocked", "message": "0001-a was edited", "hint": "take it back" }),
    );
    let (refused, _) = planned(KIND, None, &config(), answering(blocked));
    let fault = refused.unwrap_err().remove(0);
    assert_eq!(
        (fault.message.as_str(), fault.hint.as_deref()),
        ("0001-a was edited", Some("take it back"))
    );
    let (refused, _) = planned(KIND, None, &config(), refusing(FaultClass::Denied));
    assert_eq!(refused.unwrap_err()[0].message, "it can't be");
}

#[test]
fn other_databases_are_another_resource() {
    let seen = looked_at();
    let url = |url: &str, version: u64| json!({ "databases": { "shop": { "url": url, "password_wo": null, "password_wo_version": version } } });
    for (more, replace) in [
        (json!({ "source": "/other" }), &["/source"][..]),
        (json!({ "environment": "test" }), &["/environment"]),
        (url("sqlite:a.db", 1), &["/databases"]),
        (json!({ "ref": "v2" }), &[]),
    ] {
        let (planned, _) = planned(
            KIND,
            Some(&seen),
            &with(config(), more),
            answering(pending()),
        );
        assert_eq!(planned.unwrap().replace, replace);
    }
    let before = Stored {
        state: with(
            with(seen.state.clone(), url("sqlite:a.db", 1)),
            json!({ "targets": { "shop": "sqlite:a.db" } }),
        ),
        ..seen
    };
    let (planned, _) = planned(
        KIND,
        Some(&before),
        &with(config(), url("sqlite:a.db", 2)),
        answering(pending()),
    );
    assert!(planned.unwrap().replace.is_empty());
}

#[test]
fn a_password_reaches_the_engine_and_nothing_that_is_kept() {
    let said = |password: Json| json!({ "databases": { "shop": { "password_wo": password } } });
    let sealed = json!({ "$sealed": "7" });
    let config = with(config(), said(sealed.clone()));
    let (planned, asked) = planned(KIND, None, &config, answering(pending()));
    assert_eq!(
        asked[0].1["databases"],
        json!({ "shop": { "password": sealed } })
    );
    let planned = planned.unwrap().stored;
    assert_eq!(
        planned.state["databases"]["shop"]["password_wo"],
        Json::Null
    );
    let (made, host) = answering(stands()).run(|| bare().create(KIND, planned, &config));
    assert_eq!(
        host.asked()[0].1["databases"],
        json!({ "shop": { "password": { "$sealed": "7" } } })
    );
    assert!(!made.unwrap().state.to_string().contains("$sealed"));
}

#[test]
fn what_looks_at_it_knows_the_databases_of_the_provider() {
    let database = json!({
        "environment": "dev", "name": "shop", "url": null, "username": null, "password": { "$sealed": "1" },
    });
    let provider = provider(json!({ "database": [database] }));
    let made = made();
    let (read, host) = answering(stands()).run(|| provider.read(KIND, made));
    let (question, request) = &host.asked()[0];
    assert_eq!(question, "status");
    assert_eq!(
        request["databases"],
        json!({ "shop": { "password": { "$sealed": "1" } } })
    );
    assert_eq!(request["project"]["revision"], "c1");
    let seen: Json = serde_json::from_slice(&read.unwrap().unwrap().private).unwrap();
    assert_eq!(
        seen,
        json!({ "source": "/shop", "ref": "main", "head": "c2" })
    );
}

#[test]
fn another_address_of_the_provider_is_another_resource() {
    let at = |url: &str| {
        let block = json!({ "environment": "dev", "name": "shop", "url": url, "username": null, "password": null });
        provider(json!({ "database": [block] }))
    };
    let made = with(
        made().state,
        json!({ "targets": { "shop": "sqlite:a.db" }, "on_destroy": "revert" }),
    );
    let made = Stored {
        state: made,
        private: Vec::new(),
    };
    let replaced = |url: &str| {
        let proposed = proposed(KIND, &config(), Some(&made));
        let (planned, _) =
            answering(pending()).run(|| at(url).plan(KIND, Some(&made), &config(), proposed));
        planned.unwrap().replace
    };
    assert!(replaced("sqlite:a.db").is_empty());
    assert_eq!(replaced("sqlite:b.db"), ["/targets"]);
    // It isn't looked for where it isn't, and what takes it back goes where it is.
    let elsewhere = made.clone();
    let (read, host) = answering(stands()).run(|| at("sqlite:b.db").read(KIND, elsewhere));
    assert!(read.unwrap().unwrap() == made && host.asked().is_empty());
    let (ended, host) = answering(stands()).run(|| at("sqlite:b.db").delete(KIND, made.clone()));
    ended.unwrap();
    assert_eq!(
        host.asked()[0].1["databases"],
        json!({ "shop": { "url": "sqlite:a.db" } })
    );
}

#[test]
fn what_was_done_elsewhere_is_said_with_the_plan() {
    let made = made();
    let now = with(stands(), json!({ "migrations": ["0001-a", "0002-b"] }));
    let (read, _) = answering(now).run(|| bare().read(KIND, made));
    let seen = read.unwrap().unwrap();
    let (planned, _) = planned(KIND, Some(&seen), &config(), answering(pending()));
    let warnings = planned.unwrap().warnings;
    assert!(warnings[0].1.starts_with("applied since") && warnings[0].1.contains("`0002-b`"));
}

#[test]
fn its_end_is_as_it_says() {
    let ending = |word: &str| Stored {
        state: with(made().state, json!({ "on_destroy": word })),
        ..made()
    };
    let end = |word: &str| {
        let ending = ending(word);
        answering(stands()).run(|| bare().delete(KIND, ending))
    };
    let (kept, host) = end("keep");
    assert!(kept.is_ok() && host.asked().is_empty());
    let (refused, host) = end("fail");
    assert_eq!(refused.unwrap_err().class, FaultClass::Denied);
    assert!(host.asked().is_empty());
    assert!(Terraform::plan_delete(KIND, &ending("fail")).is_err());
    assert!(Terraform::plan_delete(KIND, &ending("revert")).is_ok());
    let (reverted, host) = end("revert");
    reverted.unwrap();
    let (question, request) = &host.asked()[0];
    assert_eq!(
        (question.as_str(), &request["all"]),
        ("revert", &json!(true))
    );
}

#[test]
fn what_is_imported_is_named_by_source_ref_and_environment() {
    for (id, project) in [
        ("dev", json!({})),
        ("/shop,dev", json!({ "source": "/shop" })),
        (
            "/shop@main,dev",
            json!({ "source": "/shop", "ref": "main" }),
        ),
        (
            "git@host:acme/shop.git,dev",
            json!({ "source": "git@host:acme/shop.git" }),
        ),
        (
            "https://host/acme/shop.git@release/1,dev",
            json!({ "source": "https://host/acme/shop.git", "ref": "release/1" }),
        ),
    ] {
        let (stored, host) = answering(stands()).run(|| bare().import_state(KIND, id));
        assert_eq!(host.asked()[0].1["project"], project, "{id}");
        assert_eq!(stored.unwrap().state["applied"], 1);
    }
    let missing = Fault::new(FaultClass::Invalid, "engine.no-source", "it is missing");
    let host = Host::without_database().with_engine(move |_, _| Err(missing.clone()));
    let (wrong, _) = host.run(|| bare().import_state(KIND, "nothing"));
    assert!(
        wrong
            .unwrap_err()
            .hint
            .unwrap()
            .contains("SOURCE,ENVIRONMENT")
    );
}

#[test]
fn what_a_server_knows_makes_no_other_resource() {
    let prior = looked_at();
    let (planned, asked) = planned(
        KIND,
        Some(&prior),
        &with(config(), json!({ "source": null })),
        answering(pending()),
    );
    let planned = planned.unwrap();
    assert!(planned.replace.is_empty());
    assert_eq!(planned.stored.state["id"], "dev");
    assert_eq!(asked[0].1["project"].get("source"), None);
}
