//! Promotion: the environment after another one may apply only what that one has applied, byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::digest::Digest;
use crate::lineage::Revision;
use crate::name::{EnvironmentName, MigrationName, PluginName, ProjectName};

/// What an environment publishes about a migration once every one of its targets has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionRecord {
    /// The migration.
    pub migration: MigrationName,
    /// Of the definition that was applied.
    pub checksum: Checksum,
    /// The digests of the plugins that did its steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plugins: BTreeMap<PluginName, Digest>,
    /// The project that it is a migration of; none in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// The environment that applied it.
    pub environment: EnvironmentName,
    /// The source revision that it was applied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// When the last target had it: RFC 3339.
    pub applied_at: String,
}

/// What an environment has published, as far as it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promotions {
    /// Its records.
    pub records: Vec<PromotionRecord>,
    /// Who signed them, where that was asked for.
    pub signer: Option<String>,
    /// Why nothing of it counts, where nothing does.
    pub distrusted: Option<Distrust>,
}

/// Why what an environment has published doesn't count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong with it.
    pub problem: String,
    /// What would make it right.
    pub hint: String,
}

/// A migration that an environment wants to apply, as far as promotion looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The migration.
    pub migration: &'a MigrationName,
    /// Of the definition at hand.
    pub checksum: &'a Checksum,
    /// The digests of the plugins at hand.
    pub plugins: &'a BTreeMap<PluginName, Digest>,
}

/// Why a migration may not be applied yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Unpromoted {
    /// The environment before has not applied it.
    NotApplied,
    /// The environment before has applied another text under this name.
    Changed {
        /// What it applied.
        promoted: Checksum,
    },
    /// The environment before has used another build of a plugin.
    PluginChanged {
        /// The plugin.
        plugin: PluginName,
        /// The digest that it used; none when its step did not use this plugin.
        promoted: Option<Digest>,
    },
}

impl fmt::Display for Unpromoted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplied => formatter.write_str("not applied there"),
            Self::Changed { promoted } => {
                write!(
                    formatter,
                    "applied there with other content ({})",
                    promoted.short()
                )
            }
            Self::PluginChanged {
                plugin,
                promoted: Some(digest),
            } => write!(
                formatter,
                "applied there with another build of the plugin {plugin} ({})",
                digest.short()
            ),
            Self::PluginChanged { plugin, .. } => {
                write!(formatter, "applied there without the plugin {plugin}")
            }
        }
    }
}

/// Why the records of the environment before don't cover a migration; none when they do.
#[must_use]
pub fn unpromoted(candidate: Candidate<'_>, records: &[PromotionRecord]) -> Option<Unpromoted> {
    let Some(record) = records
        .iter()
        .find(|record| &record.migration == candidate.migration)
    else {
        return Some(Unpromoted::NotApplied);
    };
    if &record.checksum != candidate.checksum {
        return Some(Unpromoted::Changed {
            promoted: record.checksum.clone(),
        });
    }
    candidate.plugins.iter().find_map(|(plugin, digest)| {
        let promoted = record.plugins.get(plugin);
        (promoted != Some(digest)).then(|| Unpromoted::PluginChanged {
            plugin: plugin.clone(),
            promoted: promoted.copied(),
        })
    })
}

/// Every candidate that the records of the environment before don't cover, with the reason, in the given order.
pub fn missing<'a>(
    candidates: impl IntoIterator<Item = Candidate<'a>>,
    records: &[PromotionRecord],
) -> Vec<(MigrationName, Unpromoted)> {
    candidates
        .into_iter()
        .filter_map(|candidate| {
            unpromoted(candidate, records).map(|reason| (candidate.migration.clone(), reason))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{Candidate, PromotionRecord, Unpromoted, missing};
    use crate::checksum::Checksum;
    use crate::digest::Digest;

    fn record(name: &str, plugin: Option<&[u8]>) -> PromotionRecord {
        PromotionRecord {
            migration: name.parse().unwrap(),
            checksum: Checksum::w1(&json!(name)),
            plugins: plugin
                .map(|bytes| ("backfill".parse().unwrap(), Digest::of(bytes)))
                .into_iter()
                .collect(),
            project: Some("shop".parse().unwrap()),
            environment: "staging".parse().unwrap(),
            revision: None,
            applied_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn reason(candidate: &PromotionRecord, records: &[PromotionRecord]) -> Option<Unpromoted> {
        let candidate = Candidate {
            migration: &candidate.migration,
            checksum: &candidate.checksum,
            plugins: &candidate.plugins,
        };
        missing([candidate], records)
            .into_iter()
            .map(|(_, reason)| reason)
            .next()
    }

    #[test]
    fn the_same_text_and_plugins_may_pass() {
        let records = [record("1", None), record("2", Some(b"v1"))];
        assert_eq!(reason(&records[0], &records), None);
        assert_eq!(reason(&records[1], &records), None);
    }

    #[test]
    fn each_difference_is_told_apart() {
        let records = [record("1", None), record("2", Some(b"v1"))];
        assert_eq!(
            reason(&record("3", None), &records),
            Some(Unpromoted::NotApplied)
        );
        let mut edited = record("1", None);
        edited.checksum = Checksum::w1(&json!("edited"));
        let changed = reason(&edited, &records).unwrap();
        assert!(
            changed
                .to_string()
                .starts_with("applied there with other content (w1:"),
            "{changed}"
        );
        let rebuilt = reason(&record("2", Some(b"v2")), &records).unwrap();
        assert!(
            rebuilt
                .to_string()
                .contains("another build of the plugin backfill"),
            "{rebuilt}"
        );
        let added = reason(&record("1", Some(b"v1")), &records).unwrap();
        assert_eq!(
            added.to_string(),
            "applied there without the plugin backfill"
        );
        assert_eq!(Unpromoted::NotApplied.to_string(), "not applied there");
    }

    #[test]
    fn survives_json() {
        let record = record("2", Some(b"v1"));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<PromotionRecord>(&text).unwrap(),
            record
        );
        assert_eq!(
            record.plugins,
            BTreeMap::from([("backfill".parse().unwrap(), Digest::of(b"v1"))])
        );
    }
}
