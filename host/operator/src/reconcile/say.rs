//! What an environment's conditions say of what was observed.

use super::{Known, Observed, Source, Waiting};
use crate::api::{ConditionStatus, ConditionType, Said};

/// Whether something goes on by itself, needs somebody, or neither.
enum Progress {
    Goes,
    Stands,
    Rests,
}

/// The conditions. `Ready` comes first.
#[must_use]
pub fn say(observed: &Observed) -> Vec<Said> {
    let no = ConditionStatus::False;
    let is_planned = !observed.is_deleted
        && !observed.is_abstract
        && !observed.is_suspended
        && matches!(observed.source, Source::Known);
    let reverting = observed.reverting.as_ref().filter(|_| is_planned);
    let (status, reason, message, progress) = match (&observed.source, &observed.known) {
        _ if observed.is_deleted => (no, "Deleted", "it is being let go", Progress::Goes),
        _ if observed.is_abstract => (
            ConditionStatus::True,
            "Abstract",
            "others extend it, and nothing is applied to it",
            Progress::Rests,
        ),
        _ if observed.is_suspended => (
            ConditionStatus::Unknown,
            "Suspended",
            "nothing new is begun while `spec.suspend` is true",
            Progress::Stands,
        ),
        (Source::Missing(message), _) => (no, "NoSource", message.as_str(), Progress::Stands),
        (Source::Unread(message), _) => (no, "SourceNotReady", message.as_str(), Progress::Goes),
        (_, Known::Nothing) => (
            ConditionStatus::Unknown,
            "Reconciling",
            "its databases are being asked",
            Progress::Goes,
        ),
        (_, Known::Current) => (
            ConditionStatus::True,
            "Current",
            "everything is applied",
            Progress::Rests,
        ),
        (_, Known::Pending) if reverting.is_some() => {
            (no, "Reverting", "a run goes on", Progress::Goes)
        }
        (_, Known::Pending) => (no, "Applying", "a run goes on", Progress::Goes),
        (_, Known::Waiting { on, message }) => {
            let (reason, progress) = match on {
                Waiting::Approval => ("ApprovalRequired", Progress::Goes),
                Waiting::Time => ("Waiting", Progress::Goes),
                Waiting::Change => ("Refused", Progress::Stands),
            };
            (no, reason, &**message, progress)
        }
        (_, Known::Failed(message)) => (no, "Failed", &**message, Progress::Stands),
        (
            _,
            Known::Wrong {
                is_definition,
                message,
            },
        ) => {
            let reason = if *is_definition {
                "InvalidDefinition"
            } else {
                "Blocked"
            };
            (no, reason, &**message, Progress::Stands)
        }
        (_, Known::Away(message)) => (no, "Unavailable", &**message, Progress::Goes),
    };
    let message = match reverting {
        Some(names) => format!("reverting {names}: {message}"),
        None => message.to_owned(),
    };
    let mut said = vec![Said::new(
        ConditionType::Ready,
        status,
        reason,
        message.clone(),
    )];
    let besides = match progress {
        Progress::Goes => Some(ConditionType::Reconciling),
        Progress::Stands => Some(ConditionType::Stalled),
        Progress::Rests => None,
    };
    if let Some(r#type) = besides {
        said.push(Said::new(r#type, ConditionStatus::True, reason, message));
    }
    said
}

/// Whether it is tried again soon although nothing changes.
#[must_use]
pub const fn is_retried(observed: &Observed) -> bool {
    matches!(observed.known, Known::Away(_)) || matches!(observed.source, Source::Unread(_))
}

#[cfg(test)]
mod tests {
    use super::say;
    use crate::api::{ConditionStatus, ConditionType};
    use crate::reconcile::{Known, Observed, Source, Waiting};

    fn said(
        source: Source,
        known: Known,
    ) -> (ConditionStatus, &'static str, Option<ConditionType>) {
        let said = say(&Observed {
            is_deleted: false,
            is_held: true,
            is_abstract: false,
            is_suspended: false,
            source,
            is_unmarked: false,
            is_unjudged: false,
            reverting: None,
            is_approved: false,
            known,
        });
        let ready = &said[0];
        assert_eq!(ready.r#type, ConditionType::Ready);
        (
            ready.status,
            ready.reason,
            said.get(1).map(|other| other.r#type),
        )
    }

    #[test]
    fn only_what_is_applied_is_ready() {
        let current = said(Source::Known, Known::Current);
        assert_eq!(current, (ConditionStatus::True, "Current", None));
        let failed = said(Source::Known, Known::Failed("x".into()));
        let stalled = Some(ConditionType::Stalled);
        assert_eq!(failed, (ConditionStatus::False, "Failed", stalled));
    }

    #[test]
    fn waiting_is_no_failure_unless_something_must_change() {
        let waiting = |on| {
            said(
                Source::Known,
                Known::Waiting {
                    on,
                    message: "".into(),
                },
            )
        };
        assert_eq!(
            waiting(Waiting::Approval).2,
            Some(ConditionType::Reconciling)
        );
        assert_eq!(waiting(Waiting::Time).2, Some(ConditionType::Reconciling));
        assert_eq!(waiting(Waiting::Change).2, Some(ConditionType::Stalled));
    }

    #[test]
    fn a_revert_is_told_with_what_it_reverts() {
        let of = |known, is_suspended| {
            let said = say(&Observed {
                is_deleted: false,
                is_held: true,
                is_abstract: false,
                is_suspended,
                source: Source::Known,
                is_unmarked: false,
                is_unjudged: false,
                reverting: Some("0002-orders".to_owned()),
                is_approved: false,
                known,
            });
            (said[0].reason, said[0].message.clone())
        };
        let (reason, message) = of(Known::Pending, false);
        assert_eq!(
            (reason, message.as_str()),
            ("Reverting", "reverting 0002-orders: a run goes on")
        );
        let (reason, message) = of(Known::Away("gone".into()), false);
        assert_eq!(
            (reason, message.as_str()),
            ("Unavailable", "reverting 0002-orders: gone")
        );
        assert_eq!(of(Known::Pending, true).0, "Suspended");
    }

    #[test]
    fn what_is_suspended_waits_for_somebody() {
        let said = say(&Observed {
            is_deleted: false,
            is_held: true,
            is_abstract: false,
            is_suspended: true,
            source: Source::Known,
            is_unmarked: false,
            is_unjudged: false,
            reverting: None,
            is_approved: false,
            known: Known::Nothing,
        });
        assert_eq!(said[1].r#type, ConditionType::Stalled);
    }
}
