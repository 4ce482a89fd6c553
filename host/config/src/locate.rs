//! Where a part of a definition stands, found again when there is something to say about it.

use serde_json::{Map, Value as Json};
use whimbrel_core::definition::{Action, Migration, Origin};
use whimbrel_core::history::Direction;
use whimbrel_core::name::{DatabaseName, EnvironmentName};
use whimbrel_core::place::Place;
use whimbrel_core::project::Project;

use crate::check::Completeness;
use crate::document::{Document, language};
use crate::files::{Files, join};
use crate::node::{Part, way};
use crate::problem::Problem;
use crate::shape::Kind;
use crate::spot::in_text;
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
    Some(within(&document, way, pointer, message))
}

/// The same in the `with:` of a secret backend: in its environment's document, or in the one of those that it extends
/// which says it.
///
/// None when no document says it any more.
#[must_use]
pub fn backend_problem(
    tree: &dyn SourceTree,
    project: &Project,
    environment: &EnvironmentName,
    backend: &str,
    pointer: &str,
    message: &str,
) -> Option<Problem> {
    let mut nearest = None;
    let documents = said_by(tree, project, environment);
    for document in documents {
        let with = way!["spec", "secrets", backend, "with"];
        if document.has(&with) {
            let whole = has(&document, &with, pointer);
            let problem = within(&document, with, pointer, message);
            if whole {
                return Some(problem);
            }
            nearest = nearest.or(Some(problem));
        }
    }
    nearest
}

/// Where the query of a database's `forEach` goes on after what stands `before` in it.
///
/// None when no document says it any more.
#[must_use]
pub fn for_each_place(
    tree: &dyn SourceTree,
    project: &Project,
    environment: &EnvironmentName,
    database: &DatabaseName,
    before: &str,
) -> Option<Place> {
    let way = way!["spec", "databases", database.as_str(), "forEach", "query"];
    let mut documents = said_by(tree, project, environment);
    let document = documents.find(|document| document.has(&way))?;
    Some(in_text(&document, &way, before).place())
}

/// The documents of an environment: its own, and that of each that it extends, the nearest first.
fn said_by<'a>(
    tree: &'a dyn SourceTree,
    project: &'a Project,
    environment: &EnvironmentName,
) -> impl Iterator<Item = Document> + 'a {
    let files = Files::new(tree);
    let mut next = Some(environment.to_string());
    let documents = std::iter::from_fn(move || {
        let (document, parent) =
            environment_document(&files, &project.environments, &next.take()?)?;
        next = parent;
        Some(document)
    });
    // Loading has refused circles, but these are the files as they are now.
    documents.take(ANCESTORS)
}

/// More environments than anybody lets extend each other.
const ANCESTORS: usize = 32;

/// An environment's document, and the name of the one that it extends.
fn environment_document(
    files: &Files<'_>,
    folder: &str,
    name: &str,
) -> Option<(Document, Option<String>)> {
    ["yaml", "yml", "json"].iter().find_map(|ending| {
        let path = join(folder, &format!("{name}.{ending}"));
        let (_, language) = language(&path)?;
        let source = files.read(&path).ok()??;
        let (document, envelope) = Document::read::<Map<String, Json>>(
            source,
            language,
            Kind::Environment,
            Completeness::Overlay,
        )
        .ok()?;
        let parent = envelope.spec.get("extends").and_then(Json::as_str);
        Some((document, parent.map(str::to_owned)))
    })
}

/// The way that a pointer leads from a place, as far as the document goes along.
fn along(document: &Document, mut way: Vec<Part>, pointer: &str) -> Vec<Part> {
    for segment in pointer.split('/').skip(1) {
        let key = segment.replace("~1", "/").replace("~0", "~");
        let index = key.parse::<usize>().ok().map(Part::Index);
        way.push(Part::Key(key));
        if let (false, Some(index)) = (document.has(&way), index) {
            way.pop();
            way.push(index);
        }
    }
    way
}

fn has(document: &Document, place: &[Part], pointer: &str) -> bool {
    document.has(&along(document, place.to_vec(), pointer))
}

pub fn within(document: &Document, place: Vec<Part>, pointer: &str, message: &str) -> Problem {
    document.key_problem(&along(document, place, pointer), message)
}
