//! The sources of credentials.
//!
//! IRSA: `AssumeRoleWithWebIdentity` of STS, unsigned. Pod Identity: the agent's HTTP credential provider. Instance: the
//! metadata service of version 2, which wants a token first.

use whimbrel_sdk::http::{self, Refusal, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{environment, files, serde, time};

use crate::config::{Config, InstanceMetadata, PodIdentity, Source, WebIdentity};
use crate::credentials::Temporary;
use crate::fault::{self, element};
use crate::sign::Credentials;

/// What a source gave.
pub(crate) enum Given {
    Lasting(Credentials),
    Temporary(Temporary),
}

/// Asks the configured source.
pub(crate) fn ask(config: &Config) -> Result<Given, Fault> {
    match &config.credentials {
        Source::Environment => Ok(Given::Lasting(Credentials {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: environment::get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
        })),
        Source::Static(keys) => Ok(Given::Lasting(Credentials {
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
            session_token: keys.session_token.clone(),
        })),
        Source::WebIdentity(source) => web_identity(config, source).map(Given::Temporary),
        Source::PodIdentity(source) => pod_identity(source).map(Given::Temporary),
        Source::Instance(source) => instance(source).map(Given::Temporary),
    }
}

fn web_identity(config: &Config, source: &WebIdentity) -> Result<Temporary, Fault> {
    let role = given_or_variable(source.role_arn.as_ref(), "AWS_ROLE_ARN")?;
    let file = given_or_variable(source.token_file.as_ref(), "AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let token = read_token(&file)?;
    let name = source.session_name.as_deref().unwrap_or("whimbrel");
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", &role),
        ("RoleSessionName", name),
        ("WebIdentityToken", &token),
    ];
    let address = Config::address("sts", &config.region()?, source.endpoint.as_ref());
    let response = http::send(&Request::post_form(format!("{address}/"), &form))?;
    let text = String::from_utf8_lossy(&response.body);
    if !response.is_success() {
        let name = element(&text, "Code").unwrap_or_default();
        let said = element(&text, "Message").unwrap_or_default();
        return Err(fault::of(&Refusal {
            status: response.status,
            name,
            said,
            doing: "assuming the role of a web identity",
        }));
    }
    let part = |name| element(&text, name).ok_or_else(|| fault::unreadable("STS"));
    Ok(Temporary {
        access_key_id: part("AccessKeyId")?.to_owned(),
        secret_access_key: part("SecretAccessKey")?.to_owned(),
        session_token: part("SessionToken")?.to_owned(),
        expires: time::from_rfc3339(part("Expiration")?).ok_or_else(|| fault::unreadable("STS"))?,
    })
}

fn pod_identity(source: &PodIdentity) -> Result<Temporary, Fault> {
    let uri = given_or_variable(source.uri.as_ref(), "AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
    let file = given_or_variable(
        source.token_file.as_ref(),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    )?;
    let request = Request::get(uri).with_header("authorization", read_token(&file)?);
    document(&http::send(&request)?, "the Pod Identity agent")
}

fn instance(source: &InstanceMetadata) -> Result<Temporary, Fault> {
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    const WHO: &str = "the instance's metadata service";
    let address = source
        .endpoint
        .as_deref()
        .unwrap_or("http://169.254.169.254");
    let address = address.trim_end_matches('/');
    let request = Request::new("PUT", format!("{address}/latest/api/token"))
        .with_header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
    let token = text(&http::send(&request)?, WHO)?;
    let get = |path: &str| {
        let request = Request::get(format!("{address}{path}"));
        http::send(&request.with_header("x-aws-ec2-metadata-token", token.as_str()))
    };
    let roles = get(ROLES)?;
    if roles.status == 404 {
        return Err(Fault::new(
            FaultClass::Denied,
            "aws.no-instance-role",
            "the instance has no role",
        )
        .with_hint("attach an instance profile, or configure another source of credentials"));
    }
    let roles = text(&roles, WHO)?;
    let role = roles.lines().next().unwrap_or_default().trim();
    document(&get(&format!("{ROLES}{role}"))?, WHO)
}

/// The document that agents and metadata services give.
fn document(response: &Response, who: &str) -> Result<Temporary, Fault> {
    #[derive(Deserialize)]
    #[serde(crate = "serde", rename_all = "PascalCase")]
    struct Document {
        access_key_id: String,
        secret_access_key: String,
        token: String,
        expiration: String,
    }
    text(response, who)?;
    let document: Document = response.json().map_err(|_| fault::unreadable(who))?;
    let expires = time::from_rfc3339(&document.expiration);
    Ok(Temporary {
        access_key_id: document.access_key_id,
        secret_access_key: document.secret_access_key,
        session_token: document.token,
        expires: expires.ok_or_else(|| fault::unreadable(who))?,
    })
}

fn text(response: &Response, who: &str) -> Result<String, Fault> {
    if !response.is_success() {
        return Err(fault::of(&Refusal {
            status: response.status,
            name: "",
            said: "",
            doing: &format!("asking {who} for credentials"),
        }));
    }
    String::from_utf8(response.body.clone()).map_err(|_| fault::unreadable(who))
}

fn variable(name: &str) -> Result<String, Fault> {
    given_or_variable(None, name)
}

fn given_or_variable(given: Option<&String>, name: &str) -> Result<String, Fault> {
    environment::given_or(given, name, "aws.no-credentials")
}

fn read_token(path: &str) -> Result<String, Fault> {
    files::read_token(path, "aws.token-file")
}
