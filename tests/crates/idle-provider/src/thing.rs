//! `idle_thing`: a resource with everything that a schema can have.

use whimbrel_core::duration::Duration as Written;
use whimbrel_terraform::{Answer, Call, CancelReason, Diagnostic, Planned, Stored, Value};

use crate::files::Kept;
use crate::provider::Configuration;

pub const KIND: &str = "idle_thing";

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> i64 {
    match value.get(name) {
        Some(Value::Number(number)) => number.as_i64().unwrap_or_default(),
        _ => 0,
    }
}

fn set(value: &mut Value, name: &str, to: Value) {
    if let Value::Map(members) = value {
        members.insert(name.to_owned(), to);
    }
}

pub fn validate(call: &Call, config: &Value) -> Answer<()> {
    if text(config, "text") == "discouraged" {
        let warning = Diagnostic::warning("A text is discouraged", "Take another one.");
        call.warn(warning.at("/text"));
    }
    let mut wrong = Vec::new();
    for (index, port) in elements(config, "ports").iter().enumerate() {
        if number(port, "number") < 0 {
            let error = Diagnostic::error("A port is negative", "Ports are counted from one on.");
            wrong.push(error.at(format!("/ports/{index}/number")));
        }
    }
    for (index, rule) in elements(config, "rule").iter().enumerate() {
        if text(rule, "from") == "nowhere" {
            let error = Diagnostic::error("A rule leads nowhere", "It should not.");
            wrong.push(error.at(format!("/rule/{index}/from")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn elements<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::List(elements)) => elements,
        _ => &[],
    }
}

pub fn plan(prior: Option<Stored>, config: &Value, mut proposed: Value) -> Planned {
    if let Value::Map(members) = &mut proposed
        && let Some(Value::List(ports)) = members.get_mut("ports")
    {
        for port in ports {
            if !matches!(port.get("protocol"), Some(Value::String(_))) {
                set(port, "protocol", "tcp".into());
            }
        }
    }
    let Some(prior) = prior else {
        if matches!(config.get("password_wo"), None | Some(Value::Null)) {
            set(&mut proposed, "password_length", 0.into());
        }
        return Planned {
            stored: Stored {
                state: proposed,
                private: b"planned".to_vec(),
            },
            replace: Vec::new(),
        };
    };
    let changed = |name: &str| prior.state.get(name) != proposed.get(name);
    let replace = if changed("name") {
        vec!["/name".to_owned()]
    } else {
        Vec::new()
    };
    let (is_changed, has_password) = (prior.state != proposed, changed("password_wo_version"));
    if is_changed {
        set(&mut proposed, "generation", Value::Unknown);
    }
    if has_password {
        set(&mut proposed, "password_length", Value::Unknown);
    }
    Planned {
        stored: Stored {
            state: proposed,
            private: prior.private,
        },
        replace,
    }
}

pub fn plan_delete(call: &Call, prior: &Stored) {
    if text(&prior.state, "text") == "precious" {
        call.warn(Diagnostic::warning("Something precious will be gone", "").at("/text"));
    }
}

pub async fn change(
    call: &Call,
    configuration: &Configuration,
    prior: Option<Stored>,
    planned: Stored,
    config: &Value,
) -> Answer<Stored> {
    let mut state = planned.state;
    let name = text(&state, "name").to_owned();
    rest(call, configuration, &name, text(&state, "delay")).await?;
    let generation = prior.map_or(1, |prior| number(&prior.state, "generation") + 1);
    let kept = Kept {
        text: state
            .get("text")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        generation,
    };
    configuration.files.write(&name, &kept).map_err(one)?;
    set(&mut state, "id", name.into());
    set(&mut state, "generation", generation.into());
    if state.get("password_length") == Some(&Value::Unknown) {
        set(
            &mut state,
            "password_length",
            password_length(call, config).into(),
        );
    }
    Ok(Stored {
        state,
        private: b"made".to_vec(),
    })
}

/// What only whoever may see the password can tell.
fn password_length(call: &Call, config: &Value) -> i64 {
    let Some(Value::Sealed(token)) = config.get("password_wo") else {
        return 0;
    };
    let password = call.sealed.reveal(*token).unwrap_or_default();
    let length = password.as_str().unwrap_or_default().len();
    i64::try_from(length).unwrap_or_default()
}

pub fn read(configuration: &Configuration, current: Stored) -> Answer<Option<Stored>> {
    let mut state = current.state;
    let as_is = Kept {
        text: state
            .get("text")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        generation: number(&state, "generation"),
    };
    let name = text(&state, "name");
    let Some(kept) = configuration.files.read(name, as_is).map_err(one)? else {
        return Ok(None);
    };
    set(
        &mut state,
        "text",
        kept.text.map_or(Value::Null, Value::String),
    );
    set(&mut state, "generation", kept.generation.into());
    Ok(Some(Stored {
        state,
        private: current.private,
    }))
}

pub async fn delete(call: &Call, configuration: &Configuration, current: &Stored) -> Answer<()> {
    let name = text(&current.state, "name");
    rest(call, configuration, name, text(&current.state, "delay")).await?;
    configuration.files.delete(name).map_err(one)
}

pub fn import(configuration: &Configuration, id: &str) -> Answer<Stored> {
    let found = configuration.files.read(id, Kept::default()).map_err(one)?;
    let Some(kept) = found else {
        let summary = format!("There is no thing `{id}`");
        return Err(vec![
            Diagnostic::error(summary, "Nobody made one.").at("/name"),
        ]);
    };
    Ok(Stored {
        state: Value::object([
            ("id", id.into()),
            ("name", id.into()),
            ("text", kept.text.map_or(Value::Null, Value::String)),
            ("generation", kept.generation.into()),
            ("password_length", 0.into()),
            // There is no such thing as no list of blocks.
            ("rule", Value::List(Vec::new())),
        ]),
        private: b"imported".to_vec(),
    })
}

/// Version 0 had `title` for `name`.
pub fn upgrade(version: u64, mut state: Value) -> Answer<Value> {
    let Value::Map(members) = &mut state else {
        return Err(vec![Diagnostic::error("A state of nothing", "")]);
    };
    if version == 0
        && let Some(title) = members.remove("title")
    {
        members.insert("name".to_owned(), title);
    }
    Ok(state)
}

/// Takes as long as it was told, unless it is asked to end.
async fn rest(call: &Call, configuration: &Configuration, name: &str, delay: &str) -> Answer<()> {
    let delay: Written = delay.parse().unwrap_or_default();
    if delay == Written::default() {
        return Ok(());
    }
    let files = &configuration.files;
    files.note(name, "begun", "").map_err(one)?;
    tokio::select! {
        () = tokio::time::sleep(delay.to_std()) => Ok(()),
        reason = call.cancel.requested() => {
            let reason = match reason {
                CancelReason::Stopped => "stopped",
                CancelReason::Deadline => "late",
                CancelReason::Gone => "gone",
            };
            files.note(name, reason, "").map_err(one)?;
            Err(vec![Diagnostic::error(format!("The change was {reason}"), "It was asked to end.")])
        }
    }
}

fn one(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}
