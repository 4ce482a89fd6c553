//! The JSON of state files: of this schema's version, or of an older one that nothing describes any more.

use super::super::text::Text;
use super::{Notation, Place, Type, Value, ValueError, typed};

/// Reads a state. With a type, of the schema as it is: attributes that it no longer has are left out. Without one, as it
/// stands: what looks like an object is one.
pub(crate) fn state_from_json(json: &[u8], kind: Option<&Type>) -> Result<Value, ValueError> {
    let text =
        std::str::from_utf8(json).map_err(|_| Place::default().wrong("the state isn't UTF-8"))?;
    let text = Text::read(text)?;
    match kind {
        Some(kind) => typed(
            without_others(text, kind),
            kind,
            Notation::Plain,
            &mut Place::default(),
        ),
        None => Ok(as_it_stands(text)),
    }
}

/// A document without members that its type doesn't know. As deep as the document, which has a bound.
fn without_others(text: Text, kind: &Type) -> Text {
    match (text, kind) {
        (Text::Object(members), Type::Object(attributes)) => {
            let known = members.into_iter().filter_map(|(name, text)| {
                let kind = attributes.get(&name)?;
                Some((name, without_others(text, kind)))
            });
            Text::Object(known.collect())
        }
        (Text::Object(members), Type::Map(element)) => {
            let members = members.into_iter();
            Text::Object(
                members
                    .map(|(name, text)| (name, without_others(text, element)))
                    .collect(),
            )
        }
        (Text::Array(elements), Type::List(element) | Type::Set(element)) => {
            let elements = elements.into_iter();
            Text::Array(elements.map(|text| without_others(text, element)).collect())
        }
        (text, _) => text,
    }
}

fn as_it_stands(text: Text) -> Value {
    match text {
        Text::Null => Value::Null,
        Text::Bool(value) => Value::Bool(value),
        Text::Number(number) => Value::Number(number),
        Text::String(text) => Value::String(text),
        Text::Array(elements) => Value::List(elements.into_iter().map(as_it_stands).collect()),
        Text::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(name, text)| (name, as_it_stands(text)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn attributes_that_the_schema_lost_are_left_out() {
        let inner = Type::Object(BTreeMap::from([("a".to_owned(), Type::String)]));
        let kind = Type::Object(BTreeMap::from([(
            "list".to_owned(),
            Type::List(Box::new(inner)),
        )]));
        let state = br#"{"list":[{"a":"1","b":2}],"gone":{"x":1}}"#;
        let value = state_from_json(state, Some(&kind)).unwrap();
        assert_eq!(value.to_json(), r#"{"list":[{"a":"1"}]}"#);
    }

    #[test]
    fn an_older_state_is_taken_as_it_stands() {
        let state = br#"{"$unknown":true,"n":1e2,"l":[null,"x"]}"#;
        let value = state_from_json(state, None).unwrap();
        assert_eq!(
            value.to_json(),
            r#"{"$$unknown":true,"l":[null,"x"],"n":100}"#
        );
        assert!(state_from_json(b"\xff", None).is_err());
        assert!(state_from_json(b"{", None).is_err());
    }
}
