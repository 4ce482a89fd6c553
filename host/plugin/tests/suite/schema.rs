//! Configurations against the schemas that plugins give for them.

use std::time::{Duration, Instant};

use crate::support::{admit, built, hostile, plugin};
use serde_json::{Map, Value as Json, json};
use whimbrel_plugin::{ConfigSchema, Grants, Limits, PluginError, SchemaError};

fn schema(schema: &Json) -> ConfigSchema {
    ConfigSchema::new(schema, &Limits::default()).unwrap()
}

fn refused(schema: &Json) -> SchemaError {
    ConfigSchema::new(schema, &Limits::default()).unwrap_err()
}

/// Each mismatch as `pointer: message [hint]`.
fn said(schema: &ConfigSchema, config: &Json) -> Vec<String> {
    let mismatches = schema.mismatches(config).into_iter();
    mismatches
        .map(|mismatch| {
            let hint = mismatch
                .hint
                .map_or_else(String::new, |hint| format!(" [{hint}]"));
            format!("{}: {}{hint}", mismatch.pointer, mismatch.message)
        })
        .collect()
}

fn shop() -> ConfigSchema {
    schema(&json!({
        "type": "object",
        "properties": {
            "table": {"type": "string", "description": "The table.\nMore of it.", "minLength": 1, "maxLength": 8},
            "batchSize": {"type": "integer", "minimum": 1, "maximum": 10},
            "mode": {"enum": ["fast", "careful"]},
            "kind": {"const": "copy"},
            "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "keys": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "minItems": 1, "maxItems": 3, "uniqueItems": true},
            "revert": {"anyOf": [{"$ref": "#/$defs/Rows"}, {"type": "string"}, {"type": "null"}]},
            "either": {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]},
            "never": false,
            "a/b": {"type": ["string", "boolean"]}
        },
        "required": ["table"],
        "additionalProperties": false,
        "$defs": {"Rows": {"type": "object", "properties": {"set": {"type": "string"}}, "required": ["set"], "additionalProperties": false}}
    }))
}

#[test]
fn what_fits_fits() {
    let config = json!({
        "table": "orders", "batchSize": 3, "mode": "fast", "kind": "copy", "share": 0.5, "keys": ["a", "b"],
        "revert": {"set": "x"}, "either": {"a": 1}, "a/b": true
    });
    assert!(shop().mismatches(&config).is_empty());
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place() {
    let schema = shop();
    let all = said(
        &schema,
        &json!({"tabel": "orders", "batchSize": "many", "mode": "carefull", "share": 1, "a/b": 3}),
    );
    assert_eq!(
        all,
        [
            "/a~1b: expected true or false or text, found a number",
            "/batchSize: expected a whole number, found text",
            "/mode: expected `fast` or `careful` [did you mean `careful`?]",
            "/share: expected less than 1",
            "/tabel: unknown key `tabel` [did you mean `table`?]",
            "/table: `table` is missing [`table`: The table.]",
        ]
    );
}

#[test]
fn each_expectation_has_its_words() {
    let schema = shop();
    for (wrong, expected) in [
        (
            json!({"table": ""}),
            "/table: expected at least 1 character",
        ),
        (
            json!({"table": "123456789"}),
            "/table: expected at most 8 characters",
        ),
        (json!({"batchSize": 0}), "/batchSize: expected at least 1"),
        (json!({"batchSize": 11}), "/batchSize: expected at most 10"),
        (json!({"share": 0}), "/share: expected more than 0"),
        (json!({"kind": "move"}), "/kind: expected `copy`"),
        (json!({"keys": []}), "/keys: expected at least 1 item"),
        (
            json!({"keys": ["a", "b", "c", "d"]}),
            "/keys: expected at most 3 items",
        ),
        (
            json!({"keys": ["a", "B"]}),
            "/keys/1: expected text that matches `^[a-z]+$`",
        ),
        (
            json!({"keys": {"a": 1}}),
            "/keys: expected a list, found a map",
        ),
        (
            json!({"revert": 3}),
            "/revert: expected a map, text or nothing, found a number",
        ),
        (json!({"revert": {}}), "/revert/set: `set` is missing"),
        (
            json!({"revert": {"set": 1}}),
            "/revert/set: expected text, found a number",
        ),
        (
            json!({"either": {}}),
            "/either: fits none of the 2 shapes that it may have",
        ),
        (
            json!({"either": {"a": 1, "b": 2}}),
            "/either: fits several of the shapes of which it must have one",
        ),
        (json!({"never": 1}), "/never: nothing is expected here"),
        (
            json!({"zzzzzz": 1}),
            "/zzzzzz: unknown key `zzzzzz` [the keys are",
        ),
    ] {
        let mut config = wrong.clone();
        let fields = config.as_object_mut().unwrap();
        fields.entry("table").or_insert(json!("orders"));
        let found = said(&schema, &config);
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{wrong}: {found:?}"
        );
    }
    assert_eq!(
        said(&schema, &json!([])),
        [": expected a map, found a list"]
    );
}

/// References to secrets are resolved before a backend's configuration is checked, so no message may hold a value.
#[test]
fn no_value_of_the_configuration_is_said() {
    let schema = schema(&json!({
        "properties": {
            "a": {"type": "integer"}, "b": {"pattern": "^x"}, "c": {"enum": ["y"]}, "d": {"not": {"type": "string"}},
            "e": {"uniqueItems": true}, "f": {"multipleOf": 2}, "g": {"contains": {"const": 1}}, "h": {"maxProperties": 0},
            "i": {"propertyNames": {"maxLength": 1}}, "j": {"anyOf": [{"const": 1}, {"const": 2}]}
        }
    }));
    let secret = "hunter2";
    let config = json!({
        "a": secret, "b": secret, "c": secret, "d": secret, "e": [secret, secret], "f": 3, "g": [secret],
        "h": {"x": secret}, "i": {"xy": secret}, "j": secret
    });
    let said = said(&schema, &config);
    assert_eq!(said.len(), 10, "{said:?}");
    assert!(!said.iter().any(|line| line.contains(secret)), "{said:?}");
}

#[test]
fn no_more_is_said_than_is_read() {
    let limits = Limits {
        mismatches: 3,
        ..Limits::default()
    };
    let schema = ConfigSchema::new(&json!({"additionalProperties": false}), &limits).unwrap();
    let config: Map<String, Json> = (0..50).map(|i| (format!("k{i}"), json!(1))).collect();
    let said = said(&schema, &Json::Object(config));
    assert_eq!(
        said,
        [
            "/k0: unknown key `k0`",
            "/k1: unknown key `k1`",
            "/k10: unknown key `k10`"
        ]
    );
}

#[test]
fn nothing_outside_of_the_schema_is_followed() {
    for outside in [
        "https://example.org/schema",
        "file:///etc/passwd",
        "other.json",
        "#name",
    ] {
        let error = refused(&json!({"properties": {"a": {"$ref": outside}}}));
        assert_eq!(error, SchemaError::Outside(outside.to_owned()));
    }
    assert_eq!(
        refused(&json!({"$ref": "#/$defs/none"})),
        SchemaError::Missing("#/$defs/none".to_owned())
    );
    for keyword in ["$id", "$anchor", "$dynamicRef", "$recursiveRef"] {
        let mut part = Map::new();
        part.insert(keyword.to_owned(), json!("x"));
        assert_eq!(
            refused(&json!({"items": part})),
            SchemaError::Keyword(keyword)
        );
    }
    let unknown = refused(&json!({"$schema": "https://example.org/dialect"}));
    assert!(matches!(unknown, SchemaError::Invalid(_)), "{unknown}");
    // Its own name is no reference, and names of properties are no keywords.
    schema(&json!({"$id": "https://example.org/own", "properties": {"$ref": {"type": "string"}}}));
    schema(&json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {}}}));
}

#[test]
fn what_is_no_schema_is_refused() {
    for wrong in [
        json!(5),
        json!({"type": "nonsense"}),
        json!({"pattern": "("}),
    ] {
        assert!(matches!(refused(&wrong), SchemaError::Invalid(_)));
    }
    let large = json!({"description": "x".repeat(300_000)});
    assert!(matches!(refused(&large), SchemaError::Size { .. }));
    let long = refused(&json!({"type": "x".repeat(10_000)})).to_string();
    assert!(long.len() < 1_000, "{}", long.len());
}

/// Two references to the next definition, thirty times over: a billion evaluations.
fn doubling(same_value: bool) -> Json {
    let mut definitions = Map::new();
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        let part = if same_value {
            json!({"allOf": [next, next]})
        } else {
            json!({"allOf": [{"properties": {"a": next}}, {"properties": {"a": next}}]})
        };
        definitions.insert(format!("d{level}"), part);
    }
    definitions.insert("d30".to_owned(), json!({"type": "object"}));
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn a_schema_costs_no_more_than_it_may() {
    let begun = Instant::now();
    assert!(matches!(refused(&doubling(true)), SchemaError::Work(_)));
    let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    let schema = schema(&doubling(false));
    assert!(schema.mismatches(&deep(5)).is_empty());
    let refused = said(&schema, &deep(29));
    assert!(refused[0].contains("too large or too deep"), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_schema_that_leads_back_to_itself_must_go_deeper() {
    for circle in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"anyOf": [{"not": {"$ref": "#"}}]}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"if": {"$ref": "#/$defs/b"}}, "b": {"dependentSchemas": {"x": {"$ref": "#/$defs/a"}}}}}),
    ] {
        assert_eq!(refused(&circle), SchemaError::Endless);
    }
    let tree = schema(&json!({
        "type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": {"type": "string"}},
        "unevaluatedProperties": false
    }));
    let config = json!({"children": [{"name": "a", "children": []}, {"nam": "b"}]});
    assert_eq!(
        said(&tree, &config),
        ["/children/1/nam: unknown key `nam` [did you mean `name`?]"]
    );
    let deep = (0..100).fold(json!({}), |inner, _| json!({"children": [inner]}));
    assert!(said(&tree, &deep)[0].contains("too deep"));
}

/// A pattern that takes a backtracking matcher longer than the universe is old.
#[test]
fn patterns_take_linear_time() {
    let schema = schema(&json!({"properties": {"a": {"pattern": "^(a+)+$"}}}));
    let begun = Instant::now();
    let config = json!({"a": format!("{}!", "a".repeat(10_000))});
    assert_eq!(schema.mismatches(&config).len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5));
    for (pattern, why) in [("(a{1000}){1000}", "too large"), ("(?=a)", "looks around")] {
        let refused = refused(&json!({"pattern": pattern}));
        assert!(matches!(refused, SchemaError::Invalid(_)), "{why}");
    }
}

#[tokio::test]
async fn a_step_s_with_is_checked_against_its_own_schema() {
    let limits = Limits::default();
    let backfill = built("components", "backfill");
    let backfill = admit(backfill, Grants::default(), limits).await.unwrap();
    let right = json!({"table": "orders", "set": "a = 1", "revert": {"set": "a = 0", "where": "a = 1"}, "pause": "5ms"});
    assert_eq!(backfill.mismatches(&right).await.unwrap(), []);
    let wrong = json!({"tabel": "orders", "set": 1, "batchSize": 0});
    let found = backfill.mismatches(&wrong).await.unwrap();
    let pointers: Vec<_> = found.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(pointers, ["/batchSize", "/set", "/tabel", "/table"]);
    let nothing = backfill.mismatches(&Json::Null).await.unwrap();
    let messages: Vec<_> = nothing.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(messages, ["`set` is missing", "`table` is missing"]);
}

#[tokio::test]
async fn a_missing_with_is_no_map() {
    let lenient = plugin(Limits::default()).await;
    let found = lenient.mismatches(&Json::Null).await.unwrap();
    assert_eq!(found[0].message, "expected a map, found nothing");
    assert_eq!(lenient.mismatches(&json!({})).await.unwrap(), []);
}

#[tokio::test]
async fn a_schema_that_is_none_is_the_plugin_s_fault() {
    let mut bytes = hostile();
    let (wanted, instead) = (b"object", b"objekt");
    let places: Vec<_> = (0..bytes.len() - wanted.len())
        .filter(|start| bytes[*start..].starts_with(wanted))
        .collect();
    for start in places {
        bytes[start..start + wanted.len()].copy_from_slice(instead);
    }
    let plugin = admit(bytes, Grants::default(), Limits::default()).await;
    let error = plugin.unwrap().mismatches(&json!({})).await.unwrap_err();
    assert!(
        matches!(&error, PluginError::Answer { function: "describe", reason, .. } if reason.contains("no JSON Schema")),
        "{error}"
    );
}
