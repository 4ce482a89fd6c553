//! The sources of access tokens.
//!
//! The machine's: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>.
//! An application's, by a secret or another issuer's token:
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use whimbrel_sdk::http::{self, Request, Response, encoded};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::session::Token;
use whimbrel_sdk::{environment, files};

use crate::config::{ClientSecret, Config, ManagedIdentity, WorkloadIdentity, plain};
use crate::refusal;

/// A token of the machine's identity.
pub(crate) fn managed(config: &Config, source: &ManagedIdentity) -> Result<Token, Fault> {
    let resource = encoded(&format!("https://{}", config.domain));
    let mut url = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}",
        source.endpoint.trim_end_matches('/')
    );
    if let Some(client) = &source.client_id {
        url = format!("{url}&client_id={}", encoded(client));
    }
    let response = http::send(&Request::get(url).with_header("metadata", "true"))?;
    if !response.is_success() {
        return Err(refusal::of_metadata(&response));
    }
    given(&response, "the machine's metadata service")
}

/// A token for another issuer's.
pub(crate) fn workload(config: &Config, source: &WorkloadIdentity) -> Result<Token, Fault> {
    let tenant = given_or_variable(source.tenant_id.as_ref(), "AZURE_TENANT_ID")?;
    plain("/credentials/workloadIdentity/tenantId", &tenant, "-.")?;
    let client = given_or_variable(source.client_id.as_ref(), "AZURE_CLIENT_ID")?;
    let file = given_or_variable(source.token_file.as_ref(), "AZURE_FEDERATED_TOKEN_FILE")?;
    let assertion = files::read_token(&file, "azure.token-file")?;
    let proof = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    grant(config, &source.authority, &tenant, &client, &proof)
}

/// A token for an application's secret.
pub(crate) fn secret(config: &Config, source: &ClientSecret) -> Result<Token, Fault> {
    let proof = [("client_secret", source.client_secret.as_str())];
    let (tenant, client) = (&source.tenant_id, &source.client_id);
    grant(config, &source.authority, tenant, client, &proof)
}

/// The grant of client credentials.
fn grant(
    config: &Config,
    authority: &str,
    tenant: &str,
    client: &str,
    proof: &[(&str, &str)],
) -> Result<Token, Fault> {
    let scope = format!("https://{}/.default", config.domain);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("scope", scope.as_str()),
    ];
    let form = [&form, proof].concat();
    let url = format!(
        "{}/{tenant}/oauth2/v2.0/token",
        authority.trim_end_matches('/')
    );
    let request = Request::post_form(url, &form).with_header("accept", "application/json");
    let response = http::send(&request)?;
    if !response.is_success() {
        return Err(refusal::of_login(&response));
    }
    given(&response, "the tenant's login")
}

/// The metadata service has its numbers as text.
fn given(response: &Response, who: &str) -> Result<Token, Fault> {
    let answer: Json = response.json().map_err(|_| refusal::unreadable(who))?;
    let token = answer.get("access_token").and_then(Json::as_str);
    let seconds = answer.get("expires_in").and_then(|seconds| {
        seconds
            .as_str()
            .map_or_else(|| seconds.as_u64(), |text| text.parse().ok())
    });
    match (token, seconds) {
        (Some(token), Some(seconds)) => Ok(Token {
            text: token.to_owned(),
            holds: Duration::from_secs(seconds),
        }),
        _ => Err(refusal::unreadable(who)),
    }
}

fn given_or_variable(given: Option<&String>, name: &str) -> Result<String, Fault> {
    environment::given_or(given, name, "azure.no-credentials")
}
