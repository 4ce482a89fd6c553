//! What a dialect's parser says of one SQL statement: data only, so that plans can carry it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The SQL dialect of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL 12 or later.
    Postgres,
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// How a statement can be run exactly once. `2-engine.md` calls these the classes of the run's protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatementClass {
    /// Commits together with its record.
    Transactional,
    /// Can't run in a transaction; after a crash the probe tells whether it happened.
    NonTransactional(Probe),
    /// Can't run in a transaction, and running it again does no harm (`VACUUM`).
    Repeatable,
}

/// Where to look to find out whether a non-transactional statement took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
pub enum Probe {
    /// `CREATE INDEX CONCURRENTLY`: is the index there and valid?
    CreateIndex {
        /// The schema of the table, if the statement says it.
        schema: Option<String>,
        /// The table that is indexed.
        table: String,
        /// The index, unquoted.
        index: String,
    },
    /// `DROP INDEX CONCURRENTLY`: is the index gone?
    DropIndex {
        /// The schema, if the statement says it.
        schema: Option<String>,
        /// The index, unquoted.
        index: String,
    },
    /// `ALTER TYPE … ADD VALUE`: is the label there?
    AddEnumValue {
        /// The schema, if the statement says it.
        schema: Option<String>,
        /// The type, unquoted.
        r#type: String,
        /// The label.
        label: String,
    },
    /// Nothing in the catalog tells: after a crash the outcome is unknown, and a person decides.
    None,
}

/// A lock that a statement takes, so that a reviewer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The relation as the statement writes it.
    pub relation: String,
    /// The lock's name in the dialect, such as `ACCESS EXCLUSIVE`.
    pub mode: String,
}

/// One statement of a definition, split and classified by a parser of the dialect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The statement as it will be sent, without its terminator.
    pub text: String,
    /// Line of its first character in the source text, from 1.
    pub line: u32,
    /// How it can be run.
    pub class: StatementClass,
    /// Why it loses data (`drops table orders`); empty when it doesn't.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destructive: Vec<String>,
    /// The locks it takes, as far as the parser can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
}
