//! `whimbrel_migration`: one migration that is written in Terraform. What is applied is never edited.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, has_unknown};

use crate::request::{Reached, part, stay, text};
use crate::state::{OnDestroy, must_stay, set, set_unknown, with_default, without_write_only};

/// What makes it another migration, or puts it elsewhere.
const IDENTITY: [&str; 3] = ["environment", "database", "name"];

/// What an apply will come to.
///
/// # Errors
/// It is applied with another text, or can't be planned.
pub fn plan(
    reached: &Reached,
    prior: Option<&Stored>,
    config: &Json,
    proposed: Json,
) -> Result<Planned, Fault> {
    let mut state = proposed;
    without_write_only(&mut state);
    with_default(&mut state, "on_destroy", "keep");
    with_default(&mut state, "database", "main");
    let mut planned = Planned::default();
    if let Some(prior) = prior {
        planned.replace = IDENTITY
            .iter()
            .filter(|name| prior.state.get(**name) != state.get(**name))
            .map(|name| format!("/{name}"))
            .collect();
        if reached.has_other_url(&prior.state, &state) {
            planned.replace.push("/url".to_owned());
        }
    }
    let whole = with_database(config, &state);
    let target = reached.target(&whole);
    if planned.replace.is_empty()
        && prior.is_some_and(|prior| reached.has_moved(part(&prior.state, "target"), &target))
    {
        planned.replace.push("/target".to_owned());
    }
    set(&mut state, "target", target);
    let is_new = prior.is_none() || !planned.replace.is_empty();
    let request = Json::Object(reached.migration(&whole));
    if has_unknown(&request) {
        set_unknown(&mut state, &["id", "checksum", "applied_at"]);
        planned.stored.state = state;
        return Ok(planned);
    }
    let name = id(&state);
    set(&mut state, "id", json!(name));
    match engine::plan(&request) {
        Ok(answer) => {
            let checksum = answer.get("checksum").cloned().unwrap_or_default();
            set(&mut state, "checksum", checksum);
            let applied = answer.get("appliedAt").filter(|time| !time.is_null());
            match applied {
                Some(time) => set(&mut state, "applied_at", time.clone()),
                None => set_unknown(&mut state, &["applied_at"]),
            }
        }
        Err(fault) if is_new && fault.class == FaultClass::Unavailable => {
            let message = format!(
                "whether it is applied is known only when it is: {}",
                fault.message
            );
            planned.warnings.push((String::new(), message));
            set_unknown(&mut state, &["checksum", "applied_at"]);
        }
        Err(fault) => return Err(reached.named(fault, config)),
    }
    planned.stored.state = state;
    Ok(planned)
}

/// Applies it.
///
/// # Errors
/// It isn't applied, or only in part: the next apply goes on.
pub fn apply(reached: &Reached, planned: Stored, config: &Json) -> Result<Stored, Fault> {
    let mut state = planned.state;
    let whole = with_database(config, &state);
    let answer = engine::apply(&Json::Object(reached.migration(&whole)))?;
    if has_unknown(part(&state, "target")) {
        set(&mut state, "target", reached.target(&whole));
    }
    let name = id(&state);
    set(&mut state, "id", json!(name));
    keep(&mut state, &answer);
    without_write_only(&mut state);
    let private = reached.mark(&state);
    Ok(Stored { state, private })
}

/// How it stands; none when it isn't applied any more.
///
/// # Errors
/// The database can't be looked at.
pub fn read(reached: &Reached, current: Stored) -> Result<Option<Stored>, Fault> {
    let target = reached.target(&current.state);
    if has_unknown(&target) || reached.has_moved(part(&current.state, "target"), &target) {
        // Where it is can't be asked any more, or not yet; what is to be done about that, the plan says.
        return Ok(Some(current));
    }
    let request = Json::Object(reached.recorded(&current));
    let mut state = current.state;
    set(&mut state, "target", target);
    let answer = engine::status(&request);
    let answer = answer.map_err(|fault| reached.named(fault, &state))?;
    if text(&answer, "state") != Some("applied") {
        return Ok(None);
    }
    keep(&mut state, &answer);
    Ok(Some(Stored {
        state,
        private: current.private,
    }))
}

/// Ends it as it says.
///
/// # Errors
/// It must stay, or can't be taken back.
pub fn delete(reached: &Reached, current: &Stored) -> Result<(), Fault> {
    let state = &current.state;
    match OnDestroy::of(state)? {
        OnDestroy::Keep => Ok(()),
        OnDestroy::Fail => Err(must_stay("whimbrel_migration", state)),
        OnDestroy::Revert => {
            let mut request = reached.recorded(current);
            let target = part(state, "target");
            if reached.has_moved(target, &reached.target(state)) {
                let database = text(state, "database").unwrap_or("main");
                stay(&mut request, &json!({ database: target }));
            }
            engine::revert(&Json::Object(request)).map(|_| ())
        }
    }
}

/// Takes over one that is applied: `ENVIRONMENT,DATABASE,NAME`, with `,URL` behind it if no `database` block of the provider
/// says where the database is.
///
/// # Errors
/// The id means none, or none that can be written in Terraform.
pub fn import(reached: &Reached, id: &str) -> Result<Stored, Fault> {
    let mut parts = id.splitn(4, ',');
    let (Some(environment), Some(database), Some(name)) =
        (parts.next(), parts.next(), parts.next())
    else {
        let message = format!("`{id}` names no migration");
        return Err(Fault::new(FaultClass::Invalid, "terraform.import", message).with_hint(
            "a migration is imported by `ENVIRONMENT,DATABASE,NAME`; with `,URL` behind it if no `database` block of the \
             provider says where the database is",
        ));
    };
    let mut state = json!({
        "id": format!("{environment},{database},{name}"), "environment": environment, "database": database,
        "name": name, "url": parts.next(), "on_destroy": "keep",
    });
    let answer = engine::status(&Json::Object(reached.migration(&state)))?;
    if text(&answer, "state") != Some("applied") {
        let message =
            format!("`{name}` isn't applied there, so that there is nothing to take over");
        return Err(
            Fault::new(FaultClass::NotFound, "terraform.import", message)
                .with_hint("an apply of the resource applies it"),
        );
    }
    for field in ["up", "down"] {
        set(
            &mut state,
            field,
            answer.get(field).cloned().unwrap_or_default(),
        );
    }
    let parameters = answer.get("parameters").and_then(Json::as_object);
    if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
        set(&mut state, "parameters", Json::Object(parameters.clone()));
    }
    let private = reached.mark(&state);
    Ok(Stored { state, private })
}

fn id(state: &Json) -> String {
    let part = |name| text(state, name).unwrap_or_default();
    format!(
        "{},{},{}",
        part("environment"),
        part("database"),
        part("name")
    )
}

/// The configuration with the database that it leaves out.
fn with_database(config: &Json, state: &Json) -> Json {
    let mut whole = config.clone();
    set(
        &mut whole,
        "database",
        state.get("database").cloned().unwrap_or_default(),
    );
    whole
}

fn keep(state: &mut Json, answer: &Json) {
    set(
        state,
        "checksum",
        answer.get("checksum").cloned().unwrap_or_default(),
    );
    set(
        state,
        "applied_at",
        answer.get("appliedAt").cloned().unwrap_or_default(),
    );
}
