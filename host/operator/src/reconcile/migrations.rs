//! The `Migration` objects of an environment: which there should be, which are superfluous, and how each stands.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition;
use whimbrel_core::digest::Digest;
use whimbrel_report::{MigrationLine, MigrationStanding, TargetStatus};

use crate::api::{
    ConditionStatus, ConditionType, DatabaseStatus, LastEvent, Migration, MigrationStatus, Said,
    conditions,
};

/// The most bytes of a definition that an object holds; of a larger one, it has the checksum as `artefact`. The store of the
/// API server takes 1.5 MiB in one object.
const INLINED: usize = 256 << 10;
/// The most characters of a migration's name in an object's name.
const SLUG: usize = 180;
/// The characters of the hash in an object's name.
const HASH: usize = 8;
/// The most databases that a status lists.
const LISTED: usize = 100;

/// An object that should be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// The migration's.
    pub migration: String,
    /// Of the definition.
    pub checksum: String,
    /// Its `spec`.
    pub spec: Json,
}

/// The name of the object of a migration: readable, and different for what differs.
#[must_use]
pub fn object_name(environment: &str, migration: &str) -> String {
    let hash = Digest::of(format!("{environment}/{migration}").as_bytes()).hex();
    let hash: String = hash.chars().take(HASH).collect();
    let slug: String = migration
        .to_lowercase()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(SLUG)
        .collect();
    let environment = environment.to_lowercase().replace('_', "-");
    format!("{environment}-{}-{hash}", slug.trim_matches('-'))
}

/// The object of a migration that a source defines.
#[must_use]
pub fn written(
    environment: &str,
    migration: &definition::Migration,
    checksum: &Checksum,
) -> Written {
    // A definition that was loaded has a canonical form, and it is an object.
    let definition = migration.canonical().unwrap_or_default();
    let is_small = definition.to_string().len() <= INLINED;
    let mut spec = match definition {
        Json::Object(fields) if is_small => fields,
        _ => Map::from_iter([("artefact".to_owned(), json!(checksum.to_string()))]),
    };
    spec.insert("environmentRef".to_owned(), json!({ "name": environment }));
    spec.insert("database".to_owned(), json!(migration.database));
    Written {
        name: object_name(environment, migration.name.as_str()),
        migration: migration.name.to_string(),
        checksum: checksum.to_string(),
        spec: Json::Object(spec),
    }
}

/// The objects that were written for an environment and shouldn't be there any more: what neither its source defines nor a
/// database has.
#[must_use]
pub fn superfluous<'o>(
    objects: impl IntoIterator<Item = &'o Migration>,
    wanted: &BTreeSet<String>,
    recorded: &BTreeSet<String>,
) -> Vec<String> {
    objects
        .into_iter()
        .filter_map(|object| object.metadata.name.clone())
        .filter(|name| !wanted.contains(name) && !recorded.contains(name))
        .collect()
}

/// How a migration stands, by what each database that it belongs to says of it.
#[must_use]
pub fn migration_status(
    before: Option<&MigrationStatus>,
    lines: &[&MigrationLine],
    generation: i64,
    now: Timestamp,
) -> MigrationStatus {
    let is = |standing: MigrationStanding| move |line: &&&MigrationLine| line.state == standing;
    let done = |line: &&&MigrationLine| {
        matches!(
            line.state,
            MigrationStanding::Applied | MigrationStanding::Baselined
        )
    };
    let applied = lines.iter().filter(done).count();
    let failed = lines.iter().find(is(MigrationStanding::Failed));
    let edited = lines.iter().find(is(MigrationStanding::Edited));
    let stalled = |reason, message: String| {
        let no = ConditionStatus::False;
        vec![
            Said::new(ConditionType::Succeeded, no, reason, message.clone()),
            Said::new(
                ConditionType::Stalled,
                ConditionStatus::True,
                reason,
                message,
            ),
        ]
    };
    let said = if let Some(line) = failed {
        stalled("Failed", line.error.clone().unwrap_or_default())
    } else if edited.is_some() {
        let message = "its definition was edited after it was applied";
        stalled("Edited", message.to_owned())
    } else if applied == lines.len() && applied > 0 {
        let yes = ConditionStatus::True;
        vec![Said::new(ConditionType::Succeeded, yes, "Applied", "")]
    } else {
        let message = format!("applied on {applied} of {} databases", lines.len());
        let unknown = ConditionStatus::Unknown;
        vec![
            Said::new(
                ConditionType::Succeeded,
                unknown,
                "Pending",
                message.clone(),
            ),
            Said::new(
                ConditionType::Reconciling,
                ConditionStatus::True,
                "Pending",
                message,
            ),
        ]
    };
    let known = before.map(|before| before.conditions.as_slice());
    let told = || lines.iter().filter_map(|line| line.told.as_ref());
    MigrationStatus {
        observed_generation: generation,
        conditions: conditions(known.unwrap_or_default(), &said, generation, now),
        checksum: lines.first().map(|line| line.checksum.to_string()),
        applied_at: lines
            .iter()
            .filter(done)
            .filter_map(|line| line.finished.clone())
            .max(),
        duration_milliseconds: lines
            .iter()
            .filter_map(|line| line.duration_milliseconds)
            .max(),
        revision: lines.iter().find_map(|line| line.revision.clone()),
        applied: count(applied),
        databases: count(lines.len()),
        rows: lines.iter().map(|line| line.rows).sum(),
        attempts: told().map(|told| told.attempts).max().unwrap_or_default(),
        last_event: told()
            .max_by_key(|told| told.at.parse::<Timestamp>().ok())
            .map(|told| LastEvent {
                kind: told.last.clone(),
                at: told.at.clone(),
            }),
    }
}

/// How many migrations of each database stand how, and the sums: applied, pending, failed.
#[must_use]
pub fn counts(targets: &[TargetStatus]) -> (Vec<DatabaseStatus>, [u32; 3]) {
    let mut sums = [0; 3];
    let mut databases = Vec::new();
    for target in targets {
        let mut own = [0; 3];
        for line in &target.migrations {
            let [applied, pending, failed] = &mut own;
            match line.state {
                MigrationStanding::Applied
                | MigrationStanding::Baselined
                | MigrationStanding::Edited => *applied += 1,
                MigrationStanding::Failed => *failed += 1,
                MigrationStanding::Pending
                | MigrationStanding::Applying
                | MigrationStanding::Reverting => *pending += 1,
            }
        }
        for (sum, own) in sums.iter_mut().zip(own) {
            *sum += own;
        }
        let [applied, pending, failed] = own;
        let last = target.migrations.iter().rev();
        databases.push(DatabaseStatus {
            name: target.target.to_string(),
            revision: last.clone().find_map(|line| line.revision.clone()),
            applied,
            pending,
            failed,
            error: target.error.clone(),
        });
    }
    databases.truncate(LISTED);
    (databases, sums)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use whimbrel_core::checksum::Checksum;
    use whimbrel_core::history::Told;
    use whimbrel_report::{MigrationLine, MigrationStanding};

    use super::{migration_status, object_name, superfluous};
    use crate::api::{ConditionStatus, Migration, resource};

    fn line(state: MigrationStanding) -> MigrationLine {
        MigrationLine {
            state,
            ..MigrationLine::pending(
                "0001-a".parse().unwrap(),
                Checksum::w1(&serde_json::json!({})),
            )
        }
    }

    fn succeeded(lines: &[MigrationLine]) -> (ConditionStatus, String) {
        let lines: Vec<_> = lines.iter().collect();
        let status = migration_status(None, &lines, 1, Timestamp::UNIX_EPOCH);
        (
            status.conditions[0].status,
            status.conditions[0].reason.clone(),
        )
    }

    #[test]
    fn a_migration_succeeded_when_every_database_has_it() {
        let (applied, pending) = (MigrationStanding::Applied, MigrationStanding::Pending);
        let all = succeeded(&[line(applied), line(MigrationStanding::Baselined)]);
        assert_eq!(all, (ConditionStatus::True, "Applied".to_owned()));
        let some = succeeded(&[line(applied), line(pending)]);
        assert_eq!(some, (ConditionStatus::Unknown, "Pending".to_owned()));
        let failed = succeeded(&[line(applied), line(MigrationStanding::Failed)]);
        assert_eq!(failed, (ConditionStatus::False, "Failed".to_owned()));
        assert_eq!(succeeded(&[]).0, ConditionStatus::Unknown);
    }

    #[test]
    fn what_the_databases_tell_of_a_migration_is_put_together() {
        let told = |attempts, last: &str, at: &str| MigrationLine {
            rows: attempts * 10,
            told: Some(Told {
                attempts,
                last: last.to_owned(),
                at: at.to_owned(),
            }),
            ..line(MigrationStanding::Pending)
        };
        let lines = [
            told(1, "applied", "2026-01-01T10:00:00.000001Z"),
            told(3, "failed", "2026-01-02T10:00:00.5Z"),
            // Earlier by half a second, though its text is the greater one.
            told(1, "applied", "2026-01-02T10:00:00Z"),
            told(2, "reverted", "2026-01-01T23:00:00Z"),
            line(MigrationStanding::Pending),
        ];
        let lines: Vec<_> = lines.iter().collect();
        let status = migration_status(None, &lines, 1, Timestamp::UNIX_EPOCH);
        assert_eq!((status.rows, status.attempts), (70, 3));
        let last = status.last_event.unwrap();
        assert_eq!(
            (last.kind.as_str(), last.at.as_str()),
            ("failed", "2026-01-02T10:00:00.5Z")
        );
        let unknown = migration_status(None, &lines[4..], 1, Timestamp::UNIX_EPOCH);
        assert_eq!((unknown.attempts, unknown.last_event), (0, None));
    }

    #[test]
    fn names_of_objects_are_names_and_tell_migrations_apart() {
        let one = object_name("dev", "0001_Add Email");
        let other = object_name("dev", "0001-add-email");
        assert!(one.starts_with("dev-0001-add-email-"), "{one}");
        assert_ne!(one, other);
        assert!(object_name("dev", &"x".repeat(400)).len() <= 253);
    }

    #[test]
    fn what_a_database_still_has_is_kept_although_git_dropped_it() {
        let object = |name: &str| {
            let spec = serde_json::from_value(serde_json::json!({})).unwrap();
            Migration::new(name, &resource(whimbrel_config::Kind::Migration), spec)
        };
        let objects = [object("wanted"), object("applied"), object("neither")];
        let names = |names: &[&str]| {
            names
                .iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>()
        };
        let gone = superfluous(&objects, &names(&["wanted"]), &names(&["applied"]));
        assert_eq!(gone, ["neither"]);
    }
}
