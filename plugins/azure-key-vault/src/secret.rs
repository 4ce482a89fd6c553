//! References to secrets, and reading one.

use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::refusal;

/// The API that is spoken.
pub(crate) const API: &str = "api-version=7.4";

/// Which version of which secret of the vault.
pub(crate) struct Place<'a> {
    vault: &'a str,
    name: &'a str,
    pub(crate) version: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(config: &'a Config, reference: &'a Reference) -> Result<Self, Fault> {
        let (vault, name) = match reference.path.split_once('/') {
            Some((vault, name)) => (vault, name),
            None => (config.vault.as_str(), reference.path.as_str()),
        };
        if !vault.eq_ignore_ascii_case(&config.vault) {
            let message = format!(
                "`{}` is not of the vault {}",
                reference.path.escape_debug(),
                config.vault
            );
            return Err(
                Fault::new(FaultClass::Invalid, "azure.other-vault", message)
                    .with_hint("each vault is a backend of its own: configure one for it"),
            );
        }
        check(name)?;
        if let Some(version) = &reference.version {
            check(version)?;
        }
        Ok(Self {
            vault: &config.vault,
            name,
            version: reference.version.as_deref(),
        })
    }

    /// Where the vault has it.
    pub(crate) fn secret(&self) -> String {
        let version = self.version.map(|version| format!("/{version}"));
        format!(
            "/secrets/{}{}?{API}",
            self.name,
            version.unwrap_or_default()
        )
    }

    /// Where the vault lists its versions.
    pub(crate) fn versions(&self) -> String {
        format!("/secrets/{}/versions", self.name)
    }

    /// As it is named in messages.
    pub(crate) fn shown(&self) -> String {
        let version = self.version.map(|version| format!("/{version}"));
        format!(
            "{}/{}{}",
            self.vault,
            self.name,
            version.unwrap_or_default()
        )
    }
}

/// Names and versions are letters, digits and hyphens.
fn check(text: &str) -> Result<(), Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=127).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("`{}` is no name of Key Vault", text.escape_debug());
    Err(Fault::new(FaultClass::Invalid, "azure.name", message))
}

/// What the vault answers as a secret.
pub(crate) fn read(answer: &Json, reference: &Reference) -> Result<Secret, Fault> {
    let unreadable = || refusal::unreadable("Key Vault");
    let text = answer.get("value").and_then(Json::as_str);
    let text = text.ok_or_else(unreadable)?;
    let version = version(answer).ok_or_else(unreadable)?;
    Ok(Secret::of_unnamed(text, reference)
        .with_version(version)
        .with_expiry(instant(answer, "exp"))
        .with_details(details(answer)))
}

/// The version at the end of an id.
pub(crate) fn version(answer: &Json) -> Option<&str> {
    let id = answer.get("id").and_then(Json::as_str)?;
    let (_, path) = id.split_once("/secrets/")?;
    path.split_once('/').map(|(_, version)| version)
}

/// A moment among the attributes, which have seconds since the Unix epoch; in milliseconds.
pub(crate) fn instant(answer: &Json, name: &str) -> Option<u64> {
    let attributes = answer.get("attributes")?;
    attributes
        .get(name)?
        .as_u64()
        .map(|seconds| seconds.saturating_mul(1_000))
}

/// What is worth knowing, and no secret. Tags are anybody's words, so they aren't.
pub(crate) fn details(answer: &Json) -> Json {
    json!({
        "id": answer.get("id"),
        "contentType": answer.get("contentType"),
        "expires": instant(answer, "exp"),
    })
}
