//! Requests to the configured API, with the configured token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;

use crate::config::{Config, GitHost};
use crate::refusal;

/// A request below the API's address.
pub(crate) struct Call {
    method: &'static str,
    path: String,
    body: Option<Json>,
}

impl Call {
    pub(crate) const fn get(path: String) -> Self {
        Self {
            method: "GET",
            path,
            body: None,
        }
    }

    pub(crate) const fn with(method: &'static str, path: String, body: Json) -> Self {
        Self {
            method,
            path,
            body: Some(body),
        }
    }
}

/// The API of a host.
pub(crate) struct Api {
    config: Config,
}

impl Api {
    pub(crate) const fn new(config: Config) -> Self {
        Self { config }
    }

    /// Whose comments are ours.
    pub(crate) fn account(&self) -> &str {
        &self.config.account
    }

    /// Sends a request. What asks to come back later, or doesn't take the token, is a fault already.
    pub(crate) fn send(&self, call: Call, doing: &str) -> Result<Response, Fault> {
        let url = format!("{}{}", self.config.api.trim_end_matches('/'), call.path);
        let request = Request::new(call.method, url)
            .with_header("user-agent", "whimbrel")
            .with_header("authorization", self.authorization());
        let request = match self.config.host {
            GitHost::GitHub => request
                .with_header("accept", "application/vnd.github+json")
                .with_header("x-github-api-version", "2022-11-28"),
            _ => request.with_header("accept", "application/json"),
        };
        let request = match call.body {
            Some(body) => Request {
                body: Some(body.to_string().into_bytes()),
                ..request.with_header("content-type", "application/json")
            },
            None => request,
        };
        let response = http::send(&request)?;
        match refusal::of_token_or_rate(&response, doing) {
            Some(fault) => Err(fault),
            None => Ok(response),
        }
    }

    fn authorization(&self) -> String {
        let Config {
            host,
            token,
            username,
            ..
        } = &self.config;
        match (host, username) {
            (GitHost::BitbucketCloud | GitHost::BitbucketDataCenter, Some(username)) => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{token}")))
            }
            (GitHost::Gitea | GitHost::Forgejo, _) => format!("token {token}"),
            _ => format!("Bearer {token}"),
        }
    }
}
