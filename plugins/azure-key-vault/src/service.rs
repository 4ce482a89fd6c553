//! Requests to the vault, once more with a new token when a kept one isn't taken.

use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::login::{self, Token};
use crate::refusal;

/// What stands at a path and query of the vault.
pub(crate) fn get(config: &Config, target: &str, shown: &str) -> Result<Json, Fault> {
    let url = format!("{}{target}", config.address());
    let token = login::token(config)?;
    let mut response = send(&url, &token)?;
    if response.status == 401 && token.is_kept {
        response = send(&url, &login::renewed(config)?)?;
    }
    if !response.is_success() {
        return Err(refusal::of_vault(&response, shown));
    }
    response
        .json()
        .map_err(|_| refusal::unreadable("Key Vault"))
}

fn send(url: &str, token: &Token) -> Result<Response, Fault> {
    let request = Request::get(url)
        .with_header("accept", "application/json")
        .with_header("authorization", format!("Bearer {}", token.text));
    http::send(&request)
}
