//! What is asked about one migration that is written in Terraform, of a server that takes such for the environment.

use serde_json::{Value as Json, json};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, MigrationName, ProjectName};
use whimbrel_plugin::EngineQuestion;
use whimbrel_server::client::escaped;

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
) -> Result<Json, Fault> {
    require_own_database(terms)?;
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

/// How a database is reached is the server's to say.
fn require_own_database(terms: &Terms) -> Result<(), Fault> {
    for said in terms.databases.values() {
        let parts = [
            ("url", &said.url),
            ("username", &said.username),
            ("password", &said.password),
        ];
        let Some((name, value)) = parts.into_iter().find(|(_, value)| value.is_some()) else {
            continue;
        };
        // Of what a resource says only that is sensitive.
        let is_sealed = value.as_ref().is_some_and(Json::is_object);
        let name = if is_sealed { "password_wo" } else { name };
        let message = format!("`{name}` can't be said to a server: its environment says it");
        return Err(Fault {
            pointer: Some(format!("/{name}")),
            ..Fault::new(FaultClass::Unsupported, "endpoint.terms", message).with_hint(
                "leave it out, or give the resource a `provider` without `endpoint`, by an alias",
            )
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::require_own_database;
    use crate::request::Request;
    use serde_json::{Value as Json, json};

    fn refused(said: &Json) -> Option<String> {
        let request = Request::read(json!({
            "environment": "dev", "databases": { "main": said },
            "migration": { "name": "a", "database": "main", "up": "SELECT 1" },
        }));
        let refused = require_own_database(request.unwrap().terms());
        refused.err().and_then(|fault| fault.pointer)
    }

    #[test]
    fn how_a_database_is_reached_is_refused_where_it_is_said() {
        assert_eq!(refused(&json!({})), None);
        for (said, pointer) in [
            (json!({ "url": "sqlite:a.db" }), "/url"),
            (json!({ "username": "ada" }), "/username"),
            (json!({ "password": "secret://env/A" }), "/password"),
            (json!({ "password": { "$sealed": "0" } }), "/password_wo"),
        ] {
            assert_eq!(refused(&said).as_deref(), Some(pointer));
        }
    }
}
