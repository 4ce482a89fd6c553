//! Where every migration stands on every target.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::gate::describe_revision;
use whimbrel_core::history::{MigrationState, Record, Told};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{EnvironmentName, MigrationName, TargetName};

use crate::quantity::duration;
use crate::style::{bad, dim, good, hint, strong, warn};
use crate::table::{Cell, render};

/// Where an environment stands.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// The environment.
    pub environment: EnvironmentName,
    /// Where the definitions came from.
    pub revision: Option<Revision>,
    /// Its targets.
    pub targets: Vec<TargetStatus>,
}

/// Where a target stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target.
    #[serde(serialize_with = "crate::target::serialize")]
    pub target: TargetName,
    /// Where it is, without secrets.
    pub location: String,
    /// Every migration, in the order of application; pending ones last.
    pub migrations: Vec<MigrationLine>,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where one migration stands on one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationLine {
    /// The migration.
    pub name: MigrationName,
    /// Where it stands.
    pub state: MigrationStanding,
    /// Of the definition as it was applied, else as it is.
    pub checksum: Checksum,
    /// When it was done: RFC 3339, by the target's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_milliseconds: Option<i64>,
    /// Who ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The source revision that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The error that stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the definitions at hand lack it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// Rows that its plugin steps reported.
    #[serde(skip)]
    pub rows: i64,
    /// What the history tells of it besides, where somebody asked.
    #[serde(skip)]
    pub told: Option<Told>,
}

/// The state of a migration, with the definitions taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationStanding {
    /// Done.
    Applied,
    /// Adopted by `baseline`.
    Baselined,
    /// Done, and its definition was edited afterwards.
    Edited,
    /// Begun and not finished.
    Applying,
    /// Stopped by an error.
    Failed,
    /// Its revert was begun and not finished.
    Reverting,
    /// Defined, and not begun.
    Pending,
}

impl MigrationStanding {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Baselined => "baselined",
            Self::Edited => "edited",
            Self::Applying => "applying",
            Self::Failed => "failed",
            Self::Reverting => "reverting",
            Self::Pending => "pending",
        }
    }

    const fn of(state: MigrationState) -> Self {
        match state {
            MigrationState::Applying => Self::Applying,
            MigrationState::Applied => Self::Applied,
            MigrationState::Failed => Self::Failed,
            MigrationState::Reverting => Self::Reverting,
            MigrationState::Baselined => Self::Baselined,
        }
    }

    fn paint(self, text: &str) -> String {
        match self {
            Self::Applied | Self::Baselined => good(text),
            Self::Edited | Self::Failed => bad(text),
            Self::Applying | Self::Reverting | Self::Pending => warn(text),
        }
    }
}

impl MigrationLine {
    /// A recorded migration; `defined` is the checksum of the definition at hand.
    #[must_use]
    pub fn recorded(record: &Record, defined: Option<&Checksum>) -> Self {
        let edited = record.state.is_complete()
            && defined.is_some_and(|checksum| checksum != &record.checksum);
        Self {
            name: record.name.clone(),
            state: if edited {
                MigrationStanding::Edited
            } else {
                MigrationStanding::of(record.state)
            },
            checksum: record.checksum.clone(),
            finished: record.finished.clone(),
            duration_milliseconds: record.duration_milliseconds,
            actor: Some(record.actor.clone()),
            revision: record.revision.as_ref().map(ToString::to_string),
            error: record.error.clone(),
            absent: defined.is_none(),
            rows: record.rows,
            told: None,
        }
    }

    /// A migration that isn't recorded.
    #[must_use]
    pub const fn pending(name: MigrationName, checksum: Checksum) -> Self {
        Self {
            name,
            state: MigrationStanding::Pending,
            checksum,
            finished: None,
            duration_milliseconds: None,
            actor: None,
            revision: None,
            error: None,
            absent: false,
            rows: 0,
            told: None,
        }
    }
}

impl TargetStatus {
    /// How many migrations stand so.
    #[must_use]
    pub fn number(&self, state: MigrationStanding) -> usize {
        self.migrations
            .iter()
            .filter(|line| line.state == state)
            .count()
    }
}

impl StatusView {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let value = json!({
            "environment": self.environment,
            "revision": self.revision.as_ref().map(ToString::to_string),
            "targets": self.targets,
        });
        format!("{value:#}\n")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "{} at {}",
            strong(&self.environment),
            describe_revision(self.revision.as_ref())
        );
        for target in &self.targets {
            let _ = writeln!(
                out,
                "\n{} {} {}",
                strong(&target.target),
                dim(&target.location),
                summary(target)
            );
            if let Some(error) = &target.error {
                let _ = writeln!(out, "  {} {error}", bad("error:"));
            }
            let rows: Vec<Vec<Cell>> = target.migrations.iter().map(row).collect();
            out.push_str(&render(&rows, "  "));
            for line in &target.migrations {
                if let Some(error) = &line.error {
                    let _ = writeln!(out, "  {} {}: {error}", bad("error:"), line.name);
                }
            }
            if target.number(MigrationStanding::Edited) > 0 {
                let _ = writeln!(
                    out,
                    "  {} `whimbrel verify` says what was edited and what to do",
                    hint("hint:")
                );
            }
        }
        out
    }
}

fn row(line: &MigrationLine) -> Vec<Cell> {
    let took = line
        .duration_milliseconds
        .and_then(|milliseconds| u64::try_from(milliseconds).ok());
    let revision = line
        .revision
        .as_deref()
        .map(|text| Revision::parse(text).short());
    vec![
        Cell::styled(line.state.as_str(), |text| line.state.paint(text)),
        Cell::plain(line.name.to_string()),
        Cell::plain(line.finished.as_deref().map_or_else(String::new, moment)),
        Cell::plain(took.map_or_else(String::new, duration)),
        Cell::styled(&revision.unwrap_or_default(), |text| dim(text)),
        Cell::plain(line.actor.clone().unwrap_or_default()),
        Cell::styled(if line.absent { "no definition" } else { "" }, |text| {
            warn(text)
        }),
    ]
}

fn summary(target: &TargetStatus) -> String {
    let parts: Vec<String> = [
        MigrationStanding::Applied,
        MigrationStanding::Baselined,
        MigrationStanding::Edited,
        MigrationStanding::Applying,
        MigrationStanding::Failed,
        MigrationStanding::Reverting,
        MigrationStanding::Pending,
    ]
    .into_iter()
    .map(|state| (target.number(state), state))
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {}", state.as_str()))
    .collect();
    if parts.is_empty() {
        "no migrations".to_owned()
    } else {
        parts.join(", ")
    }
}

/// A point in time as a person reads it: to the second, in UTC.
pub(crate) fn moment(rfc3339: &str) -> String {
    rfc3339.parse::<jiff::Timestamp>().map_or_else(
        |_| rfc3339.to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

#[cfg(test)]
mod tests;
