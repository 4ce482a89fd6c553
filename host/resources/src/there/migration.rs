//! What is asked about one migration that is written in Terraform, of a server that takes such for the environment.

use serde_json::{Value as Json, json};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, MigrationName, ProjectName};
use whimbrel_plugin::EngineQuestion;
use whimbrel_server::client::escaped;

use super::said::Said as Over;
use super::server::Server;
use crate::request::{MigrationRequest, Terms};

/// What is said of the migration.
#[derive(Clone, Copy)]
pub enum Said<'r> {
    /// All of it.
    Whole(&'r MigrationRequest),
    /// Its name alone.
    Name(&'r MigrationName, &'r DatabaseName),
}

impl Said<'_> {
    const fn database(&self) -> &DatabaseName {
        match self {
            Self::Whole(migration) => &migration.database,
            Self::Name(_, database) => database,
        }
    }
}

/// Answers. What it belongs to, the server knows; a project that is said has to be that.
///
/// # Errors
/// It can't be answered, or what was ordered wasn't done.
pub async fn answer(
    server: &Server,
    question: EngineQuestion,
    terms: &Terms,
    project: Option<&ProjectName>,
    said: Said<'_>,
    mut over: Over,
) -> Result<Json, Fault> {
    let mut body = match said {
        Said::Whole(migration) => json!({
            "name": migration.name,
            "database": migration.database,
            "up": migration.up,
        }),
        Said::Name(name, database) => json!({ "name": name, "database": database }),
    };
    if let Some(fields) = body.as_object_mut() {
        if let Said::Whole(MigrationRequest {
            down: Some(down), ..
        }) = said
        {
            fields.insert("down".to_owned(), json!(down));
        }
        if let Some(project) = project {
            fields.insert("project".to_owned(), json!(project));
        }
        fields.insert("parameters".to_owned(), json!(terms.parameters));
        // Of the others nothing is asked.
        if let Some(reached) = own(&mut over, said.database()) {
            let databases = json!({ said.database().as_str(): reached });
            fields.insert("databases".to_owned(), databases);
        }
        let confirmed = terms.allow_destructive;
        fields.insert("allowDestructive".to_owned(), json!(confirmed));
    }
    let environment = escaped(&server.environment);
    let path = format!("/v1/written/{environment}/{}", question.as_str());
    let answered = if question.changes() {
        server.order_done(&path, &body).await
    } else {
        server.ask(&path, &body).await
    };
    answered.map_err(|fault| match fault.code.as_str() {
        "endpoint.not-found" => Fault {
            pointer: Some("/environment".to_owned()),
            hint: Some(
                "or give the resource a `provider` without `endpoint`, by an alias".to_owned(),
            ),
            ..Fault::new(FaultClass::Unsupported, "endpoint.migration", fault.message)
        },
        _ => fault,
    })
}

/// What is said of how a database is reached.
fn own(over: &mut Over, database: &DatabaseName) -> Option<Json> {
    let databases = over.get_mut("databases").and_then(Json::as_object_mut);
    let reached = databases?.remove(database.as_str())?;
    let is_said = reached.as_object().is_some_and(|parts| !parts.is_empty());
    is_said.then_some(reached)
}

/// A migration says of its own database what an environment says of one by its name.
pub fn at_its_attribute(fault: Fault, terms: &Terms, database: &DatabaseName) -> Fault {
    let Some(pointer) = fault.pointer.as_deref() else {
        return fault;
    };
    let said = terms.databases.get(database);
    let parts = said.map_or_else(Vec::new, |said| {
        let all = [
            ("url", &said.url),
            ("username", &said.username),
            ("password", &said.password),
        ];
        let said = all.into_iter().filter(|(_, value)| value.is_some());
        said.map(|(part, value)| {
            // Of what a resource says only that is sensitive.
            let is_sealed = value.as_ref().is_some_and(Json::is_object);
            let name = if is_sealed { "password_wo" } else { part };
            (part, name)
        })
        .collect()
    });
    let prefix = format!("/databases/{database}/");
    let part = pointer.strip_prefix(&prefix);
    let named = match (pointer, part) {
        // All of it: where it begins.
        ("/databases", _) => parts.first(),
        (_, Some(part)) => parts
            .iter()
            .find(|(known, name)| *known == part || *name == part),
        _ => None,
    };
    match named {
        None => fault,
        Some((_, name)) => Fault {
            pointer: Some(format!("/{name}")),
            message: fault
                .message
                .replace("`databases` can't", &format!("`{name}` can't")),
            ..fault
        },
    }
}
