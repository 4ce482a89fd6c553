//! Decrypts what age encrypted for an X25519 recipient, by age's published format (age-encryption.org/v1).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

const FIRST_LINE: &str = "age-encryption.org/v1";
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";
/// The characters of a full line of a recipient's body.
const LINE: usize = 64;

/// Why something stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It was encrypted for others.
    ForOthers,
    /// It isn't what age makes, or was changed.
    Broken,
}

/// A private key.
pub(crate) struct Identity([u8; 32]);

impl Identity {
    /// Reads `AGE-SECRET-KEY-1…`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
        let is_age = checked
            .hrp()
            .as_str()
            .eq_ignore_ascii_case("AGE-SECRET-KEY-");
        let bytes: Vec<u8> = checked.byte_iter().collect();
        is_age.then(|| bytes.try_into().ok().map(Self)).flatten()
    }

    /// The key of a file, from what is encrypted of it for this identity.
    fn unwrap(&self, stanza: &Stanza<'_>) -> Option<Vec<u8>> {
        let share: [u8; 32] = decode(stanza.arguments.get(1)?)?.try_into().ok()?;
        let secret = x25519(self.0, share);
        // A share of low order: whoever made it knows the secret.
        if secret == [0; 32] {
            return None;
        }
        let salt = [share, x25519(self.0, X25519_BASEPOINT_BYTES)].concat();
        let key = derive(&secret, &salt, LABEL)?;
        open(&key, [0; 12], &stanza.body)
    }
}

/// What of a header is meant for one recipient.
struct Stanza<'a> {
    arguments: Vec<&'a str>,
    body: Vec<u8>,
}

/// A file taken apart.
struct Parts<'a> {
    stanzas: Vec<Stanza<'a>>,
    /// What the header's MAC covers.
    signed: &'a [u8],
    mac: Vec<u8>,
    payload: &'a [u8],
}

/// Decrypts an armoured file of one chunk, as a data key is.
pub(crate) fn decrypt(armored: &str, identities: &[Identity]) -> Result<Vec<u8>, Closed> {
    let file = unarmor(armored).ok_or(Closed::Broken)?;
    let parts = take_apart(&file).ok_or(Closed::Broken)?;
    let mine = parts.stanzas.iter().filter(|stanza| {
        let kind = stanza.arguments.first();
        kind.is_some_and(|kind| *kind == "X25519")
    });
    let file_key = mine
        .flat_map(|stanza| {
            identities
                .iter()
                .filter_map(|identity| identity.unwrap(stanza))
        })
        .next()
        .ok_or(Closed::ForOthers)?;
    payload(&parts, &file_key).ok_or(Closed::Broken)
}

fn payload(parts: &Parts<'_>, file_key: &[u8]) -> Option<Vec<u8>> {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(&derive(file_key, &[], b"header")?).ok()?;
    mac.update(parts.signed);
    mac.verify_slice(&parts.mac).ok()?;
    let (nonce, chunk) = parts.payload.split_at_checked(16)?;
    let key = derive(file_key, nonce, b"payload")?;
    // The first chunk, and the last.
    open(&key, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], chunk)
}

fn unarmor(text: &str) -> Option<Vec<u8>> {
    let text = text
        .trim()
        .strip_prefix("-----BEGIN AGE ENCRYPTED FILE-----")?
        .strip_suffix("-----END AGE ENCRYPTED FILE-----")?;
    STANDARD
        .decode(text.split_whitespace().collect::<String>())
        .ok()
}

fn take_apart(file: &[u8]) -> Option<Parts<'_>> {
    let mut rest = file;
    if line(&mut rest)? != FIRST_LINE {
        return None;
    }
    let mut stanzas = Vec::new();
    loop {
        let start = file.len().checked_sub(rest.len())?;
        let current = line(&mut rest)?;
        if let Some(mac) = current.strip_prefix("--- ") {
            return Some(Parts {
                stanzas,
                signed: file.get(..start.checked_add(3)?)?,
                mac: decode(mac)?,
                payload: rest,
            });
        }
        let arguments = current.strip_prefix("-> ")?.split(' ').collect();
        let mut body = String::new();
        loop {
            let part = line(&mut rest)?;
            body.push_str(part);
            if part.len() < LINE {
                break;
            }
        }
        stanzas.push(Stanza {
            arguments,
            body: decode(&body)?,
        });
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at_checked(end)?;
    *rest = after.get(1..)?;
    std::str::from_utf8(line).ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

fn derive(secret: &[u8], salt: &[u8], label: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(label, &mut key)
        .ok()?;
    Some(key)
}

fn open(key: &[u8; 32], nonce: [u8; 12], sealed: &[u8]) -> Option<Vec<u8>> {
    ChaCha20Poly1305::new(key.into())
        .decrypt(&nonce.into(), sealed)
        .ok()
}
