use proptest::prelude::*;
use serde_yaml::Value as Typed;

use super::parse;
use crate::node::{Node, Value};
use crate::source::Source;

fn read(text: &str) -> Result<Node, Vec<crate::problem::Problem>> {
    parse(&Source {
        path: "a.yaml".to_owned(),
        text: text.to_owned(),
    })
}

/// Whether the tree and the typed reader saw the same.
fn same(node: &Node, typed: &Typed) -> bool {
    match (&node.value, typed) {
        (Value::Null, Typed::Null)
        | (Value::Flag, Typed::Bool(_))
        | (Value::Number(_), Typed::Number(_)) => true,
        (Value::Text(text), Typed::String(other)) => text == other,
        (Value::List(items), Typed::Sequence(others)) => {
            items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(item, other)| same(item, other))
        }
        (Value::Map(members), Typed::Mapping(others)) => {
            members.len() == others.len()
                && members.iter().zip(others).all(|(member, (key, other))| {
                    let plain = key.as_str().is_none_or(|key| key == member.key);
                    plain && same(&member.value, other)
                })
        }
        _ => false,
    }
}

#[test]
fn resolves_scalars_as_the_typed_reader_does() {
    for text in [
        "~",
        "null",
        "true",
        "False",
        "yes",
        "0",
        "-1",
        "+1",
        "007",
        "1.5",
        ".5",
        "1.",
        "1e3",
        "1e",
        "-",
        "+",
        ".",
        "..",
        "0x1F",
        "0o17",
        "0b1",
        "0x",
        "-0x1",
        "+.inf",
        ".nan",
        "-.nan",
        "1_000",
        "2024-01-01",
        "12:30",
        "inf",
        "nan",
        "1e999",
        "0.0",
        "00",
        "-0",
        "1.5.2",
    ] {
        let node = read(text).unwrap();
        let typed: Typed = serde_yaml::from_str(text).unwrap();
        assert!(same(&node, &typed), "{text}: {node:?} {typed:?}");
    }
}

#[test]
fn spans_are_bytes() {
    let text = "a: é\nkéy: \"vä\"\n";
    let Value::Map(members) = read(text).unwrap().value else {
        panic!("a map was expected");
    };
    assert_eq!(&text[members[1].key_span.clone()], "kéy");
    assert_eq!(&text[members[1].value.span.clone()], "\"vä\"");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b: ", "c:", "- ", "\n", "\n  ", "\n    ", " ", "[", "]", "{", "}", ", ", "\"x\"",
        "'y'", "|", ">", "|-", ": ", "#", "?", "~", "1", "true", "\"", "'", "é", "\\", "\\n", "-",
        "%", "@", "...",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_see_the_same(text in pieces()) {
        let text = format!("k: {text}\n");
        if let (Ok(node), Ok(typed)) = (read(&text), serde_yaml::from_str::<Typed>(&text)) {
            prop_assert!(same(&node, &typed), "{text:?}: {node:?} {typed:?}");
        }
    }
}
