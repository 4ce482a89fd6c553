//! Requests to the vault.

use whimbrel_sdk::http::{self, Request};
use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::{login, refusal};

/// What stands at a path and query of the vault.
pub(crate) fn get(config: &Config, target: &str, shown: &str) -> Result<Json, Fault> {
    let request = Request::get(format!("{}{target}", config.address()))
        .with_header("accept", "application/json");
    let response = login::send(config, |token| {
        http::send(&request.clone().with_bearer(token))
    })?;
    if !response.is_success() {
        return Err(refusal::of_vault(&response, shown));
    }
    response
        .json()
        .map_err(|_| refusal::unreadable("Key Vault"))
}
