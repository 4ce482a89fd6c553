//! The schemas accept what is right and refuse what is wrong, by a small validator of what they use.

use serde_json::{Value as Json, json};
use whimbrel_config::{Kind, schema};

/// Whether a value is valid; patterns aren't asked.
fn valid(schema: &Json, value: &Json) -> bool {
    let object = schema.as_object().unwrap();
    object.iter().all(|(keyword, rule)| match keyword.as_str() {
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("{other}"),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "required" => rule
            .as_array()
            .unwrap()
            .iter()
            .all(|key| value.get(key.as_str().unwrap()).is_some()),
        "properties" => rule
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, rule)| value.get(key).is_none_or(|value| valid(rule, value))),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(key, value)| {
                let known = object
                    .get("properties")
                    .is_some_and(|known| known.get(key).is_some());
                known || rule.as_bool().unwrap_or_else(|| valid(rule, value))
            })
        }),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| valid(rule, item))),
        "minItems" => value
            .as_array()
            .is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "minimum" => value
            .as_u64()
            .is_none_or(|number| number >= rule.as_u64().unwrap()),
        "maximum" => value
            .as_u64()
            .is_none_or(|number| number <= rule.as_u64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "anyOf" => rule
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| valid(rule, value)),
        "oneOf" => {
            rule.as_array()
                .unwrap()
                .iter()
                .filter(|rule| valid(rule, value))
                .count()
                == 1
        }
        "$schema" | "$id" | "title" | "description" | "pattern" | "propertyNames" => true,
        other => panic!("{other}"),
    })
}

fn documents(folder: &std::path::Path, found: &mut Vec<(Kind, Json)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let document: Json = serde_yaml::from_str(&text).unwrap();
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| document["kind"] == kind.as_str());
            found.push((kind.unwrap(), document));
        }
    }
}

#[test]
fn every_document_of_the_example_is_valid() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");
    let mut found = Vec::new();
    documents(root.as_ref(), &mut found);
    assert!(found.len() >= 10);
    for (kind, document) in found {
        assert!(valid(&schema(kind), &document), "{document:#}");
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            assert!(!valid(&schema(other), &document), "{document:#}");
        }
    }
}

#[test]
fn mistakes_are_invalid() {
    let document = |spec: Json| json!({"apiVersion": "whimbrel.dev/v1alpha1", "kind": "Migration", "metadata": {"name": "x"}, "spec": spec});
    let schema = schema(Kind::Migration);
    assert!(valid(
        &schema,
        &document(json!({"steps": [{"sql": "SELECT 1"}]}))
    ));
    for spec in [
        json!({}),
        json!({"steps": []}),
        json!({"steps": [{}]}),
        json!({"steps": [{"sql": "a", "uses": "b"}]}),
        json!({"steps": [{"sql": "a", "retries": 1}]}),
        json!({"steps": [{"sql": "a"}], "checks": {"after": [{"name": "a", "query": "b"}]}}),
    ] {
        assert!(!valid(&schema, &document(spec.clone())), "{spec}");
    }
}

#[test]
fn an_environment_may_leave_out_and_take_away() {
    let document = |spec: Json| json!({"apiVersion": "whimbrel.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "x"}, "spec": spec});
    let schema = schema(Kind::Environment);
    for spec in [
        json!({"databases": {"shop": {"role": null}}, "parameters": {"a": null}}),
        json!({"databases": {"shop": {"password": {"key": "x"}, "url": "secret://vault/url"}}}),
    ] {
        assert!(valid(&schema, &document(spec.clone())), "{spec}");
    }
    assert!(!valid(
        &schema,
        &document(json!({"policy": {"apply": "auto"}}))
    ));
    assert!(!valid(&schema, &json!({"kind": "Environment"})));
    assert_eq!(
        schema["$id"],
        "https://whimbrel.dev/schema/v1alpha1/Environment.json"
    );
}
