//! The step's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{schemars, serde};

/// What to change, and how fast.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The table, with its schema if need be: `orders` or `shop.orders`.
    pub table: String,
    /// A column whose values are unique, indexed and never NULL: the order of the batches.
    #[serde(default = "default_key")]
    pub key: String,
    /// What to set, as after `SET` in an UPDATE: `full_name = first || ' ' || last`.
    pub set: String,
    /// Which rows, as after `WHERE`; every row if absent.
    #[serde(rename = "where", default)]
    pub filter: Option<String>,
    /// Rows of one batch, and so of one transaction.
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: u32,
    /// How long to wait between batches: `50ms`.
    #[serde(default)]
    pub pause: Duration,
    /// How to undo it; without this it can't be reverted.
    #[serde(default)]
    pub revert: Option<Revert>,
}

/// How to undo a backfill.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "serde", untagged)]
#[schemars(crate = "schemars")]
pub enum Revert {
    /// What to set on every row of the keys that it went through.
    Set(String),
    /// What to set, on which of those rows.
    Rows {
        /// What to set.
        set: String,
        /// Which rows: often not those of the apply, whose condition may no longer hold.
        #[serde(rename = "where")]
        filter: String,
    },
}

impl Revert {
    /// What it sets.
    #[must_use]
    pub fn set(&self) -> &str {
        match self {
            Self::Set(set) | Self::Rows { set, .. } => set,
        }
    }

    /// On which rows; none means every one.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        match self {
            Self::Set(_) => None,
            Self::Rows { filter, .. } => Some(filter),
        }
    }
}

fn default_key() -> String {
    "id".to_owned()
}

const fn default_batch_size() -> u32 {
    5_000
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field is empty, or the batch size is out of its range.
    pub fn check(&self) -> Result<(), Fault> {
        for (pointer, text) in [
            ("/table", Some(self.table.as_str())),
            ("/key", Some(self.key.as_str())),
            ("/set", Some(self.set.as_str())),
            ("/where", self.filter.as_deref()),
            ("/revert", self.revert.as_ref().map(Revert::set)),
        ] {
            if text.is_some_and(|text| text.trim().is_empty()) {
                return Err(Fault::invalid(pointer, "can't be empty"));
            }
        }
        if !(1..=1_000_000).contains(&self.batch_size) {
            return Err(Fault::invalid(
                "/batchSize",
                "expected a number from 1 to 1000000",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Revert};
    use whimbrel_sdk::serde_json::{self, json};

    fn config(json: serde_json::Value) -> Result<Config, String> {
        let config: Config = serde_json::from_value(json).map_err(|error| error.to_string())?;
        config
            .check()
            .map_err(|fault| fault.pointer.unwrap_or_default())?;
        Ok(config)
    }

    #[test]
    fn has_defaults() {
        let config = config(json!({ "table": "t", "set": "a = 1" })).unwrap();
        assert_eq!((config.key.as_str(), config.batch_size), ("id", 5_000));
        assert!(config.revert.is_none() && config.filter.is_none());
    }

    #[test]
    fn takes_both_shapes_of_revert() {
        let short = config(json!({ "table": "t", "set": "a = 1", "revert": "a = 0" })).unwrap();
        assert_eq!(short.revert.as_ref().and_then(Revert::filter), None);
        let long =
            json!({ "table": "t", "set": "a = 1", "revert": { "set": "a = 0", "where": "a = 1" } });
        let long = config(long).unwrap().revert.unwrap();
        assert_eq!((long.set(), long.filter()), ("a = 0", Some("a = 1")));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for (json, pointer) in [
            (json!({ "table": " ", "set": "a = 1" }), "/table"),
            (json!({ "table": "t", "set": "" }), "/set"),
            (
                json!({ "table": "t", "set": "a = 1", "where": "" }),
                "/where",
            ),
            (
                json!({ "table": "t", "set": "a = 1", "batchSize": 0 }),
                "/batchSize",
            ),
            (
                json!({ "table": "t", "set": "a = 1", "revert": "" }),
                "/revert",
            ),
        ] {
            assert_eq!(config(json).unwrap_err(), pointer);
        }
        let unknown = json!({ "table": "t", "set": "a = 1", "batch": 3 });
        assert!(config(unknown).unwrap_err().contains("batch"));
    }
}
