//! `${NAME}` in SQL and in URLs: values are quoted for the place where they land, never spliced.
//!
//! `${name}` and `${name:identifier}` give a quoted identifier, `${name:literal}` a quoted literal. Inside a `'…'`
//! string a bare `${name}` is escaped as content of that string, inside `"…"` as content of that identifier; a kind
//! inside a string gives the quoted form as content of the string, as `'${schema:identifier}.orders'::regclass`
//! wants it. Comments stay as they are; bodies between dollar quotes follow the same rules as the rest, and a value
//! that would end the body is refused. `$${` is a literal `${`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::statement::Dialect;
use crate::suggestion::nearest;

mod fill;
mod scan;

pub use fill::{Filled, fill};
pub use scan::is_parameter_name;
use scan::{Place, Scanner};

/// The values that placeholders stand for.
pub type Values = BTreeMap<String, String>;

/// PostgreSQL cuts longer identifiers off without an error, and so might name another object.
const POSTGRES_IDENTIFIER: usize = 63;

/// One placeholder of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The parameter that it names.
    pub name: String,
    /// Byte offset of its `$`.
    pub offset: usize,
    /// Its length in bytes.
    pub length: usize,
}

/// A text with placeholders can't be expanded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{kind}")]
pub struct TemplateError {
    /// Byte offset of the placeholder's `$`.
    pub offset: usize,
    /// The placeholder's length in bytes.
    pub length: usize,
    /// What is wrong with it.
    pub kind: TemplateErrorKind,
}

/// What is wrong with a placeholder.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// No such parameter.
    #[error("there is no parameter `{name}`")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The most similar parameter.
        nearest: Option<String>,
    },
    /// `${` without a name and `}`.
    #[error("`${{` without a parameter's name and `}}`")]
    Malformed,
    /// Neither `identifier` nor `literal`.
    #[error("a parameter is quoted as `identifier` or as `literal`, not as `{0}`")]
    Kind(
        /// What was written.
        String,
    ),
    /// The value can't be said in this place.
    #[error("the value of `{name}` {reason}")]
    Value {
        /// The parameter.
        name: String,
        /// Why it can't be said, such as `is empty, and no identifier is`.
        reason: &'static str,
    },
}

/// The placeholders of SQL, comments left out.
///
/// # Errors
/// The first malformed placeholder.
pub fn placeholders(dialect: Dialect, sql: &str) -> Result<Vec<Placeholder>, TemplateError> {
    let mut found = Vec::new();
    Scanner::new(dialect, sql).expand(&mut |placeholder, _| {
        found.push(placeholder.clone());
        Ok(String::new())
    })?;
    Ok(found)
}

/// SQL with each placeholder replaced by its value, quoted for the place where it stands.
///
/// # Errors
/// The first placeholder that is malformed, unknown, or whose value can't be said where it stands.
pub fn expand_sql(dialect: Dialect, sql: &str, values: &Values) -> Result<String, TemplateError> {
    if !sql.contains("${") {
        return Ok(sql.to_owned());
    }
    Scanner::new(dialect, sql).expand(&mut |placeholder, place| {
        quote(dialect, value(placeholder, values)?, place).map_err(|reason| {
            placeholder.error(TemplateErrorKind::Value {
                name: placeholder.name.clone(),
                reason,
            })
        })
    })
}

/// A URL with each placeholder replaced by its value, percent-encoded.
///
/// # Errors
/// The first placeholder that is malformed or unknown.
pub fn expand_url(template: &str, values: &Values) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    let mut done = 0;
    for (placeholder, escape) in scan::plain(template)? {
        out.push_str(template.get(done..placeholder.offset).unwrap_or_default());
        done = placeholder.offset + placeholder.length;
        if escape {
            out.push_str("${");
        } else {
            percent_encode(value(&placeholder, values)?, &mut out);
        }
    }
    out.push_str(template.get(done..).unwrap_or_default());
    Ok(out)
}

/// The placeholders of a URL.
///
/// # Errors
/// The first malformed placeholder.
pub fn url_placeholders(template: &str) -> Result<Vec<Placeholder>, TemplateError> {
    let found = scan::plain(template)?.into_iter();
    Ok(found
        .filter(|(_, escape)| !escape)
        .map(|(placeholder, _)| placeholder)
        .collect())
}

impl Placeholder {
    fn error(&self, kind: TemplateErrorKind) -> TemplateError {
        TemplateError {
            offset: self.offset,
            length: self.length,
            kind,
        }
    }
}

fn value<'a>(placeholder: &Placeholder, values: &'a Values) -> Result<&'a str, TemplateError> {
    values
        .get(&placeholder.name)
        .map(String::as_str)
        .ok_or_else(|| {
            let candidates = values.keys().map(String::as_str);
            placeholder.error(TemplateErrorKind::Unknown {
                name: placeholder.name.clone(),
                nearest: nearest(&placeholder.name, candidates).map(str::to_owned),
            })
        })
}

fn quote(dialect: Dialect, value: &str, place: Place) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("holds a NUL character, which SQL can't say");
    }
    Ok(match place {
        Place::Identifier => identifier(dialect, value)?,
        Place::Literal => format!("'{}'", doubled(value, '\'')),
        Place::InIdentifier(close) => {
            checked_identifier(dialect, value)?;
            if close == ']' && value.contains(']') {
                return Err("holds a `]`, which an identifier in `[…]` can't say");
            }
            doubled(value, close)
        }
        Place::InString { backslashes, kind } => {
            let content = match kind {
                None => value.to_owned(),
                Some(scan::Kind::Identifier) => identifier(dialect, value)?,
                Some(scan::Kind::Literal) => format!("'{}'", doubled(value, '\'')),
            };
            let content = doubled(&content, '\'');
            if backslashes {
                doubled(&content, '\\')
            } else {
                content
            }
        }
    })
}

fn identifier(dialect: Dialect, value: &str) -> Result<String, &'static str> {
    checked_identifier(dialect, value)?;
    Ok(format!("\"{}\"", doubled(value, '"')))
}

fn checked_identifier(dialect: Dialect, value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("is empty, and no identifier is");
    }
    if dialect == Dialect::Postgres && value.len() > POSTGRES_IDENTIFIER {
        return Err("has more than the 63 bytes that PostgreSQL keeps of an identifier");
    }
    Ok(())
}

fn doubled(value: &str, quote: char) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    for character in value.chars() {
        out.push(character);
        if character == quote {
            out.push(character);
        }
    }
    out
}

fn percent_encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests;
