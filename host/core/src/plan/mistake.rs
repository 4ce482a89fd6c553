//! Why a migration can't be made ready for a target: everything that is wrong with it, where it stands.

use std::fmt;

use crate::place::Place;

/// Where a mistake stands. Nothing stands for it when it isn't said: whoever finds a mistake says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// In no file: in a definition that only the history has, or in Whimbrel itself.
    NoFile,
    /// In a file of the project.
    File(Place),
}

/// One thing that is wrong with a migration. Ordered by where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where it stands.
    pub at: Where,
    /// What is wrong, without its place.
    pub message: String,
    /// What would make it right.
    pub hint: String,
}

/// Everything that is wrong with a migration, in the order of its files. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PrepareError {
    mistakes: Vec<Mistake>,
}

impl PrepareError {
    /// Each mistake once; none when nothing is wrong.
    #[must_use]
    pub fn new(mut mistakes: Vec<Mistake>) -> Option<Self> {
        mistakes.sort();
        mistakes.dedup();
        (!mistakes.is_empty()).then_some(Self { mistakes })
    }

    /// What is wrong.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// What is wrong, given away.
    #[must_use]
    pub fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }
}

impl From<Mistake> for PrepareError {
    fn from(mistake: Mistake) -> Self {
        Self {
            mistakes: vec![mistake],
        }
    }
}

impl Where {
    /// The place in a file, if it is in one.
    #[must_use]
    pub fn place(self) -> Option<Place> {
        match self {
            Self::NoFile => None,
            Self::File(place) => Some(place),
        }
    }

    /// The line with a caret, for a person.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        match self {
            Self::NoFile => None,
            Self::File(place) => place.excerpt.as_deref(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Where::NoFile => formatter.write_str(&self.message),
            Where::File(place) => write!(formatter, "{place}: {}", self.message),
        }
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.mistakes.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Mistake, PrepareError, Where};
    use crate::place::Place;

    fn mistake(path: &str, line: u32, message: &str) -> Mistake {
        Mistake {
            at: Where::File(Place {
                path: path.to_owned(),
                line,
                column: 3,
                excerpt: None,
            }),
            message: message.to_owned(),
            hint: String::new(),
        }
    }

    #[test]
    fn are_told_once_and_in_the_order_of_the_files() {
        let nowhere = Mistake {
            at: Where::NoFile,
            ..mistake("", 1, "of Whimbrel")
        };
        let found = vec![
            mistake("b.sql", 1, "third"),
            mistake("a.yaml", 10, "second"),
            mistake("a.yaml", 9, "first"),
            mistake("a.yaml", 10, "second"),
            nowhere,
        ];
        let error = PrepareError::new(found).unwrap();
        assert_eq!(
            error.to_string(),
            "of Whimbrel\na.yaml:9:3: first\na.yaml:10:3: second\nb.sql:1:3: third"
        );
        assert_eq!(PrepareError::new(Vec::new()), None);
    }
}
