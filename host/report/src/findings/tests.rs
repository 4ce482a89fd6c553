//! Findings in every format.

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::place::Place;

use super::{Notes, json, junit, sarif, text};
use crate::plan::tests::plain;

fn finding(rule: &str, severity: Severity, message: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        message: message.to_owned(),
        help: None,
        migration: None,
        target: None,
        path: None,
        line: None,
        column: None,
        excerpt: None,
    }
}

fn findings() -> Vec<Finding> {
    let mut index = finding(
        "require-concurrent-index-creation",
        Severity::Warning,
        "this index locks its table",
    );
    index.migration = Some("0002-index".parse().unwrap());
    index.path = Some("migrations/0002 ä.yaml".to_owned());
    index.line = Some(7);
    index.help = Some("CREATE INDEX CONCURRENTLY".to_owned());
    let mut syntax = finding("syntax", Severity::Error, "unexpected \"<\" & \u{1} here");
    syntax.migration = Some("0003-broken".parse().unwrap());
    syntax.path = Some("migrations/0003-broken.sql".to_owned());
    syntax.help = Some("look at it".to_owned());
    let mut again = finding("syntax", Severity::Error, "another");
    again.target = Some(whimbrel_core::name::TargetName::single(
        "shop".parse().unwrap(),
    ));
    let mut folder = finding("empty", Severity::Note, "nothing is here");
    folder.path = Some("migrations".to_owned());
    vec![
        syntax,
        index,
        again,
        folder,
        finding("project", Severity::Note, "odd"),
    ]
}

#[test]
fn for_people_the_worst_comes_last() {
    insta::assert_snapshot!(plain(&text(&findings(), 3, Notes::Shown)));
    assert_eq!(
        plain(&text(&[], 1, Notes::Shown)),
        "no findings in 1 migration\n"
    );
}

#[test]
fn notes_are_counted_so_that_they_drown_nothing() {
    let text = plain(&text(&findings(), 3, Notes::Counted));
    assert!(!text.contains("nothing is here"), "{text}");
    assert!(
        text.ends_with(
            "notes: 1 empty, 1 project\n  help: `--verbose` shows them\n\n2 errors, 1 warning, 2 notes in 3 migrations\n"
        ),
        "{text}"
    );
    assert!(text.starts_with("warning["), "{text}");
}

#[test]
fn for_programs_they_are_counted() {
    let value: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
    assert_eq!(value["summary"]["errors"], 2);
    assert_eq!(value["summary"]["notes"], 2);
    assert_eq!(value["findings"][2]["target"], "shop");
}

#[test]
fn for_pipelines_each_migration_is_a_case() {
    let migrations = ["0001-good", "0002-index", "0003-broken"].map(str::to_owned);
    insta::assert_snapshot!(junit("whimbrel lint", &migrations, &findings()));
}

#[test]
fn for_code_hosts_each_result_has_its_rule() {
    insta::assert_snapshot!(sarif("0.1.0", &findings()));
}

#[test]
fn a_column_is_said_in_every_format() {
    let place = Place {
        path: "migrations/0003-broken.sql".to_owned(),
        line: 2,
        column: 8,
        excerpt: Some(" 2 │ SELECT FORM\n   ·        ^^^^".to_owned()),
    };
    let found = [finding("definition", Severity::Error, "no such word").at(place)];
    assert_eq!(
        plain(&text(&found, 1, Notes::Shown)),
        "error[definition]: migrations/0003-broken.sql:2:8: no such word\n  2 │ SELECT FORM\n    ·        ^^^^\n\n1 error in 1 migration\n"
    );
    let value: serde_json::Value = serde_json::from_str(&json(&found)).unwrap();
    assert_eq!(value["findings"][0]["column"], 8);
    assert_eq!(value["findings"][0].get("excerpt"), None);
    let value: serde_json::Value = serde_json::from_str(&sarif("0.1.0", &found)).unwrap();
    let region = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        *region,
        serde_json::json!({"startLine": 2, "startColumn": 8})
    );
    assert!(junit("x", &[], &found).contains("migrations/0003-broken.sql:2:8: no such word"));
}
