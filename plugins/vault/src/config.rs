//! The backend's `with:`.

use std::collections::BTreeMap;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde};

/// Where Vault is, and how to log in.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The address, without a path: `https://vault.example.org:8200`.
    pub address: String,
    /// The namespace (Vault Enterprise, HCP, OpenBao): `team/payments`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How to log in.
    pub login: LoginMethod,
    /// What is mounted where, such as `{ secret: kv2 }`. For other mounts Vault is asked once.
    #[serde(default)]
    pub mounts: BTreeMap<String, EngineName>,
}

/// A way to log in.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum LoginMethod {
    /// A token that somebody else made. It is renewed when it can be, and never revoked.
    Token(String),
    /// AppRole.
    AppRole(AppRole),
    /// A Kubernetes service account.
    Kubernetes(Kubernetes),
    /// A JSON web token of another identity provider, such as a CI system's.
    Jwt(Jwt),
}

/// AppRole.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct AppRole {
    /// The role's id.
    pub role_id: String,
    /// The secret id.
    #[serde(default)]
    pub secret_id: Option<String>,
    /// A token that wraps the secret id (response wrapping), instead of it. Unwrapped once.
    #[serde(default)]
    pub wrapped_secret_id: Option<String>,
    /// Where the method is mounted.
    #[serde(default = "approle")]
    pub mount: String,
}

/// A Kubernetes service account.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Kubernetes {
    /// Vault's role.
    pub role: String,
    /// The file of the service account's token; needs the grant `files`. Read at each login, because it rotates.
    #[serde(default = "service_account_token")]
    pub token_file: String,
    /// Where the method is mounted.
    #[serde(default = "kubernetes")]
    pub mount: String,
}

/// A JSON web token.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Jwt {
    /// Vault's role.
    pub role: String,
    /// The token.
    #[serde(default)]
    pub token: Option<String>,
    /// A file with the token, instead of it; needs the grant `files`.
    #[serde(default)]
    pub token_file: Option<String>,
    /// Where the method is mounted.
    #[serde(default = "jwt")]
    pub mount: String,
}

/// What is behind a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum EngineName {
    /// KV without versions.
    Kv1,
    /// KV with versions.
    Kv2,
    /// Database credentials.
    Database,
    /// Anything else.
    Other,
}

fn approle() -> String {
    "approle".to_owned()
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

fn service_account_token() -> String {
    "/var/run/secrets/kubernetes.io/serviceaccount/token".to_owned()
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field is empty or makes no sense beside another.
    pub fn check(&self) -> Result<(), Fault> {
        address::check("/address", &self.address)?;
        if let Some(namespace) = &self.namespace {
            required("/namespace", namespace)?;
        }
        for mount in self.mounts.keys() {
            if crate::engine::check(mount).is_err() {
                let message = format!("`{mount}` is no path of a mount");
                return Err(Fault::invalid("/mounts", message));
            }
        }
        self.login.check()
    }
}

impl LoginMethod {
    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Token(token) => required("/login/token", token),
            Self::AppRole(login) => {
                required("/login/appRole/roleId", &login.role_id)?;
                required("/login/appRole/mount", &login.mount)?;
                one_of(
                    "/login/appRole",
                    ("secretId", login.secret_id.as_deref()),
                    ("wrappedSecretId", login.wrapped_secret_id.as_deref()),
                )
            }
            Self::Kubernetes(login) => {
                required("/login/kubernetes/role", &login.role)?;
                required("/login/kubernetes/tokenFile", &login.token_file)?;
                required("/login/kubernetes/mount", &login.mount)
            }
            Self::Jwt(login) => {
                required("/login/jwt/role", &login.role)?;
                required("/login/jwt/mount", &login.mount)?;
                one_of(
                    "/login/jwt",
                    ("token", login.token.as_deref()),
                    ("tokenFile", login.token_file.as_deref()),
                )
            }
        }
    }
}

fn one_of(
    pointer: &str,
    (one, first): (&str, Option<&str>),
    (other, second): (&str, Option<&str>),
) -> Result<(), Fault> {
    match (first, second) {
        (Some(text), None) => required(&format!("{pointer}/{one}"), text),
        (None, Some(text)) => required(&format!("{pointer}/{other}"), text),
        _ => Err(Fault::invalid(
            pointer,
            format!("expected either `{one}` or `{other}`"),
        )),
    }
}

/// A text that is there and can be sent in a header.
fn required(pointer: &str, text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::invalid(pointer, "can't be empty"));
    }
    if text.chars().any(char::is_control) || !text.is_ascii() {
        return Err(Fault::invalid(
            pointer,
            "expected printable ASCII without line breaks",
        ));
    }
    Ok(())
}
