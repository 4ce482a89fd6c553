//! Where a part of a migration stands, found again when there is something to say about it.

use whimbrel_core::definition::{Action, Migration, Origin};
use whimbrel_core::history::Direction;

use crate::document::{Document, language};
use crate::files::Files;
use crate::node::{Part, way};
use crate::problem::Problem;
use crate::tree::SourceTree;

/// The file, and the line in it, where the SQL of a step begins; its own file, or a line of the document.
///
/// None for a step of a plugin, for a direction that has no SQL, and when the document isn't there any more.
#[must_use]
pub fn sql_origin(
    tree: &dyn SourceTree,
    migration: &Migration,
    step: usize,
    direction: Direction,
) -> Option<Origin> {
    let Action::Sql(action) = &migration.steps.get(step)?.action else {
        return None;
    };
    let (file, key) = match direction {
        Direction::Apply => (&action.file, "sql"),
        Direction::Revert => (&action.revert_file, "revert"),
    };
    if let Some(file) = file {
        return Some(file.clone());
    }
    let path = &migration.origin.path;
    let (_, language) = language(path)?;
    let source = Files::new(tree).read(path).ok()??;
    let document = Document::parse(source, language).ok()?;
    let way = way!["spec", "steps", step, key];
    document.has(&way).then(|| Origin {
        path: path.clone(),
        line: document.content_line(&way),
    })
}

/// What is wrong with a value in the `with:` of a plugin's step, where it stands: the key that the pointer ends in, or,
/// of what isn't there, the nearest key above it.
///
/// `pointer` is a JSON pointer into `with`. None when the document isn't there any more.
#[must_use]
pub fn with_problem(
    tree: &dyn SourceTree,
    migration: &Migration,
    step: usize,
    pointer: &str,
    message: &str,
) -> Option<Problem> {
    let path = &migration.origin.path;
    let (_, language) = language(path)?;
    let source = Files::new(tree).read(path).ok()??;
    let document = Document::parse(source, language).ok()?;
    let mut way = way!["spec", "steps", step];
    if !document.has(&way) {
        return None;
    }
    way.push("with".into());
    for segment in pointer.split('/').skip(1) {
        let key = segment.replace("~1", "/").replace("~0", "~");
        let index = key.parse::<usize>().ok().map(Part::Index);
        way.push(Part::Key(key));
        if let (false, Some(index)) = (document.has(&way), index) {
            way.pop();
            way.push(index);
        }
    }
    Some(document.key_problem(&way, message))
}
