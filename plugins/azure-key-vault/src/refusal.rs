//! What Azure says when it doesn't give what was asked, told apart.
//!
//! <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>, and the errors of the login:
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use whimbrel_sdk::http::{Refusal, Response};
use whimbrel_sdk::prelude::*;

/// What a refusal means: class, code, hint and advice.
type Meaning = (FaultClass, &'static str, &'static str, Retry);

/// The fault of a refusal by the vault.
pub(crate) fn of_vault(response: &Response, shown: &str) -> Fault {
    let body: Json = response.json().unwrap_or_default();
    let part = |pointer: &str| {
        body.pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let inner = part("/error/innererror/code");
    let name = if inner.is_empty() {
        part("/error/code")
    } else {
        inner
    };
    fault(
        vault_meaning(response, inner),
        &format!("reading {shown}"),
        response,
        name,
        part("/error/message"),
    )
}

fn vault_meaning(response: &Response, inner: &str) -> Meaning {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    let never = |class, code, hint| (class, code, hint, Retry::Never);
    match (response.status, inner) {
        (400, _) => never(Invalid, "azure.invalid", ""),
        (401, _) => never(
            Denied,
            "azure.credentials",
            "is the access token over, of the vault's tenant, and for `https://vault.azure.net`?",
        ),
        (403, "SecretDisabled") => never(NotFound, "azure.disabled", DISABLED),
        (403, "ForbiddenByFirewall") => never(
            Denied,
            "azure.firewall",
            "the vault's network rules don't let this machine in",
        ),
        (403, _) => never(
            Denied,
            "azure.denied",
            "the identity needs the role `Key Vault Secrets User`, or an access policy with `Get` to read and `List` to say something without reading",
        ),
        (404, _) => never(
            NotFound,
            "azure.not-found",
            "look at the name and the version; a deleted secret can be recovered",
        ),
        (429, _) => (Unavailable, "azure.throttled", "", response.retry_after()),
        (500..=599, _) => (Unavailable, "azure.unavailable", "", response.retry_after()),
        _ => never(Internal, "azure.unexpected", "is this the vault's address?"),
    }
}

const DISABLED: &str = "the secret is there, this version is disabled";

/// A version that is there and can't be read.
pub(crate) fn disabled(message: &str) -> Fault {
    Fault::new(FaultClass::NotFound, "azure.disabled", message).with_hint(DISABLED)
}

/// The fault of a refusal by the tenant's login.
pub(crate) fn of_login(response: &Response) -> Fault {
    use FaultClass::{Denied, Unavailable};
    let body: Json = response.json().unwrap_or_default();
    let part = |name| body.get(name).and_then(Json::as_str).unwrap_or_default();
    let never = |code, hint| (Denied, code, hint, Retry::Never);
    let meaning = match (response.status, part("error")) {
        (429, _) => (Unavailable, "azure.throttled", "", response.retry_after()),
        (500..=599, _) | (_, "temporarily_unavailable") => {
            (Unavailable, "azure.unavailable", "", response.retry_after())
        }
        (_, "invalid_client") => never(
            "azure.client",
            "is the client secret right and not over, or does a federated credential of the application match the token's issuer, subject and audience?",
        ),
        (_, "unauthorized_client" | "invalid_request" | "invalid_grant") => never(
            "azure.application",
            "are tenant and client id those of the application?",
        ),
        _ => never("azure.login", "is `authority` that of the cloud?"),
    };
    // What follows are ids and times.
    let said = part("error_description");
    let said = said.lines().next().unwrap_or_default();
    fault(meaning, "asking for a token", response, part("error"), said)
}

/// The fault of a refusal by the machine's metadata service.
pub(crate) fn of_metadata(response: &Response) -> Fault {
    use FaultClass::{Denied, Unavailable};
    let body: Json = response.json().unwrap_or_default();
    let part = |name| body.get(name).and_then(Json::as_str).unwrap_or_default();
    let meaning = match response.status {
        // While it is updated it isn't there.
        404 | 410 | 429 | 500..=599 => (
            Unavailable,
            "azure.metadata-unavailable",
            "",
            response.retry_after(),
        ),
        _ => (
            Denied,
            "azure.no-identity",
            "assign an identity to the machine, or say by `clientId` which one, or give another source of tokens",
            Retry::Never,
        ),
    };
    let doing = "asking the machine's metadata service for a token";
    fault(
        meaning,
        doing,
        response,
        part("error"),
        part("error_description"),
    )
}

fn fault(meaning: Meaning, doing: &str, response: &Response, name: &str, said: &str) -> Fault {
    let (class, code, hint, retry) = meaning;
    let refusal = Refusal {
        doing,
        status: response.status,
        name,
        said,
    };
    Fault::new(class, code, refusal.to_string())
        .with_retry(retry)
        .with_hint(hint)
}

/// An answer that isn't what was asked for.
pub(crate) fn unreadable(who: &str) -> Fault {
    Fault::unreadable("azure.unreadable", who)
}
