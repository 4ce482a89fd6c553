//! The library's errors in the product's words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value as Json;
use whimbrel_core::suggestion::nearest;

use super::Mismatch;
use super::bounds::escaped;

/// What one error says; several things when it is about several keys.
pub(super) fn mismatches(
    schema: &Json,
    config: &Json,
    error: &ValidationError<'_>,
) -> Vec<Mismatch> {
    let pointer = error.instance_path().as_str().to_owned();
    let at = |message: String| Mismatch {
        pointer: pointer.clone(),
        message,
        hint: None,
        is_missing: false,
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = keys(schema, error);
            let unknown = unexpected.iter();
            unknown
                .map(|key| unknown_key(&pointer, key, &known))
                .collect()
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let about = property_of(schema, error, key);
            vec![Mismatch {
                pointer: format!("{pointer}/{}", escaped(key)),
                message: format!("`{key}` is missing"),
                hint: about.map(|about| format!("`{key}`: {about}")),
                is_missing: true,
            }]
        }
        Kind::Type { kind } => {
            let found = config.pointer(&pointer).map_or("nothing", kind_of);
            vec![at(format!("expected {}, found {found}", wanted(kind)))]
        }
        Kind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(shown)
                .collect();
            let hint = config
                .pointer(&pointer)
                .and_then(Json::as_str)
                .and_then(|word| {
                    nearest(word, options.iter().map(|option| option.trim_matches('`')))
                        .map(|near| format!("did you mean `{near}`?"))
                });
            vec![Mismatch {
                hint,
                ..at(format!("expected {}", either(&options)))
            }]
        }
        Kind::Constant { expected_value } => {
            vec![at(format!("expected {}", shown(expected_value)))]
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            none_fits(schema, config, error, context)
        }
        Kind::OneOfMultipleValid { .. } => {
            vec![at(
                "fits several of the shapes of which it must have one".to_owned()
            )]
        }
        Kind::Minimum { limit } => vec![at(format!("expected at least {limit}"))],
        Kind::Maximum { limit } => vec![at(format!("expected at most {limit}"))],
        Kind::ExclusiveMinimum { limit } => vec![at(format!("expected more than {limit}"))],
        Kind::ExclusiveMaximum { limit } => vec![at(format!("expected less than {limit}"))],
        Kind::MinLength { limit } => vec![at(format!(
            "expected at least {}",
            counted(*limit, "character")
        ))],
        Kind::MaxLength { limit } => vec![at(format!(
            "expected at most {}",
            counted(*limit, "character")
        ))],
        Kind::MinItems { limit } => {
            vec![at(format!("expected at least {}", counted(*limit, "item")))]
        }
        Kind::MaxItems { limit } => {
            vec![at(format!("expected at most {}", counted(*limit, "item")))]
        }
        Kind::Pattern { pattern } => vec![at(format!("expected text that matches `{pattern}`"))],
        // Where a map may have no keys at all, the library names none.
        Kind::FalseSchema
            if error
                .schema_path()
                .as_str()
                .ends_with("/additionalProperties") =>
        {
            let fields = config.pointer(&pointer).and_then(Json::as_object);
            let keys = fields.into_iter().flat_map(serde_json::Map::keys);
            keys.map(|key| unknown_key(&pointer, key, &[])).collect()
        }
        Kind::FalseSchema => vec![at("nothing is expected here".to_owned())],
        // The masked form says what was expected and not what is there.
        _ => vec![at(super::shortened(&error.masked().to_string()))],
    }
}

/// Of several shapes none fits: what is wrong with the one that was meant, if it is clear which.
fn none_fits(
    schema: &Json,
    config: &Json,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
) -> Vec<Mismatch> {
    let other_type = |inner: &ValidationError<'_>| {
        matches!(inner.kind(), Kind::Type { .. }) && inner.instance_path() == error.instance_path()
    };
    let meant: Vec<_> = context
        .iter()
        .filter(|shape| !shape.iter().any(other_type))
        .collect();
    if let [shape] = meant.as_slice() {
        return shape
            .iter()
            .flat_map(|inner| mismatches(schema, config, inner))
            .collect();
    }
    let pointer = error.instance_path().as_str();
    let message = if meant.is_empty() {
        let kinds = context
            .iter()
            .flatten()
            .filter_map(|inner| match inner.kind() {
                Kind::Type { kind } if other_type(inner) => Some(wanted(kind)),
                _ => None,
            });
        let mut kinds: Vec<String> = kinds.collect();
        kinds.dedup();
        let found = config.pointer(pointer).map_or("nothing", kind_of);
        format!("expected {}, found {found}", either(&kinds))
    } else {
        format!("fits none of the {} shapes that it may have", context.len())
    };
    vec![Mismatch {
        pointer: pointer.to_owned(),
        message,
        hint: None,
        is_missing: false,
    }]
}

fn unknown_key(pointer: &str, key: &str, known: &[&str]) -> Mismatch {
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => {
            let quoted: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            Some(format!("the keys are {}", quoted.join(", ")))
        }
    };
    Mismatch {
        pointer: format!("{pointer}/{}", escaped(key)),
        message: format!("unknown key `{key}`"),
        hint,
        is_missing: false,
    }
}

/// The part of the schema that an error's keyword stands in.
fn part<'a>(schema: &'a Json, error: &ValidationError<'_>) -> Option<&'a Json> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}

fn keys<'a>(schema: &'a Json, error: &ValidationError<'_>) -> Vec<&'a str> {
    let properties = part(schema, error).and_then(|part| part.get("properties")?.as_object());
    properties
        .into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
        .collect()
}

/// What the schema says of a property, in its first line.
fn property_of<'a>(schema: &'a Json, error: &ValidationError<'_>, key: &str) -> Option<&'a str> {
    let property = part(schema, error)?.get("properties")?.get(key)?;
    property.get("description")?.as_str()?.lines().next()
}

fn wanted(kind: &TypeKind) -> String {
    let names: Vec<String> = match kind {
        TypeKind::Single(kind) => vec![in_words(&kind.to_string()).to_owned()],
        TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(|kind| in_words(&kind.to_string()).to_owned())
            .collect(),
    };
    either(&names)
}

fn in_words(kind: &str) -> &str {
    match kind {
        "null" => "nothing",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

const fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

/// A value of the schema.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => format!("`{text}`"),
        other => format!("`{}`", super::shortened(&other.to_string())),
    }
}

fn either(words: &[String]) -> String {
    match words {
        [] => "something else".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

fn counted(number: u64, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {what}{end}")
}
