//! Reads the few statements whose exact names matter, token by token.

use whimbrel_core::statement::Dialect;

use super::token::Token;

/// A place between tokens.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a, 't> {
    dialect: Dialect,
    tokens: &'t [Token<'a>],
}

/// A name, with its schema where one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl<'a, 't> Cursor<'a, 't> {
    pub(crate) const fn new(dialect: Dialect, tokens: &'t [Token<'a>]) -> Self {
        Self { dialect, tokens }
    }

    pub(crate) const fn rest(&self) -> &'t [Token<'a>] {
        self.tokens
    }

    /// Goes past these keywords if they come next.
    pub(crate) fn take(&mut self, keywords: &[&str]) -> bool {
        let found = super::pieces::begins(self.tokens, keywords);
        if found {
            self.tokens = self.tokens.get(keywords.len()..).unwrap_or_default();
        }
        found
    }

    /// Goes past this character if it comes next.
    pub(crate) fn take_mark(&mut self, mark: char) -> bool {
        let found = self.tokens.first().is_some_and(|token| token.is_mark(mark));
        if found {
            self.skip();
        }
        found
    }

    /// Whether this keyword comes next.
    pub(crate) fn sees(&self, keyword: &str) -> bool {
        self.tokens.first().is_some_and(|token| token.is(keyword))
    }

    /// Goes past one token.
    pub(crate) fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Reads `name`, `schema.name` or `catalog.schema.name`.
    pub(crate) fn name(&mut self) -> Option<Name> {
        let mut name = Name {
            schema: None,
            name: self.part()?,
        };
        while self.take_mark('.') {
            name = Name {
                schema: Some(name.name),
                name: self.part()?,
            };
        }
        Some(name)
    }

    fn part(&mut self) -> Option<String> {
        let name = self.tokens.first()?.name(self.dialect)?;
        self.skip();
        Some(name)
    }
}
