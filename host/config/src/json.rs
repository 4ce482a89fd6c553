//! JSON into a tree with positions. Strict: no comments, no trailing commas, no key twice.

use std::ops::Range;

use crate::limits;
use crate::node::{Member, Node, Value};
use crate::problem::Problem;
use crate::source::Source;

/// Reads a document.
///
/// # Errors
/// What is no JSON, or every key that is given twice.
pub fn parse(source: &Source) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader {
        source,
        at: 0,
        nodes: 0,
        problems: Vec::new(),
    };
    let root = reader.document().map_err(|problem| vec![problem])?;
    if reader.problems.is_empty() {
        Ok(root)
    } else {
        Err(reader.problems)
    }
}

struct Reader<'a> {
    source: &'a Source,
    at: usize,
    nodes: usize,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Problem> {
        self.blanks();
        if self.peek().is_none() {
            return Ok(Node {
                value: Value::Null,
                span: 0..0,
            });
        }
        let root = self.value(0)?;
        self.blanks();
        match self.peek() {
            None => Ok(root),
            Some(_) => Err(self.unexpected("the end of the file")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        self.source.problem(span, message)
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let rest = self.source.text.get(self.at..).unwrap_or_default();
        let message = match rest.chars().next() {
            None => "this is no JSON: the file ends too early".to_owned(),
            Some(found) => format!("this is no JSON: unexpected `{}`", found.escape_default()),
        };
        self.problem(&(self.at..self.at + 1), message)
            .expected(expected)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        let start = self.at;
        self.nodes += 1;
        if self.nodes > limits::NODES || depth > limits::DEPTH {
            return Err(self
                .problem(&(start..start + 1), "the document holds too much")
                .expected(format!(
                    "at most {} values, nested at most {} levels",
                    limits::NODES,
                    limits::DEPTH
                )));
        }
        let value = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Flag)?,
            Some(b'f') => self.word("false", Value::Flag)?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node {
            value,
            span: start..self.at,
        })
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Problem> {
        let rest = self.source.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let text = self.source.slice(&(start..self.at));
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(_) => Ok(Value::Number(text.to_owned())),
            Err(_) => Err(self
                .problem(&(start..self.at), format!("`{text}` is no JSON number"))
                .expected("a number such as `12` or `1.5`")),
        }
    }

    fn text(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(b'\n') | None => {
                    return Err(self
                        .problem(&(start..self.at), "this text doesn't end on its line")
                        .expected("a closing `\"`; a line break is written `\\n`"));
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let span = start..self.at;
        serde_json::from_str(self.source.slice(&span)).map_err(|_| {
            self.problem(&span, "this is no JSON text")
                .expected("no control characters, and no escapes but `\\n`, `\\t`, `\\\"`, `\\\\`, `\\/`, `\\b`, `\\f`, `\\r`, `\\u` with four hexadecimal digits")
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut members: Vec<Member> = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let start = self.at;
            let key = self.text()?;
            let key_span = start..self.at;
            if let Some(first) = members.iter().find(|member| member.key == key) {
                let line = self.source.line(first.key_span.start);
                self.source
                    .problem(&key_span, format!("the key `{key}` is given twice"))
                    .expected(format!("each key once; the first is in line {line}"))
                    .push(&mut self.problems);
            }
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            self.blanks();
            let value = self.value(depth + 1)?;
            members.push(Member {
                key,
                key_span,
                value,
            });
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(members));
                }
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::node::Node;
    use crate::source::Source;

    fn message(text: &str) -> String {
        let source = Source {
            path: "a.json".to_owned(),
            text: text.to_owned(),
        };
        let problems = parse(&source).unwrap_err();
        let problem = &problems[0];
        format!("{}:{} {}", problem.line, problem.column, problem.message)
    }

    #[test]
    fn says_what_is_no_json() {
        for (text, expected) in [
            ("{", "1:2 this is no JSON: the file ends too early"),
            ("[1", "1:3 this is no JSON: the file ends too early"),
            ("[1, x]", "1:5 this is no JSON: unexpected `x`"),
            ("[1 2]", "1:4 this is no JSON: unexpected `2`"),
            ("{\"a\" 1}", "1:6 this is no JSON: unexpected `1`"),
            ("{\"a\": 1 \"b\"}", "1:9 this is no JSON: unexpected `\\\"`"),
            ("{'a': 1}", "1:2 this is no JSON: unexpected `\\'`"),
            ("nul", "1:1 this is no JSON: unexpected `n`"),
            ("{} {}", "1:4 this is no JSON: unexpected `{`"),
            ("[01]", "1:2 `01` is no JSON number"),
            ("[\"a\n\"]", "1:2 this text doesn't end on its line"),
            ("[\"\\x\"]", "1:2 this is no JSON text"),
            ("[\n\"\\ud800\"]", "2:1 this is no JSON text"),
        ] {
            assert_eq!(message(text), expected, "{text}");
        }
        let deep = "[".repeat(100);
        assert_eq!(message(&deep), "1:66 the document holds too much");
    }

    #[test]
    fn reads_what_is() {
        let source = Source {
            path: "a.json".to_owned(),
            text: "\t{ \"a\" : [ ] , \"b\\n\" : { } , \"c\": -1.5e3, \"d\": [true, false, null, \"🐦\\ud83d\\udc26\"] }\n".to_owned(),
        };
        let root = parse(&source).unwrap();
        assert_eq!(root.get("a").map(Node::kind), Some("a list"));
        assert_eq!(root.get("b\n").map(Node::kind), Some("a map"));
        assert_eq!(root.get("c").map(Node::kind), Some("a number"));
    }
}
