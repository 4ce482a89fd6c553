//! A question about an environment with what its asker says of it, in place of its documents.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Path, Request};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::orders::read;
use crate::problem::Problem;
use crate::said::{Databases, Parameters, Said};
use crate::server::Server;
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

/// The whole question, as a request has it.
pub(super) struct Question {
    /// The environment that the path names.
    pub(super) environment: String,
    pub(super) asked: Asked,
    /// What its asker says, and may say.
    pub(super) said: Option<Said>,
}

impl FromRequest<Arc<Server>> for Question {
    type Rejection = Response;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, Response> {
        let (mut head, body) = request.into_parts();
        let path = Path::from_request_parts(&mut head, server).await;
        let Path(environment) = path.map_err(IntoResponse::into_response)?;
        let caller = Extension::<Caller>::from_request_parts(&mut head, server).await;
        let Extension(caller) = caller.map_err(IntoResponse::into_response)?;
        let headers = head.headers.clone();
        let body = Bytes::from_request(Request::from_parts(head, body), server).await;
        let question = || {
            let asked: Asked = read(&headers, body)?;
            let said = Said::new(&asked.parameters, &asked.databases, &caller)?;
            Ok(Self {
                environment,
                asked,
                said,
            })
        };
        question().map_err(Problem::into_response)
    }
}
