//! What the provider keeps for itself of a table: every migration that made it, with the rows that it led to.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{serde, serde_json};

use crate::statement::{self, Rows};

/// A migration as it was, or is to be, applied. Its text must stay the same for ever.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(crate = "serde")]
pub struct Migration {
    /// Its name.
    pub name: String,
    /// What makes it.
    pub up: String,
    /// What takes it back.
    pub down: String,
    /// The rows after it.
    pub rows: Rows,
}

/// All migrations of a table, in order.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(crate = "serde", transparent)]
pub struct Kept(pub Vec<Migration>);

impl Kept {
    /// Reads what Terraform kept.
    ///
    /// # Errors
    /// It is none of this plugin.
    pub fn read(private: &[u8]) -> Result<Self, Fault> {
        if private.is_empty() {
            return Ok(Self::default());
        }
        Ok(serde_json::from_slice(private)?)
    }

    /// As Terraform keeps it.
    ///
    /// # Errors
    /// Never: its parts are texts.
    pub fn write(&self) -> Result<Vec<u8>, Fault> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The rows as the last migration left them.
    pub fn rows(&self) -> Rows {
        self.0
            .last()
            .map(|last| last.rows.clone())
            .unwrap_or_default()
    }

    /// The same with a migration more, if these rows need one.
    pub fn leading_to(mut self, table: &str, rows: &Rows) -> Self {
        let before = self.rows();
        let is_first = self.0.is_empty();
        if !is_first && before == *rows {
            return self;
        }
        let mut up = statement::change(table, &before, rows);
        let mut down = statement::change(table, rows, &before);
        if is_first {
            up.insert_str(0, &statement::create(table));
            down = statement::drop(table);
        }
        self.0.push(Migration {
            name: format!("{table}-{:04}", self.0.len() + 1),
            up,
            down,
            rows: rows.clone(),
        });
        self
    }
}
