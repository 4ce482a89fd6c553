//! Parts of a migration, and where each of them stands.

use std::ops::Range;

use whimbrel_core::definition::{Action, Migration, Origin};
use whimbrel_core::history::Direction;
use whimbrel_core::place::Place;

use crate::document::{Document, language};
use crate::files::Files;
use crate::locate::with_problem;
use crate::node::{Part, Way, way};
use crate::problem::Problem;
use crate::source::Source;
use crate::tree::SourceTree;

/// A part of a migration that something can be wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot<'a> {
    /// All of it: where its name stands.
    Whole,
    /// The name of the plugin of a step.
    Uses(usize),
    /// A value in the `with:` of a step, by a JSON pointer: the key that it ends in, or, of what isn't there, the nearest
    /// key above it.
    With(usize, &'a str),
    /// A byte of a text, with its placeholders.
    Text(TextOf, usize),
}

/// A text of a migration, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextOf {
    /// The SQL of a step.
    Step(usize, Direction),
    /// The query of a check before it.
    Before(usize),
    /// Of a check after it.
    After(usize),
    /// Of a metric.
    Metric(usize),
}

impl TextOf {
    /// The text, with its placeholders.
    #[must_use]
    pub fn of(self, migration: &Migration) -> Option<&str> {
        match self {
            Self::Step(step, direction) => match (&migration.steps.get(step)?.action, direction) {
                (Action::Sql(action), Direction::Apply) => Some(&action.sql),
                (Action::Sql(action), Direction::Revert) => action.revert.as_deref(),
                (Action::Plugin(_), _) => None,
            },
            Self::Before(index) => Some(&migration.checks.before.get(index)?.query),
            Self::After(index) => Some(&migration.checks.after.get(index)?.query),
            Self::Metric(index) => Some(&migration.metrics.get(index)?.query),
        }
    }

    /// The file that it is the text of, and the line of its beginning; none where it stands in the document.
    #[must_use]
    pub fn file(self, migration: &Migration) -> Option<&Origin> {
        let Self::Step(step, direction) = self else {
            return None;
        };
        match (&migration.steps.get(step)?.action, direction) {
            (Action::Sql(action), Direction::Apply) => action.file.as_ref(),
            (Action::Sql(action), Direction::Revert) => action.revert_file.as_ref(),
            (Action::Plugin(_), _) => None,
        }
    }

    fn way(self) -> Way {
        match self {
            Self::Step(step, Direction::Apply) => way!["spec", "steps", step, "sql"],
            Self::Step(step, Direction::Revert) => way!["spec", "steps", step, "revert"],
            Self::Before(index) => way!["spec", "checks", "before", index, "query"],
            Self::After(index) => way!["spec", "checks", "after", index, "query"],
            Self::Metric(index) => way!["spec", "metrics", index, "query"],
        }
    }
}

/// Where a part stands of a migration that was read from this tree. Where its files aren't as they were read any more, that is
/// as near to it as can be told.
#[must_use]
pub fn place_of(tree: &dyn SourceTree, migration: &Migration, spot: Spot<'_>) -> Place {
    let found = match spot {
        Spot::Text(text, offset) if text.file(migration).is_some() => {
            in_file(tree, migration, text, offset)
        }
        _ => in_document(tree, migration, spot),
    };
    if let Some(found) = found {
        return found.place();
    }
    let origin = match spot {
        Spot::Text(text, _) => text.file(migration),
        _ => None,
    };
    let Origin { path, line } = origin.unwrap_or(&migration.origin);
    Place {
        path: path.clone(),
        line: (*line).max(1),
        column: 1,
        excerpt: None,
    }
}

fn in_file(
    tree: &dyn SourceTree,
    migration: &Migration,
    text: TextOf,
    offset: usize,
) -> Option<Problem> {
    let Origin { path, line } = text.file(migration)?;
    let source = Files::new(tree).read(path).ok()??;
    // A section of a file begins at a line of it, and is a part of it as it stands.
    let before = usize::try_from(line.saturating_sub(1)).ok()?;
    let lines = source.text.split_inclusive('\n').take(before);
    let start = lines.map(str::len).sum::<usize>() + offset;
    Some(source.problem(&word(&source, start), ""))
}

fn in_document(tree: &dyn SourceTree, migration: &Migration, spot: Spot<'_>) -> Option<Problem> {
    let path = &migration.origin.path;
    let source = Files::new(tree).read(path).ok()??;
    let Some((_, language)) = language(path) else {
        // A file of SQL, which has no document.
        return Some(source.problem(&(0..0), ""));
    };
    let document = Document::parse(source, language).ok()?;
    match spot {
        Spot::Whole => Some(document.problem(&way!["metadata", "name"], "")),
        Spot::Uses(step) => Some(document.problem(&way!["spec", "steps", step, "uses"], "")),
        Spot::With(step, pointer) => with_problem(tree, migration, step, pointer, ""),
        Spot::Text(text, offset) => {
            let before = text.of(migration)?.get(..offset)?;
            Some(in_text(&document, &text.way(), before))
        }
    }
}

/// A problem in a text of a document, at the word after what stands before it there.
pub fn in_text(document: &Document, way: &[Part], before: &str) -> Problem {
    // White space is folded and indented; nothing else is.
    let nth = before.chars().filter(|c| !c.is_whitespace()).count();
    match document.character(way, nth) {
        Some(start) => {
            let span = word(&document.source, start);
            document.source.problem(&span, "")
        }
        None => document.problem(way, ""),
    }
}

/// The word that begins at an offset, or the placeholder, or the one character.
fn word(source: &Source, start: usize) -> Range<usize> {
    let rest = source.text.get(start..).unwrap_or_default();
    let length = match rest.strip_prefix("${").and_then(|rest| rest.find('}')) {
        Some(end) => end + 3,
        None => rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len())
            .max(1),
    };
    start..start + length
}
