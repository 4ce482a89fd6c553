//! What was asked for on the command line.

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::rows;

/// The command line.
#[derive(Debug, Default)]
pub struct Options {
    only: Option<String>,
    /// Where the rows go as JSON.
    pub json: Option<PathBuf>,
}

impl Options {
    /// Reads `--only NAME` and `--json FILE`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(option) = rest.next() {
            let mut value = || {
                rest.next()
                    .cloned()
                    .ok_or_else(|| Failure::new(format!("{option} wants a value")))
            };
            match option.as_str() {
                "--only" => options.only = Some(value()?),
                "--json" => options.json = Some(value()?.into()),
                other => {
                    return Err(Failure::new(format!(
                        "{other}? expected --only NAME or --json FILE"
                    )));
                }
            }
        }
        if let Some(name) = &options.only
            && !rows::ALL
                .iter()
                .any(|(known, _)| known.contains(name.as_str()))
        {
            let known: Vec<&str> = rows::ALL.iter().map(|(name, _)| *name).collect();
            return Err(Failure::new(format!(
                "no benchmark {name:?}; there are {}",
                known.join(", ")
            )));
        }
        Ok(options)
    }

    /// Whether this benchmark is to be run.
    pub fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    }
}
