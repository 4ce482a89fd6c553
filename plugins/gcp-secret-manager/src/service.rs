//! Requests to the service, once more with a new token when a kept one isn't taken.

use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::login::{self, Token};
use crate::refusal;

/// What stands at a resource's name.
pub(crate) fn get(config: &Config, resource: &str) -> Result<Json, Fault> {
    let url = format!("{}/v1/{resource}", config.endpoint.trim_end_matches('/'));
    let token = login::token(config)?;
    let mut response = send(&url, &token)?;
    if response.status == 401 && token.is_kept {
        response = send(&url, &login::renewed(config)?)?;
    }
    if !response.is_success() {
        return Err(refusal::of_service(&response, resource));
    }
    response
        .json()
        .map_err(|_| refusal::unreadable("Secret Manager"))
}

fn send(url: &str, token: &Token) -> Result<Response, Fault> {
    let request = Request::get(url)
        .with_header("accept", "application/json")
        .with_header("authorization", format!("Bearer {}", token.text));
    http::send(&request)
}
