//! Service accounts, and the tokens that their cluster signs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use serde_json::{Value as Json, json};

/// How long tokens hold: Kubernetes' shortest.
const LIFETIME: Duration = Duration::from_secs(600);

/// A service account of a cluster that is nothing but its key.
#[derive(Debug)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its id, as Kubernetes gives one.
    pub uid: String,
    key: KeyPair,
}

impl ServiceAccount {
    /// An account of a new cluster.
    ///
    /// # Panics
    ///
    /// No key can be made.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: "0d7b0a84-6b3c-4f4e-9f8d-2f6f1a5c7e11".to_owned(),
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"),
        }
    }

    /// The cluster's public key, in PEM.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public_key_pem()
    }

    /// A token for an audience.
    ///
    /// # Panics
    ///
    /// It can't be signed.
    #[must_use]
    pub fn token(&self, audience: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a clock").as_secs();
        let claims = json!({
            "iss": "https://kubernetes.default.svc",
            "aud": [audience],
            "sub": self.user(),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME.as_secs(),
            "kubernetes.io": {
                "namespace": self.namespace,
                "serviceaccount": { "name": self.name, "uid": self.uid },
            },
        });
        let signed = format!(
            "{}.{}",
            part(&json!({ "alg": "ES256", "typ": "JWT" })),
            part(&claims)
        );
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(fixed(&signature)))
    }

    /// The account as the user that Kubernetes makes of it.
    #[must_use]
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

fn part(document: &Json) -> String {
    URL_SAFE_NO_PAD.encode(document.to_string())
}

/// An ECDSA signature as JSON web tokens have it, two numbers of 32 bytes each, from its DER form.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut rest = der.get(2..).unwrap_or_default();
    let mut signature = Vec::new();
    while let [_, length, number @ ..] = rest {
        let (number, after) = number.split_at(usize::from(*length));
        // DER leaves leading zeros out, and puts one before a number that would look negative.
        let start = number.len().saturating_sub(32);
        let digits = number.get(start..).unwrap_or_default();
        signature.resize(signature.len() + 32 - digits.len(), 0);
        signature.extend_from_slice(digits);
        rest = after;
    }
    signature
}
