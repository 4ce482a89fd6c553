//! Promotion records in the repository itself, so that the next environment needs no route to the earlier databases.
//!
//! `refs/whimbrel/promotions/<environment>` points at a commit whose tree holds one JSON file per migration and nothing
//! else. That tree is all that counts; the commit's parents are what was published before.

use git2::{ErrorCode, ObjectType, Oid};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{EnvironmentName, MigrationName};
use whimbrel_core::promotion::PromotionRecord;

use crate::{GitError, Repository};

/// The most records that one environment has: more is nothing that a person keeps.
const MOST_RECORDS: usize = 100_000;

/// The largest record, in bytes: a few names and digests.
const LARGEST_RECORD: usize = 64 << 10;

/// Where the refs of promotion records are, each called as its environment.
pub const PROMOTIONS: &str = "refs/whimbrel/promotions/";

const READING: &str = "reading promotion records";

/// The file that holds the record of a migration.
pub(crate) fn file(migration: &MigrationName) -> String {
    format!("{migration}.json")
}

impl Repository {
    /// The ref that keeps an environment's promotion records.
    #[must_use]
    pub fn promotion_reference(environment: &EnvironmentName) -> String {
        format!("{PROMOTIONS}{environment}")
    }

    /// The commit that holds what an environment has published; none when it has published nothing.
    ///
    /// # Errors
    /// The ref can't be read, or names no commit.
    pub fn promotion_head(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Option<Revision>, GitError> {
        let repository = self.lock();
        let reference = match repository.find_reference(&Self::promotion_reference(environment)) {
            Ok(reference) => reference,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(source) => return Err(GitError::doing(READING)(source)),
        };
        let commit = reference
            .peel_to_commit()
            .map_err(|_| not_records(environment, "its ref names no commit".to_owned()))?;
        Ok(Some(Revision::commit(commit.id().to_string())))
    }

    /// What an environment has published, ordered by name; empty when it has published nothing.
    ///
    /// # Errors
    /// As [`Repository::promotion_head`] and [`Repository::read_promotions_at`].
    pub fn read_promotions(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Vec<PromotionRecord>, GitError> {
        match self.promotion_head(environment)? {
            Some(head) => self.read_promotions_at(&head, environment),
            None => Ok(Vec::new()),
        }
    }

    /// What an environment has published with a commit, ordered by name. The commit holds records of this environment,
    /// each in the file that is named after its migration, and nothing else: a commit that was signed for another
    /// purpose, or for another environment, is none.
    ///
    /// # Errors
    /// It holds anything else, or can't be read.
    pub fn read_promotions_at(
        &self,
        head: &Revision,
        environment: &EnvironmentName,
    ) -> Result<Vec<PromotionRecord>, GitError> {
        let repository = self.lock();
        let tree = Self::find_commit(&repository, head)?
            .tree()
            .map_err(GitError::doing(READING))?;
        if tree.len() > MOST_RECORDS {
            let problem = format!("there are more than {MOST_RECORDS}");
            return Err(not_records(environment, problem));
        }
        let mut records = Vec::with_capacity(tree.len());
        for entry in &tree {
            let path = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            if entry.kind() != Some(ObjectType::Blob) {
                return Err(not_records(environment, format!("`{path}` is no file")));
            }
            records.push(read(&repository, entry.id(), &path, environment)?);
        }
        records.sort_by(|a: &PromotionRecord, b| a.migration.cmp(&b.migration));
        Ok(records)
    }
}

fn read(
    repository: &git2::Repository,
    id: Oid,
    path: &str,
    environment: &EnvironmentName,
) -> Result<PromotionRecord, GitError> {
    let database = repository.odb().map_err(GitError::doing(READING))?;
    // Asked for its size first: nobody has to read what is too large.
    let (size, _) = database.read_header(id).map_err(GitError::doing(READING))?;
    if size > LARGEST_RECORD {
        return Err(not_records(environment, format!("`{path}` is too large")));
    }
    let blob = database.read(id).map_err(GitError::doing(READING))?;
    let record: PromotionRecord =
        serde_json::from_slice(blob.data()).map_err(|source| GitError::Record {
            path: path.to_owned(),
            environment: environment.to_string(),
            source,
        })?;
    if record.environment != *environment {
        let problem = format!("`{path}` is a record of {}", record.environment);
        return Err(not_records(environment, problem));
    }
    if file(&record.migration) != path {
        let problem = format!("`{path}` is a record of the migration {}", record.migration);
        return Err(not_records(environment, problem));
    }
    Ok(record)
}

fn not_records(environment: &EnvironmentName, problem: String) -> GitError {
    GitError::NotRecords {
        environment: environment.to_string(),
        problem,
    }
}
