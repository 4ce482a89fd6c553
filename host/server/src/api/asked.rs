//! A question about an environment with what its asker says of it, in place of its documents.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use serde::Deserialize;

use super::orders::read;
use crate::problem::Problem;
use crate::said::{Databases, Parameters, Said};
use crate::tokens::Caller;

/// What is asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) revision: Option<String>,
    #[serde(default)]
    pub(super) allow_destructive: bool,
    /// What a revert of these would do, instead of an apply.
    #[serde(default)]
    pub(super) revert: Vec<String>,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default)]
    databases: Databases,
}

impl Asked {
    /// Reads a body, with what the caller may say.
    pub(super) fn read(
        headers: &HeaderMap,
        body: Result<Bytes, BytesRejection>,
        caller: &Caller,
    ) -> Result<(Self, Option<Said>), Problem> {
        let asked: Self = read(headers, body)?;
        let said = Said::new(&asked.parameters, &asked.databases, caller);
        let said = said.map_err(|fault| Problem::of_fault(&fault))?;
        Ok((asked, said))
    }
}
