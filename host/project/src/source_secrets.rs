//! What opens a source that a process follows by itself. Read anew whenever it is needed, so that what was rotated counts
//! without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use whimbrel_core::environment::ValueSource;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::git_source::{GitAuth, GitVerify, VerifyMode};
use whimbrel_core::project::Material;
use whimbrel_git::{Access, HttpCredential, KnownHosts, Signers, SshKey, Verify};
use whimbrel_plugin::Materials;
use whimbrel_secrets::{Backend, Resolver};
use whimbrel_signal::Scrubber;
use whimbrel_signal::metric::Meter;

use crate::Verification;
use crate::backends::Resolving;

/// The secrets that sources may refer to: of the backends `env` and `file`. Clones share what is under way.
#[derive(Clone, Debug)]
pub struct SourceSecrets {
    resolver: Resolver,
    base: PathBuf,
}

impl SourceSecrets {
    /// Secrets, with relative paths of files counted from a folder.
    #[must_use]
    pub fn new(base: &Path, scrubber: Scrubber, meter: Option<Meter>) -> Self {
        let resolver = Resolver::new(base, scrubber);
        Self {
            resolver: match meter {
                Some(meter) => resolver.with_meter(meter),
                None => resolver,
            },
            base: base.to_path_buf(),
        }
    }

    /// The same with a backend that the surroundings offer, or another one of that name.
    #[must_use]
    pub fn with_backend(mut self, name: &str, backend: Arc<dyn Backend>) -> Self {
        self.resolver = self.resolver.with_backend(name, backend);
        self
    }

    /// The folder that relative paths are counted from.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    pub(crate) fn materials(&self) -> Arc<dyn Materials> {
        Arc::new(Resolving(self.resolver.clone()))
    }

    /// What opens a repository, as it is now.
    ///
    /// # Errors
    /// A secret can't be read.
    pub async fn access(&self, auth: &GitAuth) -> Result<Access, Fault> {
        let token = self.line(auth.token.as_ref()).await?;
        let password = self.line(auth.password.as_ref()).await?;
        let username = match &auth.username {
            None => None,
            Some(ValueSource::Literal(text)) => Some(text.clone()),
            Some(ValueSource::Secret(reference)) => {
                let material = Material::Secret(reference.clone());
                let read = self.line(Some(&material)).await?;
                read.map(|name| name.expose_secret().to_owned())
            }
        };
        let http = match (token.or(password), username) {
            (Some(password), Some(username)) => Some(HttpCredential::Basic { username, password }),
            (Some(token), None) => Some(HttpCredential::Token(token)),
            (None, _) => None,
        };
        let key = match self.text(auth.ssh_key.as_ref()).await? {
            None => None,
            Some(private) => Some(SshKey {
                private,
                passphrase: self.line(auth.ssh_key_passphrase.as_ref()).await?,
            }),
        };
        let known = self.text(auth.known_hosts.as_ref()).await?;
        let authorities = self.text(auth.ca_file.as_ref()).await?;
        Ok(Access {
            http,
            key,
            authorities: authorities.map(|text| text.expose_secret().to_owned()),
            known_hosts: known.map_or(KnownHosts::Usual, |lines| {
                KnownHosts::Lines(lines.expose_secret().to_owned())
            }),
        })
    }

    /// Which commits must be signed, and by whom.
    ///
    /// # Errors
    /// Keys can't be read, or are none.
    pub async fn verification(&self, verify: &GitVerify) -> Result<Verification, Fault> {
        let promotions = self.text(verify.promotion_signers.as_ref()).await?;
        let promotions = promotions
            .map(|text| Signers::parse(text.expose_secret(), ""))
            .transpose()
            .map_err(|error| unreadable(&error))?;
        let policy = match verify.mode {
            VerifyMode::None => {
                return Ok(Verification {
                    promotions,
                    ..Verification::default()
                });
            }
            VerifyMode::Head => Verify::Head,
            VerifyMode::EveryMigrationCommit => Verify::EveryMigrationCommit,
        };
        let ssh = self.text(verify.allowed_signers.as_ref()).await?;
        let openpgp = self.text(verify.openpgp_keys.as_ref()).await?;
        let text = |read: &Option<SecretString>| {
            read.as_ref()
                .map_or_else(String::new, |text| text.expose_secret().to_owned())
        };
        let signers = Signers::parse(&text(&ssh), &text(&openpgp));
        Ok(Verification {
            policy,
            signers: signers.map_err(|error| unreadable(&error))?,
            since: verify.since.clone(),
            promotions,
        })
    }

    /// A text without the line break at its end.
    async fn line(&self, material: Option<&Material>) -> Result<Option<SecretString>, Fault> {
        let text = self.text(material).await?;
        Ok(text.map(|text| SecretString::from(text.expose_secret().trim_end())))
    }

    async fn text(&self, material: Option<&Material>) -> Result<Option<SecretString>, Fault> {
        let Some(material) = material else {
            return Ok(None);
        };
        let bytes = Resolving(self.resolver.clone()).read(material).await?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(SecretString::from(text))),
            Err(_) => {
                let message = "a secret of the source is no text";
                Err(Fault::new(FaultClass::Invalid, "source.no-text", message))
            }
        }
    }
}

fn unreadable(error: &impl std::fmt::Display) -> Fault {
    Fault::new(FaultClass::Invalid, "source.signers", error.to_string())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;
    use whimbrel_core::git_source::GitAuth;
    use whimbrel_git::{HttpCredential, KnownHosts};
    use whimbrel_signal::Scrubber;

    use super::SourceSecrets;

    #[tokio::test]
    async fn what_was_rotated_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let scrubber = Scrubber::default();
        let secrets = SourceSecrets::new(folder.path(), scrubber.clone(), None);
        let auth: GitAuth = serde_json::from_value(json!({
            "token": "secret://file/token", "username": "ada", "knownHosts": { "file": "known" },
        }))
        .unwrap();
        std::fs::write(folder.path().join("known"), "host ssh-ed25519 AAAA\n").unwrap();
        for token in ["the-first-token", "the-second-token"] {
            std::fs::write(&file, format!("{token}\n")).unwrap();
            let access = secrets.access(&auth).await.unwrap();
            let Some(HttpCredential::Basic { username, password }) = access.http else {
                panic!("no basic authentication");
            };
            assert_eq!(
                (username.as_str(), password.expose_secret()),
                ("ada", token)
            );
            assert!(matches!(access.known_hosts, KnownHosts::Lines(_)));
            assert_eq!(scrubber.scrub(token), "[redacted]");
        }
        std::fs::remove_file(&file).unwrap();
        let fault = secrets.access(&auth).await.err().unwrap();
        assert!(fault.message.contains("secret://file/token"), "{fault}");
        let none = secrets.access(&GitAuth::default()).await.unwrap();
        assert!(none.http.is_none() && none.key.is_none());
    }
}
