//! Signature Version 4 for a request to the path `/` without parameters, which is all that a JSON service gets.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use whimbrel_sdk::time::Civil;

/// Who asks. No `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary keys.
    pub session_token: Option<String>,
}

/// When and for what a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// Milliseconds since the Unix epoch.
    pub now: u64,
    /// The region.
    pub region: &'a str,
    /// The service's name in signatures.
    pub service: &'a str,
}

impl Signing<'_> {
    /// The value of `X-Amz-Date`.
    #[must_use]
    pub fn date(&self) -> String {
        let at = Civil::from_millis(self.now);
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            at.year, at.month, at.day, at.hour, at.minute, at.second
        )
    }
}

/// The value of `Authorization` for a request with these headers, all of which are signed: `host`, `x-amz-date` and, for
/// temporary keys, `x-amz-security-token` belong to them.
#[must_use]
pub fn authorization(
    signing: &Signing<'_>,
    credentials: &Credentials,
    method: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> String {
    let date = signing.date();
    let day = date.split('T').next().unwrap_or_default();
    let mut sorted: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value)))
        .collect();
    // By name only, so that values of one name keep their order.
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut folded: Vec<(String, String)> = Vec::with_capacity(sorted.len());
    for (name, value) in sorted {
        match folded.last_mut() {
            Some((last, values)) if *last == name => {
                values.push(',');
                values.push_str(&value);
            }
            _ => folded.push((name, value)),
        }
    }
    let lines: String = folded
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let names: Vec<&str> = folded.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let request = format!("{method}\n/\n\n{lines}\n{names}\n{}", digest(body));
    let scope = format!("{day}/{}/{}/aws4_request", signing.region, signing.service);
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        digest(request.as_bytes())
    );
    let key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    let key = [day, signing.region, signing.service, "aws4_request"]
        .iter()
        .fold(key, |key, part| mac(&key, part.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        credentials.access_key_id,
        hexadecimal(&mac(&key, text.as_bytes()))
    )
}

/// Without spaces at its ends, and with one where several are.
fn trimmed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn digest(data: &[u8]) -> String {
    hexadecimal(&Sha256::digest(data))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
