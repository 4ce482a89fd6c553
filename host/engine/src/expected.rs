//! How long a plan can be expected to take, by what earlier runs took: of the same migrations on other targets, and of
//! the same plugins for each row. What nothing tells anything of is named, never guessed.

use std::collections::BTreeMap;
use std::time::Duration;

use whimbrel_core::history::{Direction, History, Record};
use whimbrel_core::name::{PluginName, TargetName};
use whimbrel_core::plan::{Change, OperationAction, Plan, TargetPlan, Work};
use whimbrel_report::Estimate;

use crate::estimate::estimates;
use crate::opened::Opened;
use crate::prepared::Prepared;

/// How long a plan can be expected to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// On the target that takes longest, as far as is known: a connection and its credentials last for one target.
    pub lasts: Duration,
    /// Migrations of which nothing tells how long they take, or a part of them, each with its target.
    pub without_ground: Vec<String>,
}

/// Asks plugins how much there is to do, and histories how long that took before.
pub async fn expected(opened: &Opened, prepared: &Prepared) -> Expected {
    let estimates = estimates(opened, prepared).await;
    of(prepared.plan(), &prepared.survey.histories, &estimates)
}

type Histories = BTreeMap<TargetName, History>;

/// Rows and the milliseconds that they took.
type Rates = BTreeMap<PluginName, (f64, f64)>;

fn of(plan: &Plan, histories: &Histories, estimates: &[Estimate]) -> Expected {
    let grounds = Grounds {
        histories,
        estimates,
        rates: rates(histories),
    };
    let mut expected = Expected::default();
    for target in &plan.targets {
        let mut lasts = Duration::ZERO;
        for work in &target.work {
            let (known, change) = match work {
                Work::Rename { .. } => continue,
                Work::Revert(change) => (None, change),
                Work::Apply(change) => (grounds.of_change(target, change), change),
            };
            let (time, is_all) = known.unwrap_or_default();
            lasts = lasts.saturating_add(time);
            if !is_all {
                let name = format!("{} ({})", change.migration, target.target);
                expected.without_ground.push(name);
            }
        }
        expected.lasts = expected.lasts.max(lasts);
    }
    expected
}

/// How fast each plugin was, by the migrations that used no other.
fn rates(histories: &Histories) -> Rates {
    let mut rates = Rates::new();
    for record in histories.values().flat_map(|history| &history.records) {
        let mut plugins = record.plugins.keys();
        let (Some(plugin), None, Some(time)) = (plugins.next(), plugins.next(), time(record))
        else {
            continue;
        };
        let rows = f64::from(u32::try_from(record.rows).unwrap_or_default());
        if rows > 0.0 {
            let (all_rows, all_time) = rates.entry(plugin.clone()).or_default();
            *all_rows += rows;
            *all_time += time.as_secs_f64();
        }
    }
    rates
}

/// How long a migration took; none for one that nothing was run of.
fn time(record: &Record) -> Option<Duration> {
    let time = u64::try_from(record.duration_milliseconds?).ok()?;
    (time > 0).then(|| Duration::from_millis(time))
}

struct Grounds<'a> {
    histories: &'a Histories,
    estimates: &'a [Estimate],
    rates: Rates,
}

impl Grounds<'_> {
    /// How long a change takes, and whether that is all of it.
    fn of_change(&self, target: &TargetPlan, change: &Change) -> Option<(Duration, bool)> {
        if !change.resumed
            && let Some(time) = self.elsewhere(change)
        {
            return Some((time, true));
        }
        let open = change.operations.iter().filter(|planned| !planned.done);
        let times = open.map(|planned| match &planned.operation.action {
            OperationAction::Plugin { uses, .. } => {
                self.of_step(&target.target, change, planned.position, uses)
            }
            _ => None,
        });
        Some(times.fold((Duration::ZERO, true), |(all, is_all), time| {
            let sum = all.saturating_add(time.unwrap_or_default());
            (sum, is_all && time.is_some())
        }))
    }

    /// The longest that the same took on another target.
    fn elsewhere(&self, change: &Change) -> Option<Duration> {
        let records = self.histories.values();
        let same = records
            .filter_map(|history| history.record(&change.migration))
            .filter(|record| record.checksum == change.checksum);
        same.filter_map(time).max()
    }

    /// The rows that are left, at the pace of earlier ones.
    fn of_step(
        &self,
        target: &TargetName,
        change: &Change,
        position: u32,
        uses: &PluginName,
    ) -> Option<Duration> {
        let estimate = self.estimates.iter().find(|estimate| {
            (&estimate.target, &estimate.migration, estimate.position)
                == (target, &change.migration, position)
        })?;
        let (rows, seconds) = self.rates.get(uses)?;
        let done = self.histories.get(target).and_then(|history| {
            let mut journal = history.journal_of(&change.migration, Direction::Apply);
            journal.find(|entry| entry.position == position)
        });
        let done = done.map_or(0, |entry| {
            u64::try_from(entry.rows_done).unwrap_or_default()
        });
        let left = u32::try_from(estimate.rows?.saturating_sub(done)).unwrap_or(u32::MAX);
        Duration::try_from_secs_f64(f64::from(left) * seconds / rows).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use whimbrel_core::checksum::Checksum;
    use whimbrel_core::digest::Digest;
    use whimbrel_core::history::History;
    use whimbrel_core::name::TargetName;
    use whimbrel_core::plan::{
        Change, Operation, OperationAction, Plan, PlannedOperation, Prepared, TargetPlan, Work,
    };
    use whimbrel_core::statement::Dialect;
    use whimbrel_report::Estimate;

    use super::{Expected, of};

    /// A migration that is one step of a plugin.
    fn change(name: &str, uses: &str) -> Change {
        let checksum = Checksum::w1(&json!(name));
        let operation = Operation {
            step: 0,
            title: uses.to_owned(),
            hash: Digest::of(b"step"),
            timeout: None,
            action: OperationAction::Plugin {
                uses: uses.parse().unwrap(),
                with: json!({}),
                reads: Vec::new(),
                effects: Vec::new(),
            },
        };
        Change {
            migration: name.parse().unwrap(),
            checksum: checksum.clone(),
            reason: None,
            resumed: false,
            out_of_order: false,
            operations: vec![PlannedOperation {
                position: 0,
                done: false,
                operation,
            }],
            prepared: Arc::new(Prepared::new(name.parse().unwrap(), checksum, json!({}))),
        }
    }

    /// What a target records: migrations with the seconds and the rows that they took, and rows that one has done so far.
    fn history(records: &[(&str, i64, i64)], done: Option<(&str, i64)>) -> History {
        let records = records.iter().map(|(name, seconds, rows)| {
            json!({
                "name": name, "sequence": 1, "state": "applied", "checksum": Checksum::w1(&json!(name)),
                "definition": null, "plugins": { "backfill": Digest::of(b"backfill") }, "run": "r", "actor": "a",
                "started": "", "durationMilliseconds": seconds * 1_000, "rows": rows,
            })
        });
        let journal = done.map(|(name, rows)| {
            json!({
                "migration": name, "direction": "apply", "position": 0, "hash": Digest::of(b"step"),
                "state": "intent", "batch": 1, "rowsDone": rows,
            })
        });
        let history = json!({
            "epoch": 1, "records": records.collect::<Vec<_>>(), "approvals": [],
            "journal": journal.into_iter().collect::<Vec<_>>(),
        });
        serde_json::from_value(history).unwrap()
    }

    fn target(name: &str) -> TargetName {
        TargetName::single(name.parse().unwrap())
    }

    #[test]
    fn what_was_is_the_ground_for_what_will_be() {
        let one = history(&[("1-fill", 10, 1_000), ("2-index", 90, 0)], None);
        let other = history(&[("1-fill", 30, 1_000)], Some(("3-more", 500)));
        let histories = BTreeMap::from([(target("one"), one), (target("other"), other)]);
        let plan = |name: &str, changes: Vec<Change>| TargetPlan {
            target: target(name),
            dialect: Dialect::Postgres,
            work: changes.into_iter().map(Work::Apply).collect(),
            blockers: Vec::new(),
            findings: Vec::new(),
        };
        let resumed = Change {
            resumed: true,
            ..change("3-more", "backfill")
        };
        let plan = Plan {
            environment: "dev".parse().unwrap(),
            revision: None,
            targets: vec![
                // A thousand rows at the pace of both: two thousand took forty seconds.
                plan("one", vec![change("3-more", "backfill")]),
                // What it took there, and the half that is left.
                plan(
                    "other",
                    vec![
                        change("2-index", "backfill"),
                        resumed,
                        change("4-copy", "copy"),
                    ],
                ),
            ],
        };
        let estimate = |name: &str| Estimate {
            target: target(name),
            migration: "3-more".parse().unwrap(),
            position: 0,
            rows: Some(1_000),
            details: json!({}),
        };
        let estimates = [estimate("one"), estimate("other")];
        let expected = Expected {
            lasts: Duration::from_secs(100),
            without_ground: vec!["4-copy (other)".to_owned()],
        };
        assert_eq!(of(&plan, &histories, &estimates), expected);
    }
}
