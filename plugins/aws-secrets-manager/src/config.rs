//! The backend's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, environment, schemars, serde};

/// Which region, and who asks.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The region, such as `eu-central-1`; else the variable `AWS_REGION`, which then must be granted.
    #[serde(default)]
    pub region: Option<String>,
    /// Another address than the region's own: `https://vpce-….amazonaws.com`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where the credentials come from.
    pub credentials: Source,
}

/// Where credentials come from.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum Source {
    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if set, `AWS_SESSION_TOKEN`.
    Environment,
    /// Keys, best as references to another backend.
    Static(StaticKeys),
    /// A role for a web identity, as service accounts of EKS have (IRSA) and CI systems.
    WebIdentity(WebIdentity),
    /// EKS Pod Identity.
    PodIdentity(PodIdentity),
    /// The role of the EC2 instance (IMDSv2).
    Instance(InstanceMetadata),
}

/// Keys.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct StaticKeys {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary keys.
    #[serde(default)]
    pub session_token: Option<String>,
}

/// A role for a web identity.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(
    crate = "serde",
    rename_all = "camelCase",
    deny_unknown_fields,
    default
)]
#[schemars(crate = "schemars")]
pub struct WebIdentity {
    /// The role; else the variable `AWS_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// The file of the token; else the variable `AWS_WEB_IDENTITY_TOKEN_FILE`. Its folder must be granted under `files`.
    pub token_file: Option<String>,
    /// The name that the role's session has in AWS's logs.
    pub session_name: Option<String>,
    /// Another address of STS than the region's own.
    pub endpoint: Option<String>,
}

/// EKS Pod Identity.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(
    crate = "serde",
    rename_all = "camelCase",
    deny_unknown_fields,
    default
)]
#[schemars(crate = "schemars")]
pub struct PodIdentity {
    /// The agent's address; else the variable `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub uri: Option<String>,
    /// The file of the token; else the variable `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    pub token_file: Option<String>,
}

/// The instance's metadata service.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(
    crate = "serde",
    rename_all = "camelCase",
    deny_unknown_fields,
    default
)]
#[schemars(crate = "schemars")]
pub struct InstanceMetadata {
    /// Another address than `http://169.254.169.254`.
    pub endpoint: Option<String>,
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        if let Some(region) = &self.region {
            check_region(region).map_err(|message| Fault::invalid("/region", message))?;
        }
        let endpoints = [
            ("/endpoint", self.endpoint.as_ref()),
            (
                "/credentials/webIdentity/endpoint",
                match &self.credentials {
                    Source::WebIdentity(source) => source.endpoint.as_ref(),
                    _ => None,
                },
            ),
            (
                "/credentials/instance/endpoint",
                match &self.credentials {
                    Source::Instance(source) => source.endpoint.as_ref(),
                    _ => None,
                },
            ),
        ];
        for (pointer, endpoint) in endpoints {
            endpoint.map_or(Ok(()), |endpoint| address::check(pointer, endpoint))?;
        }
        Ok(())
    }

    /// The region.
    pub(crate) fn region(&self) -> Result<String, Fault> {
        if let Some(region) = &self.region {
            return Ok(region.clone());
        }
        let region = environment::get("AWS_REGION").unwrap_or_default();
        check_region(&region).map_err(|_| {
            Fault::invalid("/region", "no region is given")
                .with_hint("give `region`, or grant and set the variable AWS_REGION")
        })?;
        Ok(region)
    }

    /// The address of a service of the region, or the one given instead.
    pub(crate) fn address(service: &str, region: &str, given: Option<&String>) -> String {
        given.map_or_else(
            || {
                let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{service}.{region}.amazonaws.com{suffix}")
            },
            |given| given.trim_end_matches('/').to_owned(),
        )
    }
}

fn check_region(region: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !region.is_empty() && region.chars().all(is_plain) {
        Ok(())
    } else {
        Err("expected a region such as `eu-central-1`")
    }
}
