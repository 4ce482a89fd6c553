//! What is said of a migration that no environment runs: whoever mistyped a name would wait in vain.

use jiff::Timestamp;
use whimbrel_core::suggestion::nearest;

use crate::api::{ConditionStatus, ConditionType, MigrationStatus, Said, conditions};

/// The most names that a message lists.
const LISTED: usize = 5;

/// An environment of the namespace, as far as it matters to migrations that people write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Whether a source defines it, and its migrations with it.
    pub is_followed: bool,
    /// Whether others only extend it.
    pub is_abstract: bool,
}

/// Why no environment runs a migration that a person wrote, and that names this one, or none; nothing where one does.
#[must_use]
pub fn astray(named: Option<&str>, places: &[Place]) -> Option<String> {
    let Some(named) = named else {
        let usable = || {
            places
                .iter()
                .filter(|one| !one.is_followed && !one.is_abstract)
        };
        return match usable().count() {
            0 => Some(
                "it says no `environmentRef`, and no object of this namespace defines an environment"
                    .to_owned(),
            ),
            1 => None,
            _ => {
                let names: Vec<_> = usable().take(LISTED).map(|one| one.name.as_str()).collect();
                let names = names.join("`, `");
                Some(format!(
                    "it says no `environmentRef`, and there are several environments: `{names}`"
                ))
            }
        };
    };
    match places.iter().find(|one| one.name == named) {
        None => missing(named, places),
        Some(one) if one.is_followed => Some(format!(
            "a GitSource defines the Environment `{named}`: commit the migration there"
        )),
        Some(one) if one.is_abstract => Some(format!(
            "the Environment `{named}` is abstract: others extend it, and nothing is applied to it"
        )),
        Some(_) => None,
    }
}

/// What is to be said where there is no environment of a name; nothing where there is one.
#[must_use]
pub fn missing(named: &str, places: &[Place]) -> Option<String> {
    let names = || places.iter().map(|one| one.name.as_str());
    if names().any(|name| name == named) {
        return None;
    }
    let meant = nearest(named, names());
    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)"));
    let meant = meant.unwrap_or_default();
    Some(format!(
        "there is no Environment `{named}` in this namespace{meant}"
    ))
}

/// What is said of an object that waits for an environment in vain.
pub const NO_ENVIRONMENT: &str = "NoEnvironment";

/// The conditions that say why.
#[must_use]
pub fn strayed(why: &str) -> [Said; 2] {
    let (no, yes) = (ConditionStatus::False, ConditionStatus::True);
    [
        Said::new(ConditionType::Succeeded, no, NO_ENVIRONMENT, why),
        Said::new(ConditionType::Stalled, yes, NO_ENVIRONMENT, why),
    ]
}

/// The status that says why; none where it stands there already, and where the migration was applied before: that is as it was.
#[must_use]
pub fn astray_status(
    before: Option<&MigrationStatus>,
    why: &str,
    generation: i64,
    now: Timestamp,
) -> Option<MigrationStatus> {
    let before = before.cloned().unwrap_or_default();
    let is_applied = before.conditions.first().is_some_and(|main| {
        main.status == ConditionStatus::True && main.observed_generation >= generation
    });
    if is_applied {
        return None;
    }
    let said = strayed(why);
    let after = MigrationStatus {
        observed_generation: generation,
        conditions: conditions(&before.conditions, &said, generation, now),
        ..before.clone()
    };
    (after != before).then_some(after)
}

/// The status that says that a migration waits for its environment, which can't be looked at for a reason; none where something
/// stands there that is about the migration as it is now.
#[must_use]
pub fn waiting_status(
    before: Option<&MigrationStatus>,
    reason: &str,
    generation: i64,
    now: Timestamp,
) -> Option<MigrationStatus> {
    const WAITS: &str = "its environment is ";
    let before = before.cloned().unwrap_or_default();
    let is_told = before.conditions.first().is_some_and(|main| {
        main.observed_generation >= generation
            && main.reason != NO_ENVIRONMENT
            && !main.message.starts_with(WAITS)
    });
    if is_told {
        return None;
    }
    let message = format!("{WAITS}{reason}");
    let (unknown, yes) = (ConditionStatus::Unknown, ConditionStatus::True);
    let said = [
        Said::new(
            ConditionType::Succeeded,
            unknown,
            "Pending",
            message.clone(),
        ),
        Said::new(ConditionType::Reconciling, yes, "Pending", message),
    ];
    Some(MigrationStatus {
        observed_generation: generation,
        conditions: conditions(&before.conditions, &said, generation, now),
        ..before
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Place, astray, astray_status, waiting_status};
    use crate::api::{ConditionStatus, ConditionType, MigrationStatus, Said, conditions};

    fn place(name: &str) -> Place {
        Place {
            name: name.to_owned(),
            is_followed: false,
            is_abstract: false,
        }
    }

    fn applied(now: Timestamp) -> MigrationStatus {
        let yes = [Said::new(
            ConditionType::Succeeded,
            ConditionStatus::True,
            "Applied",
            "",
        )];
        MigrationStatus {
            conditions: conditions(&[], &yes, 1, now),
            ..MigrationStatus::default()
        }
    }

    #[test]
    fn what_an_environment_runs_is_not_astray() {
        let followed = Place {
            is_followed: true,
            ..place("live")
        };
        let base = Place {
            is_abstract: true,
            ..place("base")
        };
        let places = [place("dev"), followed, base];
        assert_eq!(astray(Some("dev"), &places), None);
        assert_eq!(astray(None, &places), None);
        for (named, words) in [
            (
                Some("dve"),
                "there is no Environment `dve` in this namespace (did you mean `dev`?)",
            ),
            (
                Some("somewhere"),
                "there is no Environment `somewhere` in this namespace",
            ),
            (
                Some("live"),
                "a GitSource defines the Environment `live`: commit the migration there",
            ),
            (
                Some("base"),
                "the Environment `base` is abstract: others extend it, and nothing is applied to it",
            ),
        ] {
            assert_eq!(astray(named, &places).as_deref(), Some(words));
        }
        let several = astray(None, &[place("dev"), place("test")]).unwrap();
        assert!(several.ends_with("there are several environments: `dev`, `test`"));
        assert!(astray(None, &places[1..]).unwrap().contains("no object"));
    }

    #[test]
    fn it_is_said_once_and_not_of_what_is_applied() {
        let now = Timestamp::UNIX_EPOCH;
        let first = astray_status(None, "why", 1, now).unwrap();
        assert_eq!(astray_status(Some(&first), "why", 1, now), None);
        assert!(astray_status(Some(&first), "another why", 1, now).is_some());
        let applied = applied(now);
        assert_eq!(astray_status(Some(&applied), "why", 1, now), None);
        // What it asks for now isn't applied.
        assert!(astray_status(Some(&applied), "why", 2, now).is_some());
    }

    #[test]
    fn what_nobody_has_looked_at_waits_for_its_environment() {
        let now = Timestamp::UNIX_EPOCH;
        let main = |status: &MigrationStatus| status.conditions[0].clone();
        let first = waiting_status(None, "Suspended", 1, now).unwrap();
        assert_eq!(main(&first).message, "its environment is Suspended");
        let again = waiting_status(Some(&first), "Suspended", 1, now);
        assert_eq!(again.as_ref(), Some(&first));
        let other = waiting_status(Some(&first), "InvalidDefinition", 1, now).unwrap();
        assert!(main(&other).message.ends_with("InvalidDefinition"));
        let stray = astray_status(None, "why", 1, now).unwrap();
        assert!(waiting_status(Some(&stray), "Suspended", 1, now).is_some());
        let applied = applied(now);
        assert_eq!(waiting_status(Some(&applied), "Suspended", 1, now), None);
        assert!(waiting_status(Some(&applied), "Suspended", 2, now).is_some());
    }
}
