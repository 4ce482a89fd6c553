//! YAML into a tree with positions, without the parts of YAML that surprise: anchors, aliases, tags, merge keys,
//! several documents, keys given twice.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::limits;
use crate::node::{Member, Node, Value};
use crate::problem::Problem;
use crate::source::Source;

/// Reads a document; the problems are in the order of the text.
///
/// # Errors
/// Everything that is wrong, as far as the text can be read at all.
pub fn parse(source: &Source) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder {
        source,
        offsets: Offsets::new(&source.text),
        problems: Vec::new(),
        open: Vec::new(),
        root: None,
        nodes: 0,
        marked: false,
    };
    for event in Parser::new_from_str(&source.text) {
        let result = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(builder.no_yaml(&error)),
        };
        if let Err(problem) = result {
            builder.problems.push(problem);
            break;
        }
    }
    match builder.root {
        Some(root) if builder.problems.is_empty() => Ok(root),
        None if builder.problems.is_empty() => Ok(Node {
            value: Value::Null,
            span: 0..0,
        }),
        _ => Err(builder.problems),
    }
}

/// What the parser's words usually mean.
const HINTS: [(&str, &str); 4] = [
    (
        "mapping values are not allowed",
        "keys of one map begin in the same column, and text that holds `: ` is written in quotes",
    ),
    ("quoted scalar", "the text lacks its closing quote"),
    (
        "did not find expected",
        "what belongs together begins in the same column; a list's item begins with `- `",
    ),
    (
        "block scalar",
        "the lines after `|` are indented by the same number of blanks, more than their key",
    ),
];

struct Builder<'a> {
    source: &'a Source,
    offsets: Offsets,
    problems: Vec<Problem>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    /// Whether an anchor or alias was refused: one message says it for all of them.
    marked: bool,
}

/// A list or map that isn't at its end.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<Member>, Option<(String, Range<usize>)>),
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let span = self.offsets.range(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_marks(&span, anchor, tag.is_some());
                if style == ScalarStyle::Plain && text.starts_with('?') {
                    // Readers of YAML don't agree whether this begins a key.
                    return Err(self
                        .problem(&span, "a `?` begins this text")
                        .expected("text that begins with `?` in quotes"));
                }
                let value = match style {
                    ScalarStyle::Plain => resolve(&text),
                    _ => Value::Text(text.clone().into_owned()),
                };
                if let Some(Open::Map(_, _, key @ None)) = self.open.last_mut() {
                    *key = Some((text.into_owned(), span));
                    return Ok(());
                }
                self.place(Node { value, span })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_marks(&span, anchor, tag.is_some());
                self.enter(&span, Open::List(span.start, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_marks(&span, anchor, tag.is_some());
                self.enter(&span, Open::Map(span.start, Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(span.end),
            Event::Alias(_) => {
                if !std::mem::replace(&mut self.marked, true) {
                    self.problem(&span, "an alias stands for a value written elsewhere")
                        .expected("the value itself: anchors and aliases are not supported")
                        .push(&mut self.problems);
                }
                let value = Value::Null;
                self.place(Node { value, span })
            }
            Event::DocumentStart(_) if self.root.is_some() => Err(self
                .problem(&span, "a second document begins here")
                .expected("one document in each file")),
            _ => Ok(()),
        }
    }

    fn problem(&self, span: &Range<usize>, message: &str) -> Problem {
        self.source.problem(span, message)
    }

    fn refuse_marks(&mut self, span: &Range<usize>, anchor: usize, tag: bool) {
        if anchor > 0 && !std::mem::replace(&mut self.marked, true) {
            self.problem(span, "an anchor is given to this value")
                .expected("a value without one: anchors and aliases are not supported")
                .push(&mut self.problems);
        }
        if tag {
            self.problem(span, "a tag is given to this value")
                .expected("a value without one: tags such as `!!binary` are not supported")
                .push(&mut self.problems);
        }
    }

    fn enter(&mut self, span: &Range<usize>, open: Open) -> Result<(), Problem> {
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            return Err(self
                .problem(span, "a list or a map is used as a key")
                .expected("a plain name"));
        }
        if self.open.len() >= limits::DEPTH {
            let depth = limits::DEPTH;
            return Err(self
                .problem(span, "this is nested too deeply")
                .expected(format!("at most {depth} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn leave(&mut self, end: usize) -> Result<(), Problem> {
        let node = match self.open.pop() {
            Some(Open::List(start, items)) => Node {
                value: Value::List(items),
                span: start..end,
            },
            Some(Open::Map(start, members, _)) => Node {
                value: Value::Map(members),
                span: start..end,
            },
            None => return Ok(()),
        };
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            let nodes = limits::NODES;
            return Err(self
                .problem(&node.span, "the document holds too much")
                .expected(format!("at most {nodes} values")));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, members, key)) => {
                let Some((key, key_span)) = key.take() else {
                    return Ok(());
                };
                let first = members.iter().find(|member| member.key == key);
                if let Some(first) = first {
                    let line = self.source.line(first.key_span.start);
                    self.source
                        .problem(&key_span, format!("the key `{key}` is given twice"))
                        .expected(format!("each key once; the first is in line {line}"))
                        .push(&mut self.problems);
                } else if key == "<<" {
                    self.source
                        .problem(&key_span, "a merge key takes in another map")
                        .expected("the keys themselves: merge keys are not supported")
                        .push(&mut self.problems);
                }
                members.push(Member {
                    key,
                    key_span,
                    value: node,
                });
            }
        }
        Ok(())
    }

    fn no_yaml(&self, error: &ScanError) -> Problem {
        let offset = self.offsets.byte(error.marker().index());
        let before = self.source.text.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |index| index + 1);
        let line = self.source.text.get(start..).unwrap_or_default();
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let indentation = line.get(..blank).unwrap_or_default();
        if let Some(tab) = indentation.find('\t') {
            let span = start + tab..start + blank;
            return self
                .problem(&span, "a tab is used to indent")
                .expected("spaces: YAML doesn't count tabs");
        }
        let problem = self.source.problem(
            &(offset..offset + 1),
            format!("this is no YAML: {}", error.info()),
        );
        let hint = HINTS.iter().find(|(words, _)| error.info().contains(words));
        match hint {
            Some((_, hint)) => problem.suggest(*hint),
            None => problem,
        }
    }
}

/// Characters to bytes: the parser counts characters.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn new(text: &str) -> Self {
        let mapped = || text.char_indices().map(|(byte, _)| byte);
        Self((!text.is_ascii()).then(|| mapped().chain([text.len()]).collect()))
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(bytes) => bytes.get(character).or(bytes.last()).copied().unwrap_or(0),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// What a scalar without quotes is, as the typed reader sees it.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Value::Flag,
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        }
    }
    let digits = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        // `007` is text: a number has no leading zeros.
        return unsigned == "0" || !unsigned.starts_with('0') && !unsigned.is_empty();
    }
    let leading = unsigned.bytes().next();
    leading.is_some_and(|byte| byte.is_ascii_digit() || byte == b'.')
        && unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests;
