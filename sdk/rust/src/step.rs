//! The world `migration-step` as a trait, and what turns the trait into the world's exports.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::bindings::exports::whimbrel::step::step as wit;
use crate::configuration::parse;
use crate::{Fault, FaultClass, log};

/// A step of a migration.
pub trait MigrationStep {
    /// The step's `with:`. Its doc comments become the descriptions that users see.
    type Config: DeserializeOwned + JsonSchema;

    /// What it is, for people and for validation.
    fn describe() -> Description;

    /// What it will do: a function of these arguments alone. Every import but the log refuses here.
    ///
    /// # Errors
    /// The configuration makes no sense.
    fn plan(config: &Self::Config, dialect: &Dialect) -> Result<Preview, Fault>;

    /// What it will cost, best effort: what it would touch may not exist yet. Reads only.
    ///
    /// # Errors
    /// There is no telling.
    fn estimate(config: &Self::Config) -> Result<Json, Fault> {
        let _ = config;
        Ok(Json::Null)
    }

    /// Does it, or goes on from the last checkpoint.
    ///
    /// # Errors
    /// It could not be done.
    fn apply(config: &Self::Config) -> Result<Outcome, Fault>;

    /// Undoes it. An unfinished step is reverted with an empty `undo` and the checkpoint of its apply.
    ///
    /// # Errors
    /// It could not be undone.
    fn revert(config: &Self::Config, undo: &[u8]) -> Result<Outcome, Fault> {
        let _ = (config, undo);
        Err(Fault::new(
            FaultClass::Unsupported,
            "not-reversible",
            "this step can't be reverted",
        ))
    }
}

/// The SQL dialect of the step's database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// One that this SDK doesn't know by name.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for Dialect {
    fn from(name: &str) -> Self {
        match name {
            "sqlite" => Self::Sqlite,
            "postgres" => Self::Postgres,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What a step is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    summary: String,
    dialects: Vec<Dialect>,
    sources: bool,
}

impl Description {
    /// A step of which one sentence says what it does, on every dialect.
    #[must_use]
    pub fn new(summary: &str) -> Self {
        Self {
            summary: summary.to_owned(),
            dialects: Vec::new(),
            sources: false,
        }
    }

    /// It works on these dialects only.
    #[must_use]
    pub fn with_dialects(mut self, dialects: impl IntoIterator<Item = Dialect>) -> Self {
        self.dialects = dialects.into_iter().collect();
        self
    }

    /// It reads other databases, which the step's `reads:` names.
    #[must_use]
    pub const fn with_sources(mut self) -> Self {
        self.sources = true;
        self
    }
}

/// What a step will do. Its effects are hashed into the plan's digest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// A line each.
    pub effects: Vec<String>,
    /// Whether `revert` can undo it.
    pub reversible: bool,
    /// Anything else worth showing.
    pub details: Json,
}

impl Preview {
    /// These effects, which can't be reverted.
    #[must_use]
    pub fn new<T: Into<String>>(effects: impl IntoIterator<Item = T>) -> Self {
        Self {
            effects: effects.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The same, and whether it can be reverted.
    #[must_use]
    pub const fn with_reversible(mut self, reversible: bool) -> Self {
        self.reversible = reversible;
        self
    }
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows done, by all attempts together.
    pub rows: u64,
    /// One sentence for a person.
    pub summary: String,
    /// What `revert` will need; at most 64 KiB, readable by every later release of the plugin.
    pub undo: Vec<u8>,
    /// Anything else worth keeping.
    pub details: Json,
}

impl Outcome {
    /// So many rows done.
    #[must_use]
    pub fn new(rows: u64, summary: impl Into<String>) -> Self {
        Self {
            rows,
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// The same, with what `revert` will need.
    #[must_use]
    pub fn with_undo(mut self, undo: Vec<u8>) -> Self {
        self.undo = undo;
        self
    }
}

/// The world's exports over a [`MigrationStep`]. Named by [`crate::export_step!`] only.
#[derive(Debug)]
pub struct Exported<T>(PhantomData<T>);

impl<T: MigrationStep> Exported<T> {
    /// The JSON that `describe` answers.
    fn description() -> Json {
        let mut description = json!(T::describe());
        if let Some(fields) = description.as_object_mut() {
            fields.insert("with".to_owned(), json!(schemars::schema_for!(T::Config)));
        }
        description
    }
}

impl<T: MigrationStep> wit::Guest for Exported<T> {
    fn describe() -> String {
        log::hook_panics();
        Self::description().to_string()
    }

    fn plan(config: String, dialect: String) -> Result<wit::Preview, Fault> {
        log::hook_panics();
        let preview = T::plan(&parse(&config)?, &Dialect::from(dialect.as_str()))?;
        Ok(wit::Preview {
            effects: preview.effects,
            reversible: preview.reversible,
            details: preview.details.to_string(),
        })
    }

    fn estimate(config: String) -> Result<String, Fault> {
        log::hook_panics();
        Ok(T::estimate(&parse(&config)?)?.to_string())
    }

    fn apply(config: String) -> Result<wit::Outcome, Fault> {
        log::hook_panics();
        Ok(outcome(T::apply(&parse(&config)?)?))
    }

    fn revert(config: String, undo: Vec<u8>) -> Result<wit::Outcome, Fault> {
        log::hook_panics();
        Ok(outcome(T::revert(&parse(&config)?, &undo)?))
    }
}

fn outcome(outcome: Outcome) -> wit::Outcome {
    wit::Outcome {
        rows: outcome.rows,
        summary: outcome.summary,
        undo: outcome.undo,
        details: outcome.details.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Description, Dialect, Exported, MigrationStep, Outcome, Preview, wit::Guest};
    use crate::{Fault, FaultClass};
    use schemars::JsonSchema;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    struct Config {
        /// How many.
        count: u64,
    }

    struct Counted;

    impl MigrationStep for Counted {
        type Config = Config;

        fn describe() -> Description {
            Description::new("Counts")
                .with_dialects([Dialect::Sqlite, Dialect::Other("duckdb".into())])
                .with_sources()
        }

        fn plan(config: &Config, _: &Dialect) -> Result<Preview, Fault> {
            Ok(Preview::new([format!("counts to {}", config.count)]).with_reversible(true))
        }

        fn apply(config: &Config) -> Result<Outcome, Fault> {
            Ok(Outcome::new(config.count, "counted").with_undo(vec![1]))
        }
    }

    #[test]
    fn describes_itself_with_its_schema() {
        let text = Exported::<Counted>::describe();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["summary"], "Counts");
        assert_eq!(json["dialects"], serde_json::json!(["sqlite", "duckdb"]));
        assert_eq!(json["sources"], true);
        assert_eq!(
            json["with"]["properties"]["count"]["description"],
            "How many."
        );
    }

    #[test]
    fn parses_its_configuration_or_points_at_what_is_wrong() {
        let preview = Exported::<Counted>::plan("{\"count\":3}".into(), "postgres".into()).unwrap();
        assert_eq!(preview.effects, ["counts to 3"]);
        assert!(preview.reversible);
        let fault = Exported::<Counted>::apply("{\"count\":\"x\"}".into()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid);
        assert_eq!(fault.pointer.as_deref(), Some("/count"));
    }

    #[test]
    fn what_is_not_written_has_an_answer() {
        let outcome = Exported::<Counted>::apply("{\"count\":3}".into()).unwrap();
        assert_eq!((outcome.rows, outcome.undo.as_slice()), (3, [1].as_slice()));
        assert_eq!(
            Exported::<Counted>::estimate("{\"count\":3}".into()).unwrap(),
            "null"
        );
        let fault = Exported::<Counted>::revert("{\"count\":3}".into(), vec![]).unwrap_err();
        assert_eq!(fault.class, FaultClass::Unsupported);
    }
}
