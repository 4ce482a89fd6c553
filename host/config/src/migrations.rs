//! The folder of migrations: which files are one, and what each says.

use std::collections::BTreeSet;

use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::Migration;
use whimbrel_core::name::DatabaseName;
use whimbrel_core::suggestion::nearest;

use crate::document::{Document, language};
use crate::files::{Files, join, unreadable};
use crate::load::Notice;
use crate::migration_document::{self, Surroundings};
use crate::node::{Way, way};
use crate::parallel::each;
use crate::problem::Problem;
use crate::references::Known;
use crate::source::Source;
use crate::sql_file;
use crate::tree::{Entry, EntryKind};

/// A migration as its file says it.
pub struct Read {
    /// The migration; its database is set when it is held against what it refers to.
    pub migration: Migration,
    /// The database that it names.
    pub database: Option<DatabaseName>,
    /// Of the migration, once its database is set and nothing is wrong with it.
    pub checksum: Option<Checksum>,
    /// To say where something stands.
    pub document: Document,
    /// Its SQL, as far as it may hold placeholders.
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

/// What one entry of the folder gave.
#[derive(Default)]
pub struct Found {
    /// The migration. In a box, since it is half a kilobyte and handed from list to list.
    pub read: Option<Box<Read>>,
    /// Files that it names.
    pub named: BTreeSet<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is worth knowing.
    pub notices: Vec<Notice>,
}

/// Whether an entry is a file of plain SQL, which is a migration unless a document names it.
pub fn is_plain(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && entry.name.ends_with(".sql")
}

/// Reads an entry that isn't plain SQL, and holds it against what it refers to.
pub fn entry(files: &Files<'_>, folder: &str, entry: &Entry, known: &Known<'_>) -> Found {
    let mut found = Found::default();
    entry_of(files, folder, entry, &mut found);
    found.resolved(known)
}

/// Reads a file of plain SQL, and holds it against what it refers to.
pub fn plain(files: &Files<'_>, path: &str, known: &Known<'_>) -> Found {
    let mut found = Found::default();
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    if let Some(source) = source(files, path, &mut found.problems) {
        found.read = sql_file::read(source, stem, &mut found.problems).map(Box::new);
    }
    found.resolved(known)
}

/// Reads all migrations of a folder, and holds each against what it refers to, many at once. What is wrong is said in
/// `problems`. None if there is no such folder.
#[expect(clippy::vec_box, reason = "see `Found`")]
pub fn read(
    files: &Files<'_>,
    folder: &str,
    known: &Known<'_>,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<Notice>,
) -> Option<Vec<Box<Read>>> {
    let entries = match files.entries(folder) {
        Ok(entries) => entries?,
        Err(problem) => {
            problems.push(problem);
            return Some(Vec::new());
        }
    };
    let (plain, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_plain(entry));
    let others = each(&others, |other| entry(files, folder, other, known));
    let named: BTreeSet<&String> = others.iter().flat_map(|found| &found.named).collect();
    // A file that a document names is a part of that migration, and none of its own.
    let plain: Vec<_> = plain
        .into_iter()
        .map(|entry| join(folder, &entry.name))
        .filter(|path| !named.contains(path))
        .collect();
    let plain = each(&plain, |path| self::plain(files, path, known));
    let mut all = Vec::with_capacity(others.len() + plain.len());
    for found in others.into_iter().chain(plain) {
        problems.extend(found.problems);
        notices.extend(found.notices);
        all.extend(found.read);
    }
    Some(unique(all, problems))
}

impl Found {
    /// The same, held against what it refers to.
    fn resolved(mut self, known: &Known<'_>) -> Self {
        if let Some(read) = &mut self.read {
            known.resolve(read, &mut self.problems);
        }
        self
    }
}

/// Reads what isn't a plain SQL file.
fn entry_of(files: &Files<'_>, folder: &str, entry: &Entry, found: &mut Found) {
    let path = join(folder, &entry.name);
    if let Some(problem) = unreadable(&path, entry.kind) {
        found.problems.push(problem);
    } else if entry.kind == EntryKind::Folder {
        let read = read_folder(files, &path, entry, &mut found.problems, &mut found.notices);
        found.read = read.map(Box::new);
    } else if let Some((stem, language)) = language(&entry.name) {
        let surroundings = Surroundings {
            files,
            folder,
            stem,
            holder: "file",
        };
        if let Some(source) = source(files, &path, &mut found.problems) {
            let read = migration_document::read(
                source,
                language,
                &surroundings,
                &mut found.named,
                &mut found.problems,
            );
            found.read = read.map(Box::new);
        }
    } else if !entry.name.ends_with(".md") {
        found.notices.push(not_read(path));
    }
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

/// Sorted by name, each name once; a second one is a problem.
#[expect(clippy::vec_box, reason = "see `Found`")]
fn unique(mut found: Vec<Box<Read>>, problems: &mut Vec<Problem>) -> Vec<Box<Read>> {
    // Stable, so that the first one found stays.
    found.sort_by(|a, b| a.migration.name.cmp(&b.migration.name));
    found.dedup_by(|read, first| {
        let name = &read.migration.name;
        let twice = *name == first.migration.name;
        if twice {
            read.document
                .problem(
                    &way!["metadata", "name"],
                    format!("there are two migrations `{name}`"),
                )
                .expected(format!(
                    "another name: the first is in `{}`",
                    first.migration.origin.path
                ))
                .push(problems);
        }
        twice
    });
    found
}
