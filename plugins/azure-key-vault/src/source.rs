//! The sources of access tokens.
//!
//! The machine's: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>.
//! An application's, by a secret or another issuer's token:
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{environment, files};

use crate::config::{ClientSecret, Config, ManagedIdentity, Source, WorkloadIdentity, plain};
use crate::refusal;

/// A token, and for how long it holds.
pub(crate) struct Given {
    pub(crate) token: String,
    pub(crate) seconds: u64,
}

/// Asks the configured source.
pub(crate) fn ask(config: &Config) -> Result<Given, Fault> {
    match &config.credentials {
        Source::Token(token) => Ok(Given {
            token: token.clone(),
            seconds: 0,
        }),
        Source::ManagedIdentity(source) => managed(config, source),
        Source::WorkloadIdentity(source) => workload(config, source),
        Source::ClientSecret(source) => secret(config, source),
    }
}

fn managed(config: &Config, source: &ManagedIdentity) -> Result<Given, Fault> {
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

fn workload(config: &Config, source: &WorkloadIdentity) -> Result<Given, Fault> {
    let tenant = given_or_variable(source.tenant_id.as_ref(), "AZURE_TENANT_ID")?;
    plain("/credentials/workloadIdentity/tenantId", &tenant, "-.")?;
    let client = given_or_variable(source.client_id.as_ref(), "AZURE_CLIENT_ID")?;
    let file = given_or_variable(source.token_file.as_ref(), "AZURE_FEDERATED_TOKEN_FILE")?;
    let assertion = String::from_utf8(files::read(&file)?).unwrap_or_default();
    let assertion = assertion.trim();
    if assertion.is_empty() {
        let message = format!("{file} holds no token");
        return Err(Fault::new(FaultClass::Invalid, "azure.token-file", message));
    }
    let proof = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ];
    grant(config, &source.authority, &tenant, &client, &proof)
}

fn secret(config: &Config, source: &ClientSecret) -> Result<Given, Fault> {
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
) -> Result<Given, Fault> {
    let scope = format!("https://{}/.default", config.domain);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("scope", scope.as_str()),
    ];
    let form: Vec<String> = form
        .iter()
        .chain(proof)
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let url = format!(
        "{}/{tenant}/oauth2/v2.0/token",
        authority.trim_end_matches('/')
    );
    let request = Request::post(url, form.join("&"))
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_header("accept", "application/json");
    let response = http::send(&request)?;
    if !response.is_success() {
        return Err(refusal::of_login(&response));
    }
    given(&response, "the tenant's login")
}

/// The metadata service has its numbers as text.
fn given(response: &Response, who: &str) -> Result<Given, Fault> {
    let answer: Json = response.json().map_err(|_| refusal::unreadable(who))?;
    let token = answer.get("access_token").and_then(Json::as_str);
    let seconds = answer.get("expires_in").and_then(|seconds| {
        seconds
            .as_str()
            .map_or_else(|| seconds.as_u64(), |text| text.parse().ok())
    });
    match (token, seconds) {
        (Some(token), Some(seconds)) => Ok(Given {
            token: token.to_owned(),
            seconds,
        }),
        _ => Err(refusal::unreadable(who)),
    }
}

fn given_or_variable(given: Option<&String>, name: &str) -> Result<String, Fault> {
    let value = given.cloned().or_else(|| environment::get(name));
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        Fault::new(
            FaultClass::Denied,
            "azure.no-credentials",
            format!("the variable {name} isn't set, or isn't granted"),
        )
        .with_hint(format!("set it for whoever runs whimbrel, and name it under `grants: environment`, or say under `credentials` what {name} would"))
    })
}

/// Percent-encoded as a form wants it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
