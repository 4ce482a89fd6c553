//! The folder of migrations: which files are one, and what each says.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_core::definition::Migration;
use whimbrel_core::name::{DatabaseName, MigrationName};
use whimbrel_core::suggestion::nearest;

use crate::document::{Document, language};
use crate::files::{Files, join, unreadable};
use crate::load::Notice;
use crate::migration_document::{self, Surroundings};
use crate::node::{Way, way};
use crate::problem::Problem;
use crate::source::Source;
use crate::sql_file;
use crate::tree::{Entry, EntryKind};

/// A migration as its file says it.
pub struct Read {
    /// The migration; its database isn't set yet.
    pub migration: Migration,
    /// The database that it names.
    pub database: Option<DatabaseName>,
    /// To say where something stands.
    pub document: Document,
    /// Its SQL.
    pub texts: Vec<Text>,
}

/// A text of SQL, and where it stands.
pub struct Text {
    /// The value of the document that is, or names, the text.
    pub way: Way,
    /// The line, of the document or the file, where it begins.
    pub line: u32,
    /// The text.
    pub sql: String,
    /// The file that it is from, if it isn't in the document.
    pub file: Option<Source>,
}

/// Reads all migrations of a folder; what is wrong is said in `problems`. None if there is no such folder.
pub fn read(
    files: &Files<'_>,
    folder: &str,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<Notice>,
) -> Option<Vec<Read>> {
    let entries = match files.entries(folder) {
        Ok(entries) => entries?,
        Err(problem) => {
            problems.push(problem);
            return Some(Vec::new());
        }
    };
    let mut named = BTreeSet::new();
    let mut found = Vec::new();
    let mut plain = Vec::new();
    for entry in &entries {
        let path = join(folder, &entry.name);
        if let Some(problem) = unreadable(&path, entry.kind) {
            problems.push(problem);
        } else if entry.kind == EntryKind::Folder {
            found.extend(read_folder(files, &path, entry, problems, notices));
        } else if let Some((stem, language)) = language(&entry.name) {
            let surroundings = Surroundings {
                files,
                folder,
                stem,
                holder: "file",
            };
            if let Some(source) = source(files, &path, problems) {
                let read =
                    migration_document::read(source, language, &surroundings, &mut named, problems);
                found.extend(read);
            }
        } else if let Some(stem) = entry.name.strip_suffix(".sql") {
            plain.push((path, stem));
        } else if !entry.name.ends_with(".md") {
            notices.push(not_read(path));
        }
    }
    // A file that a document names is a part of that migration, and none of its own.
    for (path, stem) in plain {
        if !named.contains(&path)
            && let Some(source) = source(files, &path, problems)
        {
            found.extend(sql_file::read(source, stem, problems));
        }
    }
    Some(unique(found, problems))
}

fn not_read(path: String) -> Notice {
    Notice {
        path,
        message: "is not read: migrations are `.yaml`, `.json` or `.sql` files, or folders with a `migration.yaml`"
            .to_owned(),
    }
}

fn source(files: &Files<'_>, path: &str, problems: &mut Vec<Problem>) -> Option<Source> {
    match files.read(path) {
        Ok(source) => source,
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn read_folder(
    files: &Files<'_>,
    folder: &str,
    entry: &Entry,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<Notice>,
) -> Option<Read> {
    let entries = match files.entries(folder) {
        Ok(entries) => entries.unwrap_or_default(),
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let before = problems.len();
    for inner in &entries {
        problems.extend(unreadable(&join(folder, &inner.name), inner.kind));
    }
    if problems.len() > before {
        return None;
    }
    let mut documents = entries.iter().filter_map(|inner| {
        let (stem, language) = language(&inner.name)?;
        (stem == "migration").then_some((inner.name.as_str(), language))
    });
    let Some((name, language)) = documents.next() else {
        let problem = Problem::whole(folder, "the folder has no `migration.yaml`")
            .expected("the migration's document beside its SQL files");
        let names = entries.iter().map(|inner| inner.name.as_str());
        let documents = names.filter(|name| language(name).is_some());
        match nearest("migration.yaml", documents) {
            Some(other) => problem.suggest(format!("rename `{other}`")),
            None => problem,
        }
        .push(problems);
        return None;
    };
    if let Some((second, _)) = documents.next() {
        Problem::whole(
            folder,
            format!("the folder has both `{name}` and `{second}`"),
        )
        .expected("one document")
        .push(problems);
        return None;
    }
    let source = source(files, &join(folder, name), problems)?;
    let surroundings = Surroundings {
        files,
        folder,
        stem: &entry.name,
        holder: "folder",
    };
    let mut named = BTreeSet::new();
    let read = migration_document::read(source, language, &surroundings, &mut named, problems)?;
    for inner in &entries {
        let path = join(folder, &inner.name);
        if inner.name != name && inner.name.ends_with(".sql") && !named.contains(&path) {
            notices.push(Notice {
                path,
                message: "is not read: no step names it".to_owned(),
            });
        }
    }
    Some(read)
}

/// Each name once; a second one is a problem.
fn unique(found: Vec<Read>, problems: &mut Vec<Problem>) -> Vec<Read> {
    let mut by_name: BTreeMap<MigrationName, Read> = BTreeMap::new();
    for read in found {
        let name = &read.migration.name;
        match by_name.get(name) {
            Some(first) => read
                .document
                .problem(
                    &way!["metadata", "name"],
                    format!("there are two migrations `{name}`"),
                )
                .expected(format!(
                    "another name: the first is in `{}`",
                    first.migration.origin.path
                ))
                .push(problems),
            None => {
                by_name.insert(name.clone(), read);
            }
        }
    }
    by_name.into_values().collect()
}
