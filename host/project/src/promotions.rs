//! What an environment may publish: the migrations that every one of its targets has.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_core::history::{History, Record};
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName, TargetName};
use whimbrel_core::promotion::PromotionRecord;
use whimbrel_git::Repository;

use crate::{ProjectError, Targets};

/// Publishes what every target has, and withdraws what one no longer has. Gives how many records hold now. Of an
/// environment of which only some databases were looked at, nothing is withdrawn.
///
/// # Errors
/// The ref can't be read or written.
pub fn publish_promotions(
    repository: &Repository,
    targets: &Targets,
    histories: &BTreeMap<TargetName, History>,
) -> Result<usize, ProjectError> {
    let environment = &targets.environment().name;
    let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
    let records = promotable(environment, &names, histories);
    let seen_all = targets.is_complete() && names.iter().all(|name| histories.contains_key(name));
    let withdrawn: Vec<MigrationName> = if seen_all {
        let held: BTreeSet<_> = records.iter().map(|record| &record.migration).collect();
        let before = repository.read_promotions(environment)?;
        before
            .into_iter()
            .map(|record| record.migration)
            .filter(|name| !held.contains(name))
            .collect()
    } else {
        Vec::new()
    };
    repository.write_promotion(environment, &records, &withdrawn)?;
    Ok(records.len())
}

/// A record for each migration that is complete on every target of its database, with the same content and plugins.
#[must_use]
pub fn promotable(
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
        let environment = "staging".parse().unwrap();
        let records = promotable(&environment, &[target("a"), target("b")], &histories);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].migration.as_str(), "1");
        assert_eq!(records[0].applied_at, late);
        let unread = [target("a"), target("b"), target("c")];
        assert!(promotable(&environment, &unread, &histories).is_empty());
        assert!(promotable(&environment, &[], &histories).is_empty());
    }
}
