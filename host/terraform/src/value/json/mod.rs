//! Values as JSON, driven by their types, in two notations.
//!
//! Plain is Terraform's own, of state files. Marked is that of `whimbrel:resources`: `{"$unknown": true}` is a part that
//! isn't known, `{"$sealed": "n"}` a sensitive value that the host holds, and a key that begins with `$` has one more.

mod state;

use std::collections::BTreeMap;

pub(crate) use state::state_from_json;

use super::text::Text;
use super::{Place, Step, Type, Value, ValueError};

const UNKNOWN: &str = "$unknown";
const SEALED: &str = "$sealed";

/// How what Terraform's JSON can't say is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// Not at all.
    Plain,
    /// As `whimbrel:resources` says.
    Marked,
}

impl Value {
    /// Reads the JSON of `whimbrel:resources`: attributes that aren't there are null, others than the type's are refused.
    ///
    /// # Errors
    /// It is no JSON, or doesn't match the type.
    pub fn from_json(text: &str, kind: &Type) -> Result<Self, ValueError> {
        decode(text, kind, Notation::Marked)
    }

    /// The JSON of `whimbrel:resources`, in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        marked(self).write(&mut out);
        out
    }
}

/// Reads a document of a type.
pub(super) fn decode(text: &str, kind: &Type, notation: Notation) -> Result<Value, ValueError> {
    typed(Text::read(text)?, kind, notation, &mut Place::default())
}

fn typed(
    text: Text,
    kind: &Type,
    notation: Notation,
    place: &mut Place,
) -> Result<Value, ValueError> {
    if notation == Notation::Marked
        && let Text::Object(members) = &text
        && let Some(value) = mark(members, place)?
    {
        return Ok(value);
    }
    match (kind, text) {
        (_, Text::Null) => Ok(Value::Null),
        (Type::String, Text::String(text)) => Ok(Value::String(text)),
        (Type::Bool, Text::Bool(value)) => Ok(Value::Bool(value)),
        (Type::Number, Text::Number(number)) => Ok(Value::Number(number)),
        (Type::List(element) | Type::Set(element), Text::Array(elements)) => elements
            .into_iter()
            .enumerate()
            .map(|(index, text)| {
                place.within(Step::Index(index), |place| {
                    typed(text, element, notation, place)
                })
            })
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Type::Tuple(kinds), Text::Array(elements)) if kinds.len() == elements.len() => elements
            .into_iter()
            .zip(kinds)
            .enumerate()
            .map(|(index, (text, kind))| {
                place.within(Step::Index(index), |place| {
                    typed(text, kind, notation, place)
                })
            })
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Type::Map(element), Text::Object(members)) => {
            let members = named(members, notation).map(|(name, text)| {
                let step = Step::Name(name.clone());
                let value = place.within(step, |place| typed(text, element, notation, place))?;
                Ok((name, value))
            });
            members.collect::<Result<_, _>>().map(Value::Map)
        }
        (Type::Object(attributes), Text::Object(members)) => {
            object(members, attributes, notation, place)
        }
        (Type::Dynamic, Text::Object(members)) => dynamic(members, notation, place),
        (_, text) => Err(place.mismatch(kind, text.what())),
    }
}

fn object(
    members: BTreeMap<String, Text>,
    attributes: &BTreeMap<String, Type>,
    notation: Notation,
    place: &mut Place,
) -> Result<Value, ValueError> {
    let mut found = BTreeMap::new();
    for (name, text) in named(members, notation) {
        let Some(kind) = attributes.get(&name) else {
            return Err(place.wrong(format!("`{name}` is no attribute of its type")));
        };
        let step = Step::Name(name.clone());
        let value = place.within(step, |place| typed(text, kind, notation, place))?;
        found.insert(name, value);
    }
    for name in attributes.keys() {
        found.entry(name.clone()).or_default();
    }
    Ok(Value::Map(found))
}

fn dynamic(
    mut members: BTreeMap<String, Text>,
    notation: Notation,
    place: &mut Place,
) -> Result<Value, ValueError> {
    let (Some(kind), Some(value), true) = (
        members.remove("type"),
        members.remove("value"),
        members.is_empty(),
    ) else {
        return Err(place.wrong("expected an object of `type` and `value`"));
    };
    let mut written = String::new();
    kind.write(&mut written);
    let kind = Type::from_bytes(written.as_bytes(), place)?;
    let value = place.within(Step::Name("value".to_owned()), |place| {
        typed(value, &kind, notation, place)
    })?;
    Ok(match value {
        Value::Dynamic(..) => value,
        value => Value::Dynamic(Box::new(kind), Box::new(value)),
    })
}

/// The value that an object of one member stands for.
fn mark(members: &BTreeMap<String, Text>, place: &Place) -> Result<Option<Value>, ValueError> {
    let mut all = members.iter();
    let (Some((name, text)), None) = (all.next(), all.next()) else {
        return Ok(None);
    };
    match (name.as_str(), text) {
        (UNKNOWN, Text::Bool(true)) => Ok(Some(Value::Unknown)),
        (SEALED, Text::String(token)) => match token.parse() {
            Ok(token) => Ok(Some(Value::Sealed(token))),
            Err(_) => Err(place.wrong("the host gave no sealed value of this name")),
        },
        (UNKNOWN | SEALED, _) => Err(place.wrong(format!("`{name}` doesn't mark this"))),
        _ => Ok(None),
    }
}

/// Members by their names without what escapes these.
fn named(
    members: BTreeMap<String, Text>,
    notation: Notation,
) -> impl Iterator<Item = (String, Text)> {
    members.into_iter().map(move |(name, text)| {
        let plain = (notation == Notation::Marked)
            .then(|| name.strip_prefix('$').filter(|rest| rest.starts_with('$')))
            .flatten()
            .map(ToOwned::to_owned);
        (plain.unwrap_or(name), text)
    })
}

fn marked(value: &Value) -> Text {
    let single = |name: &str, text| Text::Object(BTreeMap::from([(name.to_owned(), text)]));
    match value {
        Value::Null => Text::Null,
        Value::Unknown => single(UNKNOWN, Text::Bool(true)),
        Value::Sealed(token) => single(SEALED, Text::String(token.to_string())),
        Value::Bool(value) => Text::Bool(*value),
        Value::Number(number) => Text::Number(number.clone()),
        Value::String(text) => Text::String(text.clone()),
        Value::List(elements) => Text::Array(elements.iter().map(marked).collect()),
        Value::Map(members) => {
            let escaped = |name: &str| {
                if name.starts_with('$') {
                    format!("${name}")
                } else {
                    name.to_owned()
                }
            };
            let members = members.iter();
            Text::Object(
                members
                    .map(|(name, value)| (escaped(name), marked(value)))
                    .collect(),
            )
        }
        Value::Dynamic(kind, value) => {
            // What was made from a type is the JSON of a type.
            let kind = Text::read(&kind.to_json().to_string()).unwrap_or(Text::Null);
            Text::Object(BTreeMap::from([
                ("type".to_owned(), kind),
                ("value".to_owned(), marked(value)),
            ]))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{typed as typed_values, types};
    use super::super::{Token, msgpack};
    use super::*;

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written((kind, value) in typed_values()) {
            prop_assert_eq!(Value::from_json(&value.to_json(), &kind), Ok(value));
        }

        #[test]
        fn json_and_msgpack_say_the_same((kind, value) in typed_values()) {
            let bytes = msgpack::encode(&value, &kind).unwrap();
            let through_msgpack = msgpack::decode(&bytes, &kind).unwrap();
            let through_json = Value::from_json(&through_msgpack.to_json(), &kind).unwrap();
            prop_assert_eq!(msgpack::encode(&through_json, &kind).unwrap(), bytes);
        }

        #[test]
        fn any_json_is_read_or_refused(text in "[\\[\\]{}:,\"$a-z0-9 ]{0,60}", kind in types()) {
            let _ = Value::from_json(&text, &kind);
        }
    }

    #[test]
    fn marks_and_escapes_are_told_apart() {
        let kind = Type::Map(Box::new(Type::String));
        let json = r#"{"$$unknown":{"$unknown":true},"$$a":{"$sealed":"7"},"$$$b":"c"}"#;
        let value = Value::from_json(json, &kind).unwrap();
        let expected = Value::object([
            ("$unknown", Value::Unknown),
            ("$a", Value::Sealed(Token(7))),
            ("$$b", "c".into()),
        ]);
        assert_eq!(value, expected);
        assert_eq!(
            Value::from_json(r#"{"$unknown":true}"#, &kind),
            Ok(Value::Unknown)
        );
        for wrong in [
            r#"{"$unknown":false}"#,
            r#"{"$sealed":7}"#,
            r#"{"$sealed":"x"}"#,
        ] {
            assert!(Value::from_json(wrong, &kind).is_err(), "{wrong}");
        }
    }

    #[test]
    fn attributes_that_are_left_out_are_null_and_others_are_refused() {
        let kind = Type::Object(BTreeMap::from([("a".to_owned(), Type::String)]));
        assert_eq!(
            Value::from_json("{}", &kind),
            Ok(Value::object([("a", Value::Null)]))
        );
        let error = Value::from_json(r#"{"b":1}"#, &kind).unwrap_err();
        assert_eq!(error.to_string(), "`b` is no attribute of its type");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let digits = "123456789012345678901234567890.123456789012345678901234567890";
        let value = Value::from_json(digits, &Type::Number).unwrap();
        assert_eq!(
            value.to_json(),
            "123456789012345678901234567890.12345678901234567890123456789"
        );
        assert!(matches!(value, Value::Number(number) if number == digits.parse().unwrap()));
    }

    #[test]
    fn a_value_of_its_own_type_has_it_beside() {
        let json = r#"{"type":["list","number"],"value":[1,2]}"#;
        let value = Value::from_json(json, &Type::Dynamic).unwrap();
        assert!(
            matches!(&value, Value::Dynamic(kind, _) if **kind == Type::List(Box::new(Type::Number)))
        );
        assert_eq!(value.to_json(), json);
        assert!(Value::from_json(r#"{"type":"string"}"#, &Type::Dynamic).is_err());
    }
}
