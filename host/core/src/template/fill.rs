//! A text filled in as far as it can be: every mistake of it, and where in it something of the result comes from.

use super::{TemplateError, TemplateErrorKind, Values, quote, scan::Scanner, value};
use crate::statement::Dialect;

/// What stands for a value that can't be said, so that the rest can be looked at, too.
const STAND_IN: &str = "value";

/// SQL with its placeholders replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled<'a> {
    /// The result. Where a value is missing or can't be said, a name stands for it; empty when a placeholder is malformed,
    /// as what follows can't be told then.
    pub text: String,
    /// Everything that is wrong, in the order of the text.
    pub errors: Vec<TemplateError>,
    sql: &'a str,
    replaced: Vec<Replaced>,
}

/// A placeholder, and how long the text is that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replaced {
    offset: usize,
    length: usize,
    filled: usize,
}

/// SQL with each placeholder replaced by its value, as [`super::expand_sql`] does it, with all that is wrong.
#[must_use]
pub fn fill<'a>(dialect: Dialect, sql: &'a str, values: &Values) -> Filled<'a> {
    let mut filled = Filled {
        text: String::new(),
        errors: Vec::new(),
        sql,
        replaced: Vec::new(),
    };
    let Filled {
        errors, replaced, ..
    } = &mut filled;
    let expanded = Scanner::new(dialect, sql).expand(&mut |placeholder, place| {
        let found = value(placeholder, values).and_then(|value| {
            quote(dialect, value, place).map_err(|reason| {
                placeholder.error(TemplateErrorKind::Value {
                    name: placeholder.name.clone(),
                    reason,
                })
            })
        });
        let text = found.unwrap_or_else(|error| {
            errors.push(error);
            quote(dialect, STAND_IN, place).unwrap_or_default()
        });
        replaced.push(Replaced {
            offset: placeholder.offset,
            length: placeholder.length,
            filled: text.len(),
        });
        Ok(text)
    });
    match expanded {
        Ok(text) => filled.text = text,
        Err(error) => filled.errors.push(error),
    }
    filled
}

impl Filled<'_> {
    /// Where in the text with placeholders something of the result comes from, both in bytes: of a value, its
    /// placeholder.
    #[must_use]
    pub fn origin(&self, offset: usize) -> usize {
        let (mut written, mut result) = (0, 0);
        for replaced in &self.replaced {
            let literal = self.literal(written, replaced.offset, result, offset);
            match literal {
                Ok(found) => return found,
                Err(end) => result = end,
            }
            if offset < result + replaced.filled {
                return replaced.offset;
            }
            written = replaced.offset + replaced.length;
            result += replaced.filled;
        }
        let end = self.sql.len();
        self.literal(written, end, result, offset).unwrap_or(end)
    }

    /// The place of an offset of the result in what was copied; where that ends in the result when it isn't in it.
    fn literal(
        &self,
        mut written: usize,
        end: usize,
        mut result: usize,
        offset: usize,
    ) -> Result<usize, usize> {
        while written < end {
            if result == offset {
                return Ok(written);
            }
            // `$${` became `${`, but for comments, where it stays.
            let escaped = self.begins(written, "$${") && !self.text_begins(result, "$${");
            written += 1 + usize::from(escaped);
            result += 1;
        }
        Err(result)
    }

    fn begins(&self, offset: usize, wanted: &str) -> bool {
        let rest = self.sql.as_bytes().get(offset..).unwrap_or_default();
        rest.starts_with(wanted.as_bytes())
    }

    fn text_begins(&self, offset: usize, wanted: &str) -> bool {
        let rest = self.text.as_bytes().get(offset..).unwrap_or_default();
        rest.starts_with(wanted.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::fill;
    use crate::statement::Dialect::{Postgres, Sqlite};
    use crate::template::{Values, expand_sql};

    fn values() -> Values {
        [("a", "long name"), ("empty", ""), ("two", "x\ny")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn tells_everything_that_is_wrong() {
        let sql = "SELECT ${b}, ${a}, ${empty}, $$ ${c} $$";
        let filled = fill(Postgres, sql, &values());
        let found: Vec<_> = filled
            .errors
            .iter()
            .map(|error| (error.offset, error.kind.to_string()))
            .collect();
        assert_eq!(
            found,
            [
                (7, "there is no parameter `b`".to_owned()),
                (
                    19,
                    "the value of `empty` is empty, and no identifier is".to_owned()
                ),
                (32, "there is no parameter `c`".to_owned()),
            ]
        );
        assert_eq!(
            filled.text,
            "SELECT \"value\", \"long name\", \"value\", $$ \"value\" $$"
        );
        let malformed = fill(Sqlite, "SELECT ${b}, ${", &values());
        assert_eq!((malformed.errors.len(), malformed.text.as_str()), (2, ""));
    }

    #[test]
    fn finds_what_was_written() {
        let sql =
            "-- $${ ${no}\nSELECT ${a} AS x, '$${a} ${two}', $$ ${two:literal} y $$ AS z, ${a}";
        for dialect in [Postgres, Sqlite] {
            let filled = fill(dialect, sql, &values());
            assert_eq!(filled.text, expand_sql(dialect, sql, &values()).unwrap());
            for word in ["no}", "SELECT", "AS x", "'", " y ", "AS z"] {
                let offset = filled.text.find(word).unwrap();
                assert_eq!(filled.origin(offset), sql.find(word).unwrap(), "{word}");
            }
            let inside = filled.text.find("name").unwrap();
            assert_eq!(filled.origin(inside), sql.find("${a}").unwrap());
            let last = filled.text.rfind("name").unwrap();
            assert_eq!(filled.origin(last), sql.rfind("${a}").unwrap());
            assert_eq!(filled.origin(filled.text.len()), sql.len());
        }
    }
}
