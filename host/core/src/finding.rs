//! What lint, policy and checks have to say about definitions and plans.

use serde::{Deserialize, Serialize};

use crate::name::{MigrationName, TargetName};
use crate::place::Place;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably wrong.
    Warning,
    /// Stops a pipeline.
    Error,
}

impl Severity {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How a project takes what a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleLevel {
    /// It isn't told.
    Off,
    /// Worth knowing.
    Note,
    /// Probably wrong.
    Warning,
    /// Stops a pipeline, and a run at the gate `lint`.
    Error,
}

impl RuleLevel {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::Off, Self::Note, Self::Warning, Self::Error];

    /// The severity of what the rule finds; none when it isn't told.
    #[must_use]
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's stable name, such as `destructive` or squawk's `adding-not-nullable-field`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, for a person.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The migration that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationName>,
    /// The target that it is about; none when it holds for every target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// Path from the project's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1; none when it is about the whole line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The line with a caret under the column, for a person.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl Finding {
    /// One about nothing in particular.
    pub fn new(rule: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            severity,
            message: message.into(),
            help: None,
            migration: None,
            target: None,
            path: None,
            line: None,
            column: None,
            excerpt: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self {
            path: Some(place.path),
            line: Some(place.line),
            column: Some(place.column),
            excerpt: place.excerpt,
            ..self
        }
    }
}
