//! The plugin over the SDK's mock host: what it asks of the engine through a table's life.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lookup_table::LookupTables;
use whimbrel_sdk::mock::Host;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, has_unknown, unknown};

const KIND: &str = "whimbrel_lookup_table";

fn config(rows: Json) -> Json {
    json!({
        "environment": "dev", "database": null, "url": "sqlite:shop.db", "username": null,
        "password": "secret://env/PASSWORD", "name": "currencies", "rows": rows,
    })
}

/// As Terraform proposes it: what is computed is as it was, or unknown.
fn proposed(config: &Json, prior: Option<&Stored>) -> Json {
    let mut state = config.clone();
    for name in ["id", "database", "table", "revision"] {
        if state[name].is_null() {
            state[name] = prior.map_or_else(unknown, |prior| prior.state[name].clone());
        }
    }
    state
}

fn provider(prefix: Json) -> LookupTables {
    LookupTables::configure(json!({ "lookup_table_prefix": prefix })).unwrap()
}

/// An engine in which everything goes well, and what was applied is applied.
fn host() -> Host {
    Host::without_database().with_engine(|_, _| Ok(json!({ "state": "applied" })))
}

fn plan(prior: Option<&Stored>, config: &Json, host: Host) -> (Result<Planned, Vec<Fault>>, Host) {
    host.run(|| provider(json!("ref_")).plan(KIND, prior, config, proposed(config, prior)))
}

/// Planned and applied.
fn made(prior: Option<&Stored>, rows: Json) -> (Stored, Vec<Json>) {
    let config = config(rows);
    let (planned, _) = plan(prior, &config, host());
    let planned = planned.unwrap().stored;
    let (stored, host) = host().run(|| match prior {
        None => provider(json!("ref_")).create(KIND, planned.clone(), &config),
        Some(prior) => {
            provider(json!("ref_")).update(KIND, prior.clone(), planned.clone(), &config)
        }
    });
    let stored = stored.unwrap();
    // Terraform takes no other answer than what was planned.
    assert_eq!(stored, planned);
    let asked = host.asked().iter().map(|(question, request)| {
        assert_eq!(question, "apply");
        request["migration"].clone()
    });
    (stored, asked.collect())
}

#[test]
fn the_schema_is_one() {
    let schema = LookupTables::schema();
    assert_eq!(
        schema["resources"][KIND]["attributes"]["rows"]["required"],
        true
    );
}

#[test]
fn each_change_of_rows_is_a_migration_of_its_own() {
    let (first, asked) = made(None, json!({ "EUR": "Euro" }));
    assert_eq!(first.state["id"], "dev,main,currencies");
    assert_eq!(first.state["table"], "ref_currencies");
    let up = "CREATE TABLE \"ref_currencies\" (key text PRIMARY KEY, value text NOT NULL);\n\
              INSERT INTO \"ref_currencies\" (key, value) VALUES ('EUR', 'Euro');\n";
    let down = "DROP TABLE \"ref_currencies\";\n";
    let expected =
        json!({ "name": "ref_currencies-0001", "database": "main", "up": up, "down": down });
    assert_eq!(asked.as_slice(), std::slice::from_ref(&expected));
    let (second, asked) = made(Some(&first), json!({ "EUR": "euro", "CHF": "franc" }));
    assert_eq!(
        (&first.state["revision"], &second.state["revision"]),
        (&json!(1), &json!(2))
    );
    // The first one is asked for again, and stays as it was.
    let [one, two] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(one, &expected);
    let down = two["down"].as_str().unwrap();
    assert!(
        down.contains("DELETE") && down.contains("SET value = 'Euro'"),
        "{down}"
    );
}

#[test]
fn nothing_is_asked_when_nothing_changes() {
    let rows = json!({ "EUR": "Euro" });
    let (stored, _) = made(None, rows.clone());
    let (planned, host) = plan(Some(&stored), &config(rows), host());
    assert_eq!(planned.unwrap().stored, stored);
    assert!(host.asked().is_empty());
}

#[test]
fn a_plan_asks_only_what_changes_nothing() {
    let (_, host) = plan(None, &config(json!({ "EUR": "Euro" })), host());
    let [(question, request)] = host.asked() else {
        panic!("{:?}", host.asked());
    };
    assert_eq!(question, "plan");
    let reached = json!({ "url": "sqlite:shop.db", "password": "secret://env/PASSWORD" });
    assert_eq!(request["databases"], json!({ "main": reached }));
}

#[test]
fn another_place_is_another_table() {
    let rows = json!({ "EUR": "Euro" });
    let (stored, _) = made(None, rows.clone());
    let mut moved = config(rows);
    moved["url"] = json!("sqlite:other.db");
    let (planned, _) = plan(Some(&stored), &moved, host());
    assert_eq!(planned.unwrap().replace, ["/url"]);
    let renamed = host().run(|| {
        let proposed = proposed(&moved, Some(&stored));
        provider(Json::Null).plan(KIND, Some(&stored), &moved, proposed)
    });
    assert_eq!(renamed.0.unwrap().replace, ["/url", "/table"]);
}

#[test]
fn what_is_not_known_yet_is_known_when_it_is_made() {
    let rows = json!({ "EUR": unknown() });
    let (planned, host) = plan(None, &config(rows), host());
    let planned = planned.unwrap();
    assert!(has_unknown(&planned.stored.state["revision"]) && host.asked().is_empty());
    let mut known = planned.stored;
    known.state["rows"] = json!({ "EUR": "Euro" });
    let config = config(json!({ "EUR": "Euro" }));
    let (stored, _) = self::host().run(|| provider(json!("ref_")).create(KIND, known, &config));
    assert_eq!(stored.unwrap().state["revision"], json!(1));
}

#[test]
fn what_was_taken_back_elsewhere_is_seen() {
    let (first, _) = made(None, json!({ "EUR": "Euro" }));
    let (second, _) = made(Some(&first), json!({ "EUR": "euro" }));
    let applied = |names: &'static [&'static str]| {
        Host::without_database().with_engine(move |_, request| {
            let name = request["migration"]["name"].as_str().unwrap();
            Ok(json!({ "state": if names.contains(&name) { "applied" } else { "pending" } }))
        })
    };
    let read = |host: Host| {
        let (read, _) = host.run(|| provider(json!("ref_")).read(KIND, second.clone()));
        read.unwrap()
    };
    assert_eq!(
        read(applied(&["ref_currencies-0001", "ref_currencies-0002"])),
        Some(second.clone())
    );
    assert_eq!(read(applied(&["ref_currencies-0001"])), Some(first));
    assert_eq!(read(applied(&[])), None);
}

#[test]
fn a_state_of_version_0_becomes_one_of_today() {
    let file: Json = whimbrel_sdk::serde_json::from_str(include_str!("version-0.tfstate")).unwrap();
    let old = &file["resources"][0]["instances"][0]["attributes"];
    let state = LookupTables::upgrade(KIND, 0, old.clone()).unwrap();
    assert_eq!(
        (&state["revision"], state.get("migrations")),
        (&json!(2), None)
    );
    assert_eq!(state["rows"], old["rows"]);
    let refused = LookupTables::upgrade(KIND, 0, json!({ "rows": {} })).unwrap_err();
    assert_eq!(refused.pointer.as_deref(), Some("/migrations"));
}

#[test]
fn its_end_takes_back_the_newest_first() {
    let (first, _) = made(None, json!({ "EUR": "Euro" }));
    let (second, _) = made(Some(&first), json!({}));
    let (ended, host) = host().run(|| provider(json!("ref_")).delete(KIND, second));
    ended.unwrap();
    let asked = host.asked().iter();
    let asked: Vec<_> = asked
        .map(|(question, request)| (question.as_str(), &request["migration"]["name"]))
        .collect();
    let expected = [
        ("revert", &json!("ref_currencies-0002")),
        ("revert", &json!("ref_currencies-0001")),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_database_that_is_not_there_yet_is_a_warning_and_a_refusal_is_none() {
    let answering = |class| {
        let fault = Fault::new(class, "engine.unread", "it isn't there");
        Host::without_database().with_engine(move |_, _| Err(fault.clone()))
    };
    let config = config(json!({}));
    let (planned, _) = plan(None, &config, answering(FaultClass::Unavailable));
    assert_eq!(
        planned.unwrap().warnings,
        [("/url".to_owned(), "it isn't there".to_owned())]
    );
    let (refused, _) = plan(None, &config, answering(FaultClass::Conflict));
    assert_eq!(refused.unwrap_err()[0].message, "it isn't there");
}

#[test]
fn what_is_wrong_says_where() {
    let mut config = config(json!({ "a/b": null }));
    config["name"] = json!("Currencies!");
    config["password"] = json!("hunter2");
    let faults = LookupTables::validate(KIND, &config).unwrap_err();
    let pointers: Vec<_> = faults
        .iter()
        .map(|fault| fault.pointer.as_deref())
        .collect();
    assert_eq!(pointers, ["/name", "/password", "/rows/a~1b"].map(Some));
}
