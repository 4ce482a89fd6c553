//! Finds placeholders and says in which kind of quotes each one stands.

use super::{Placeholder, TemplateError, TemplateErrorKind};
use crate::statement::Dialect;

/// How a placeholder asks to be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `${name:identifier}`
    Identifier,
    /// `${name:literal}`
    Literal,
}

/// Where a placeholder stands, and so how its value is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among the other words: a quoted identifier.
    Identifier,
    /// Among the other words: a quoted literal.
    Literal,
    /// In an identifier that ends with this character.
    InIdentifier(char),
    /// In a string, where a backslash may mean something; with the kind that it asked for.
    InString {
        /// Whether a backslash must be doubled.
        backslashes: bool,
        /// What it asked for.
        kind: Option<Kind>,
    },
}

/// What gives the text that stands for a placeholder.
pub type Resolve<'a> = dyn FnMut(&Placeholder, Place) -> Result<String, TemplateError> + 'a;

/// Goes through SQL of one dialect.
pub struct Scanner<'a> {
    dialect: Dialect,
    sql: &'a str,
}

/// What a `$` begins.
enum Dollar {
    Escape,
    Placeholder(Placeholder, Option<Kind>),
    Nothing,
}

impl<'a> Scanner<'a> {
    pub const fn new(dialect: Dialect, sql: &'a str) -> Self {
        Self { dialect, sql }
    }

    /// The SQL with each placeholder replaced by what `resolve` gives for it.
    pub fn expand(&self, resolve: &mut Resolve<'_>) -> Result<String, TemplateError> {
        self.section(0, self.sql.len(), resolve)
    }

    fn byte(&self, at: usize, end: usize) -> Option<u8> {
        (at < end)
            .then(|| self.sql.as_bytes().get(at).copied())
            .flatten()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.sql.get(start..end).unwrap_or_default()
    }

    /// Words, operators and everything quoted between two offsets.
    fn section(
        &self,
        start: usize,
        end: usize,
        resolve: &mut Resolve<'_>,
    ) -> Result<String, TemplateError> {
        let mut out = String::with_capacity(end - start);
        let (mut at, mut copied) = (start, start);
        while let Some(byte) = self.byte(at, end) {
            let next = self.byte(at + 1, end);
            match (byte, next) {
                (b'-', Some(b'-')) => at = self.line_comment(at, end),
                (b'/', Some(b'*')) => at = self.block_comment(at, end),
                (b'\'' | b'"' | b'`' | b'[', _)
                    if byte == b'\'' || byte == b'"' || self.dialect == Dialect::Sqlite =>
                {
                    out.push_str(self.slice(copied, at + 1));
                    at = self.quoted(at, end, &mut out, resolve)?;
                    copied = at;
                }
                (b'$', _) => match self.dollar(at, end)? {
                    Dollar::Escape => {
                        out.push_str(self.slice(copied, at));
                        out.push_str("${");
                        at += 3;
                        copied = at;
                    }
                    Dollar::Placeholder(placeholder, kind) => {
                        out.push_str(self.slice(copied, at));
                        let place = match kind {
                            None | Some(Kind::Identifier) => Place::Identifier,
                            Some(Kind::Literal) => Place::Literal,
                        };
                        out.push_str(&resolve(&placeholder, place)?);
                        at += placeholder.length;
                        copied = at;
                    }
                    Dollar::Nothing => match self.dollar_quote(start, at, end) {
                        Some((tag, close)) => {
                            out.push_str(self.slice(copied, at));
                            out.push_str(&self.body(tag, at + tag.len(), close, resolve)?);
                            at = close + tag.len();
                            copied = at;
                        }
                        None => at += 1,
                    },
                },
                _ => at += 1,
            }
        }
        out.push_str(self.slice(copied, end));
        Ok(out)
    }

    /// A body between dollar quotes, with them; what is put in must not end it early.
    fn body(
        &self,
        tag: &str,
        start: usize,
        end: usize,
        resolve: &mut Resolve<'_>,
    ) -> Result<String, TemplateError> {
        let mut last = None;
        let body = self.section(start, end, &mut |placeholder, place| {
            let text = resolve(placeholder, place)?;
            if last.is_none() || text.contains('$') {
                last = Some(placeholder.clone());
            }
            Ok(text)
        })?;
        let whole = format!("{body}{tag}");
        if let (Some(placeholder), true) = (last, whole.find(tag) != Some(body.len())) {
            return Err(placeholder.error(TemplateErrorKind::Value {
                name: placeholder.name.clone(),
                reason: "would end the dollar-quoted body in which it stands",
            }));
        }
        Ok(format!("{tag}{whole}"))
    }

    /// The rest of a string or quoted identifier whose opening quote was copied; gives the offset after it.
    fn quoted(
        &self,
        open: usize,
        end: usize,
        out: &mut String,
        resolve: &mut Resolve<'_>,
    ) -> Result<usize, TemplateError> {
        let close = match self.byte(open, end) {
            Some(b'[') => b']',
            Some(other) => other,
            None => return Ok(end),
        };
        let escapes = self.dialect == Dialect::Postgres && close == b'\'' && self.prefix(open, "e");
        let unicode = self.dialect == Dialect::Postgres && self.prefix(open, "u&");
        let (mut at, mut copied) = (open + 1, open + 1);
        while let Some(byte) = self.byte(at, end) {
            if byte == close {
                if close != b']' && self.byte(at + 1, end) == Some(close) {
                    at += 2;
                    continue;
                }
                out.push_str(self.slice(copied, at + 1));
                return Ok(at + 1);
            }
            if byte == b'\\' && escapes {
                at += 2;
                continue;
            }
            let dollar = if byte == b'$' {
                self.dollar(at, end)?
            } else {
                Dollar::Nothing
            };
            match dollar {
                Dollar::Nothing => {
                    at += 1;
                    continue;
                }
                Dollar::Escape => {
                    out.push_str(self.slice(copied, at));
                    out.push_str("${");
                    at += 3;
                }
                Dollar::Placeholder(placeholder, kind) => {
                    out.push_str(self.slice(copied, at));
                    let place = if close == b'\'' {
                        Place::InString {
                            backslashes: escapes || unicode,
                            kind,
                        }
                    } else {
                        Place::InIdentifier(char::from(close))
                    };
                    out.push_str(&resolve(&placeholder, place)?);
                    at += placeholder.length;
                }
            }
            copied = at;
        }
        out.push_str(self.slice(copied, end));
        Ok(end)
    }

    /// Whether a quote has this prefix, which is no part of a longer word.
    fn prefix(&self, quote: usize, prefix: &str) -> bool {
        let Some(start) = quote.checked_sub(prefix.len()) else {
            return false;
        };
        let before = self.sql.as_bytes().get(..start).unwrap_or_default();
        self.sql
            .get(start..quote)
            .is_some_and(|text| text.eq_ignore_ascii_case(prefix))
            && !before.last().is_some_and(|byte| is_word(*byte))
    }

    fn line_comment(&self, at: usize, end: usize) -> usize {
        self.slice(at, end)
            .find('\n')
            .map_or(end, |length| at + length)
    }

    fn block_comment(&self, start: usize, end: usize) -> usize {
        let (mut at, mut depth) = (start + 2, 1);
        while let Some(byte) = self.byte(at, end) {
            match (byte, self.byte(at + 1, end)) {
                (b'*', Some(b'/')) => {
                    at += 2;
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                (b'/', Some(b'*')) if self.dialect == Dialect::Postgres => {
                    at += 2;
                    depth += 1;
                }
                _ => at += 1,
            }
        }
        end
    }

    fn dollar(&self, at: usize, end: usize) -> Result<Dollar, TemplateError> {
        let rest = self.slice(at, end);
        if let Some(after) = rest.strip_prefix("$${") {
            // `$${"a": 1}$$` is JSON between dollar quotes; only what looks like a placeholder is an escaped one.
            let escape = self.dialect == Dialect::Sqlite || parse(after).is_some();
            return Ok(if escape {
                Dollar::Escape
            } else {
                Dollar::Nothing
            });
        }
        placeholder(rest, at)
    }

    /// The tag of a dollar quote that opens here and the offset of its closing tag.
    fn dollar_quote(&self, section: usize, at: usize, end: usize) -> Option<(&'a str, usize)> {
        if self.dialect != Dialect::Postgres {
            return None;
        }
        let before = self.slice(section, at).as_bytes().last();
        if before.is_some_and(|byte| is_word(*byte)) {
            return None;
        }
        let rest = self.slice(at, end);
        let length = rest.get(1..)?.find('$')? + 2;
        let tag = rest.get(..length)?;
        let name = tag.trim_matches('$');
        let first = name.bytes().next();
        if first.is_some_and(|byte| byte.is_ascii_digit()) || !name.bytes().all(is_word) {
            return None;
        }
        let mut from = at + length;
        loop {
            let close = from + self.slice(from, end).find(tag)?;
            let escape = tag == "$$"
                && self
                    .slice(close, end)
                    .strip_prefix("$${")
                    .is_some_and(|after| parse(after).is_some());
            if !escape {
                return Some((tag, close));
            }
            from = close + 3;
        }
    }
}

/// What a text that begins with `$` begins with, where no dollar quotes are known.
fn placeholder(rest: &str, offset: usize) -> Result<Dollar, TemplateError> {
    let Some(after) = rest.strip_prefix("${") else {
        return Ok(Dollar::Nothing);
    };
    let error = |length, kind| TemplateError {
        offset,
        length,
        kind,
    };
    let Some((name, kind, length)) = parse(after) else {
        let length = after
            .find(['}', '\n'])
            .filter(|end| after.as_bytes().get(*end) == Some(&b'}'));
        return Err(error(
            length.map_or(2, |length| length + 3),
            TemplateErrorKind::Malformed,
        ));
    };
    let length = length + 2;
    let kind = match kind {
        None => None,
        Some("identifier") => Some(Kind::Identifier),
        Some("literal") => Some(Kind::Literal),
        Some(other) => return Err(error(length, TemplateErrorKind::Kind(other.to_owned()))),
    };
    let placeholder = Placeholder {
        name: name.to_owned(),
        offset,
        length,
    };
    Ok(Dollar::Placeholder(placeholder, kind))
}

/// `name}` or `name:kind}`, and its length with the brace.
fn parse(after: &str) -> Option<(&str, Option<&str>, usize)> {
    let inside = after.split('}').next()?;
    if inside.len() == after.len() {
        return None;
    }
    let (name, kind) = match inside.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (inside, None),
    };
    let letters = kind.is_none_or(|kind| kind.bytes().all(|byte| byte.is_ascii_alphabetic()));
    (is_parameter_name(name) && letters).then_some((name, kind, inside.len() + 1))
}

/// Whether a text can be the name of a parameter.
#[must_use]
pub fn is_parameter_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The placeholders and, marked true, the escaped ones of a text that isn't SQL.
pub fn plain(text: &str) -> Result<Vec<(Placeholder, bool)>, TemplateError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text.get(at..).and_then(|rest| rest.find('$')) {
        let offset = at + dollar;
        let rest = text.get(offset..).unwrap_or_default();
        if rest.starts_with("$${") {
            let escape = Placeholder {
                name: String::new(),
                offset,
                length: 3,
            };
            found.push((escape, true));
            at = offset + 3;
        } else if let Dollar::Placeholder(placeholder, _) = placeholder(rest, offset)? {
            at = offset + placeholder.length;
            found.push((placeholder, false));
        } else {
            at = offset + 1;
        }
    }
    Ok(found)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
