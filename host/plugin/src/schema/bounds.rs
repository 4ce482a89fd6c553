//! What evaluating a schema can cost at most, known from the schema before anything is evaluated.
//!
//! A hundred lines of schema can ask for more evaluations than there are atoms: two references to the next definition,
//! thirty times over. So the schema is taken as a graph. Edges that stay at the same value must not lead in a circle;
//! along them, and along those that go one level deeper, it is counted how often each part is evaluated at a value.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::SchemaError;
use crate::limits::Limits;

/// Keywords whose value is a schema for the same value.
const SAME: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords whose value is a list of schemas for the same value.
const SAME_LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose value is a map of schemas for the same value.
const SAME_MAP: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Keywords whose value is a schema, or a list of schemas, for the values inside.
const INNER: [&str; 9] = [
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "contentSchema",
];
/// Keywords whose value is a map of schemas for the values inside.
const INNER_MAP: [&str; 2] = ["properties", "patternProperties"];
/// Keywords that lead somewhere else for each evaluation, or change what `#` means.
const UNBOUNDED: [&str; 5] = [
    "$dynamicRef",
    "$recursiveRef",
    "$dynamicAnchor",
    "$anchor",
    "$id",
];

/// A schema as a graph of its parts.
#[derive(Debug)]
pub(super) struct Bounds {
    /// For each part, those that are evaluated at the same value.
    same: Vec<Vec<usize>>,
    /// For each part, those that are evaluated at values one level deeper.
    inner: Vec<Vec<usize>>,
    /// The parts, each before those that it evaluates at the same value.
    order: Vec<usize>,
    evaluations: u64,
    depth: usize,
}

impl Bounds {
    pub(super) fn new(schema: &Json, limits: &Limits) -> Result<Self, SchemaError> {
        let mut graph = Graph::default();
        graph.part(schema, schema, "")?;
        while let Some((pointer, part)) = graph.waiting.pop() {
            graph.edges(schema, &pointer, part)?;
        }
        let order = order(&graph.same).ok_or(SchemaError::Endless)?;
        let bounds = Self {
            same: graph.same,
            inner: graph.inner,
            order,
            evaluations: limits.schema_evaluations,
            depth: limits.config_depth,
        };
        if bounds.cost(&[1]) > limits.schema_evaluations {
            return Err(SchemaError::Work(limits.schema_evaluations));
        }
        Ok(bounds)
    }

    /// Whether a configuration can be evaluated within the limits.
    pub(super) fn allow(&self, config: &Json) -> bool {
        let levels = levels(config);
        levels.len() <= self.depth && self.cost(&levels) <= self.evaluations
    }

    /// An upper bound of evaluations for so many values on each level.
    fn cost(&self, levels: &[u64]) -> u64 {
        let mut times = vec![0u64; self.same.len()];
        if let Some(root) = times.first_mut() {
            *root = 1;
        }
        let mut total = 0u64;
        for values in levels {
            for part in &self.order {
                add(&mut times, self.same.get(*part), *part);
            }
            let here = times
                .iter()
                .fold(0u64, |sum, times| sum.saturating_add(*times));
            total = total.saturating_add(here.saturating_mul(*values));
            let mut deeper = vec![0u64; times.len()];
            for (count, inner) in times.iter().zip(&self.inner) {
                for part in inner {
                    if let Some(deeper) = deeper.get_mut(*part) {
                        *deeper = deeper.saturating_add(*count);
                    }
                }
            }
            times = deeper;
        }
        total
    }
}

fn add(times: &mut [u64], parts: Option<&Vec<usize>>, from: usize) {
    let count = times.get(from).copied().unwrap_or_default();
    for part in parts.into_iter().flatten() {
        if let Some(times) = times.get_mut(*part) {
            *times = times.saturating_add(count);
        }
    }
}

/// How many values a configuration has on each level, from the root.
fn levels(config: &Json) -> Vec<u64> {
    let mut counts = Vec::new();
    let mut level = vec![config];
    while !level.is_empty() {
        counts.push(u64::try_from(level.len()).unwrap_or(u64::MAX));
        level = level
            .into_iter()
            .flat_map(|value| -> Vec<&Json> {
                match value {
                    Json::Object(fields) => fields.values().collect(),
                    Json::Array(items) => items.iter().collect(),
                    _ => Vec::new(),
                }
            })
            .collect();
    }
    counts
}

#[derive(Default)]
struct Graph<'a> {
    known: BTreeMap<String, usize>,
    waiting: Vec<(String, &'a Json)>,
    same: Vec<Vec<usize>>,
    inner: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    /// The number of the part at a pointer.
    fn part(
        &mut self,
        root: &'a Json,
        part: &'a Json,
        pointer: &str,
    ) -> Result<usize, SchemaError> {
        if let Some(number) = self.known.get(pointer) {
            return Ok(*number);
        }
        let number = self.same.len();
        self.known.insert(pointer.to_owned(), number);
        self.same.push(Vec::new());
        self.inner.push(Vec::new());
        let nested = !std::ptr::eq(part, root);
        let keyword = UNBOUNDED
            .iter()
            .find(|keyword| part.get(**keyword).is_some() && (nested || **keyword != "$id"));
        if let Some(keyword) = keyword {
            return Err(SchemaError::Keyword(keyword));
        }
        self.waiting.push((pointer.to_owned(), part));
        Ok(number)
    }

    fn edges(&mut self, root: &'a Json, pointer: &str, part: &'a Json) -> Result<(), SchemaError> {
        let Some(number) = self.known.get(pointer).copied() else {
            return Ok(());
        };
        let Json::Object(fields) = part else {
            return Ok(());
        };
        // What is unevaluated is found out by evaluating the rest once more.
        let twice =
            fields.contains_key("unevaluatedProperties") || fields.contains_key("unevaluatedItems");
        let mut same = Vec::new();
        let mut inner = Vec::new();
        for (keyword, value) in fields {
            let below = format!("{pointer}/{}", escaped(keyword));
            let word = keyword.as_str();
            if word == "$ref" {
                same.push(self.reference(root, value)?);
            } else if SAME.contains(&word) {
                same.push(self.part(root, value, &below)?);
            } else if SAME_LIST.contains(&word) || SAME_MAP.contains(&word) {
                same.extend(self.parts(root, value, &below)?);
            } else if INNER_MAP.contains(&word) {
                inner.extend(self.parts(root, value, &below)?);
            } else if INNER.contains(&word) {
                match value {
                    Json::Array(_) => inner.extend(self.parts(root, value, &below)?),
                    one => inner.push(self.part(root, one, &below)?),
                }
            }
        }
        if twice {
            same.extend(same.clone());
        }
        if let Some(edges) = self.same.get_mut(number) {
            *edges = same;
        }
        if let Some(edges) = self.inner.get_mut(number) {
            *edges = inner;
        }
        Ok(())
    }

    /// The parts in a list or a map.
    fn parts(
        &mut self,
        root: &'a Json,
        value: &'a Json,
        pointer: &str,
    ) -> Result<Vec<usize>, SchemaError> {
        match value {
            Json::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.part(root, item, &format!("{pointer}/{index}")))
                .collect(),
            Json::Object(fields) => fields
                .iter()
                .map(|(key, item)| self.part(root, item, &format!("{pointer}/{}", escaped(key))))
                .collect(),
            _ => Ok(Vec::new()),
        }
    }

    fn reference(&mut self, root: &'a Json, value: &'a Json) -> Result<usize, SchemaError> {
        let text = value.as_str().unwrap_or_default();
        let Some(fragment) = text
            .strip_prefix('#')
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return Err(SchemaError::Outside(super::shortened(text)));
        };
        let pointer = percent_decode_str(fragment).decode_utf8_lossy();
        let Some(part) = root.pointer(&pointer) else {
            return Err(SchemaError::Missing(super::shortened(text)));
        };
        self.part(root, part, &pointer)
    }
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Each part before those that it leads to; none when they lead in a circle.
fn order(edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut incoming = vec![0usize; edges.len()];
    for part in edges.iter().flatten() {
        if let Some(count) = incoming.get_mut(*part) {
            *count += 1;
        }
    }
    let mut free: Vec<usize> = (0..edges.len())
        .filter(|part| incoming.get(*part) == Some(&0))
        .collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(part) = free.pop() {
        order.push(part);
        for next in edges.get(part).into_iter().flatten() {
            if let Some(count) = incoming.get_mut(*next) {
                *count -= 1;
                if *count == 0 {
                    free.push(*next);
                }
            }
        }
    }
    (order.len() == edges.len()).then_some(order)
}
