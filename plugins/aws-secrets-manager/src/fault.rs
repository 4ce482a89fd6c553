//! What AWS says when it doesn't give what was asked, told apart.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>, and the errors of
//! `GetSecretValue`.

use whimbrel_sdk::http::{Refusal, Response};
use whimbrel_sdk::prelude::*;

/// A refusal, in AWS's words.
pub(crate) struct Owned {
    status: u16,
    code: String,
    message: String,
}

/// What may be cured on the spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Signed with a time that AWS finds too far from its own.
    Clock,
    /// Temporary credentials are over.
    Expired,
    Other,
}

/// Reads a refusal of a JSON service. What stands before a service refuses in XML.
pub(crate) fn read(response: &Response) -> Owned {
    let text = String::from_utf8_lossy(&response.body);
    if let Some(code) = element(&text, "Code") {
        return Owned {
            status: response.status,
            code: code.to_owned(),
            message: element(&text, "Message").unwrap_or_default().to_owned(),
        };
    }
    let body: Json = response.json().unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Json::as_str).map(str::to_owned);
    let code = text("__type")
        .or_else(|| response.header("x-amzn-errortype").map(str::to_owned))
        .unwrap_or_default();
    // `com.amazonaws.secretsmanager#ResourceNotFoundException`, or with `:http://…` behind it.
    let code = code.rsplit('#').next().unwrap_or_default();
    Owned {
        status: response.status,
        code: code.split(':').next().unwrap_or_default().to_owned(),
        message: text("message")
            .or_else(|| text("Message"))
            .unwrap_or_default(),
    }
}

/// The text of the first element of a name. AWS's answers in XML are flat here, and hold nothing that it would escape.
pub(crate) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(value, _)| value.trim())
}

impl Owned {
    pub(crate) fn trouble(&self) -> Trouble {
        match self.code.as_str() {
            // Of a signature that doesn't fit, AWS doesn't say whether that is because of the time.
            "SignatureDoesNotMatch" => Trouble::Clock,
            code if is_about_time(code, &self.message) => Trouble::Clock,
            "ExpiredTokenException" | "ExpiredToken" => Trouble::Expired,
            _ => Trouble::Other,
        }
    }

    pub(crate) fn into_fault(self, doing: &str) -> Fault {
        of(&Refusal {
            status: self.status,
            name: &self.code,
            said: &self.message,
            doing,
        })
    }
}

/// Whether AWS finds that a request was signed at a time too far from its own.
fn is_about_time(code: &str, message: &str) -> bool {
    match code {
        "RequestExpired" | "RequestTimeTooSkewed" => true,
        "InvalidSignatureException" => ["Signature expired", "Signature not yet current"]
            .iter()
            .any(|text| message.contains(text)),
        _ => false,
    }
}

/// The fault of a refusal.
pub(crate) fn of(refusal: &Refusal<'_>) -> Fault {
    let (class, code, hint, retry) = meaning(refusal);
    Fault::new(class, code, refusal.to_string())
        .with_retry(retry)
        .with_hint(hint)
}

fn meaning(refusal: &Refusal<'_>) -> (FaultClass, &'static str, &'static str, Retry) {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    let never = |class, code, hint| (class, code, hint, Retry::Never);
    let later = |code, hint| (Unavailable, code, hint, Retry::Backoff);
    match refusal.name {
        "ResourceNotFoundException" => never(
            NotFound,
            "aws.not-found",
            "look at the name, the version or stage, the region and the account",
        ),
        "InvalidRequestException"
            if refusal.said.contains("deletion") || refusal.said.contains("deleted") =>
        {
            never(
                NotFound,
                "aws.scheduled-for-deletion",
                "`aws secretsmanager restore-secret` takes that back",
            )
        }
        "InvalidParameterException" | "ValidationException" => {
            never(Invalid, "aws.invalid-parameter", "")
        }
        "InvalidRequestException" => never(Invalid, "aws.invalid-request", ""),
        "DecryptionFailure" => never(
            Denied,
            "aws.decryption",
            "is the secret's KMS key enabled, and may this role use `kms:Decrypt` on it?",
        ),
        "AccessDeniedException" | "AccessDenied" => never(
            Denied,
            "aws.denied",
            "the role needs `secretsmanager:GetSecretValue` and `secretsmanager:DescribeSecret` on this secret, and `kms:Decrypt` on a key of one's own",
        ),
        "ExpiredTokenException" | "ExpiredToken" => never(
            Denied,
            "aws.credentials-expired",
            "give new credentials, or a source that renews them",
        ),
        name if is_about_time(name, refusal.said) => never(
            Denied,
            "aws.clock",
            "this machine's clock is off, and the `Date` of AWS's answer couldn't make up for it",
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired" => never(
            Denied,
            "aws.credentials",
            "are access key and secret key right, and of this region's partition?",
        ),
        "InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError" => never(
            Denied,
            "aws.web-identity",
            "does the role trust this token's issuer, audience and subject?",
        ),
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown" => later("aws.throttled", ""),
        "InternalServiceError" | "InternalFailure" | "ServiceUnavailable" => {
            later("aws.unavailable", "")
        }
        _ => match refusal.status {
            401 | 403 => never(Denied, "aws.denied", ""),
            404 => never(NotFound, "aws.not-found", ""),
            429 => later("aws.throttled", ""),
            500..=599 => later("aws.unavailable", ""),
            _ => never(Internal, "aws.unexpected", "is `endpoint` that of AWS?"),
        },
    }
}

/// An answer that isn't what was asked for.
pub(crate) fn unreadable(who: &str) -> Fault {
    Fault::unreadable("aws.unreadable", who)
}
