//! JSON Schemas for editors, made from the same tables that the checks use.

use serde_json::{Map, Value as Json, json};

use crate::shape::{CLUSTER_REFERENCE, FILE, Format, Kind, Object, REFERENCE, Shape};
use crate::structural::WINDOW;

/// The JSON Schema (2020-12) of a kind of document.
#[must_use]
pub fn schema(kind: Kind) -> Json {
    let mut schema = object(kind.object(), kind == Kind::Environment);
    if let Some(map) = schema.as_object_mut() {
        let name = kind.as_str();
        map.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        map.insert(
            "$id".to_owned(),
            json!(format!("https://whimbrel.dev/schema/v1alpha1/{name}.json")),
        );
        map.insert("title".to_owned(), json!(name));
    }
    schema
}

/// `partial`: what is below may be left to another document, or taken away with `null`.
fn object(object: &Object, partial: bool) -> Json {
    let head = object.fields.iter().any(|field| field.name == "apiVersion");
    let mut properties = Map::new();
    for field in object.fields {
        let below = partial && (!head || field.name == "spec");
        let mut schema = shape(&field.shape, below);
        if below && !head {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        if let Some(map) = schema.as_object_mut() {
            map.insert("description".to_owned(), json!(field.about));
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<_> = object
        .fields
        .iter()
        .filter(|field| field.required && (head || !partial))
        .map(|field| field.name)
        .collect();
    let mut schema =
        json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let (Some(map), false) = (schema.as_object_mut(), required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    if let (Some(map), true) = (schema.as_object_mut(), object.what == "a step") {
        let one = ["sql", "sqlFile", "uses"].map(|key| json!({ "required": [key] }));
        map.insert("oneOf".to_owned(), json!(one));
    }
    schema
}

fn shape(shape_of: &Shape, partial: bool) -> Json {
    match shape_of {
        Shape::Text(format) => text(*format),
        Shape::Integer { minimum, maximum } => {
            json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List { item, minimum, .. } => {
            json!({ "type": "array", "items": shape(item, partial), "minItems": minimum })
        }
        Shape::Map { key, value, .. } => {
            let mut value = shape(value, partial);
            if partial {
                value = json!({ "anyOf": [value, { "type": "null" }] });
            }
            json!({ "type": "object", "propertyNames": text(*key), "additionalProperties": value })
        }
        Shape::Object(inner) => object(inner, partial),
        Shape::Json => json!({}),
        Shape::JsonMap => json!({ "type": "object" }),
        Shape::Parameter => {
            json!({ "anyOf": [{ "type": "string" }, object(&REFERENCE, partial)] })
        }
        Shape::Value { literal: true } => {
            json!({ "anyOf": [{ "type": "string", "minLength": 1 }, object(&REFERENCE, partial), object(&CLUSTER_REFERENCE, partial)] })
        }
        Shape::Value { literal: false } => {
            json!({ "anyOf": [reference(), object(&REFERENCE, partial), object(&CLUSTER_REFERENCE, partial)] })
        }
        Shape::Material => {
            json!({ "anyOf": [reference(), object(&REFERENCE, partial), object(&CLUSTER_REFERENCE, partial), object(&FILE, partial)] })
        }
    }
}

fn reference() -> Json {
    json!({ "type": "string", "pattern": "^(secret://[^/]+/|ref\\+[a-z0-9]+://).+" })
}

fn text(format: Format) -> Json {
    let pattern = match format {
        Format::Any => return json!({ "type": "string" }),
        Format::Filled => return json!({ "type": "string", "minLength": 1 }),
        Format::Window => WINDOW,
        Format::Name => "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        Format::Parameter => "^[A-Za-z_][A-Za-z0-9_-]*$",
        Format::Metric => "^[a-z][a-z0-9_]{0,63}$",
        Format::Duration => "^(0|([0-9]+(d|h|m|s|ms))+)$",
        Format::Digest => "^(sha256:)?[0-9a-fA-F]{64}$",
        Format::Memory => "^[0-9]+(KiB|MiB|GiB)$",
        Format::Path => r"^(?!/)(?!.*(^|/)\.{0,2}(/|$))[^\\]+$",
        Format::Folder => r"^/?(?!/)(?!.*[^/]/\.{0,2}(/|$))(?!\.{1,2}(/|$))[^\\]+$",
    };
    json!({ "type": "string", "pattern": pattern })
}
