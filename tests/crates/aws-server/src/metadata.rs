//! Where a workload on AWS gets its credentials: the instance metadata service (version 2 only), and the agent of EKS Pod
//! Identity.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use whimbrel_test_server::{Listener, Request, Response};

use crate::Credentials;

/// The role's name, as the metadata service lists it.
const ROLE: &str = "shop";

/// The token of a session with the metadata service.
const SESSION: &str = "session-of-the-metadata-service";

/// A server that answers as both do, and gives the same credentials.
#[derive(Debug)]
pub struct Metadata {
    listener: Listener,
    credentials: Arc<Mutex<Credentials>>,
    /// What a pod's token file must hold for its agent to answer.
    pub pod_token: String,
}

impl Metadata {
    /// Starts one that gives these.
    #[must_use]
    pub fn start(credentials: Credentials) -> Self {
        let pod_token = "token-of-the-pod".to_owned();
        let credentials = Arc::new(Mutex::new(credentials));
        let (shared, expected) = (Arc::clone(&credentials), pod_token.clone());
        let listener = Listener::answering(None, move |request| {
            let credentials = shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            answer(request, &credentials, &expected)
        });
        Self {
            listener,
            credentials,
            pod_token,
        }
    }

    /// Its URL: `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// The URL of the agent of EKS Pod Identity: `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    #[must_use]
    pub fn pod_identity(&self) -> String {
        format!("{}/v1/credentials", self.endpoint())
    }

    /// From now on it gives these.
    pub fn rotate(&self, credentials: Credentials) {
        *self
            .credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = credentials;
    }
}

fn answer(request: &Request, credentials: &Credentials, pod_token: &str) -> Response {
    let document = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token.clone().unwrap_or_default(),
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string();
    let plain = |status, text: &str| Response {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.as_bytes().to_vec(),
    };
    let within_session = request.header("x-aws-ec2-metadata-token") == Some(SESSION);
    let list = "/latest/meta-data/iam/security-credentials/";
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/v1/credentials") if request.header("authorization") == Some(pod_token) => {
            Response::json(200, document)
        }
        ("PUT", "/latest/api/token")
            if request
                .header("x-aws-ec2-metadata-token-ttl-seconds")
                .is_some() =>
        {
            plain(200, SESSION)
        }
        ("GET", path) if path.starts_with(list) && within_session => {
            match path.strip_prefix(list) {
                Some("") => plain(200, ROLE),
                Some(ROLE) => Response::json(200, document),
                _ => plain(404, "not found"),
            }
        }
        _ => plain(401, "unauthorized"),
    }
}
