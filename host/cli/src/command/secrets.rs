//! `whimbrel secrets check`: whether every reference leads to a secret, and of which shape. Reveals nothing and connects to
//! no database.

use std::time::Duration;

use jiff::Timestamp;
use whimbrel_engine::{environment, plugins_of};
use whimbrel_project::{CheckedSecret, Control, check_secrets};
use whimbrel_report::{SecretLine, SecretsView, duration};
use whimbrel_secrets::Shape;

use crate::arguments::{Format, Global, SecretsCommand};
use crate::engine::{context, opening, selection};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    command: &SecretsCommand,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let SecretsCommand::Check { lasting } = command;
    output.format(&[Format::Text, Format::Json])?;
    let control = Control::Environment(global.environment.clone());
    let opening = opening(global, output, control)?;
    let environment = environment(&opening, &selection(global, output)?)?;
    let context = context(output);
    let resolver = context.resolver(&plugins_of(&opening, &context)?, environment);
    let checked = check_secrets(environment, &resolver).await;
    let exit = exit(&checked);
    let now = Timestamp::now();
    let view = SecretsView {
        environment: environment.name.clone(),
        references: checked
            .into_iter()
            .map(|secret| line(secret, *lasting, now))
            .collect(),
    };
    output.show(|format| match format {
        Format::Json => view.json(),
        _ => view.text(),
    })?;
    Ok(exit)
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

fn line(secret: CheckedSecret, lasting: Option<Duration>, now: Timestamp) -> SecretLine {
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
fn notice(shape: &Shape, lasting: Duration, now: Timestamp) -> Option<String> {
    let plan = duration(milliseconds(lasting));
    if let Some(lent) = shape.time_to_live.filter(|lent| *lent < lasting) {
        let lent = duration(milliseconds(lent));
        return Some(format!(
            "lent for {lent}, and the plan takes {plan}: it is renewed, or replaced at a safe point"
        ));
    }
    let rotation = moment(shape.next_rotation?)?;
    let left = Duration::try_from(rotation.duration_since(now)).unwrap_or_default();
    (left < lasting).then(|| {
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
        let plan = Duration::from_secs(480);
        let told = |shape| notice(&shape, plan, now);
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
