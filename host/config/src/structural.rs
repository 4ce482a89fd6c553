//! Structural schemas for custom resources, made from the same tables that the checks use.
//!
//! What Kubernetes calls structural says less than a JSON Schema: a type for everything, none in alternatives, expressions
//! without look-around. What it can't say, loading says.

use serde_json::{Map, Value as Json, json};

use crate::shape::{Format, Kind, Object, Shape};

/// The most items of a list. The API server bounds the cost of rules by it; no definition comes near.
const ITEMS: usize = 1_000;
/// The most characters of a short text, for the same reason. SQL may be as long as an object can be.
const SHORT_TEXT: usize = 4_096;

/// A reference to a secret, as text.
const REFERENCE: &str = r"^(secret://[^/]+/|ref\+[a-z0-9]+://).+";
macro_rules! options {
    () => {
        r"(\?((host|port|dbname|user|sslmode|sslrootcert)=[^@&?]*(&|$))*)?"
    };
}
/// Any text but a URL with a password in it, be it one of its options: the known ones are listed, because there are many ways
/// to write the name of another.
const NO_PASSWORD: &str = concat!(
    r"^([^@?]+",
    options!(),
    r"|[A-Za-z][A-Za-z0-9+.-]*://[^@:/?]*@[^@?]+",
    options!(),
    r"|(secret|ref\+[a-z0-9]+)://.+)$",
);

macro_rules! day {
    () => {
        "([Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]|[Ss][Uu][Nn])"
    };
}
macro_rules! hour {
    () => {
        "(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
    };
}

/// A weekly window, but for whether there is such a time zone.
pub const WINDOW: &str = concat!(
    r"^\s*([Dd][Aa][Ii][Ll][Yy]|",
    day!(),
    "(-",
    day!(),
    ")?(,",
    day!(),
    "(-",
    day!(),
    r")?)*)\s+",
    hour!(),
    "-",
    hour!(),
    r"\s+[A-Za-z][A-Za-z0-9_+/-]*\s*$",
);

/// The structural schema of `spec` of a kind of document.
#[must_use]
pub fn structural(kind: Kind) -> Json {
    let spec = kind
        .object()
        .fields
        .iter()
        .find(|field| field.name == "spec");
    match spec.map(|field| (&field.shape, field.about)) {
        Some((Shape::Object(spec), about)) => {
            let mut schema = object(spec, kind == Kind::Environment);
            describe(&mut schema, about);
            schema
        }
        _ => json!({ "type": "object" }),
    }
}

/// `partial`: what must be there may come from another document.
fn object(object: &Object, partial: bool) -> Json {
    let mut properties = Map::new();
    for field in object.fields {
        let mut schema = shape(&field.shape, partial);
        describe(&mut schema, field.about);
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<_> = object
        .fields
        .iter()
        .filter(|field| field.required && !partial)
        .map(|field| field.name)
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if let (Some(map), false) = (schema.as_object_mut(), required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    schema
}

fn shape(shape_of: &Shape, partial: bool) -> Json {
    match shape_of {
        Shape::Text(format) => text(*format),
        Shape::Integer { minimum, maximum } => {
            json!({ "type": "integer", "format": "int64", "minimum": minimum, "maximum": maximum })
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::List { item, minimum, .. } => json!({
            "type": "array", "items": shape(item, partial), "minItems": minimum, "maxItems": ITEMS,
        }),
        // Rules can't name a map whose values have no type.
        Shape::JsonMap
        | Shape::Map {
            value: Shape::Parameter,
            ..
        } => json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }),
        Shape::Map { value, .. } => {
            json!({ "type": "object", "additionalProperties": shape(value, partial) })
        }
        Shape::Object(inner) => object(inner, partial),
        Shape::Json | Shape::Parameter => json!({ "x-kubernetes-preserve-unknown-fields": true }),
        Shape::Value { literal: true } => text_or_map(NO_PASSWORD),
        Shape::Value { literal: false } | Shape::Material => text_or_map(REFERENCE),
    }
}

/// A text of a form, or a map. A structural schema can't say "or" of types: one that gives none holds texts to the pattern
/// and lets maps through, and no number and no list fits its bounds.
fn text_or_map(pattern: &str) -> Json {
    json!({
        "x-kubernetes-preserve-unknown-fields": true,
        "pattern": pattern, "minimum": 1, "maximum": 0, "maxItems": 0, "minProperties": 1,
    })
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
        Format::Path => r"^[^/\\][^\\]*$",
        Format::Folder => r"^[^\\]+$",
    };
    json!({ "type": "string", "pattern": pattern, "maxLength": SHORT_TEXT })
}

fn describe(schema: &mut Json, about: &str) {
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(about));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::structural;
    use crate::shape::Kind;

    /// Every part of a schema.
    fn parts(schema: &Json, visit: &mut impl FnMut(&Json)) {
        visit(schema);
        let inner = schema.get("properties").and_then(Json::as_object);
        for part in inner.into_iter().flat_map(|fields| fields.values()) {
            parts(part, visit);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(part) = schema.get(key) {
                parts(part, visit);
            }
        }
    }

    #[test]
    fn everything_has_a_type_or_keeps_what_it_does_not_know() {
        for kind in Kind::ALL {
            parts(&structural(kind), &mut |part| {
                let is_free = part.get("x-kubernetes-preserve-unknown-fields").is_some();
                assert!(part.get("type").is_some() || is_free, "{kind:?}: {part}");
            });
        }
    }

    #[test]
    fn what_a_cluster_is_told_has_a_description() {
        for kind in [
            Kind::Environment,
            Kind::Migration,
            Kind::GitSource,
            Kind::Approval,
        ] {
            let schema = structural(kind);
            let fields = schema["properties"].as_object().unwrap();
            assert!(!fields.is_empty());
            for (name, field) in fields {
                assert!(field["description"].is_string(), "{kind:?} {name}");
            }
        }
    }
}
