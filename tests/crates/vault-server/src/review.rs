//! As much of a Kubernetes API as Vault asks: whether a token is good, and whose it is.
//!
//! Resource `TokenReview` of `authentication.k8s.io/v1`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use whimbrel_test_server::{Authority, Listener, Request, Response};

use crate::ServiceAccount;

type Users = Arc<Mutex<HashMap<String, Json>>>;

/// A cluster that vouches for tokens.
#[derive(Debug)]
pub struct TokenReviewer {
    listener: Listener,
    authority: Authority,
    users: Users,
}

impl Default for TokenReviewer {
    fn default() -> Self {
        let authority = Authority::default();
        let users = Users::default();
        let known = Arc::clone(&users);
        let listener = Listener::answering(Some(&authority.identity()), move |request| {
            answer(request, &known)
        });
        Self {
            listener,
            authority,
            users,
        }
    }
}

impl TokenReviewer {
    /// Its URL.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://{}", self.listener.address())
    }

    /// The authority of its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.authority.certificate()
    }

    /// From now on this token is good, and this account's.
    pub fn vouch(&self, token: &str, account: &ServiceAccount) {
        let user = json!({ "username": account.user(), "uid": account.uid });
        self.users().insert(token.to_owned(), user);
    }

    /// From now on this token is no good.
    pub fn forget(&self, token: &str) {
        self.users().remove(token);
    }

    fn users(&self) -> std::sync::MutexGuard<'_, HashMap<String, Json>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(request: &Request, users: &Users) -> Response {
    let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
    let token = body.pointer("/spec/token").and_then(Json::as_str);
    let known = users.lock().unwrap_or_else(PoisonError::into_inner);
    let user = token.and_then(|token| known.get(token)).cloned();
    drop(known);
    let status = match user {
        Some(user) => json!({
            "authenticated": true,
            "user": user,
            "audiences": body.pointer("/spec/audiences"),
        }),
        None => json!({ "authenticated": false, "error": "unknown token" }),
    };
    let review = json!({
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1",
        "status": status,
    });
    Response::json(201, review.to_string())
}
