//! Why something is no value of a type, and where in it.

use std::fmt;

use super::kind::Type;
use crate::limits::DEPTH;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An attribute or a key.
    Name(String),
    /// An element of a list.
    Index(usize),
}

/// A value didn't match its type, or what should have been one couldn't be read. Says where, never what the value was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}{}", at(pointer))]
pub struct ValueError {
    why: String,
    pointer: String,
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() {
        String::new()
    } else {
        format!(" (at {pointer})")
    }
}

impl ValueError {
    /// What is wrong, without the place.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Where, as a JSON pointer into the value; empty for the whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// Where in a value a codec is; bounded in depth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Vec<Step>);

impl Place {
    /// Goes on inside; refuses what is too deep.
    pub(crate) fn within<T>(
        &mut self,
        step: Step,
        go: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        if self.0.len() >= DEPTH {
            return Err(self.wrong(format!("it is nested deeper than {DEPTH} levels")));
        }
        self.0.push(step);
        let done = go(self);
        self.0.pop();
        done
    }

    /// An error at this place.
    pub(crate) fn wrong(&self, why: impl Into<String>) -> ValueError {
        ValueError {
            why: why.into(),
            pointer: self.to_string(),
        }
    }

    /// An error about another kind of value than the type says.
    pub(crate) fn mismatch(&self, expected: &Type, found: &str) -> ValueError {
        self.wrong(format!("expected {}, found {found}", expected.what()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Name(name) => {
                    write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))?;
                }
                Step::Index(index) => write!(formatter, "/{index}")?,
            }
        }
        Ok(())
    }
}
