//! Conditions, by the API conventions of Kubernetes: a map by type, each with the generation that it is about.
//!
//! `Ready` says of what lasts whether it is as it should be, `Succeeded` of what ends whether it did. `Reconciling` and
//! `Stalled` are there only while they are true in the sense of kstatus: work goes on, or won't without somebody's help.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// The longest message that is kept, in characters; the API server's own bound is 32,768.
const MESSAGE: usize = 1_024;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// It is as it should be.
    Ready,
    /// It came to its end, and well.
    Succeeded,
    /// Something is being done about it.
    Reconciling,
    /// Nothing will be done before somebody changes something.
    Stalled,
}

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: String,
    /// Why, for a person.
    pub message: String,
    /// Since when it is so.
    pub last_transition_time: Timestamp,
    /// The generation of the object that it is about.
    pub observed_generation: i64,
}

/// All conditions of an object.
pub type Conditions = Vec<Condition>;

/// Those of an object's conditions that the operator knows. Anybody may add others to an object, and one that couldn't be read would
/// hide all objects of its kind: they come in one list.
pub(super) fn own_conditions<'d, D>(deserializer: D) -> Result<Conditions, D::Error>
where
    D: Deserializer<'d>,
{
    let all = Vec::<serde_json::Value>::deserialize(deserializer)?;
    let own = all
        .into_iter()
        .filter_map(|one| serde_json::from_value(one).ok());
    Ok(own.collect())
}

/// What a condition should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub r#type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, for a person.
    pub message: String,
}

impl Said {
    /// A condition that should be there.
    pub fn new(
        r#type: ConditionType,
        status: ConditionStatus,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            r#type,
            status,
            reason,
            message: message.into(),
        }
    }
}

/// Conditions as they should be, which keep the time since when what didn't change is so.
#[must_use]
pub fn conditions(
    before: &[Condition],
    said: &[Said],
    generation: i64,
    now: Timestamp,
) -> Conditions {
    said.iter()
        .map(|said| {
            let known = before.iter().find(|known| known.r#type == said.r#type);
            let since = known
                .filter(|known| known.status == said.status)
                .map_or(now, |known| known.last_transition_time);
            Condition {
                r#type: said.r#type,
                status: said.status,
                reason: said.reason.to_owned(),
                message: said.message.chars().take(MESSAGE).collect(),
                last_transition_time: since,
                observed_generation: generation,
            }
        })
        .collect()
}

/// What is worth an event: the first condition, which sums the others up, says something else than before.
#[must_use]
pub fn transition<'c>(before: &[Condition], after: &'c [Condition]) -> Option<&'c Condition> {
    let main = after.first()?;
    let known = before.iter().find(|known| known.r#type == main.r#type);
    let is_same =
        known.is_some_and(|known| known.status == main.status && known.reason == main.reason);
    (!is_same).then_some(main)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::{ConditionStatus, ConditionType, Said, conditions, transition};
    use crate::api::EnvironmentStatus;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_of_a_condition_is_that_of_its_last_change() {
        let ready = |reason| {
            [Said::new(
                ConditionType::Ready,
                ConditionStatus::True,
                reason,
                "",
            )]
        };
        let first = conditions(&[], &ready("Current"), 1, at(10));
        let second = conditions(&first, &ready("Other"), 2, at(20));
        assert_eq!(second[0].last_transition_time, at(10));
        assert_eq!(second[0].observed_generation, 2);
        let failed = [Said::new(
            ConditionType::Ready,
            ConditionStatus::False,
            "Failed",
            "",
        )];
        let third = conditions(&second, &failed, 2, at(30));
        assert_eq!(third[0].last_transition_time, at(30));
    }

    #[test]
    fn conditions_of_others_are_left_alone() {
        let ours = json!({ "type": "Ready", "status": "True", "reason": "Current", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1 });
        let theirs = json!({ "type": "Audited", "status": "Perhaps", "reason": "Looked", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let status = json!({ "conditions": [theirs, ours] });
        let status: EnvironmentStatus = serde_json::from_value(status).unwrap();
        let types: Vec<_> = status.conditions.iter().map(|one| one.r#type).collect();
        assert_eq!(types, [ConditionType::Ready]);
    }

    #[test]
    fn only_a_transition_is_worth_an_event() {
        let said = |reason, message: &str| {
            [Said::new(
                ConditionType::Ready,
                ConditionStatus::False,
                reason,
                message,
            )]
        };
        let first = conditions(&[], &said("Waiting", "a"), 1, at(1));
        assert!(transition(&[], &first).is_some());
        let again = conditions(&first, &said("Waiting", "b"), 1, at(2));
        assert!(transition(&first, &again).is_none());
        let other = conditions(&again, &said("Failed", "b"), 1, at(3));
        assert_eq!(transition(&again, &other).unwrap().reason, "Failed");
    }
}
