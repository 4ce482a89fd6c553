//! The schemas of `status`, which only the operator writes.

use serde_json::{Map, Value as Json, json};
use whimbrel_config::Kind;

/// Name, type and meaning of a field.
type Field = (&'static str, &'static str, &'static str);

const REQUEST: Field = (
    "lastHandledRequest",
    "string",
    "The value of the annotation `whimbrel.dev/requestedAt` that was answered last.",
);

const fn fields(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::GitSource => &[
            (
                "revision",
                "string",
                "The commit that its control documents are from.",
            ),
            REQUEST,
        ],
        Kind::Environment => &[
            (
                "revision",
                "string",
                "The commit that it was planned from; none where the migrations are objects.",
            ),
            (
                "plan",
                "string",
                "The digest of the plan that is pending: what an `Approval` names.",
            ),
            (
                "applied",
                "integer",
                "How many migrations are applied, over all databases.",
            ),
            ("pending", "integer", "How many are missing."),
            ("failed", "integer", "How many stopped by an error."),
            REQUEST,
        ],
        Kind::Migration => &[
            (
                "checksum",
                "string",
                "Of the definition as it was applied, else as it is.",
            ),
            (
                "appliedAt",
                "string",
                "When the last database was done, by its own clock.",
            ),
            (
                "durationMilliseconds",
                "integer",
                "How long it took where it took longest.",
            ),
            ("revision", "string", "The commit that it was applied from."),
            ("applied", "integer", "On how many databases it is applied."),
            ("databases", "integer", "Of how many."),
            (
                "rows",
                "integer",
                "Rows that its plugin steps have changed, over all databases.",
            ),
            (
                "attempts",
                "integer",
                "How often it was tried, applied or stopped by an error, where that was most often.",
            ),
        ],
        Kind::Approval => &[("expires", "string", "Until when it counts.")],
        Kind::Project | Kind::Provider => &[],
    }
}

/// The schema of the status of a kind.
pub fn schema(kind: Kind) -> Json {
    let mut properties = of(fields(kind));
    properties.insert(
        "observedGeneration".to_owned(),
        field(
            "integer",
            "The generation of the object that everything here is about.",
        ),
    );
    properties.insert("conditions".to_owned(), conditions());
    match kind {
        Kind::GitSource => {
            let names = json!({
                "type": "array", "items": { "type": "string" },
                "description": "The environments that it defines.",
            });
            properties.insert("environments".to_owned(), names);
        }
        Kind::Environment => {
            properties.insert("databases".to_owned(), databases());
        }
        Kind::Migration => {
            properties.insert("lastEvent".to_owned(), last_event());
        }
        _ => {}
    }
    json!({
        "type": "object",
        "description": "How it stands: a view of the databases' histories.",
        "properties": properties,
    })
}

fn of(fields: &[Field]) -> Map<String, Json> {
    fields
        .iter()
        .map(|(name, r#type, about)| ((*name).to_owned(), field(r#type, about)))
        .collect()
}

fn field(r#type: &str, about: &str) -> Json {
    if r#type == "integer" {
        return json!({ "type": "integer", "format": "int64", "description": about });
    }
    json!({ "type": r#type, "description": about })
}

fn conditions() -> Json {
    let properties = of(&[
        ("type", "string", "What it is about."),
        ("status", "string", "`True`, `False` or `Unknown`."),
        ("reason", "string", "Why, in one word."),
        ("message", "string", "Why, for a person."),
        ("lastTransitionTime", "string", "Since when it is so."),
        (
            "observedGeneration",
            "integer",
            "The generation of the object that it is about.",
        ),
    ]);
    json!({
        "type": "array",
        "description": "`Ready` or `Succeeded`; `Reconciling` and `Stalled` only while they are true.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": properties,
        },
    })
}

fn last_event() -> Json {
    let properties = of(&[
        (
            "kind",
            "string",
            "`applied`, `failed`, `reverted` or another word of the history.",
        ),
        ("at", "string", "When, by the database's own clock."),
    ]);
    json!({
        "type": "object",
        "description": "What happened to it last, on whichever database.",
        "properties": properties,
    })
}

fn databases() -> Json {
    let properties = of(&[
        ("name", "string", "Its name."),
        (
            "revision",
            "string",
            "The commit that its last migration came from.",
        ),
        ("applied", "integer", "How many migrations are applied."),
        ("pending", "integer", "How many are missing."),
        ("failed", "integer", "How many stopped by an error."),
        ("error", "string", "Why it couldn't be read."),
    ]);
    json!({
        "type": "array",
        "description": "Each database; no more than the first hundred.",
        "items": { "type": "object", "required": ["name"], "properties": properties },
    })
}
