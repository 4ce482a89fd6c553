//! The backend's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde, session};

/// Which vault, and who asks.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The vault's name.
    pub vault: String,
    /// The domain of the cloud's vaults, which is also what tokens are asked for.
    #[serde(default = "domain")]
    pub domain: String,
    /// Another address than `https://VAULT.DOMAIN`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where the access token comes from.
    pub credentials: Source,
}

/// Where access tokens come from.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum Source {
    /// A token that somebody else got, best as a reference.
    Token(String),
    /// The identity of the machine, from its metadata service.
    ManagedIdentity(ManagedIdentity),
    /// A token of another issuer that the application trusts, as service accounts of AKS and CI systems have.
    WorkloadIdentity(WorkloadIdentity),
    /// An application's secret.
    ClientSecret(ClientSecret),
}

/// The identity of the machine.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct ManagedIdentity {
    /// Another address than `http://169.254.169.254`.
    #[serde(default = "metadata")]
    pub endpoint: String,
    /// The client id of a user-assigned identity, needed where there are several.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// A token of another issuer.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct WorkloadIdentity {
    /// The tenant; else the variable `AZURE_TENANT_ID`.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The application's client id; else the variable `AZURE_CLIENT_ID`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The file of the token; else the variable `AZURE_FEDERATED_TOKEN_FILE`. Its folder must be granted under `files`.
    #[serde(default)]
    pub token_file: Option<String>,
    /// Another address than `https://login.microsoftonline.com`.
    #[serde(default = "authority")]
    pub authority: String,
}

/// An application's secret.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct ClientSecret {
    /// The tenant.
    pub tenant_id: String,
    /// The application's client id.
    pub client_id: String,
    /// The secret, best as a reference to another backend.
    pub client_secret: String,
    /// Another address than `https://login.microsoftonline.com`.
    #[serde(default = "authority")]
    pub authority: String,
}

fn domain() -> String {
    "vault.azure.net".to_owned()
}

fn metadata() -> String {
    "http://169.254.169.254".to_owned()
}

fn authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        plain("/vault", &self.vault, "-")?;
        plain("/domain", &self.domain, "-.")?;
        if let Some(endpoint) = &self.endpoint {
            address::check("/endpoint", endpoint)?;
        }
        match &self.credentials {
            Source::Token(token) => session::check("/credentials/token", token),
            Source::ManagedIdentity(source) => {
                address::check("/credentials/managedIdentity/endpoint", &source.endpoint)
            }
            Source::WorkloadIdentity(source) => {
                address::check("/credentials/workloadIdentity/authority", &source.authority)?;
                source.tenant_id.as_ref().map_or(Ok(()), |tenant| {
                    plain("/credentials/workloadIdentity/tenantId", tenant, "-.")
                })
            }
            Source::ClientSecret(source) => {
                address::check("/credentials/clientSecret/authority", &source.authority)?;
                plain(
                    "/credentials/clientSecret/tenantId",
                    &source.tenant_id,
                    "-.",
                )
            }
        }
    }

    /// The vault's address.
    pub(crate) fn address(&self) -> String {
        self.endpoint.as_ref().map_or_else(
            || format!("https://{}.{}", self.vault, self.domain),
            |endpoint| endpoint.trim_end_matches('/').to_owned(),
        )
    }
}

/// Checks what becomes a part of an address.
pub(crate) fn plain(pointer: &str, text: &str, marks: &str) -> Result<(), Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("expected letters, digits and any of `{marks}`");
    Err(Fault::invalid(pointer, message))
}
