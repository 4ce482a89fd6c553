//! What happened to targets: their audit events, newest first.

use serde::Serialize;
use serde_json::{Value as Json, json};
use whimbrel_core::history::{Event, EventKind};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{EnvironmentName, TargetName};

use crate::quantity::{count, duration};
use crate::status::moment;
use crate::style::{bad, dim, good, warn};
use crate::table::{Cell, render};

/// What happened to an environment.
#[derive(Clone, Debug)]
pub struct HistoryView {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its targets.
    pub targets: Vec<TargetEvents>,
}

/// What happened to a target, newest first.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetEvents {
    /// The target.
    #[serde(serialize_with = "crate::target::serialize")]
    pub target: TargetName,
    /// Its events.
    pub events: Vec<Event>,
}

impl HistoryView {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let mut value = json!({"environment": self.environment, "targets": self.targets});
        for (place, target) in self.targets.iter().enumerate() {
            for (number, event) in target.events.iter().enumerate() {
                let field = format!("/targets/{place}/events/{number}/revision");
                // In one word, as plans and states have it.
                if let (Some(field), Some(revision)) = (value.pointer_mut(&field), &event.revision)
                {
                    *field = json!(revision.to_string());
                }
            }
        }
        format!("{value:#}\n")
    }

    /// For people: all targets together, by time.
    #[must_use]
    pub fn text(&self) -> String {
        let mut events: Vec<(&TargetName, &Event)> = self
            .targets
            .iter()
            .flat_map(|target| target.events.iter().map(|event| (&target.target, event)))
            .collect();
        if events.is_empty() {
            return "nothing has happened yet\n".to_owned();
        }
        // Stable, so that events of one target keep their order when the clock did not move.
        events.sort_by(|(_, a), (_, b)| b.at.cmp(&a.at));
        let rows: Vec<_> = events
            .into_iter()
            .map(|(target, event)| row(target, event))
            .collect();
        render(&rows, "")
    }
}

fn row(target: &TargetName, event: &Event) -> Vec<Cell> {
    let revision = event
        .revision
        .as_ref()
        .map_or_else(String::new, Revision::short);
    let name = event
        .migration
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    vec![
        Cell::plain(moment(&event.at)),
        Cell::plain(target.to_string()),
        Cell::styled(event.kind.as_str(), |text| paint(event.kind, text)),
        Cell::plain(name),
        Cell::styled(&revision, |text| dim(text)),
        Cell::plain(event.actor.clone()),
        Cell::styled(&remark(event), |text| dim(text)),
    ]
}

fn paint(kind: EventKind, text: &str) -> String {
    match kind {
        EventKind::Applied | EventKind::Baselined | EventKind::Approved => good(text),
        EventKind::Failed => bad(text),
        _ => warn(text),
    }
}

/// The one or two details that a person looks for.
fn remark(event: &Event) -> String {
    let details = &event.details;
    let text = |key: &str| details.get(key).and_then(Json::as_str);
    let number = |key: &str| details.get(key).and_then(Json::as_u64);
    let mut parts = Vec::new();
    if let Some(milliseconds) = number("durationMilliseconds") {
        parts.push(duration(milliseconds));
    }
    if let Some(rows) = number("rows").filter(|rows| *rows > 0) {
        parts.push(format!("{} rows", count(rows)));
    }
    if let Some(gate) = text("gate") {
        parts.push(format!("gate {gate}"));
    }
    if event.kind == EventKind::Approved
        && let Some(plan) = &event.plan
    {
        parts.push(format!("plan {}", plan.short()));
    }
    for key in ["error", "reason"] {
        if let Some(words) = text(key) {
            parts.push(words.lines().next().unwrap_or_default().to_owned());
        }
    }
    if let Some(from) = text("from").filter(|_| event.kind == EventKind::Renamed) {
        parts.push(format!("was {from}"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests;
