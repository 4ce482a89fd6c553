//! Where the SQL of a migration stands, found again when there is something to say about it.

use whimbrel_core::definition::{Action, Migration, Origin};
use whimbrel_core::history::Direction;

use crate::document::{Document, language};
use crate::files::Files;
use crate::node::way;
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
