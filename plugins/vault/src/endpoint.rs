//! Requests that `vaultrs` has no function for, or answers of which it drops what matters here: the lease, or the whole
//! when its types are stricter than some server.

use std::collections::BTreeMap;

use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{serde, serde_json};

/// A request to any path.
#[derive(Clone)]
pub(crate) struct Call {
    method: RequestMethod,
    path: String,
    query: Option<String>,
    body: Option<Json>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: RequestMethod::GET,
            path: path.into(),
            query: None,
            body: None,
        }
    }

    pub(crate) fn post(path: impl Into<String>, body: Option<Json>) -> Self {
        Self {
            method: RequestMethod::POST,
            path: path.into(),
            query: None,
            body,
        }
    }

    /// The same of a version.
    pub(crate) fn with_version(mut self, version: Option<u64>) -> Self {
        self.query = version.map(|version| format!("version={version}"));
        self
    }
}

impl Endpoint for Call {
    type Response = Envelope;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        self.method.clone()
    }

    fn query(&self) -> Result<Option<String>, ClientError> {
        Ok(self.query.clone())
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        let bytes = self.body.as_ref().map(serde_json::to_vec).transpose();
        bytes.map_err(|error| ClientError::DataParseError {
            source: error.into(),
        })
    }
}

/// What every answer is wrapped in. Whatever is absent is empty.
#[derive(Default, Deserialize)]
#[serde(crate = "serde", default)]
pub(crate) struct Envelope {
    pub(crate) lease_id: String,
    pub(crate) renewable: bool,
    pub(crate) lease_duration: u64,
    pub(crate) data: Json,
    pub(crate) warnings: Option<Vec<String>>,
}

/// What a version of KV 2 says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", default)]
pub(crate) struct Version {
    pub(crate) created_time: String,
    pub(crate) deletion_time: String,
    pub(crate) destroyed: bool,
    pub(crate) version: u64,
    pub(crate) custom_metadata: Option<BTreeMap<String, String>>,
}
