//! The backend's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde};

use crate::name;

/// Where Secrets come from.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The API, or a folder.
    pub from: Origin,
}

/// The API, or a folder.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum Origin {
    /// The API server. Its certificate authority is said beside the grant `http`.
    Api(Api),
    /// A folder in which Secrets are mounted.
    Mounted(Mounted),
}

/// The API server.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Api {
    /// Its address.
    #[serde(default = "in_cluster")]
    pub address: String,
    /// The namespace of references that name none; else the service account's own.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The folder with the service account's `token` and `namespace`. Read at each call, because tokens rotate.
    #[serde(default = "service_account")]
    pub account: String,
}

/// A folder in which Secrets are mounted.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Mounted {
    /// The folder. A reference's path is counted from it.
    pub folder: String,
}

fn in_cluster() -> String {
    "https://kubernetes.default.svc".to_owned()
}

fn service_account() -> String {
    "/var/run/secrets/kubernetes.io/serviceaccount".to_owned()
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        match &self.from {
            Origin::Api(api) => {
                address::check_with_path("/from/api/address", &api.address)?;
                if let Some(namespace) = &api.namespace {
                    name::check(namespace)
                        .map_err(|fault| Fault::invalid("/from/api/namespace", fault.message))?;
                }
                folder("/from/api/account", &api.account)
            }
            Origin::Mounted(mounted) => folder("/from/mounted/folder", &mounted.folder),
        }
    }
}

fn folder(pointer: &str, path: &str) -> Result<(), Fault> {
    if path.trim_end_matches('/').is_empty() {
        return Err(Fault::invalid(pointer, "expected a folder"));
    }
    Ok(())
}
