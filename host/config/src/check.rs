//! Holds a document's tree against what its kind may hold, and says everything that is wrong with it.

use whimbrel_core::environment::CLUSTER_BACKEND;
use whimbrel_core::suggestion::nearest;

use crate::foreign::BEGINNING;
use crate::node::{Member, Node, Value};
use crate::problem::{Problem, alternatives};
use crate::shape::{
    CLUSTER_REFERENCE, FILE, Field, Format, Kind, Object, REFERENCE, Shape, secret,
};
use crate::source::Source;

/// Whether a document stands for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// It says everything, and nothing is `null`.
    Whole,
    /// Below `spec`, what is missing may come from elsewhere, and `null` takes away.
    Overlay,
}

/// Checks a document.
pub fn check(
    source: &Source,
    root: &Node,
    object: &Object,
    completeness: Completeness,
    problems: &mut Vec<Problem>,
) {
    let mut checker = Checker {
        source,
        overlay: completeness == Completeness::Overlay,
        depth: 0,
        problems,
    };
    match &root.value {
        Value::Null => Problem::whole(&source.path, "the document is empty")
            .expected("`apiVersion`, `kind`, `metadata` and `spec`")
            .push(checker.problems),
        _ => checker.object(None, root, object),
    }
}

struct Checker<'a> {
    source: &'a Source,
    overlay: bool,
    depth: usize,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    /// Whether what is looked at may be left to another document.
    const fn partial(&self) -> bool {
        self.overlay && self.depth > 0
    }

    fn value(&mut self, key: &str, node: &Node, shape: &Shape) {
        match (shape, &node.value) {
            (Shape::Json, _) => self.json(node),
            (_, Value::Null) if self.overlay && self.depth > 1 => {}
            (Shape::JsonMap, Value::Map(_)) => self.json(node),
            (Shape::Text(format), Value::Text(text)) => self.text(node, text, *format),
            (Shape::Integer { minimum, maximum }, Value::Number(number)) => {
                let whole = number.parse::<u64>().ok();
                if !whole.is_some_and(|whole| (*minimum..=*maximum).contains(&whole)) {
                    self.source
                        .problem(
                            &node.span,
                            format!("`{number}` is out of range for `{key}`"),
                        )
                        .expected(format!("a whole number from {minimum} to {maximum}"))
                        .push(self.problems);
                }
            }
            (Shape::Flag, Value::Flag) => {}
            (Shape::Choice(words), Value::Text(text)) => {
                if !words.contains(&text.as_str()) {
                    let problem = self
                        .source
                        .problem(
                            &node.span,
                            refused(text, &format!("is no value of `{key}`")),
                        )
                        .expected(alternatives(words.iter().copied()));
                    let other = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
                    match other.filter(|_| key == "kind") {
                        Some(kind) => problem.suggest(kind.place()),
                        None => problem.nearest(text, words.iter().copied()),
                    }
                    .push(self.problems);
                }
            }
            (
                Shape::List {
                    item,
                    what,
                    minimum,
                },
                Value::List(items),
            ) => {
                if items.len() < *minimum {
                    self.source
                        .problem(&node.span, format!("`{key}` is empty"))
                        .expected(format!("{what} with at least one"))
                        .push(self.problems);
                }
                for node in items {
                    self.value(key, node, item);
                }
            }
            (
                Shape::Map {
                    key: format, value, ..
                },
                Value::Map(members),
            ) => {
                for member in members {
                    if let Some(refusal) = format.refuse(&member.key) {
                        self.source
                            .problem(&member.key_span, refused(&member.key, &refusal.what))
                            .expected(refusal.expected)
                            .push(self.problems);
                    }
                    self.value(&member.key, &member.value, value);
                }
            }
            (Shape::Object(object), _) => self.object(Some(key), node, object),
            (Shape::Value { literal }, Value::Text(text)) => {
                self.literal(key, node, text, *literal);
            }
            (Shape::Parameter, Value::Text(text)) => {
                if text.starts_with("secret://") {
                    self.literal(key, node, text, true);
                }
            }
            (Shape::Value { .. } | Shape::Material, Value::Map(_))
                if node.get(CLUSTER_BACKEND).is_some() =>
            {
                self.object(Some(key), node, &CLUSTER_REFERENCE);
            }
            (Shape::Value { .. } | Shape::Parameter, Value::Map(_)) => {
                self.object(Some(key), node, &REFERENCE);
            }
            (Shape::Material, Value::Map(_)) if node.get("file").is_some() => {
                self.object(Some(key), node, &FILE);
            }
            (Shape::Material, Value::Map(_)) if node.get("secret").is_some() => {
                self.object(Some(key), node, &REFERENCE);
            }
            (Shape::Material, Value::Map(_)) => {
                let message = format!("`{key}` names neither a file nor a secret");
                self.source
                    .problem(&node.span, message)
                    .expected(expected(shape))
                    .push(self.problems);
            }
            (Shape::Material, Value::Text(text)) if text.starts_with(BEGINNING) => {
                // Which backend is meant is known only inside of an environment.
                self.source
                    .problem(
                        &node.span,
                        format!("`{key}` doesn't say which backend is meant"),
                    )
                    .expected("`secret://BACKEND/PATH#KEY`")
                    .push(self.problems);
            }
            (Shape::Material, Value::Text(text)) => self.literal(key, node, text, false),
            (shape, _) => self.wrong_type(key, node, shape),
        }
    }

    fn object(&mut self, key: Option<&str>, node: &Node, object: &Object) {
        let Value::Map(members) = &node.value else {
            let message = mistaken(key.unwrap_or("the document"), node);
            return self
                .source
                .problem(&node.span, message)
                .expected(keys(object))
                .push(self.problems);
        };
        for member in members {
            match object.fields.iter().find(|field| field.name == member.key) {
                Some(field) => {
                    // What is below `spec` may come from elsewhere; the head of a document never does.
                    let below = usize::from(self.depth > 0 || member.key == "spec");
                    self.depth += below;
                    self.value(field.name, &member.value, &field.shape);
                    self.depth -= below;
                }
                None => self.unknown(member, object),
            }
        }
        if self.partial() {
            return;
        }
        for field in object.fields.iter().filter(|field| field.required) {
            if node.get(field.name).is_some() {
                continue;
            }
            // A key that was mistyped is there, and was said.
            let mistyped = members.iter().any(|member| {
                let names = object.fields.iter().map(|field| field.name);
                names.clone().all(|name| name != member.key)
                    && nearest(&member.key, names) == Some(field.name)
            });
            if !mistyped {
                self.missing(key, node, object, field);
            }
        }
    }

    fn unknown(&mut self, member: &Member, object: &Object) {
        let names: Vec<_> = object.fields.iter().map(|field| field.name).collect();
        self.source
            .problem(
                &member.key_span,
                format!("unknown key `{}` in {}", member.key, object.what),
            )
            .expected(alternatives(names.iter().copied()))
            .nearest(&member.key, names)
            .push(self.problems);
    }

    fn missing(&mut self, key: Option<&str>, node: &Node, object: &Object, field: &Field) {
        let mut span = node.span.clone();
        if let Value::Map(members) = &node.value {
            span = members
                .first()
                .map_or(span, |member| member.key_span.clone());
        }
        let place = match key {
            None => object.what.to_owned(),
            Some(key) if object.what.contains('`') || object.what == key => format!("`{key}`"),
            Some(_) => object.what.to_owned(),
        };
        self.source
            .problem(&span, format!("{place} has no `{}`", field.name))
            .expected(format!("`{}: {}`", field.name, example(&field.shape)))
            .push(self.problems);
    }

    fn wrong_type(&mut self, key: &str, node: &Node, shape: &Shape) {
        let problem = self
            .source
            .problem(&node.span, mistaken(key, node))
            .expected(expected(shape));
        let raw = self.source.slice(&node.span).trim();
        let scalar = matches!(node.value, Value::Number(_) | Value::Flag);
        match shape {
            Shape::Parameter if scalar => {
                problem.suggest(format!("as text it is written `\"{raw}\"`"))
            }
            Shape::Text(format) if scalar && format.refuse(raw).is_none() => {
                problem.suggest(format!("as text it is written `\"{raw}\"`"))
            }
            Shape::List { .. } if node.text().is_some() => {
                problem.suggest(format!("a list of one is written `[{raw}]`"))
            }
            _ => problem,
        }
        .push(self.problems);
    }

    fn text(&mut self, node: &Node, text: &str, format: Format) {
        if let Some(refusal) = format.refuse(text) {
            self.source
                .problem(&node.span, refused(text, &refusal.what))
                .expected(refusal.expected)
                .push(self.problems);
        }
    }

    fn literal(&mut self, key: &str, node: &Node, text: &str, literal: bool) {
        match secret(text) {
            Some(Ok(())) => {}
            Some(Err(refusal)) => self
                .source
                .problem(&node.span, refused(text, &refusal.what))
                .expected(refusal.expected)
                .push(self.problems),
            None if literal => self.text(node, text, Format::Filled),
            None => self
                .source
                .problem(&node.span, format!("`{key}` is written in plain text"))
                .expected("a secret reference")
                .suggest(format!(
                    "keep it in a secret backend: `{key}: {{ secret: env, path: NAME }}`; whoever can read the repository knows this one, so change it"
                ))
                .push(self.problems),
        }
    }

    /// Numbers in free-form values must be kept exactly.
    fn json(&mut self, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.json(item)),
            Value::Map(members) => members.iter().for_each(|member| self.json(&member.value)),
            Value::Number(number) if !is_exact(number) => self
                .source
                .problem(
                    &node.span,
                    format!("the number `{number}` can't be kept exactly"),
                )
                .expected("a whole number of at most 64 bits, or a finite decimal number")
                .suggest(format!("as text it is written `\"{number}\"`"))
                .push(self.problems),
            _ => {}
        }
    }
}

/// `TEXT is no …`, with as much of the text as helps.
pub fn refused(text: &str, what: &str) -> String {
    if text.trim().is_empty() {
        return "the text is empty".to_owned();
    }
    let shown: String = text.chars().take(60).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{more}` {what}", shown.escape_debug())
}

fn keys(object: &Object) -> String {
    let names: Vec<_> = object
        .fields
        .iter()
        .map(|field| format!("`{}`", field.name))
        .collect();
    format!("a map with {}", names.join(", "))
}

fn mistaken(key: &str, node: &Node) -> String {
    match node.value {
        Value::Null => format!("`{key}` has no value"),
        _ => format!("`{key}` can't be {}", node.kind()),
    }
}

fn is_exact(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    if number.contains('x') || number.contains('o') || number.contains('b') {
        return number.len() <= 17;
    }
    // Digits only, and beyond 64 bits.
    let digits = number.trim_start_matches(['+', '-']);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let canonical = |real: f64| serde_json::Number::from_f64(real).map(serde_json::Value::Number);
    number
        .parse::<f64>()
        .ok()
        .and_then(canonical)
        .is_some_and(|value| whimbrel_core::canonical::canonical(&value).is_ok())
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Text(format) => format.what().to_owned(),
        Shape::Integer { minimum, maximum } => {
            format!("a whole number from {minimum} to {maximum}")
        }
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Choice(words) => alternatives(words.iter().copied()),
        Shape::List { what, .. } | Shape::Map { what, .. } => (*what).to_owned(),
        Shape::Object(object) => keys(object),
        Shape::Json => "a value".to_owned(),
        Shape::JsonMap => "a map".to_owned(),
        Shape::Parameter => "text, or a reference to what is no secret".to_owned(),
        Shape::Value { literal: true } => "text or a secret reference".to_owned(),
        Shape::Value { literal: false } => "a secret reference".to_owned(),
        Shape::Material => "`{ file: PATH }` or a secret reference".to_owned(),
    }
}

fn example(shape: &Shape) -> &'static str {
    match shape {
        Shape::Choice(words) => words.first().copied().unwrap_or("…"),
        Shape::Text(Format::Name) => "NAME",
        Shape::List { .. } => "[…]",
        Shape::Object(_) | Shape::Map { .. } => "{…}",
        _ => "…",
    }
}
