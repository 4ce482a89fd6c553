//! Signs commits with a key of OpenSSH. Source: PROTOCOL.sshsig, and git-commit(5) on `gpgsig`.

use std::fmt;
use std::sync::Arc;

use git2::Oid;
use secrecy::{ExposeSecret as _, SecretString};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

use super::Signers;
use super::ssh::{AllowedSigners, NAMESPACE};

/// A private key that signs commits. Clones share it.
#[derive(Clone)]
pub struct SigningKey(Arc<PrivateKey>);

/// A private key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// It is none.
    #[error("it can't be read as an OpenSSH private key: {0}")]
    Unreadable(String),
    /// It is encrypted, and there is no passphrase.
    #[error("it is encrypted, and no passphrase was given")]
    Encrypted,
    /// The passphrase doesn't fit.
    #[error("its passphrase doesn't fit")]
    Passphrase,
    /// It is of a kind that isn't used.
    #[error("it is of the kind {0}, and only ed25519 and ecdsa (P-256, P-384) sign here")]
    Kind(String),
}

impl SigningKey {
    /// Reads a private key in OpenSSH's format, decrypted with the passphrase where it is encrypted.
    ///
    /// # Errors
    /// It is none, its passphrase doesn't fit, or it is of a kind that doesn't sign here.
    pub fn parse(
        text: &SecretString,
        passphrase: Option<&SecretString>,
    ) -> Result<Self, SigningKeyError> {
        let key = PrivateKey::from_openssh(text.expose_secret().trim())
            .map_err(|error| SigningKeyError::Unreadable(error.to_string()))?;
        let key = if key.is_encrypted() {
            let passphrase = passphrase.ok_or(SigningKeyError::Encrypted)?;
            key.decrypt(passphrase.expose_secret())
                .map_err(|_| SigningKeyError::Passphrase)?
        } else {
            key
        };
        match key.algorithm() {
            // RSA is left out on purpose: the time that its private operations take tells of the key.
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(Self(Arc::new(key))),
            other => Err(SigningKeyError::Kind(other.to_string())),
        }
    }

    /// The key's fingerprint, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Only this key, at any time.
    pub(crate) fn signers(&self) -> Signers {
        Signers {
            ssh: AllowedSigners::only(self.0.public_key().clone()),
            ..Signers::default()
        }
    }

    /// Writes a commit with its signature, and gives its id.
    pub(crate) fn commit(
        &self,
        repository: &git2::Repository,
        content: &str,
    ) -> Result<Oid, git2::Error> {
        let failed = |error: ssh_key::Error| git2::Error::from_str(&format!("signing: {error}"));
        let signature = self
            .0
            .sign(NAMESPACE, HashAlg::Sha512, content.as_bytes())
            .map_err(failed)?;
        let signature = signature.to_pem(LineEnding::LF).map_err(failed)?;
        repository.commit_signed(content, signature.trim_end(), None)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.fingerprint())
    }
}
