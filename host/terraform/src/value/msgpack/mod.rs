//! Values as msgpack, driven by their types. Terraform sends nothing else, and wants nothing else in answers.
//!
//! Source: `docs/plugin-protocol/object-wire-format.md` of Terraform, and the specification of MessagePack.

mod read;
mod write;

use std::collections::BTreeMap;

use super::{Number, Place, Step, Type, Value, ValueError};
use read::{Item, Reader};
use write::Writer;

/// Reads one value of a type, and nothing after it.
pub(super) fn decode(bytes: &[u8], kind: &Type) -> Result<Value, ValueError> {
    let mut reader = Reader::new(bytes);
    let mut place = Place::default();
    let value = value(&mut reader, kind, &mut place)?;
    if reader.is_empty() {
        Ok(value)
    } else {
        Err(place.wrong("there are bytes behind the value"))
    }
}

/// Writes one value of a type.
pub(super) fn encode(value: &Value, kind: &Type) -> Result<Vec<u8>, ValueError> {
    let mut writer = Writer::default();
    write(&mut writer, value, kind, &mut Place::default())?;
    Ok(writer.bytes)
}

fn value(reader: &mut Reader<'_>, kind: &Type, place: &mut Place) -> Result<Value, ValueError> {
    let item = reader.item(place)?;
    match (kind, item) {
        (_, Item::Nil) => Ok(Value::Null),
        // Whatever an extension says of the range of what isn't known, it isn't known.
        (_, Item::Extension) => Ok(Value::Unknown),
        (Type::String, Item::String(text)) => Ok(Value::String(text.to_owned())),
        (Type::Bool, Item::Bool(value)) => Ok(Value::Bool(value)),
        (Type::Number, item) => number(item, place),
        (Type::List(element) | Type::Set(element), Item::Array(length)) => (0..length)
            .map(|index| place.within(Step::Index(index), |place| value(reader, element, place)))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Type::Tuple(elements), Item::Array(length)) => {
            if length != elements.len() {
                let (expected, found) = (elements.len(), length);
                return Err(place.wrong(format!("expected {expected} elements, found {found}")));
            }
            let elements = elements.iter().enumerate();
            elements
                .map(|(index, kind)| {
                    place.within(Step::Index(index), |place| value(reader, kind, place))
                })
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        (Type::Map(element), Item::Map(length)) => {
            members(reader, length, place, |_| Some(element)).map(Value::Map)
        }
        (Type::Object(attributes), Item::Map(length)) => {
            let mut found = members(reader, length, place, |name| attributes.get(name))?;
            for name in attributes.keys() {
                found.entry(name.clone()).or_default();
            }
            Ok(Value::Map(found))
        }
        (Type::Dynamic, Item::Array(2)) => dynamic(reader, place),
        (_, item) => Err(place.mismatch(kind, item.what())),
    }
}

fn dynamic(reader: &mut Reader<'_>, place: &mut Place) -> Result<Value, ValueError> {
    let kind = match reader.item(place)? {
        Item::Bytes(bytes) => Type::from_bytes(bytes, place)?,
        Item::String(text) => Type::from_bytes(text.as_bytes(), place)?,
        item => return Err(place.wrong(format!("expected a type, found {}", item.what()))),
    };
    // A value inside of itself: the step has no name.
    let value = place.within(Step::Name("value".to_owned()), |place| {
        value(reader, &kind, place)
    })?;
    Ok(match value {
        Value::Dynamic(..) => value,
        value => Value::Dynamic(Box::new(kind), Box::new(value)),
    })
}

fn members<'a>(
    reader: &mut Reader<'_>,
    length: usize,
    place: &mut Place,
    kind_of: impl Fn(&str) -> Option<&'a Type>,
) -> Result<BTreeMap<String, Value>, ValueError>
where
{
    let mut found = BTreeMap::new();
    for _ in 0..length {
        let name = match reader.item(place)? {
            Item::String(name) => name.to_owned(),
            item => return Err(place.wrong(format!("expected a name, found {}", item.what()))),
        };
        let Some(kind) = kind_of(&name) else {
            return Err(place.wrong(format!("`{name}` is no attribute of its type")));
        };
        let step = Step::Name(name.clone());
        let value = place.within(step, |place| value(reader, kind, place))?;
        if found.insert(name.clone(), value).is_some() {
            return Err(place.wrong(format!("`{name}` is there twice")));
        }
    }
    Ok(found)
}

fn number(item: Item<'_>, place: &Place) -> Result<Value, ValueError> {
    let number = match item {
        Item::Signed(value) => Ok(Number::from(value)),
        Item::Unsigned(value) => Ok(Number::from(value)),
        Item::Float(value) => {
            Number::from_f64(value).ok_or_else(|| place.wrong("the number isn't finite"))
        }
        Item::String(text) => text
            .parse()
            .map_err(|_| place.wrong("expected the digits of a number")),
        item => Err(place.mismatch(&Type::Number, item.what())),
    };
    number.map(Value::Number)
}

fn write(
    writer: &mut Writer,
    value: &Value,
    kind: &Type,
    place: &mut Place,
) -> Result<(), ValueError> {
    match (kind, value) {
        (Type::Dynamic, Value::Dynamic(kind, value)) => {
            writer.array(2);
            writer.binary(&kind.to_bytes());
            place.within(Step::Name("value".to_owned()), |place| {
                write(writer, value, kind, place)
            })
        }
        (_, Value::Null) => {
            writer.nil();
            Ok(())
        }
        (_, Value::Unknown) => {
            writer.unknown();
            Ok(())
        }
        (Type::String, Value::String(text)) => {
            writer.string(text);
            Ok(())
        }
        (Type::Bool, Value::Bool(value)) => {
            writer.bool(*value);
            Ok(())
        }
        (Type::Number, Value::Number(number)) => {
            writer.number(number);
            Ok(())
        }
        (Type::List(element) | Type::Set(element), Value::List(values)) => {
            writer.array(values.len());
            for (index, value) in values.iter().enumerate() {
                place.within(Step::Index(index), |place| {
                    write(writer, value, element, place)
                })?;
            }
            Ok(())
        }
        (Type::Tuple(kinds), Value::List(values)) if kinds.len() == values.len() => {
            writer.array(values.len());
            for (index, (value, kind)) in values.iter().zip(kinds).enumerate() {
                place.within(Step::Index(index), |place| {
                    write(writer, value, kind, place)
                })?;
            }
            Ok(())
        }
        (Type::Map(element), Value::Map(values)) => {
            writer.map(values.len());
            for (name, value) in values {
                writer.string(name);
                place.within(Step::Name(name.clone()), |place| {
                    write(writer, value, element, place)
                })?;
            }
            Ok(())
        }
        (Type::Object(attributes), Value::Map(values)) => {
            if let Some(name) = values.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(place.wrong(format!("`{name}` is no attribute of its type")));
            }
            writer.map(attributes.len());
            for (name, kind) in attributes {
                writer.string(name);
                let value = values.get(name).unwrap_or(&Value::Null);
                place.within(Step::Name(name.clone()), |place| {
                    write(writer, value, kind, place)
                })?;
            }
            Ok(())
        }
        (_, value) => Err(place.mismatch(kind, value.what())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{typed, types};
    use super::*;

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written((kind, value) in typed()) {
            let bytes = encode(&value, &kind).unwrap();
            prop_assert_eq!(decode(&bytes, &kind), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in types()) {
            let _ = decode(&bytes, &kind);
        }

        #[test]
        fn a_value_with_a_changed_byte_is_read_or_refused((kind, value) in typed(), at: prop::sample::Index, byte: u8) {
            let mut bytes = encode(&value, &kind).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(&bytes, &kind);
        }

        #[test]
        fn a_value_that_was_cut_off_is_refused((kind, value) in typed(), at: prop::sample::Index) {
            let bytes = encode(&value, &kind).unwrap();
            let cut = &bytes[..at.index(bytes.len())];
            prop_assert!(decode(cut, &kind).is_err());
        }
    }

    #[test]
    fn every_extension_is_an_unknown_value() {
        let refined = [0xc7, 3, 12, 0x81, 0x01, 0xc2];
        let long = [&[0xc8, 1, 0, 99][..], &[0; 256]].concat();
        for bytes in [&[0xd4, 0, 0][..], &[0xd8; 18], &refined, &long] {
            assert_eq!(
                decode(bytes, &Type::String),
                Ok(Value::Unknown),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn an_unknown_value_is_written_as_every_terraform_reads_it() {
        assert_eq!(encode(&Value::Unknown, &Type::Bool), Ok(vec![0xd4, 0, 0]));
    }

    #[test]
    fn numbers_are_written_as_integers_doubles_or_digits_without_loss() {
        let written = |text: &str| {
            let number = Value::Number(text.parse().unwrap());
            encode(&number, &Type::Number).unwrap()
        };
        assert_eq!(written("7"), [7]);
        assert_eq!(written("-1"), [0xff]);
        assert_eq!(written("-200"), [0xd1, 0xff, 0x38]);
        assert_eq!(
            written("0.5"),
            [&[0xcb], &0.5f64.to_be_bytes()[..]].concat()
        );
        assert_eq!(written("0.1"), [&[0xa3], &b"0.1"[..]].concat());
        // Integers beyond the machine's are digits, and so is what a double is exactly.
        assert_eq!(
            written("9223372036854775808"),
            [&[0xb3], &b"9223372036854775808"[..]].concat()
        );
        let tenth = Number::from_f64(0.1).unwrap().to_string();
        assert_eq!(written(&tenth), [&[0xd9, 57], tenth.as_bytes()].concat());
    }

    #[test]
    fn a_length_that_lies_costs_no_memory() {
        let kind = Type::List(Box::new(Type::Bool));
        for head in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
            let error = decode(&[head, 0xff, 0xff, 0xff, 0xff], &kind).unwrap_err();
            assert!(!error.why().is_empty());
        }
    }

    #[test]
    fn a_value_without_end_is_refused() {
        // A value of dynamic type that is of dynamic type, and so on.
        let layer = [&[0x92, 0xc4, 9][..], b"\"dynamic\""].concat();
        let bytes = layer.repeat(100_000);
        let error = decode(&bytes, &Type::Dynamic).unwrap_err();
        assert!(error.why().contains("deeper"), "{error}");
    }

    #[test]
    fn what_does_not_match_its_type_is_refused_with_its_place() {
        let kind = Type::Object(BTreeMap::from([(
            "ports".to_owned(),
            Type::List(Box::new(Type::Number)),
        )]));
        let bytes = [&[0x81, 0xa5][..], b"ports", &[0x92, 1, 0xc3]].concat();
        let error = decode(&bytes, &kind).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a number, found a boolean (at /ports/1)"
        );
        let twice = [
            &[0x82, 0xa5][..],
            b"ports",
            &[0x90, 0xa5],
            b"ports",
            &[0x90],
        ]
        .concat();
        assert!(decode(&twice, &kind).unwrap_err().why().contains("twice"));
        let value = Value::object([("port", Value::Null)]);
        assert!(encode(&value, &kind).unwrap_err().why().contains("`port`"));
    }
}
