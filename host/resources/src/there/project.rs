//! What is asked about an environment, of the server that keeps it.

use std::path::Path;

use serde_json::{Value as Json, json};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_plugin::EngineQuestion;

use super::following::text;
use super::said::Said;
use super::server::Server;
use crate::failure::of_class;
use crate::request::{ProjectRequest, SourceRequest, Terms};

/// How often a plan that changed meanwhile is looked at again.
const LOOKS: u32 = 3;

/// Answers.
///
/// # Errors
/// It can't be answered, or what was ordered wasn't done.
pub async fn answer(
    server: &Server,
    question: EngineQuestion,
    terms: &Terms,
    request: &ProjectRequest,
    said: Said,
) -> Result<Json, Fault> {
    let kept = server.environment().await?;
    let name = text(&kept, "source").unwrap_or_default();
    require_source(server, name, &request.source).await?;
    if request.source.revision.is_none() {
        server.look(name).await?;
    }
    let asking = Asking {
        server,
        terms,
        said,
    };
    match question {
        EngineQuestion::Status => asking.status(&request.source).await,
        EngineQuestion::Plan => asking.plan(&request.source).await,
        EngineQuestion::Apply => asking.apply(request).await,
        EngineQuestion::Revert => asking.revert(request).await,
    }
}

/// Who asks a server, and what is said to it.
struct Asking<'a> {
    server: &'a Server,
    terms: &'a Terms,
    /// In place of what the environment's documents say.
    said: Said,
}

impl Asking<'_> {
    async fn status(&self, source: &SourceRequest) -> Result<Json, Fault> {
        self.server.settled(false).await?;
        let mut answer = match self.at("/status/summary", false, commit(source)).await {
            // What was applied isn't in what is followed any more: how it stands is to be seen all the same.
            Err(fault) if fault.class == FaultClass::NotFound && source.revision.is_some() => {
                self.at("/status/summary", false, None).await?
            }
            answer => answer?,
        };
        let is_followed = require_reference(self.server, source, &answer);
        if source.revision.is_none() {
            is_followed.clone()?;
        }
        let head = match (&source.reference, is_followed) {
            (Some(reference), Ok(())) if is_commit(reference) => json!(reference),
            (_, Ok(())) => answer.get("head").cloned().unwrap_or_default(),
            (_, Err(_)) => Json::Null,
        };
        if let Some(fields) = answer.as_object_mut() {
            fields.remove("ref");
            fields.insert("head".to_owned(), head);
        }
        Ok(answer)
    }

    async fn plan(&self, source: &SourceRequest) -> Result<Json, Fault> {
        self.server.settled(false).await?;
        let mut answer = self.at("/plan/summary", true, commit(source)).await?;
        require_reference(self.server, source, &answer)?;
        require_head(self.server, source, &answer)?;
        if let Some(fields) = answer.as_object_mut() {
            for name in ["ref", "head", "apply", "withdrawn"] {
                fields.remove(name);
            }
        }
        Ok(answer)
    }

    async fn apply(&self, request: &ProjectRequest) -> Result<Json, Fault> {
        let source = &request.source;
        let mut looks = 0;
        let digest = loop {
            looks += 1;
            self.server.settled(true).await?;
            let planned = self.at("/plan/summary", true, commit(source)).await?;
            require_reference(self.server, source, &planned)?;
            let digest = text(&planned, "digest").unwrap_or_default().to_owned();
            match text(&planned, "stand") {
                Some("current") => break digest,
                Some("blocked") => {
                    return Err(said(&planned, FaultClass::Conflict, "engine.blocked"));
                }
                Some("unread") => {
                    return Err(said(&planned, FaultClass::Unavailable, "engine.unread"));
                }
                _ => {}
            }
            require_head(self.server, source, &planned)?;
            let plan = request.plan.as_deref().unwrap_or(&digest);
            let mut order =
                json!({ "plan": plan, "allowDestructive": self.terms.allow_destructive });
            let is_older = planned.get("revision") != planned.get("head");
            if let (Some(fields), Some(commit)) = (order.as_object_mut(), commit(source))
                && is_older
            {
                fields.insert("revision".to_owned(), json!(commit));
            }
            match self.ordered("/apply", order).await {
                // Somebody began, or the server did by itself: it may have been that.
                Err(fault) if is_about_somebody_else(&fault) && looks < LOOKS => {}
                done => {
                    done?;
                    break plan.to_owned();
                }
            }
        };
        let mut answer = self.status(source).await?;
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("digest".to_owned(), Json::String(digest));
        }
        Ok(answer)
    }

    /// Takes back everything that is applied, if everything is meant.
    async fn revert(&self, request: &ProjectRequest) -> Result<Json, Fault> {
        if request.all {
            self.server.settled(true).await?;
            let names = recorded(&self.ask("/status", &[]).await?)?;
            if !names.is_empty() {
                let asked = names.iter().map(|name| ("revert", json!(name)));
                let asked: Vec<_> = asked.collect();
                let planned = self.ask("/plan", &asked).await?;
                let order = json!({
                    "migrations": names,
                    "plan": planned.get("digest"),
                    "allowDestructive": self.terms.allow_destructive,
                });
                self.ordered("/revert", order).await?;
            }
        }
        self.status(&request.source).await
    }

    /// Gives an order and sees it done.
    async fn ordered(&self, path: &str, mut order: Json) -> Result<(), Fault> {
        if let Some(fields) = order.as_object_mut() {
            fields.extend(self.said.clone());
        }
        let accepted = self.server.order(&self.server.path(path), &order).await?;
        match text(&accepted, "run") {
            Some(run) => self.server.followed_run(run).await,
            None => Ok(()),
        }
    }

    /// Asks about a commit.
    async fn at(&self, path: &str, is_plan: bool, commit: Option<&str>) -> Result<Json, Fault> {
        let mut asked = Vec::new();
        if is_plan && self.terms.allow_destructive {
            asked.push(("allowDestructive", json!(true)));
        }
        asked.extend(commit.map(|commit| ("revision", json!(commit))));
        self.ask(path, &asked).await
    }

    /// Asks about the environment as it is, or with what is said of it.
    async fn ask(&self, path: &str, asked: &[(&str, Json)]) -> Result<Json, Fault> {
        if self.said.is_empty() {
            return self
                .server
                .get(&self.server.path(&query(path, asked)))
                .await;
        }
        let mut body = self.said.clone();
        for (name, value) in asked {
            if *name == "revert" {
                let all = body.entry("revert").or_insert_with(|| json!([]));
                all.as_array_mut()
                    .into_iter()
                    .for_each(|all| all.push(value.clone()));
            } else {
                body.insert((*name).to_owned(), value.clone());
            }
        }
        self.server
            .ask(&self.server.path(path), &Json::Object(body))
            .await
    }
}

/// Names of migrations and commits have no character that a URL would write differently.
fn query(path: &str, asked: &[(&str, Json)]) -> String {
    let pairs = asked.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    let pairs: Vec<_> = pairs.collect();
    let separator = if pairs.is_empty() { "" } else { "?" };
    format!("{path}{separator}{}", pairs.join("&"))
}

fn is_about_somebody_else(fault: &Fault) -> bool {
    matches!(
        fault.code.as_str(),
        "engine.plan-changed" | "endpoint.running"
    )
}

/// Every migration that any database has recorded, in the order of their names.
fn recorded(status: &Json) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    let targets = status.get("targets").and_then(Json::as_array);
    for target in targets.into_iter().flatten() {
        if let Some(error) = text(target, "error") {
            return Err(of_class(FaultClass::Unavailable, "engine.unread", error));
        }
        let migrations = target.get("migrations").and_then(Json::as_array);
        let migrations = migrations.into_iter().flatten();
        let there = migrations.filter(|one| text(one, "state") != Some("pending"));
        names.extend(there.filter_map(|one| text(one, "name").map(str::to_owned)));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The commit that is meant, if one is.
fn commit(source: &SourceRequest) -> Option<&str> {
    let said = source.reference.as_deref().filter(|name| is_commit(name));
    source.revision.as_deref().or(said)
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A source that is named is the one that the server reads: by its name there, or by its place.
async fn require_source(server: &Server, name: &str, source: &SourceRequest) -> Result<(), Fault> {
    let Some(said) = &source.source else {
        return Ok(());
    };
    let known = server.source(name).await?;
    let location = text(&known, "location").unwrap_or_default();
    if said == name || is_at(said, location) {
        return Ok(());
    }
    let environment = &server.environment;
    let message = format!("the server keeps `{environment}` as `{location}` says, not `{said}`");
    Err(Fault {
        pointer: Some("/source".to_owned()),
        ..Fault::new(FaultClass::Invalid, "endpoint.source", message).with_hint(format!(
            "leave `source` out, or write `{name}`, the server's name of it"
        ))
    })
}

fn is_at(said: &str, location: &str) -> bool {
    // Behind an `@` may be what is followed there.
    let bare = location.rsplit_once('@').map(|(before, _)| before);
    let real = |path: &str| Path::new(path).canonicalize().ok();
    [Some(location), bare].into_iter().flatten().any(|known| {
        known.trim_end_matches('/') == said.trim_end_matches('/')
            || real(said).is_some_and(|said| real(known) == Some(said))
    })
}

/// A branch that is named is the one that the server follows.
fn require_reference(server: &Server, source: &SourceRequest, answer: &Json) -> Result<(), Fault> {
    let Some(said) = source.reference.as_deref().filter(|said| !is_commit(said)) else {
        return Ok(());
    };
    let followed = text(answer, "ref");
    if followed == Some(said) {
        return Ok(());
    }
    let environment = &server.environment;
    let followed = followed.map_or_else(
        || "files of a folder".to_owned(),
        |name| format!("`{name}`"),
    );
    let message = format!("the server has `{environment}` follow {followed}, not `{said}`");
    Err(unfollowed(message))
}

/// What isn't done yet is done at the newest commit, or at an older one that is named and that the server doesn't go on from by
/// itself. A branch that moved on is planned again.
fn require_head(server: &Server, source: &SourceRequest, planned: &Json) -> Result<(), Fault> {
    let is_to_do = matches!(text(planned, "stand"), Some("pending" | "waiting"));
    let (Some(asked), Some(head)) = (text(planned, "revision"), text(planned, "head")) else {
        return Ok(());
    };
    if !is_to_do || asked == head {
        return Ok(());
    }
    let is_named = source.reference.as_deref().is_some_and(is_commit);
    if !is_named || text(planned, "apply") != Some("Approve") {
        let environment = &server.environment;
        return Err(unfollowed(format!(
            "the server brings `{environment}` to {head}, which is newer than {asked}"
        )));
    }
    let withdrawn = planned.get("withdrawn").and_then(Json::as_array);
    match withdrawn.and_then(|names| names.first()?.as_str()) {
        Some(name) => Err(unfollowed(format!(
            "`{name}` of {asked} isn't part of {head} any more, or is another one there"
        ))),
        None => Ok(()),
    }
}

fn unfollowed(message: String) -> Fault {
    Fault {
        pointer: Some("/ref".to_owned()),
        ..Fault::new(FaultClass::Conflict, "endpoint.ref", message)
            .with_hint("leave `ref` out to have what the server follows, and plan again")
    }
}

fn said(planned: &Json, class: FaultClass, code: &str) -> Fault {
    let message = text(planned, "message").unwrap_or("the plan can't be run");
    Fault {
        hint: text(planned, "hint").map(str::to_owned),
        ..of_class(class, code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_at, recorded};
    use serde_json::json;

    #[test]
    fn a_source_is_where_the_server_reads() {
        let there = "https://git.example.com/shop.git";
        assert!(is_at(there, there));
        assert!(is_at(there, "https://git.example.com/shop.git@main"));
        assert!(is_at("/srv/shop/", "/srv/shop@main"));
        assert!(!is_at("https://git.example.com/other.git", there));
    }

    #[test]
    fn what_is_recorded_anywhere_is_reverted_once() {
        let line = |name: &str, state: &str| json!({ "name": name, "state": state });
        let one = json!({ "migrations": [line("b", "failed"), line("a", "applied"), line("c", "pending")] });
        let other = json!({ "migrations": [line("a", "applied")] });
        let status = json!({ "targets": [one, other] });
        assert_eq!(recorded(&status).unwrap(), ["a", "b"]);
        let away = json!({ "targets": [{ "error": "away", "migrations": [] }] });
        assert!(recorded(&away).is_err());
    }
}
