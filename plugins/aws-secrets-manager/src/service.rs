//! Signed requests to the service: once more with the right time when the clock is off, once more with new credentials
//! when temporary ones are over.

use whimbrel_sdk::http::{self, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, clock, time};

use crate::config::Config;
use crate::credentials::Kept;
use crate::fault::{self, Trouble};
use crate::sign::{Credentials, Signing, authorization};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Secrets Manager in a region.
pub(crate) struct Service<'a> {
    config: &'a Config,
    region: String,
    address: String,
}

impl<'a> Service<'a> {
    pub(crate) fn new(config: &'a Config) -> Result<Self, Fault> {
        let region = config.region()?;
        Ok(Self {
            address: Config::address("secretsmanager", &region, config.endpoint.as_ref()),
            config,
            region,
        })
    }

    /// An operation.
    pub(crate) fn call(&self, operation: &str, input: &Json) -> Result<Json, Fault> {
        let mut kept = Kept::load();
        let mut credentials = kept.credentials(self.config)?;
        let (mut is_set, mut is_new) = (false, false);
        let secret = input.get("SecretId").and_then(Json::as_str);
        let doing = format!("{operation} of {}", secret.unwrap_or_default());
        loop {
            let response = self.send(operation, input, &credentials, kept.now())?;
            if response.is_success() {
                return response
                    .json()
                    .map_err(|_| fault::unreadable("Secrets Manager"));
            }
            let refusal = fault::read(&response);
            match refusal.trouble() {
                Trouble::Clock if !is_set => {
                    is_set = true;
                    let Some(skew) =
                        skew(&response).filter(|skew| skew.abs_diff(kept.skew) > 1_000)
                    else {
                        return Err(refusal.into_fault(&doing));
                    };
                    kept.skew = skew;
                    kept.save()?;
                    log::warn(
                        "this machine's clock is off: requests are signed with the time that AWS has",
                    );
                }
                Trouble::Expired if !is_new && kept.is_temporary() => {
                    is_new = true;
                    credentials = kept.renewed(self.config)?;
                }
                _ => return Err(refusal.into_fault(&doing)),
            }
        }
    }

    fn send(
        &self,
        operation: &str,
        input: &Json,
        credentials: &Credentials,
        now: u64,
    ) -> Result<Response, Fault> {
        let signing = Signing {
            now,
            region: &self.region,
            service: "secretsmanager",
        };
        let body = input.to_string().into_bytes();
        let host = address::authority(&self.address).unwrap_or_default();
        let mut headers = vec![
            ("content-type".to_owned(), CONTENT_TYPE.to_owned()),
            ("host".to_owned(), without_default_port(host, &self.address)),
            ("x-amz-date".to_owned(), signing.date()),
            (
                "x-amz-target".to_owned(),
                format!("secretsmanager.{operation}"),
            ),
        ];
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let authorization = authorization(&signing, credentials, "POST", &headers, &body);
        // Whoever sends it writes `Host` from the URL.
        headers.retain(|(name, _)| name != "host");
        headers.push(("authorization".to_owned(), authorization));
        let mut request = Request::post(format!("{}/", self.address), body);
        request.headers = headers;
        http::send(&request)
    }
}

/// A client leaves the scheme's own port out of `Host`.
fn without_default_port(host: &str, address: &str) -> String {
    let port = if address.starts_with("https://") {
        ":443"
    } else {
        ":80"
    };
    host.strip_suffix(port).unwrap_or(host).to_owned()
}

/// How far AWS's clock is ahead, in milliseconds.
fn skew(response: &Response) -> Option<i64> {
    let theirs = time::from_http_date(response.header("date")?)?;
    i64::try_from(theirs)
        .ok()?
        .checked_sub(i64::try_from(clock::now()).ok()?)
}
