//! Where statements end.
//!
//! PostgreSQL: as psql does it, a semicolon inside parentheses or the body of `BEGIN ATOMIC … END` ends nothing.
//! SQLite: as `sqlite3_complete` does it, a trigger ends at the semicolon after `; END`.

use whimbrel_core::statement::Dialect;

use super::token::{Kind, Token, Unterminated, tokens};

/// One statement's text without its terminator, and its tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    pub(crate) tokens: Vec<Token<'a>>,
}

impl<'a> Piece<'a> {
    fn new(source: &'a str, tokens: Vec<Token<'a>>) -> Option<Self> {
        let start = tokens.first()?.start;
        let end = tokens.last()?.end();
        Some(Self {
            text: source.get(start..end)?,
            start,
            tokens,
        })
    }

    /// Whether it begins with these keywords.
    pub(crate) fn begins(&self, keywords: &[&str]) -> bool {
        begins(&self.tokens, keywords)
    }
}

/// Whether tokens begin with these keywords.
pub(crate) fn begins(tokens: &[Token<'_>], keywords: &[&str]) -> bool {
    tokens.len() >= keywords.len()
        && tokens
            .iter()
            .zip(keywords)
            .all(|(token, keyword)| token.is(keyword))
}

/// All statements of a text; empty ones are left out.
pub(crate) fn pieces(dialect: Dialect, text: &str) -> Result<Vec<Piece<'_>>, Unterminated> {
    let mut pieces = Vec::new();
    let mut current: Vec<Token<'_>> = Vec::new();
    let mut nesting = Nesting::default();
    for token in tokens(dialect, text)? {
        let ends = token.is_mark(';')
            && match dialect {
                Dialect::Postgres => nesting.is_outside(),
                Dialect::Sqlite => !is_open_trigger(&current),
            };
        if ends {
            pieces.extend(Piece::new(text, std::mem::take(&mut current)));
            nesting = Nesting::default();
        } else {
            current.push(token);
            nesting.see(&current);
        }
    }
    pieces.extend(Piece::new(text, current));
    Ok(pieces)
}

#[derive(Default)]
struct Nesting {
    parentheses: u32,
    blocks: u32,
}

impl Nesting {
    const fn is_outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn see(&mut self, current: &[Token<'_>]) {
        let Some((last, before)) = current.split_last() else {
            return;
        };
        match last.kind {
            Kind::Punctuation('(') => self.parentheses += 1,
            Kind::Punctuation(')') => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Word if self.parentheses == 0 => self.see_word(last, before),
            _ => {}
        }
    }

    /// Only the body of a function or procedure in standard SQL has blocks that PostgreSQL's own lexer doesn't hide.
    fn see_word(&mut self, last: &Token<'_>, before: &[Token<'_>]) {
        let opens = last.is("atomic") && before.last().is_some_and(|token| token.is("begin"));
        if (opens && is_routine(before)) || (self.blocks > 0 && last.is("case")) {
            self.blocks += 1;
        } else if self.blocks > 0 && last.is("end") {
            self.blocks -= 1;
        }
    }
}

fn is_routine(tokens: &[Token<'_>]) -> bool {
    ["function", "procedure"].iter().any(|kind| {
        begins(tokens, &["create", kind]) || begins(tokens, &["create", "or", "replace", kind])
    })
}

/// Whether these tokens are a `CREATE TRIGGER` that still waits for its `END`.
fn is_open_trigger(tokens: &[Token<'_>]) -> bool {
    let mut words = tokens;
    if words.first().is_some_and(|token| token.is("explain")) {
        words = words.get(1..).unwrap_or_default();
        if begins(words, &["query", "plan"]) {
            words = words.get(2..).unwrap_or_default();
        }
    }
    let is_trigger = begins(words, &["create", "trigger"])
        || begins(words, &["create", "temp", "trigger"])
        || begins(words, &["create", "temporary", "trigger"]);
    let ended = matches!(tokens, [.., semicolon, end] if semicolon.is_mark(';') && end.is("end"));
    is_trigger && !ended
}

#[cfg(test)]
mod tests {
    use super::pieces;
    use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};

    fn texts(dialect: Dialect, text: &str) -> Vec<&str> {
        pieces(dialect, text)
            .unwrap()
            .iter()
            .map(|piece| piece.text)
            .collect()
    }

    #[test]
    fn ends_where_psql_ends() {
        assert_eq!(texts(Postgres, "; a;; -- x\n b ; "), ["a", "b"]);
        let rule = "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)";
        assert_eq!(texts(Postgres, &format!("{rule}; x")), [rule, "x"]);
        let body = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; \
                    SELECT CASE WHEN true THEN 1 END; END";
        assert_eq!(texts(Postgres, &format!("{body}; x")), [body, "x"]);
        let quoted =
            "CREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END $$ LANGUAGE plpgsql";
        assert_eq!(texts(Postgres, &format!("{quoted}; x")), [quoted, "x"]);
        assert_eq!(
            texts(Postgres, "CREATE TABLE atomic (a int); BEGIN; END; x").len(),
            4
        );
    }

    #[test]
    fn ends_where_sqlite_ends() {
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; \
                       SELECT 1; END";
        assert_eq!(texts(Sqlite, &format!("{trigger}; x")), [trigger, "x"]);
        assert_eq!(
            texts(Sqlite, "CREATE TABLE trigger_x(a); y"),
            ["CREATE TABLE trigger_x(a)", "y"]
        );
    }
}
