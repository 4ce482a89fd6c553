//! Cuts SQL into tokens: enough to know where strings, names and comments begin and end, which is what splitting and
//! refusing must never get wrong. Comments and white space are left out.

use whimbrel_core::statement::Dialect;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name, with its quotes.
    QuotedName,
    /// A string of any kind, with its quotes.
    Text,
    /// A dollar-quoted string, with its tags.
    DollarText,
    /// A number or a parameter.
    Number,
    /// One character of anything else.
    Punctuation(char),
}

/// A token and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Whether it is this keyword, unquoted.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this character.
    pub(crate) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Punctuation(mark)
    }

    /// Where it ends.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The name that it stands for: unquoted, and folded where the dialect folds.
    pub(crate) fn name(&self, dialect: Dialect) -> Option<String> {
        match self.kind {
            Kind::Word if dialect == Dialect::Postgres => Some(self.text.to_lowercase()),
            Kind::Word => Some(self.text.to_owned()),
            Kind::QuotedName => {
                let open = self.text.chars().next()?;
                let close = if open == '[' { ']' } else { open };
                let inner = self.text.strip_prefix(open)?.strip_suffix(close)?;
                let doubled: String = [close, close].iter().collect();
                Some(if open == '[' {
                    inner.to_owned()
                } else {
                    inner.replace(&doubled, &close.to_string())
                })
            }
            _ => None,
        }
    }
}

/// Something that begins and never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unterminated {
    pub(crate) start: usize,
    pub(crate) what: &'static str,
}

/// All tokens of a text.
pub(crate) fn tokens(dialect: Dialect, text: &str) -> Result<Vec<Token<'_>>, Unterminated> {
    let mut scanner = Scanner {
        dialect,
        text,
        at: 0,
    };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner<'a> {
    dialect: Dialect,
    text: &'a str,
    at: usize,
}

const fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

const fn is_word(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit() || c == '$'
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Unterminated> {
        self.skip_blank()?;
        let rest = self.rest();
        let start = self.at;
        let Some(first) = rest.chars().next() else {
            return Ok(None);
        };
        let (kind, length) = match first {
            '\'' => (Kind::Text, self.quoted(rest, '\'', false, "string")?),
            '"' => (
                Kind::QuotedName,
                self.quoted(rest, '"', false, "quoted name")?,
            ),
            '`' if self.dialect == Dialect::Sqlite => (
                Kind::QuotedName,
                self.quoted(rest, '`', false, "quoted name")?,
            ),
            '[' if self.dialect == Dialect::Sqlite => {
                let end = rest.find(']').ok_or(Unterminated {
                    start,
                    what: "quoted name",
                })?;
                (Kind::QuotedName, end + 1)
            }
            '$' if self.dialect == Dialect::Postgres => match dollar_tag(rest) {
                Some(tag) => (Kind::DollarText, self.dollar(rest, tag)?),
                None => number_or_mark(rest, first),
            },
            'e' | 'E' if self.dialect == Dialect::Postgres && rest.get(1..2) == Some("'") => {
                (Kind::Text, self.escape_string(rest)?)
            }
            c if is_word_start(c) => (Kind::Word, run(rest, is_word)),
            c => number_or_mark(rest, c),
        };
        self.at = start + length;
        Ok(Some(Token {
            kind,
            text: rest.get(..length).unwrap_or_default(),
            start,
        }))
    }

    fn skip_blank(&mut self) -> Result<(), Unterminated> {
        loop {
            let rest = self.rest();
            let blank = run(rest, is_space);
            if blank > 0 {
                self.at += blank;
            } else if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += self.comment(rest)?;
            } else if rest.starts_with('\u{feff}') && self.at == 0 {
                self.at += '\u{feff}'.len_utf8();
            } else {
                return Ok(());
            }
        }
    }

    /// PostgreSQL's comments nest; SQLite's don't, and may stay open at the end.
    fn comment(&self, rest: &str) -> Result<usize, Unterminated> {
        if self.dialect == Dialect::Sqlite {
            let inner = rest.get(2..).unwrap_or_default();
            return Ok(inner.find("*/").map_or(rest.len(), |end| end + 4));
        }
        let mut depth = 0_u32;
        let mut at = 0;
        while let Some(here) = rest.as_bytes().get(at..).filter(|here| !here.is_empty()) {
            if here.starts_with(b"/*") {
                depth += 1;
                at += 2;
            } else if here.starts_with(b"*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Ok(at);
                }
            } else {
                at += 1;
            }
        }
        Err(Unterminated {
            start: self.at,
            what: "comment",
        })
    }

    /// The length of a quoted run at the start of `rest`; a doubled quote stays inside.
    fn quoted(
        &self,
        rest: &str,
        quote: char,
        escapes: bool,
        what: &'static str,
    ) -> Result<usize, Unterminated> {
        let mut characters = rest.char_indices().skip(1).peekable();
        while let Some((index, c)) = characters.next() {
            if escapes && c == '\\' {
                characters.next();
            } else if c == quote {
                if characters.peek().is_some_and(|(_, next)| *next == quote) {
                    characters.next();
                } else {
                    return Ok(index + quote.len_utf8());
                }
            }
        }
        Err(Unterminated {
            start: self.at,
            what,
        })
    }

    /// `E'…'`, which goes on after white space with a line break, still with escapes.
    fn escape_string(&self, rest: &str) -> Result<usize, Unterminated> {
        let mut length = 1;
        loop {
            let part = rest.get(length..).unwrap_or_default();
            length += self.quoted(part, '\'', true, "string")?;
            let after = rest.get(length..).unwrap_or_default();
            let blank = run(after, is_space);
            let (space, next) = after.split_at(blank);
            if !(space.contains(['\n', '\r']) && next.starts_with('\'')) {
                return Ok(length);
            }
            length += blank;
        }
    }

    fn dollar(&self, rest: &str, tag: &str) -> Result<usize, Unterminated> {
        let body = rest.get(tag.len()..).unwrap_or_default();
        body.find(tag)
            .map(|end| end + 2 * tag.len())
            .ok_or(Unterminated {
                start: self.at,
                what: "dollar-quoted string",
            })
    }
}

/// `$$` or `$tag$` at the start.
fn dollar_tag(rest: &str) -> Option<&str> {
    let inner = rest.strip_prefix('$')?;
    let length = run(inner, |c| is_word(c) && c != '$');
    let starts_well = inner
        .chars()
        .next()
        .is_some_and(|c| c == '$' || is_word_start(c));
    (starts_well && inner.get(length..)?.starts_with('$'))
        .then(|| rest.get(..length + 2))
        .flatten()
}

fn number_or_mark(rest: &str, first: char) -> (Kind, usize) {
    if first.is_ascii_digit() {
        (
            Kind::Number,
            run(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.'),
        )
    } else if matches!(first, '$' | '?' | ':' | '@')
        && rest
            .chars()
            .nth(1)
            .is_some_and(|c| c.is_ascii_alphanumeric())
    {
        (
            Kind::Number,
            1 + run(rest.get(1..).unwrap_or_default(), is_word),
        )
    } else {
        (Kind::Punctuation(first), first.len_utf8())
    }
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};
    use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};

    fn texts(dialect: Dialect, text: &str) -> Vec<&str> {
        tokens(dialect, text)
            .unwrap()
            .iter()
            .map(|token| token.text)
            .collect()
    }

    #[test]
    fn knows_every_kind_of_quote() {
        assert_eq!(texts(Postgres, "a'b''c;'d"), ["a", "'b''c;'", "d"]);
        assert_eq!(texts(Postgres, r"E'a\';b' c"), [r"E'a\';b'", "c"]);
        assert_eq!(texts(Postgres, "E'a'\n  '\\';' c"), ["E'a'\n  '\\';'", "c"]);
        assert_eq!(texts(Postgres, "$a$ ; $$ $a$ x"), ["$a$ ; $$ $a$", "x"]);
        assert_eq!(texts(Postgres, "a$b$c $1"), ["a$b$c", "$1"]);
        assert_eq!(
            texts(Postgres, r#"U&"a;" "b"";""#),
            ["U", "&", r#""a;""#, r#""b"";""#]
        );
        assert_eq!(
            texts(Sqlite, "[a;] `b``;` \"c\""),
            ["[a;]", "`b``;`", "\"c\""]
        );
    }

    #[test]
    fn knows_every_kind_of_comment() {
        assert_eq!(
            texts(Postgres, "a -- ;'\nb /* ' /* ; */ ' */ c"),
            ["a", "b", "c"]
        );
        assert_eq!(texts(Sqlite, "a /* /* */ b /* open"), ["a", "b"]);
    }

    #[test]
    fn says_what_never_ends() {
        for (text, what) in [
            ("x 'a", "string"),
            ("x \"a", "quoted name"),
            ("x $$ a", "dollar-quoted string"),
            ("x /* /* */", "comment"),
        ] {
            let error = tokens(Postgres, text).unwrap_err();
            assert_eq!((error.what, error.start), (what, 2));
        }
    }

    #[test]
    fn unquotes_names() {
        let name = |dialect, text| tokens(dialect, text).unwrap()[0].name(dialect).unwrap();
        assert_eq!(name(Postgres, "Foo"), "foo");
        assert_eq!(name(Postgres, "\"Fo\"\"o\""), "Fo\"o");
        assert_eq!(name(Sqlite, "[a\"b]"), "a\"b");
        assert_eq!(tokens(Postgres, "'x'").unwrap()[0].kind, Kind::Text);
    }
}
