//! A document as a tree that knows where each value stands, whatever language it was written in.

use std::ops::Range;

/// A value, and the bytes of the text that say it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Flag,
    /// A number, as it is written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text, each key once.
    Map(Vec<Member>),
}

/// One key of a map, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.member(key).map(|member| &member.value)
    }

    /// A key of a map, and its value.
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Value::Map(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The text that it is.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Flag => "a truth value",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// One way down a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl From<&str> for Part {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Part {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A way from the root of a tree to a value.
pub type Way = Vec<Part>;

/// A way as a list of keys and indices.
macro_rules! way {
    ($($part:expr),* $(,)?) => { $crate::node::Way::from([$($crate::node::Part::from($part)),*]) };
}
pub(crate) use way;

/// What a way leads to: the value and, in a map, where its key stands.
pub struct Found<'a> {
    /// The value; of the nearest value above it when it isn't there.
    pub node: &'a Node,
    /// Where its key stands, if the way ends in a map.
    pub key_span: Option<&'a Range<usize>>,
    /// Whether the way leads all the way.
    pub whole: bool,
}

/// Follows a way as far as it leads.
pub fn find<'a>(root: &'a Node, way: &[Part]) -> Found<'a> {
    let mut found = Found {
        node: root,
        key_span: None,
        whole: true,
    };
    for part in way {
        let next = match (part, &found.node.value) {
            (Part::Key(key), _) => found
                .node
                .member(key)
                .map(|member| (&member.value, Some(&member.key_span))),
            (Part::Index(index), Value::List(items)) => items.get(*index).map(|node| (node, None)),
            _ => None,
        };
        let Some((node, key_span)) = next else {
            found.whole = false;
            return found;
        };
        found.node = node;
        found.key_span = key_span;
    }
    found
}
