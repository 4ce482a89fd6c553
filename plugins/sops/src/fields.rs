//! The fields of a file: its keys, with what is nested as a JSON document.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

use crate::node::Node;

/// The fields of a decrypted file.
pub(crate) fn of(content: &Node) -> Vec<(String, Vec<u8>)> {
    let Node::Map(entries) = content else {
        return Vec::new();
    };
    let fields = entries.iter().map(|(name, node)| {
        let bytes = match node {
            Node::Null | Node::Comment => Vec::new(),
            Node::Text(text) => text.clone().into_bytes(),
            Node::Bytes(bytes) => bytes.clone(),
            Node::Float(number) => number.to_string().into_bytes(),
            other => json_of(other).to_string().into_bytes(),
        };
        (name.clone(), bytes)
    });
    fields.collect()
}

/// What is no text has no place in a JSON document, and is left out of it.
fn json_of(node: &Node) -> Json {
    match node {
        Node::Null | Node::Comment | Node::Bytes(_) => Json::Null,
        Node::Bool(value) => Json::from(*value),
        Node::Integer(number) => Json::from(*number),
        Node::Float(number) => Json::from(*number),
        Node::Text(text) => Json::from(text.as_str()),
        Node::List(items) => {
            let items = items.iter().filter(|item| **item != Node::Comment);
            items.map(json_of).collect()
        }
        Node::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(name, node)| (name.clone(), json_of(node)));
            Json::Object(entries.collect::<serde_json::Map<_, _>>())
        }
    }
}
