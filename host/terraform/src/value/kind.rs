//! Types, and Terraform's JSON of them: `"string"`, `["list", "number"]`, `["object", {"a": "bool"}]`.
//!
//! Source: `docs/plugin-protocol/object-wire-format.md` of Terraform.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::error::ValueError;
use super::{Place, Step};

/// A type constraint of Terraform's language.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Type {
    /// Text.
    String,
    /// A number of any precision.
    Number,
    /// A boolean.
    Bool,
    /// Known only with the value.
    #[default]
    Dynamic,
    /// An ordered collection.
    List(Box<Type>),
    /// A collection without order.
    Set(Box<Type>),
    /// A collection by key.
    Map(Box<Type>),
    /// A fixed set of attributes.
    Object(BTreeMap<String, Type>),
    /// A fixed sequence of elements.
    Tuple(Vec<Type>),
}

impl Type {
    /// Reads Terraform's JSON.
    ///
    /// # Errors
    /// It isn't the JSON of a type.
    pub fn from_json(json: &Json) -> Result<Self, ValueError> {
        read(json, &mut Place::default())
    }

    /// Reads Terraform's JSON as text.
    pub(crate) fn from_bytes(bytes: &[u8], place: &mut Place) -> Result<Self, ValueError> {
        let json: Json = serde_json::from_slice(bytes)
            .map_err(|error| place.wrong(format!("the JSON of a type can't be read: {error}")))?;
        read(&json, place)
    }

    /// Terraform's JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<String, Json> = attributes
                    .iter()
                    .map(|(name, kind)| (name.clone(), kind.to_json()))
                    .collect();
                json!(["object", attributes])
            }
            Self::Tuple(elements) => {
                json!([
                    "tuple",
                    elements.iter().map(Self::to_json).collect::<Vec<_>>()
                ])
            }
        }
    }

    /// Terraform's JSON as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Whether a value's type is left open somewhere in it.
    #[must_use]
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::String | Self::Number | Self::Bool => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
        }
    }

    /// For messages.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Dynamic => "a value with its type",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
        }
    }
}

fn read(json: &Json, place: &mut Place) -> Result<Type, ValueError> {
    match json {
        Json::String(name) => match name.as_str() {
            "string" => Ok(Type::String),
            "number" => Ok(Type::Number),
            "bool" => Ok(Type::Bool),
            "dynamic" => Ok(Type::Dynamic),
            _ => Err(place.wrong(format!("`{name}` is no type"))),
        },
        Json::Array(parts) => match parts.as_slice() {
            [Json::String(name), argument] => {
                place.within(Step::Index(1), |place| compound(name, argument, place))
            }
            // Attributes that may be left out are a matter of type constraints in configurations, never of values.
            [Json::String(name), Json::Object(_), Json::Array(_)] if name == "object" => {
                Err(place.wrong("an object type of a value has no optional attributes"))
            }
            _ => Err(place.wrong("expected a type such as [\"list\", \"string\"]")),
        },
        _ => Err(place.wrong("expected a type such as \"string\" or [\"list\", \"string\"]")),
    }
}

fn compound(name: &str, argument: &Json, place: &mut Place) -> Result<Type, ValueError> {
    match (name, argument) {
        ("list", element) => Ok(Type::List(Box::new(read(element, place)?))),
        ("set", element) => Ok(Type::Set(Box::new(read(element, place)?))),
        ("map", element) => Ok(Type::Map(Box::new(read(element, place)?))),
        ("object", Json::Object(attributes)) => attributes
            .iter()
            .map(|(name, kind)| {
                let kind = place.within(Step::Name(name.clone()), |place| read(kind, place))?;
                Ok((name.clone(), kind))
            })
            .collect::<Result<_, _>>()
            .map(Type::Object),
        ("tuple", Json::Array(elements)) => elements
            .iter()
            .enumerate()
            .map(|(index, kind)| place.within(Step::Index(index), |place| read(kind, place)))
            .collect::<Result<_, _>>()
            .map(Type::Tuple),
        ("object" | "tuple", _) => Err(place.wrong(format!("this is no argument of `{name}`"))),
        _ => Err(place.wrong(format!("`{name}` is no type"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::samples::types;
    use super::*;

    proptest! {
        #[test]
        fn a_type_is_read_as_it_was_written(kind in types()) {
            prop_assert_eq!(Type::from_json(&kind.to_json()), Ok(kind));
        }
    }

    #[test]
    fn what_is_no_type_is_refused_with_its_place() {
        for (json, pointer) in [
            (json!(3), ""),
            (json!("text"), ""),
            (json!(["list"]), ""),
            (json!(["list", "text"]), "/1"),
            (json!(["object", "string"]), "/1"),
            (json!(["object", {"a": "text"}]), "/1/a"),
            (json!(["tuple", ["string", 1]]), "/1/1"),
            (json!(["object", {"a": "string"}, ["a"]]), ""),
        ] {
            let error = Type::from_json(&json).unwrap_err();
            assert_eq!(error.pointer(), pointer, "{json}: {error}");
        }
    }

    #[test]
    fn a_type_without_end_is_refused() {
        let mut json = json!("string");
        for _ in 0..1_000 {
            json = json!(["list", json]);
        }
        let error = Type::from_json(&json).unwrap_err();
        assert!(error.why().contains("deeper"), "{error}");
    }
}
