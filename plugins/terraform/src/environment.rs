//! `whimbrel_environment`: an environment of a project, brought to a revision.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, has_unknown, is_unknown};
use whimbrel_sdk::serde_json;

use crate::outside;
use crate::request::{Reached, part, stay, text};
use crate::state::{OnDestroy, must_stay, set, set_unknown, with_default, without_write_only};

/// What the plan says, when the databases can be asked.
const COMPUTED: [&str; 6] = [
    "revision",
    "plan",
    "migrations",
    "applied",
    "pending",
    "drift",
];
/// What decides which databases are meant.
const TARGET: [&str; 2] = ["source", "environment"];

/// What an apply will come to.
///
/// # Errors
/// The project can't be read, or nothing could be applied.
pub fn plan(
    reached: &Reached,
    prior: Option<&Stored>,
    config: &Json,
    proposed: Json,
) -> Result<Planned, Fault> {
    let mut state = proposed;
    without_write_only(&mut state);
    with_default(&mut state, "on_destroy", "keep");
    let mut planned = Planned::default();
    set(&mut state, "targets", reached.targets(config));
    if let Some(prior) = prior {
        planned.replace = replaced(reached, &prior.state, &state);
        planned.warnings = outside::warnings(part(&seen(prior), "outside"));
    }
    let mut request = reached.environment(config);
    // What was looked at before this plan was made is what it is about, also when Terraform asks again to apply it.
    if let Some(head) = prior.and_then(|prior| pinned(prior, config)) {
        pin(&mut request, &head);
    }
    let request = Json::Object(request);
    if has_unknown(&request) {
        set_unknown(&mut state, &COMPUTED);
        set_unknown(&mut state, &["id"]);
        planned.stored.state = state;
        return Ok(planned);
    }
    let name = id(&state);
    set(&mut state, "id", json!(name));
    let answer = match engine::plan(&request) {
        Ok(answer) => answer,
        // It may be made by what is applied before this.
        Err(fault) if fault.class == FaultClass::Unavailable => {
            let message = format!(
                "what is to be done is known only when it is applied: {}",
                fault.message
            );
            planned.warnings.push((String::new(), message));
            set_unknown(&mut state, &COMPUTED);
            planned.stored.state = state;
            return Ok(planned);
        }
        Err(fault) => return Err(reached.named(fault, config)),
    };
    match text(&answer, "stand") {
        Some("blocked") => return Err(blocked(&answer)),
        // Part of it can't be asked: another apply will.
        Some("unread") => {
            let why = text(&answer, "message").unwrap_or_default();
            let message = format!("what is to be done is known only when it is applied: {why}");
            planned.warnings.push((String::new(), message));
            set_unknown(&mut state, &COMPUTED);
            planned.stored.state = state;
            return Ok(planned);
        }
        _ => {}
    }
    planned.warnings.extend(warnings(&answer));
    planned.stored.private = text(&answer, "digest").unwrap_or_default().into();
    let is_idle = text(&answer, "stand") == Some("current");
    let is_new = prior.is_none() || !planned.replace.is_empty();
    for name in COMPUTED {
        let value = match name {
            "pending" | "drift" => json!(0),
            // An empty plan has a digest, too, and it says nothing.
            "plan" if is_idle && !is_new => continue,
            "plan" => answer.get("digest").cloned().unwrap_or_default(),
            "revision" => answer.get("revision").cloned().unwrap_or_default(),
            name => answer
                .pointer(&format!("/after/{name}"))
                .cloned()
                .unwrap_or_default(),
        };
        set(&mut state, name, value);
    }
    planned.stored.state = state;
    Ok(planned)
}

/// Applies what was planned, and nothing else.
///
/// # Errors
/// It isn't applied, or only in part: the next plan goes on.
pub fn apply(reached: &Reached, planned: Stored, config: &Json) -> Result<Stored, Fault> {
    let mut state = planned.state;
    let mut request = reached.environment(config);
    if let Some(revision) = text(&state, "revision") {
        pin(&mut request, revision);
    }
    // Whoever looked at the plan agreed to it and to no other.
    if let Ok(digest) = std::str::from_utf8(&planned.private)
        && !digest.is_empty()
    {
        request.insert("plan".into(), json!(digest));
    }
    let answer = engine::apply(&Json::Object(request))?;
    let name = id(&state);
    set(&mut state, "id", json!(name));
    keep(&mut state, &answer);
    if has_unknown(part(&state, "targets")) {
        set(&mut state, "targets", reached.targets(config));
    }
    if state.get("plan").is_none_or(is_unknown) {
        set(
            &mut state,
            "plan",
            answer.get("digest").cloned().unwrap_or_default(),
        );
    }
    without_write_only(&mut state);
    Ok(Stored {
        state,
        private: Vec::new(),
    })
}

/// How the environment stands now.
///
/// # Errors
/// It can't be looked at.
pub fn read(reached: &Reached, current: Stored) -> Result<Option<Stored>, Fault> {
    let targets = reached.targets(&current.state);
    if has_unknown(&targets) || reached.has_moved(part(&current.state, "targets"), &targets) {
        // Where it is can't be asked any more, or not yet; what is to be done about that, the plan says.
        return Ok(Some(current));
    }
    let mut state = current.state;
    set(&mut state, "targets", targets);
    let mut request = reached.environment(&state);
    if let Some(revision) = text(&state, "revision") {
        pin(&mut request, revision);
    }
    let answer = engine::status(&Json::Object(request));
    let answer = answer.map_err(|fault| reached.named(fault, &state))?;
    let outside = outside::seen(&state, &answer);
    keep(&mut state, &answer);
    let head = answer.get("head");
    let mut private =
        json!({ "source": state.get("source"), "ref": state.get("ref"), "head": head });
    if let Some(outside) = outside {
        set(&mut private, "outside", outside);
    }
    Ok(Some(Stored {
        state,
        private: private.to_string().into_bytes(),
    }))
}

/// Ends the resource as it says.
///
/// # Errors
/// It must stay, or not everything could be taken back.
pub fn delete(reached: &Reached, current: &Stored) -> Result<(), Fault> {
    let state = &current.state;
    match OnDestroy::of(state)? {
        OnDestroy::Keep => Ok(()),
        OnDestroy::Fail => Err(must_stay("whimbrel_environment", state)),
        OnDestroy::Revert => {
            let mut request = reached.environment(state);
            if let Some(revision) = text(state, "revision") {
                pin(&mut request, revision);
            }
            request.insert("all".into(), json!(true));
            if reached.has_moved(part(state, "targets"), &reached.targets(state)) {
                stay(&mut request, part(state, "targets"));
            }
            engine::revert(&Json::Object(request)).map(|_| ())
        }
    }
}

/// Takes over an environment that has a history: `SOURCE,ENVIRONMENT`, with `@REF` behind the source if one is followed; or
/// `ENVIRONMENT` alone, where a server knows the source.
///
/// # Errors
/// The id means none.
pub fn import(reached: &Reached, id: &str) -> Result<Stored, Fault> {
    let (source, environment) = match id.rsplit_once(',') {
        Some((source, environment)) => (Some(source), environment),
        None => (None, id),
    };
    // An address may have an `@` of its own, before its path.
    let (source, reference) = match source.and_then(|source| source.rsplit_once('@')) {
        Some((before, reference)) if !reference.contains([':', '/']) || before.contains("://") => {
            (Some(before), Some(reference))
        }
        _ => (source, None),
    };
    let mut state = json!({
        "source": source, "ref": reference, "environment": environment, "on_destroy": "keep",
    });
    let answer = engine::status(&Json::Object(reached.environment(&state)));
    let answer = answer.map_err(|fault| match fault.code.as_str() {
        "engine.no-source" => fault.with_hint(
            "an environment is imported by `SOURCE,ENVIRONMENT` or `SOURCE@REF,ENVIRONMENT`; by `ENVIRONMENT` alone where the \
             server at `endpoint` keeps it",
        ),
        _ => fault,
    })?;
    let name = self::id(&state);
    set(&mut state, "id", json!(name));
    set(&mut state, "plan", Json::Null);
    keep(&mut state, &answer);
    Ok(Stored {
        state,
        private: Vec::new(),
    })
}

fn id(state: &Json) -> String {
    let environment = text(state, "environment").unwrap_or_default();
    match text(state, "source") {
        Some(source) => format!("{source},{environment}"),
        None => environment.to_owned(),
    }
}

/// What an answer says of how the environment stands.
fn keep(state: &mut Json, answer: &Json) {
    for name in COMPUTED {
        if let Some(value) = answer.get(name) {
            set(state, name, value.clone());
        }
    }
}

/// What a read kept for the plan that follows it.
fn seen(prior: &Stored) -> Json {
    serde_json::from_slice(&prior.private).unwrap_or_default()
}

/// The commit that the ref meant when it was looked at last; none if another one is meant now.
fn pinned(prior: &Stored, config: &Json) -> Option<String> {
    let seen = seen(prior);
    let is_same = ["source", "ref"]
        .iter()
        .all(|name| seen.get(name) == config.get(name));
    text(&seen, "head").filter(|_| is_same).map(str::to_owned)
}

fn pin(request: &mut serde_json::Map<String, Json>, revision: &str) {
    if let Some(project) = request.get_mut("project") {
        set(project, "revision", json!(revision));
    }
}

fn replaced(reached: &Reached, prior: &Json, state: &Json) -> Vec<String> {
    let mut changed: Vec<String> = TARGET
        .iter()
        .filter(|name| {
            // What a server knows by itself is what was said before, or is said now.
            let said = |of: &Json| of.get(**name).filter(|value| !value.is_null()).cloned();
            let (before, now) = (said(prior), said(state));
            before.is_some() && now.is_some() && before != now
        })
        .map(|name| format!("/{name}"))
        .collect();
    let urls = |state: &Json| -> Vec<(String, Json)> {
        let databases = state.get("databases").and_then(Json::as_object);
        let each = databases.into_iter().flatten();
        each.map(|(name, said)| (name.clone(), said.get("url").cloned().unwrap_or_default()))
            .filter(|(_, url)| !url.is_null())
            .collect()
    };
    if urls(prior) != urls(state) {
        changed.push("/databases".to_owned());
    }
    if changed.is_empty() && reached.has_moved(part(prior, "targets"), part(state, "targets")) {
        changed.push("/targets".to_owned());
    }
    changed
}

fn warnings(answer: &Json) -> Vec<(String, String)> {
    let listed = |name: &str| {
        let list = answer.get(name).and_then(Json::as_array).cloned();
        list.unwrap_or_default()
    };
    let mut all = Vec::new();
    for text in listed("refusals").iter().chain(&listed("findings")) {
        if let Some(text) = text.as_str() {
            all.push((String::new(), text.to_owned()));
        }
    }
    all
}

fn blocked(answer: &Json) -> Fault {
    let message = text(answer, "message").unwrap_or("the plan is blocked");
    let hint = text(answer, "hint").unwrap_or_default();
    Fault::new(FaultClass::Conflict, "terraform.blocked", message).with_hint(hint)
}
