//! `whimbrel secrets check`: whether every reference leads to a secret, of which shape, and for how long compared with the
//! plan. Reveals nothing, and connects to a database only where something is lent or changes, and nobody said how long the
//! plan takes: then its history and its rows tell.

use std::time::Duration;

use jiff::Timestamp;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    Context, EngineError, Meanwhile, Opened, Passing, Prepared, Selection, environment, expected,
    plugins_of,
};
use whimbrel_project::{CheckedSecret, Control, Opening, check_secrets};
use whimbrel_report::{BackendLine, PlanTime, SecretLine, SecretsView, duration, plural};
use whimbrel_secrets::{Condition, Health, Shape};

use crate::arguments::{Format, Global, SecretsCommand};
use crate::engine::{context, opening, selection};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

/// How long an estimate may take: it only stands beside what was asked.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    command: &SecretsCommand,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let SecretsCommand::Check { lasting } = command;
    output.format(&[Format::Text, Format::Json])?;
    let control = Control::Environment(global.environment.clone());
    let opening = opening(global, output, control)?;
    let selection = selection(global, output)?;
    let environment = environment(&opening, &selection)?.clone();
    let context = context(output);
    let resolver = context.resolver(&plugins_of(&opening, &context)?, &environment);
    let checked = check_secrets(&environment, &resolver).await;
    let exit = exit(&checked);
    let plan = match lasting {
        Some(_) => None,
        None if !checked.iter().any(ends) => None,
        None if exit != Exit::Success => Some(unknown("not every secret can be had")),
        None => Some(estimated(opening, &selection, &context).await),
    };
    let lasting = lasting.map_or_else(
        || plan.as_ref().and_then(of_plan),
        |lasting| Some((lasting, duration(milliseconds(lasting)))),
    );
    let now = Timestamp::now();
    let view = SecretsView {
        environment: environment.name,
        references: checked
            .into_iter()
            .map(|secret| line(secret, lasting.as_ref(), now))
            .collect(),
        backends: resolver.health().into_iter().filter_map(health).collect(),
        plan,
    };
    output.show(|format| match format {
        Format::Json => view.json(),
        _ => view.text(),
    })?;
    Ok(exit)
}

/// How a backend is doing; nothing of one that wasn't asked.
fn health(of: Health) -> Option<BackendLine> {
    let (health, message) = match of.condition {
        Condition::Unknown => return None,
        Condition::Healthy => ("healthy", None),
        Condition::Refusing(fault) => ("refusing", Some(fault.to_string())),
        Condition::Unavailable { fault, failures } => {
            let times = plural(usize::try_from(failures).unwrap_or(usize::MAX), "failure");
            ("unavailable", Some(format!("{fault}, {times} in a row")))
        }
    };
    Some(BackendLine {
        name: of.backend,
        health,
        message,
    })
}

/// Whether it is of use for a time only.
fn ends(secret: &CheckedSecret) -> bool {
    let shape = secret.shape.as_ref().ok();
    shape.is_some_and(|shape| shape.time_to_live.is_some() || shape.next_rotation.is_some())
}

/// How long the plan takes, by histories and plugins. What stands in the way is told and fails nothing: whether secrets can
/// be had was asked.
async fn estimated(opening: Opening, selection: &Selection, context: &Context) -> PlanTime {
    let estimate = async {
        let opened = Opened::of(opening, selection, context, Meanwhile::Read).await?;
        let mut prepared = Prepared::new(&opened, Goal::Apply, Passing::default()).await?;
        prepared.require_all()?;
        if let Some((_, blocker)) = prepared.plan().blockers().next() {
            return Ok(unknown(&format!("the plan is blocked: {blocker}")));
        }
        if prepared.plan().is_empty() {
            return Ok(PlanTime::default());
        }
        let expected = expected(&opened, &prepared).await;
        let known = milliseconds(expected.lasts);
        Ok::<_, EngineError>(PlanTime {
            milliseconds: (known > 0).then_some(known),
            without_ground: expected.without_ground,
            error: None,
        })
    };
    match tokio::time::timeout(PATIENCE, estimate).await {
        Ok(Ok(plan)) => plan,
        Ok(Err(error)) => unknown(&error.to_string()),
        Err(_) => unknown("the databases gave no answer in time"),
    }
}

fn unknown(why: &str) -> PlanTime {
    PlanTime {
        error: Some(why.to_owned()),
        ..PlanTime::default()
    }
}

/// What leases are compared with, and how it is said.
fn of_plan(plan: &PlanTime) -> Option<(Duration, String)> {
    Some((Duration::from_millis(plan.milliseconds?), plan.words()?))
}

/// Worth retrying only if nothing is wrong that somebody must mend.
fn exit(checked: &[CheckedSecret]) -> Exit {
    let mut errors = checked
        .iter()
        .filter_map(|secret| secret.shape.as_ref().err())
        .peekable();
    if errors.peek().is_none() {
        Exit::Success
    } else if errors.all(whimbrel_secrets::SecretError::is_temporary) {
        Exit::Retry
    } else {
        Exit::Failed
    }
}

fn line(secret: CheckedSecret, lasting: Option<&(Duration, String)>, now: Timestamp) -> SecretLine {
    let mut line = SecretLine {
        place: secret.place,
        reference: secret.reference.to_string(),
        backend: secret.backend,
        ..SecretLine::default()
    };
    match secret.shape {
        Err(error) => {
            line.hint = error.hint();
            line.error = Some(error.to_string());
        }
        Ok(shape) => {
            line.notice = lasting.and_then(|lasting| notice(&shape, lasting, now));
            line.next_rotation = shape
                .next_rotation
                .and_then(moment)
                .map(|at| at.to_string());
            line.lent_for_milliseconds = shape.time_to_live.map(milliseconds);
            line.fields = shape.fields;
            line.version = shape.version;
        }
    }
    line
}

/// What happens to a secret while a plan runs that takes so long.
fn notice(shape: &Shape, (lasting, plan): &(Duration, String), now: Timestamp) -> Option<String> {
    if let Some(lent) = shape.time_to_live.filter(|lent| lent < lasting) {
        let lent = duration(milliseconds(lent));
        return Some(format!(
            "lent for {lent}, and the plan takes {plan}: it is renewed, or replaced at a safe point"
        ));
    }
    let rotation = moment(shape.next_rotation?)?;
    let left = Duration::try_from(rotation.duration_since(now)).unwrap_or_default();
    (left < *lasting).then(|| {
        format!(
            "changes in {}, and the plan takes {plan}: it is read again when the database refuses it",
            duration(milliseconds(left))
        )
    })
}

fn moment(milliseconds: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use whimbrel_secrets::Shape;

    use super::notice;

    #[test]
    fn what_changes_before_a_plan_is_done_is_told() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let at = |seconds: i64| u64::try_from(now.as_millisecond() + seconds * 1_000).ok();
        let shape = |lent: Option<u64>, rotation: Option<u64>| Shape {
            time_to_live: lent.map(Duration::from_secs),
            next_rotation: rotation,
            ..Shape::default()
        };
        let plan = (Duration::from_secs(480), "8 min 0 s".to_owned());
        let told = |shape| notice(&shape, &plan, now);
        let lent = told(shape(Some(30), None)).unwrap();
        assert!(
            lent.starts_with("lent for 30.0 s, and the plan takes 8 min"),
            "{lent}"
        );
        assert_eq!(told(shape(Some(3_600), None)), None);
        let rotates = told(shape(None, at(60))).unwrap();
        assert!(rotates.starts_with("changes in 1 min 0 s"), "{rotates}");
        assert_eq!(told(shape(None, at(900))), None);
        let past = told(shape(None, at(-5))).unwrap();
        assert!(past.starts_with("changes in 0 ms"), "{past}");
        assert_eq!(told(Shape::default()), None);
    }
}
