//! A migration that somebody knows by its name alone: how it stands, and the text that it was applied with.

use serde_json::{Value as Json, json};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, MigrationName};
use whimbrel_engine::Meanwhile;

use crate::failure::of_project;
use crate::here::Here;
use crate::opened::Asked;
use crate::request::{MigrationRequest, Terms};

/// Answers: `state`, and of one that is applied `up`, `down` and `parameters`.
///
/// # Errors
/// Its database can't be asked, or it isn't a migration of statements alone.
pub async fn answer(
    here: &Here,
    terms: &Terms,
    name: MigrationName,
    database: DatabaseName,
) -> Result<Json, Fault> {
    // Nothing is planned with it: its database is to be opened.
    let standing_in = MigrationRequest {
        name,
        database,
        up: "SELECT 1".to_owned(),
        down: None,
    };
    let asked = Asked::migrations(here, terms, &[&standing_in], Meanwhile::Nothing).await?;
    let answer = told(&asked, &standing_in.name).await;
    asked.close().await;
    answer
}

async fn told(asked: &Asked, name: &MigrationName) -> Result<Json, Fault> {
    for target in asked.opened.names() {
        let history = asked.opened.history(&target).await.map_err(of_project)?;
        let Some(record) = history.records.iter().find(|record| record.name == *name) else {
            continue;
        };
        if !record.state.is_complete() {
            return Ok(json!({ "state": record.state }));
        }
        let definition = asked.opened.definition(&target, name).await;
        let definition = definition.map_err(of_project)?.unwrap_or_default();
        let Some((up, down)) = statements(&definition) else {
            let message =
                format!("`{name}` is more than statements, and can't be written in Terraform");
            return Err(Fault::new(
                FaultClass::Unsupported,
                "engine.not-inline",
                message,
            ));
        };
        return Ok(json!({
            "state": "applied", "up": up, "down": down, "parameters": record.parameters,
        }));
    }
    Ok(json!({ "state": "pending" }))
}

/// What a definition does and how it is taken back, if it is one that could be written in Terraform.
fn statements(definition: &Json) -> Option<(&str, Option<&str>)> {
    let known = ["database", "steps"];
    let fields = definition.as_object()?;
    let [step] = definition.get("steps")?.as_array()?.as_slice() else {
        return None;
    };
    let parts = step.as_object()?;
    let is_plain = fields.keys().all(|name| known.contains(&name.as_str()))
        && parts
            .keys()
            .all(|name| ["sql", "revert"].contains(&name.as_str()));
    let (up, down) = (parts.get("sql")?.as_str()?, parts.get("revert"));
    match down {
        _ if !is_plain => None,
        None => Some((up, None)),
        Some(down) => Some((up, Some(down.as_str()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::statements;
    use serde_json::json;

    #[test]
    fn only_what_could_be_written_in_terraform_is_read() {
        let of = |steps| json!({ "database": "main", "steps": steps });
        let both = of(json!([{ "sql": "a", "revert": "b" }]));
        assert_eq!(statements(&both), Some(("a", Some("b"))));
        assert_eq!(statements(&of(json!([{ "sql": "a" }]))), Some(("a", None)));
        for other in [
            of(json!([])),
            of(json!([{ "sql": "a" }, { "sql": "b" }])),
            of(json!([{ "uses": "backfill" }])),
            of(json!([{ "sql": "a", "transaction": false }])),
            of(json!([{ "sql": "a", "revert": { "uses": "b" } }])),
            json!({ "database": "main", "steps": [{ "sql": "a" }], "requires": ["b"] }),
        ] {
            assert_eq!(statements(&other), None, "{other}");
        }
    }
}
