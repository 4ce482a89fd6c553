//! Asks Git what became of migrations that a target has and the definitions lack.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_config::{SourceTree, load_control, load_migrations};
use whimbrel_core::definition::Migration;
use whimbrel_core::history::History;
use whimbrel_core::lineage::{Absence, AbsentRule, Lineage, Revision};
use whimbrel_core::name::MigrationName;
use whimbrel_git::{GitError, GitTree, Relation, Removal, Repository};

use crate::open::load_options;
use crate::{OpenProject, ProjectError};

type Names = Arc<BTreeSet<MigrationName>>;

/// What a project's Git history says of absent migrations. Answers are kept, because a hundred targets ask the same.
#[derive(Clone)]
pub(crate) struct Absences {
    rule: AbsentRule,
    repository: Option<Repository>,
    prefix: String,
    migrations: String,
    now: Option<Revision>,
    /// Names of migrations by the id of the tree that defines them.
    names: Arc<Mutex<BTreeMap<String, Names>>>,
    answers: Arc<Mutex<BTreeMap<(MigrationName, Revision), Absence>>>,
}

impl Absences {
    pub(crate) fn new(project: &OpenProject) -> Self {
        Self {
            rule: project.absent,
            repository: project.repository().cloned(),
            prefix: project.prefix().to_owned(),
            migrations: project.project().migrations.clone(),
            now: project.revision().cloned(),
            names: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// What is known of every migration that a history has and the given names lack.
    pub(crate) async fn lineage(
        &self,
        history: &History,
        wanted: &HashSet<&MigrationName>,
    ) -> Result<Lineage, ProjectError> {
        let absent: Vec<_> = history
            .records
            .iter()
            .filter(|record| !wanted.contains(&record.name))
            .map(|record| (record.name.clone(), record.revision.clone()))
            .collect();
        if absent.is_empty() {
            return Ok(Lineage::default());
        }
        let asked = self.clone();
        let walked = tokio::task::spawn_blocking(move || {
            let mut lineage = Lineage::default();
            for (name, revision) in absent {
                let absence = asked.ask(&name, revision)?;
                lineage.absences.insert(name, absence);
            }
            Ok(lineage)
        });
        walked
            .await
            .map_err(|_| ProjectError::Lost("reading Git's history"))?
    }

    fn ask(
        &self,
        name: &MigrationName,
        applied: Option<Revision>,
    ) -> Result<Absence, ProjectError> {
        if self.rule == AbsentRule::Keep {
            return Ok(Absence::Kept);
        }
        let (Some(repository), Some(now), Some(applied)) = (&self.repository, &self.now, applied)
        else {
            return Ok(Absence::NoHistory);
        };
        let key = (name.clone(), applied.clone());
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(absence) = known.get(&key) {
            return Ok(absence.clone());
        }
        drop(known);
        let absence = self.look(repository, name, &applied, now)?;
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, absence.clone());
        Ok(absence)
    }

    fn look(
        &self,
        repository: &Repository,
        name: &MigrationName,
        applied: &Revision,
        now: &Revision,
    ) -> Result<Absence, ProjectError> {
        match repository.relation(applied, now)? {
            Relation::Ancestor | Relation::Diverged => return Ok(Absence::NotDescendant),
            // A shallow clone can't tell; in a whole one, a commit that isn't there was pushed away.
            Relation::UnknownRevision if repository.is_shallow() => return Ok(Absence::NoHistory),
            Relation::UnknownRevision => return Ok(Absence::NotDescendant),
            Relation::Same | Relation::Descendant => {}
        }
        if self.names_at(repository, now)?.contains(name) {
            return Ok(Absence::Uncommitted);
        }
        let removal = repository.removal(applied, now, |revision| {
            Ok::<_, ProjectError>(self.names_at(repository, revision)?.contains(name))
        })?;
        Ok(match removal {
            Removal::By(commit) => Absence::Removed { by: Some(commit) },
            Removal::Somewhere => Absence::Removed { by: None },
            Removal::NeverThere => Absence::NeverCommitted,
        })
    }

    /// The names that a revision defines. A revision that didn't have the project yet defines none.
    fn names_at(
        &self,
        repository: &Repository,
        revision: &Revision,
    ) -> Result<Names, ProjectError> {
        let tree = match repository.tree(revision, &self.prefix) {
            Ok(tree) => tree,
            Err(GitError::NoFolder { .. }) => return Ok(Names::default()),
            Err(error) => return Err(error.into()),
        };
        let key = tree.object();
        let known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known.get(&key) {
            return Ok(Arc::clone(names));
        }
        drop(known);
        let names: Names = Arc::new(names(&tree, &self.migrations).into_keys().collect());
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&names));
        Ok(names)
    }
}

/// The migrations of a tree by name; the definition is none where an old tree no longer loads, and names are then
/// those of its files.
pub(crate) fn names(
    tree: &GitTree,
    folder: &str,
) -> BTreeMap<MigrationName, Option<Arc<Migration>>> {
    let options = load_options();
    let loaded =
        load_control(tree, &options).and_then(|control| load_migrations(tree, &control, &options));
    match loaded {
        Ok(loaded) => loaded
            .migrations
            .into_iter()
            .map(|migration| (migration.name.clone(), Some(migration)))
            .collect(),
        Err(_) => {
            let entries = tree.entries(folder).unwrap_or_default();
            let stems = entries.iter().filter_map(|entry| {
                let stem = ["yaml", "yml", "json", "sql"]
                    .iter()
                    .find_map(|extension| entry.name.strip_suffix(&format!(".{extension}")))
                    .unwrap_or(&entry.name);
                stem.parse().ok().map(|name| (name, None))
            });
            stems.collect()
        }
    }
}
