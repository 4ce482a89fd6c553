//! What an environment may publish, the migrations that every one of its targets has; and what counts of what another
//! one has published.

use std::collections::BTreeMap;

use whimbrel_core::history::{History, Record};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{DatabaseName, EnvironmentName, ProjectName, TargetName};
use whimbrel_core::promotion::{Distrust, PromotionRecord, Promotions};
use whimbrel_git::{
    GitError, Publication, Published, Reach, Repository, SignatureError, SignatureProblem, Signers,
    SigningKey,
};

use crate::{OpenProject, ProjectError, Targets};

/// In whose name an environment publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    project: ProjectName,
    key: Option<SigningKey>,
    signers: Option<Signers>,
}

impl Publisher {
    /// Publishes what every target has, and withdraws what one no longer has. Of an environment of which only some
    /// databases were looked at, nothing is withdrawn.
    ///
    /// # Errors
    /// The ref can't be read or written, or records that are signed would be replaced by unsigned ones.
    pub fn publish(
        &self,
        repository: &Repository,
        targets: &Targets,
        histories: &BTreeMap<TargetName, History>,
    ) -> Result<Published, ProjectError> {
        let environment = &targets.environment().name;
        let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
        let records = promotable(&self.project, environment, &names, histories);
        let seen_all =
            targets.is_complete() && names.iter().all(|name| histories.contains_key(name));
        let published = repository.publish_promotions(&Publication {
            environment,
            records: &records,
            reach: if seen_all {
                Reach::Everything
            } else {
                Reach::Part
            },
            key: self.key.as_ref(),
            signers: self.signers.as_ref(),
        })?;
        Ok(published)
    }
}

impl OpenProject {
    /// In whose name this project's environments publish.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher {
            project: self.project().name.clone(),
            key: self.signing.clone(),
            signers: self.verification.promotions().cloned(),
        }
    }

    /// The commit that holds what an environment has published, whether it counts or not.
    #[must_use]
    pub fn promotion_head(&self, environment: &EnvironmentName) -> Option<Revision> {
        let head = self.repository()?.promotion_head(environment);
        head.ok().flatten()
    }

    /// What an environment has published, and whether it counts: whose signatures must cover it is said by whoever
    /// opened the project. Outside of Git nothing was ever published.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn promotions(&self, environment: &EnvironmentName) -> Result<Promotions, ProjectError> {
        let Some(repository) = self.repository() else {
            return Ok(Promotions::default());
        };
        let own = &self.project().name;
        counted(repository, own, environment, self.verification.promotions()).or_else(|error| {
            match error {
                Uncounted::Distrust(distrust) => Ok(Promotions {
                    distrusted: Some(distrust),
                    ..Promotions::default()
                }),
                Uncounted::Git(error) => Err(error.into()),
            }
        })
    }
}

/// Why there are no records to go by.
enum Uncounted {
    Distrust(Distrust),
    Git(GitError),
}

impl From<GitError> for Uncounted {
    fn from(error: GitError) -> Self {
        match &error {
            GitError::Record { .. } | GitError::NotRecords { .. } => Self::Distrust(Distrust {
                problem: error.to_string(),
                hint: "see who pushed it, and apply the environment before again".to_owned(),
            }),
            _ => Self::Git(error),
        }
    }
}

fn counted(
    repository: &Repository,
    own: &ProjectName,
    environment: &EnvironmentName,
    signers: Option<&Signers>,
) -> Result<Promotions, Uncounted> {
    let Some(head) = repository.promotion_head(environment)? else {
        return Ok(Promotions::default());
    };
    // Signed by whom one trusts, or not even read.
    let signer = match signers {
        None => None,
        Some(signers) => match repository.verify_commit(&head, signers) {
            Ok(signed) => Some(format!("{} ({})", signed.signer, signed.key)),
            Err(SignatureError::Git(error)) => return Err(error.into()),
            Err(error) => return Err(Uncounted::Distrust(unsigned(environment, &error))),
        },
    };
    let records = repository.read_promotions_at(&head, environment)?;
    let is_other = |record: &&PromotionRecord| match &record.project {
        Some(project) => project != own,
        // Whoever trusts a key doesn't trust it with every project.
        None => signers.is_some(),
    };
    if let Some(record) = records.iter().find(is_other) {
        let project = record.project.as_ref();
        return Err(Uncounted::Distrust(Distrust {
            problem: match project {
                Some(project) => format!(
                    "the record of {} is of the project `{project}`",
                    record.migration
                ),
                None => format!("the record of {} names no project", record.migration),
            },
            hint: format!("apply `{environment}` of this project again, so that it publishes anew"),
        }));
    }
    Ok(Promotions {
        records,
        signer,
        distrusted: None,
    })
}

fn unsigned(environment: &EnvironmentName, error: &SignatureError) -> Distrust {
    let hint = match error {
        SignatureError::Commit {
            problem: SignatureProblem::Unsigned,
            ..
        } => format!(
            "give the process that applies `{environment}` a key (`WHIMBREL_SIGNING_KEY_FILE`), and let it apply again"
        ),
        SignatureError::Commit {
            problem: SignatureProblem::UnknownKey(_),
            ..
        } => format!(
            "list the key for promotions (`--promotion-signers`), if it is that of `{environment}`"
        ),
        _ => error.hint().unwrap_or_default(),
    };
    let reference = Repository::promotion_reference(environment);
    Distrust {
        problem: format!("{reference}: {error}"),
        hint,
    }
}

/// A record for each migration that is complete on every target of its database, with the same content and plugins.
#[must_use]
pub fn promotable(
    project: &ProjectName,
    environment: &EnvironmentName,
    targets: &[TargetName],
    histories: &BTreeMap<TargetName, History>,
) -> Vec<PromotionRecord> {
    let mut by_database: BTreeMap<&DatabaseName, Vec<Option<&History>>> = BTreeMap::new();
    for target in targets {
        by_database
            .entry(&target.database)
            .or_default()
            .push(histories.get(target));
    }
    let mut records = Vec::new();
    for histories in by_database.values() {
        // One target that could not be read is one that may lack anything.
        let Some(histories) = histories.iter().copied().collect::<Option<Vec<_>>>() else {
            continue;
        };
        let Some((first, others)) = histories.split_first() else {
            continue;
        };
        let complete = first
            .records
            .iter()
            .filter(|record| record.state.is_complete());
        for record in complete {
            let twins: Option<Vec<&Record>> = others
                .iter()
                .map(|history| {
                    history.record(&record.name).filter(|other| {
                        other.state.is_complete()
                            && other.checksum == record.checksum
                            && other.plugins == record.plugins
                    })
                })
                .collect();
            let Some(twins) = twins else { continue };
            let applied_at = twins
                .iter()
                .map(|other| other.finished.as_ref().unwrap_or(&other.started))
                .chain([record.finished.as_ref().unwrap_or(&record.started)])
                .max()
                .cloned()
                .unwrap_or_default();
            records.push(PromotionRecord {
                migration: record.name.clone(),
                checksum: record.checksum.clone(),
                plugins: record.plugins.clone(),
                project: Some(project.clone()),
                environment: environment.clone(),
                revision: record.revision.clone(),
                applied_at,
            });
        }
    }
    records.sort_by(|a, b| a.migration.cmp(&b.migration));
    records
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use whimbrel_core::checksum::Checksum;
    use whimbrel_core::history::{History, MigrationState, Record};
    use whimbrel_core::name::TargetName;

    use super::promotable;

    fn record(name: &str, content: &str, state: MigrationState, finished: &str) -> Record {
        Record {
            name: name.parse().unwrap(),
            sequence: 1,
            state,
            checksum: Checksum::w1(&json!(content)),
            definition: json!(null),
            parameters: BTreeMap::new(),
            plugins: BTreeMap::new(),
            revision: None,
            run: "run".to_owned(),
            actor: "ada".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            finished: Some(finished.to_owned()),
            duration_milliseconds: None,
            rows: 0,
            error: None,
            undo: BTreeMap::new(),
        }
    }

    fn history(records: Vec<Record>) -> History {
        History {
            records,
            ..History::default()
        }
    }

    fn target(instance: &str) -> TargetName {
        TargetName {
            database: "tenants".parse().unwrap(),
            instance: Some(instance.to_owned()),
        }
    }

    #[test]
    fn only_what_every_target_has_alike() {
        use MigrationState::{Applied, Baselined, Failed};
        let early = "2026-01-01T00:00:01Z";
        let late = "2026-01-02T00:00:00Z";
        let histories = BTreeMap::from([
            (
                target("a"),
                history(vec![
                    record("1", "same", Applied, early),
                    record("2", "same", Applied, early),
                    record("3", "one", Applied, early),
                    record("4", "only here", Applied, early),
                    record("5", "failed", Failed, early),
                ]),
            ),
            (
                target("b"),
                history(vec![
                    record("1", "same", Baselined, late),
                    record("2", "same", Failed, late),
                    record("3", "other", Applied, late),
                    record("5", "failed", Applied, late),
                ]),
            ),
        ]);
        let (project, environment) = ("shop".parse().unwrap(), "staging".parse().unwrap());
        let of = |targets: &[TargetName]| promotable(&project, &environment, targets, &histories);
        let records = of(&[target("a"), target("b")]);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].migration.as_str(), "1");
        assert_eq!(records[0].applied_at, late);
        assert!(of(&[target("a"), target("b"), target("c")]).is_empty());
        assert!(of(&[]).is_empty());
    }
}
