//! The secrets that are live for a delivery: several while one is being replaced. A guest may ask whether one of them fits,
//! and learns no more of them, also not by the time that it takes: comparisons are constant-time, and every secret is tried.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac_sha2::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::bindings::imports::whimbrel::secrets::verify::{Digest, Key};

/// What begins the text of a key of Standard Webhooks.
const WHSEC: &[u8] = b"whsec_";

/// The secrets, wiped when they are dropped.
#[derive(Default)]
pub struct LiveSecrets(Vec<Zeroizing<Vec<u8>>>);

impl LiveSecrets {
    /// These secrets, without the line's end that a file may have. An empty one is none: anybody can sign with it.
    pub fn new(secrets: impl IntoIterator<Item = Zeroizing<Vec<u8>>>) -> Self {
        let trimmed = |secret: Zeroizing<Vec<u8>>| Zeroizing::new(secret.trim_ascii_end().to_vec());
        let secrets = secrets.into_iter().map(trimmed);
        Self(secrets.filter(|secret| !secret.is_empty()).collect())
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `mac` is the HMAC of `data` under one of them.
    pub fn signed(&self, key: Key, digest: Digest, data: &[u8], mac: &[u8]) -> bool {
        let fits = |secret: &Zeroizing<Vec<u8>>| {
            keyed(key, secret).is_some_and(|key| match digest {
                Digest::Sha256 => verifies::<Hmac<Sha256>>(&key, data, mac),
                Digest::Sha512 => verifies::<Hmac<Sha512>>(&key, data, mac),
            })
        };
        self.0
            .iter()
            .fold(false, |found, secret| fits(secret) | found)
    }

    /// Whether `token` is one of them.
    pub fn are_shown(&self, token: &[u8]) -> bool {
        // Compared by their HMACs, so that not even a length shows.
        let equal = |secret: &Zeroizing<Vec<u8>>| {
            Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|one| {
                let own = one.clone().chain_update(&**secret).finalize().into_bytes();
                one.chain_update(token).verify_slice(&own).is_ok()
            })
        };
        self.0
            .iter()
            .fold(false, |found, secret| equal(secret) | found)
    }
}

fn verifies<M: Mac + KeyInit>(key: &[u8], data: &[u8], mac: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|hmac| hmac.chain_update(data).verify_slice(mac).is_ok())
}

/// The key that a secret's text stands for.
fn keyed(key: Key, secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match key {
        Key::Text => secret.to_vec(),
        Key::Base64 => STANDARD.decode(secret).ok()?,
        Key::Whsec => STANDARD.decode(secret.strip_prefix(WHSEC)?).ok()?,
    };
    Some(Zeroizing::new(bytes)).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Digest, Key, LiveSecrets};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use zeroize::Zeroizing;

    fn live(secrets: &[&str]) -> LiveSecrets {
        LiveSecrets::new(
            secrets
                .iter()
                .map(|secret| Zeroizing::new(secret.as_bytes().to_vec())),
        )
    }

    #[test]
    fn published_vectors_fit() {
        let mac = hex::decode("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        let mac = mac.unwrap();
        let github = live(&["another", "It's a Secret to Everybody\n"]);
        assert!(github.signed(Key::Text, Digest::Sha256, b"Hello, World!", &mac));
        assert!(!github.signed(Key::Text, Digest::Sha256, b"Hello World!", &mac));
        assert!(!github.signed(Key::Text, Digest::Sha512, b"Hello, World!", &mac));
        assert!(!github.signed(Key::Text, Digest::Sha256, b"Hello, World!", &mac[..16]));
        assert!(!github.signed(Key::Base64, Digest::Sha256, b"Hello, World!", &mac));

        let standard = live(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let mac = STANDARD.decode("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let mac = mac.unwrap();
        let data = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        assert!(standard.signed(Key::Whsec, Digest::Sha256, data, &mac));
        assert!(!standard.signed(Key::Text, Digest::Sha256, data, &mac));
        // RFC 4231, test case 2.
        let rfc = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        let mac = hex::decode(rfc).unwrap();
        let data = b"what do ya want for nothing?";
        assert!(live(&["Jefe"]).signed(Key::Text, Digest::Sha512, data, &mac));
        assert!(live(&["SmVmZQ=="]).signed(Key::Base64, Digest::Sha512, data, &mac));
    }

    #[test]
    fn a_token_is_one_of_them_whole() {
        let two = live(&["old-token", "new-token"]);
        assert!(two.are_shown(b"old-token") && two.are_shown(b"new-token"));
        for wrong in ["", "new", "new-token2", "NEW-TOKEN"] {
            assert!(!two.are_shown(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn an_empty_secret_is_none() {
        let none = live(&["", "\n", "whsec_"]);
        assert!(!none.are_shown(b"") && live(&["", "\n"]).is_empty());
        // What anybody can compute: the HMAC of nothing under nothing.
        let mac = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        let mac = hex::decode(mac).unwrap();
        for key in [Key::Text, Key::Base64, Key::Whsec] {
            assert!(!none.signed(key, Digest::Sha256, b"", &mac));
        }
    }
}
