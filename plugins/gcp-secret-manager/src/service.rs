//! Requests to the service.

use whimbrel_sdk::http::{self, Request};
use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::{login, refusal};

/// What stands at a resource's name.
pub(crate) fn get(config: &Config, resource: &str) -> Result<Json, Fault> {
    let url = format!("{}/v1/{resource}", config.endpoint.trim_end_matches('/'));
    let request = Request::get(url).with_header("accept", "application/json");
    let response = login::send(config, |token| {
        http::send(&request.clone().with_bearer(token))
    })?;
    if !response.is_success() {
        return Err(refusal::of_service(&response, resource));
    }
    response
        .json()
        .map_err(|_| refusal::unreadable("Secret Manager"))
}
