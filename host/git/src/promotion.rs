//! Promotion records in the repository itself, so that the next environment needs no route to the earlier databases.
//!
//! `refs/whimbrel/promotions/<environment>` points at a commit whose tree holds one JSON file per migration; its
//! parents are what was recorded before. The ref moves by compare-and-swap, so two writers lose nothing.

use std::thread;
use std::time::Duration;

use git2::{ErrorCode, FileMode, ObjectType, Oid, Signature};
use whimbrel_core::name::{EnvironmentName, MigrationName};
use whimbrel_core::promotion::PromotionRecord;

use crate::{GitError, Repository};

/// How often a write is tried when others write the same ref.
const ATTEMPTS: u32 = 20;

/// How long the first wait between two attempts is; later ones are longer.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// How long a wait becomes at most; all of them take two seconds at the outside.
const LONGEST_WAIT: Duration = Duration::from_millis(150);

const WRITING: &str = "writing promotion records";
const READING: &str = "reading promotion records";

fn file(migration: &MigrationName) -> String {
    format!("{migration}.json")
}

impl Repository {
    /// The ref that keeps an environment's promotion records.
    #[must_use]
    pub fn promotion_reference(environment: &EnvironmentName) -> String {
        format!("refs/whimbrel/promotions/{environment}")
    }

    /// What an environment has published, ordered by name; empty when it has published nothing.
    ///
    /// # Errors
    /// The ref or a record can't be read.
    pub fn read_promotions(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Vec<PromotionRecord>, GitError> {
        let repository = self.lock();
        let reference = match repository.find_reference(&Self::promotion_reference(environment)) {
            Ok(reference) => reference,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(GitError::doing(READING)(source)),
        };
        let tree = reference.peel_to_tree().map_err(GitError::doing(READING))?;
        let mut records: Vec<PromotionRecord> = Vec::with_capacity(tree.len());
        for entry in tree
            .iter()
            .filter(|entry| entry.kind() == Some(ObjectType::Blob))
        {
            let blob = repository
                .find_blob(entry.id())
                .map_err(GitError::doing(READING))?;
            let record =
                serde_json::from_slice(blob.content()).map_err(|source| GitError::Record {
                    path: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
                    environment: environment.to_string(),
                    source,
                })?;
            records.push(record);
        }
        records.sort_by(|a, b| a.migration.cmp(&b.migration));
        Ok(records)
    }

    /// Publishes records of an environment, each in the place of an earlier one of the same migration, and withdraws
    /// those of migrations that it no longer has. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// The ref can't be written.
    pub fn write_promotion(
        &self,
        environment: &EnvironmentName,
        records: &[PromotionRecord],
        withdrawn: &[MigrationName],
    ) -> Result<(), GitError> {
        let name = Self::promotion_reference(environment);
        let mut wait = FIRST_WAIT;
        for _ in 0..ATTEMPTS {
            if self.try_write(&name, environment, records, withdrawn)? {
                return Ok(());
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(GitError::Contended(name))
    }

    /// One attempt; false when somebody else was quicker.
    fn try_write(
        &self,
        name: &str,
        environment: &EnvironmentName,
        records: &[PromotionRecord],
        withdrawn: &[MigrationName],
    ) -> Result<bool, GitError> {
        let repository = self.lock();
        let previous = match repository.find_reference(name) {
            Ok(reference) => Some(
                reference
                    .peel_to_commit()
                    .map_err(GitError::doing(WRITING))?,
            ),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(source) => return Err(GitError::doing(WRITING)(source)),
        };
        let before = previous
            .as_ref()
            .map(git2::Commit::tree)
            .transpose()
            .map_err(GitError::doing(WRITING))?;
        let tree = Self::new_tree(&repository, before.as_ref(), records, withdrawn)
            .map_err(GitError::doing(WRITING))?;
        let unchanged = match &before {
            Some(before) => before.id() == tree,
            None => records.is_empty(),
        };
        if unchanged {
            return Ok(true);
        }
        let message = format!(
            "{environment}: {} published, {} withdrawn\n",
            records.len(),
            withdrawn.len()
        );
        let commit = Self::new_commit(&repository, tree, previous.as_ref(), &message)
            .map_err(GitError::doing(WRITING))?;
        // Zero says that there must be none yet. A creation without it is checked before the ref is locked, and of two
        // at once one would be lost.
        let expected = previous.as_ref().map_or(Oid::ZERO_SHA1, git2::Commit::id);
        let log = message.trim_end();
        let moved = repository.reference_matching(name, commit, true, expected, log);
        match moved.map(|_| ()) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::Modified
                        | ErrorCode::Exists
                        | ErrorCode::Locked
                        | ErrorCode::NotFound
                ) =>
            {
                Ok(false)
            }
            Err(source) => Err(GitError::doing(WRITING)(source)),
        }
    }

    fn new_tree(
        repository: &git2::Repository,
        before: Option<&git2::Tree<'_>>,
        records: &[PromotionRecord],
        withdrawn: &[MigrationName],
    ) -> Result<Oid, git2::Error> {
        let mut builder = repository.treebuilder(before)?;
        for migration in withdrawn {
            if builder.get(file(migration))?.is_some() {
                builder.remove(file(migration))?;
            }
        }
        for record in records {
            let mut text = serde_json::to_string_pretty(record)
                .map_err(|error| git2::Error::from_str(&error.to_string()))?;
            text.push('\n');
            let blob = repository.blob(text.as_bytes())?;
            builder.insert(file(&record.migration), blob, FileMode::Blob.into())?;
        }
        builder.write()
    }

    fn new_commit(
        repository: &git2::Repository,
        tree: Oid,
        previous: Option<&git2::Commit<'_>>,
        message: &str,
    ) -> Result<Oid, git2::Error> {
        // A pipeline often has no user.name: the records say themselves where they come from.
        let signature = repository
            .signature()
            .or_else(|_| Signature::now("whimbrel", "whimbrel@localhost"))?;
        let tree = repository.find_tree(tree)?;
        let parents: Vec<_> = previous.into_iter().collect();
        repository.commit(None, &signature, &signature, message, &tree, &parents)
    }
}
