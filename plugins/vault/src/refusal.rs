//! What Vault says when it doesn't give what was asked, told apart.
//!
//! Statuses: <https://developer.hashicorp.com/vault/api-docs#http-status-codes>; 429, 472, 473, 501 and 503 also as
//! `sys/health` means them.

use vaultrs::error::ClientError;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

/// Why a request gave nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Vault answered so.
    Status(Status),
    /// There was no answer, or none that can be read.
    Other(Fault),
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) errors: Vec<String>,
    /// The body where it isn't the usual list of errors: KV 2 tells there of a version that was deleted.
    pub(crate) body: Option<String>,
    retry_after: Option<String>,
}

impl Refusal {
    pub(crate) const fn code(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status.code),
            Self::Other(_) => None,
        }
    }

    /// Whether one of Vault's errors says this.
    pub(crate) fn says(&self, text: &str) -> bool {
        match self {
            Self::Status(status) => status.errors.iter().any(|error| error.contains(text)),
            Self::Other(_) => false,
        }
    }

    /// The fault, of which `doing` begins the message: `reading secret/app`.
    pub(crate) fn into_fault(self, doing: &str) -> Fault {
        match self {
            Self::Other(fault) => fault,
            Self::Status(status) => status.into_fault(doing),
        }
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        use rustify::errors::ClientError as Rest;
        let retry_after = || reqwest::last_header("retry-after");
        match error {
            ClientError::APIError { code, errors } => Self::Status(Status {
                code,
                errors,
                body: None,
                retry_after: retry_after(),
            }),
            ClientError::RestClientError {
                source: Rest::ServerResponseError { code, content },
            } => Self::Status(Status {
                code,
                errors: Vec::new(),
                body: content,
                retry_after: retry_after(),
            }),
            ClientError::RestClientError {
                source: Rest::RequestError { source, .. },
            } => Self::Other(source.downcast::<reqwest::Error>().map_or_else(
                |error| unreadable(&error.to_string()),
                |error| error.fault().clone(),
            )),
            // The others may hold parts of the answer in their fields; what they display is constant.
            other => Self::Other(unreadable(&other.to_string())),
        }
    }
}

/// An answer that isn't Vault's.
pub(crate) fn unreadable(why: &str) -> Fault {
    Fault::new(
        FaultClass::Internal,
        "vault.unreadable",
        format!("the answer can't be read: {why}"),
    )
    .with_hint("is `address` that of Vault itself, and no proxy's or web page's?")
}

impl Status {
    fn into_fault(self, doing: &str) -> Fault {
        let (class, code, name, hint, retry) = self.meaning();
        let refusal = http::Refusal {
            doing,
            status: self.code,
            name,
            // Vault lists several errors on lines of their own.
            said: &self.errors.join("; "),
        };
        Fault::new(class, code, refusal.to_string())
            .with_retry(retry)
            .with_hint(hint)
    }

    #[allow(clippy::too_many_lines, reason = "one table, read as one")]
    fn meaning(&self) -> (FaultClass, &'static str, &'static str, &'static str, Retry) {
        use FaultClass::{Denied, Invalid, NotFound, Unavailable, Unsupported};
        match self.code {
            307 | 308 | 429 if self.is_standby() => (
                Unavailable,
                "vault.standby",
                "this node is a standby and doesn't forward",
                "give as `address` the load balancer's, or the active node's",
                Retry::Backoff,
            ),
            400 if self
                .errors
                .iter()
                .any(|error| error.contains("unknown role")) =>
            {
                (
                    NotFound,
                    "vault.unknown-role",
                    "Vault has no such role",
                    "is the role's name right, and in this namespace?",
                    Retry::Never,
                )
            }
            400 => (
                Invalid,
                "vault.invalid-request",
                "Vault finds the request wrong",
                "",
                Retry::Never,
            ),
            403 => (
                Denied,
                "vault.denied",
                "the login may not do this",
                "give its policy the capability on this path (of KV 2 with `data/` after the mount)",
                Retry::Never,
            ),
            404 => (
                NotFound,
                "vault.not-found",
                "not found or not permitted",
                "Vault doesn't tell which: look at mount, path and namespace, then at the login's policy",
                Retry::Never,
            ),
            405 => (
                Unsupported,
                "vault.unsupported",
                "this path can't be read",
                "",
                Retry::Never,
            ),
            412 => (
                Unavailable,
                "vault.stale-replica",
                "this node hasn't yet seen what the login depends on",
                "replication is behind; it is tried again",
                Retry::Backoff,
            ),
            429 => (
                Unavailable,
                "vault.rate-limited",
                "a rate limit or quota is reached",
                "",
                self.after(),
            ),
            472 => (
                Unavailable,
                "vault.disaster-recovery",
                "this node is a secondary for disaster recovery and serves nothing",
                "give as `address` the primary cluster's, or promote this one",
                Retry::Backoff,
            ),
            473 => (
                Unavailable,
                "vault.performance-standby",
                "this node is a performance standby and can't serve this",
                "give as `address` the load balancer's, or the active node's",
                Retry::Backoff,
            ),
            501 => (
                Unavailable,
                "vault.uninitialised",
                "Vault isn't initialised",
                "`vault operator init` makes a new Vault usable",
                Retry::Never,
            ),
            502 => (
                Unavailable,
                "vault.upstream",
                "what Vault asked for it failed",
                "look at the system behind this path, such as the database that makes the credentials",
                Retry::Backoff,
            ),
            503 => (
                Unavailable,
                "vault.sealed",
                "Vault is sealed or in maintenance",
                "`vault operator unseal` opens it; leases that are held stay valid meanwhile",
                Retry::Backoff,
            ),
            500..=599 => (
                Unavailable,
                "vault.internal",
                "Vault failed",
                "Vault's own log says more",
                Retry::Backoff,
            ),
            _ => (
                FaultClass::Internal,
                "vault.unexpected",
                "Vault answered with a status that it doesn't document",
                "is `address` that of Vault itself?",
                Retry::Never,
            ),
        }
    }

    /// 429 is a standby in `sys/health` and a quota elsewhere; a redirect is a standby that can't forward.
    fn is_standby(&self) -> bool {
        self.code != 429
            || self
                .body
                .as_deref()
                .and_then(|body| serde_json::from_str::<Json>(body).ok())
                .is_some_and(|body| body.get("standby") == Some(&Json::Bool(true)))
    }

    fn after(&self) -> Retry {
        Retry::after_header(self.retry_after.as_deref())
    }
}
