//! A configuration against the JSON Schema that a plugin gives for it: what is wrong with it, each thing with its place.
//!
//! The schema is a plugin's, so it is believed as little as anything else of it: it may refer to nothing outside of
//! itself, patterns take linear time, and what it would cost is known before it is used. Knows no plugin and starts
//! nothing.

mod bounds;
mod wording;

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value as Json;

use self::bounds::Bounds;
use crate::limits::Limits;

/// One thing that is wrong with a configuration. Never holds a value of it, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, as a JSON pointer into the configuration; of what is missing, where it should be.
    pub pointer: String,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What would make it right, when that is more than was expected.
    pub hint: Option<String>,
    /// Whether it is about something that isn't written.
    pub is_missing: bool,
}

/// A schema can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is too large.
    #[error("its schema has {size} bytes, at most {limit} are read")]
    Size {
        /// Its size in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// It refers to something outside of itself.
    #[error(
        "its schema refers to `{0}`, and only references into the schema itself (`#/…`) are followed"
    )]
    Outside(String),
    /// It refers to a place in itself that isn't there.
    #[error("its schema refers to `{0}`, which isn't in it")]
    Missing(String),
    /// It uses a keyword that can't be bounded.
    #[error("its schema uses `{0}`, which isn't supported here")]
    Keyword(&'static str),
    /// It would be evaluated for ever.
    #[error("its schema refers to itself without going deeper into the configuration")]
    Endless,
    /// It would cost too much even for the smallest configuration.
    #[error("its schema is too intricate: it would take more than {0} evaluations")]
    Work(u64),
    /// It is no JSON Schema.
    #[error("its schema is no JSON Schema: {0}")]
    Invalid(String),
}

/// A schema that was found fit, for any number of configurations.
#[derive(Debug)]
pub struct ConfigSchema {
    schema: Json,
    validator: Validator,
    bounds: Bounds,
    mismatches: usize,
}

impl ConfigSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is none, refers to something outside of itself, or would cost too much.
    pub fn new(schema: &Json, limits: &Limits) -> Result<Self, SchemaError> {
        let size = schema.to_string().len();
        if size > limits.schema_bytes {
            return Err(SchemaError::Size {
                size,
                limit: limits.schema_bytes,
            });
        }
        let bounds = Bounds::new(schema, limits)?;
        let patterns = PatternOptions::regex()
            .size_limit(limits.pattern_bytes)
            .dfa_size_limit(limits.pattern_bytes);
        let built = caught(|| {
            jsonschema::options()
                .with_pattern_options(patterns)
                .build(schema)
        });
        let validator = match built {
            Some(Ok(validator)) => validator,
            Some(Err(error)) => return Err(SchemaError::Invalid(shortened(&error.to_string()))),
            None => return Err(SchemaError::Invalid("it can't be evaluated".to_owned())),
        };
        Ok(Self {
            schema: schema.clone(),
            validator,
            bounds,
            mismatches: limits.mismatches,
        })
    }

    /// Everything that is wrong with a configuration, as far as a person would read it; empty when it fits.
    #[must_use]
    pub fn mismatches(&self, config: &Json) -> Vec<Mismatch> {
        if !self.bounds.allow(config) {
            return vec![whole(
                "it is too large or too deep to be checked against the plugin's schema",
            )];
        }
        let found = caught(|| {
            self.validator
                .iter_errors(config)
                .flat_map(|error| wording::mismatches(&self.schema, config, &error))
                .take(self.mismatches)
                .collect::<Vec<_>>()
        });
        let mut found =
            found.unwrap_or_else(|| vec![whole("it can't be checked against the plugin's schema")]);
        found.sort_by(|a, b| (&a.pointer, &a.message).cmp(&(&b.pointer, &b.message)));
        found.dedup();
        found
    }
}

/// A mismatch of the configuration as a whole.
fn whole(message: &str) -> Mismatch {
    Mismatch {
        pointer: String::new(),
        message: message.to_owned(),
        hint: None,
        is_missing: false,
    }
}

/// A panic on the way of somebody else's schema is that schema's failure, not the host's.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The library's message, which may quote a part of the schema of any length.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
