//! OpenPGP signatures. Source: RFC 9580.

use std::fmt::Write as _;

use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Timestamp};
use std::time::{Duration, SystemTime};

use super::{SignatureProblem, SignersError};

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Certificates that are trusted.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenPgpKeys(Vec<SignedPublicKey>);

impl OpenPgpKeys {
    pub(super) fn parse(text: &str) -> Result<Self, SignersError> {
        let wrong = |error: pgp::errors::Error| SignersError::OpenPgp(error.to_string());
        let mut all = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(BEGIN) {
            let from = rest.get(start..).unwrap_or_default();
            let end = from
                .get(BEGIN.len()..)
                .and_then(|after| after.find(BEGIN))
                .map_or(from.len(), |end| end + BEGIN.len());
            let (block, after) = from.split_at_checked(end).unwrap_or((from, ""));
            rest = after;
            let (keys, _) = SignedPublicKey::from_armor_many(block.as_bytes()).map_err(wrong)?;
            for key in keys {
                all.push(key.map_err(wrong)?);
            }
        }
        if all.is_empty() && !text.trim().is_empty() {
            return Err(SignersError::OpenPgp("there is no armoured key".to_owned()));
        }
        Ok(Self(all))
    }

    /// Who signed, and the certificate's fingerprint.
    pub(super) fn verify(
        &self,
        signature: &str,
        content: &[u8],
    ) -> Result<(String, String), SignatureProblem> {
        let (signature, _) = DetachedSignature::from_string(signature.trim())
            .map_err(|error| SignatureProblem::Unreadable(error.to_string()))?;
        let packet = &signature.signature;
        let strong = [
            HashAlgorithm::Sha256,
            HashAlgorithm::Sha384,
            HashAlgorithm::Sha512,
            HashAlgorithm::Sha3_256,
            HashAlgorithm::Sha3_512,
        ];
        if !packet.hash_alg().is_some_and(|hash| strong.contains(&hash)) {
            return Err(SignatureProblem::Wrong(
                "its hash is no longer safe".to_owned(),
            ));
        }
        if packet.typ() != Some(SignatureType::Binary) {
            return Err(SignatureProblem::Wrong(
                "it is not of a document".to_owned(),
            ));
        }
        let at = packet
            .created()
            .ok_or_else(|| SignatureProblem::Wrong("it doesn't say when it was made".to_owned()))?;
        let mut problem = None;
        for certificate in &self.0 {
            let fingerprint = hexadecimal(certificate);
            match with(certificate, &signature, content, at) {
                Answer::Good => return Ok((user(certificate), fingerprint)),
                Answer::NotAllowed(why) => {
                    problem = Some(SignatureProblem::NotAllowed(format!(
                        "{why} ({fingerprint})"
                    )));
                }
                Answer::Wrong => {
                    problem = Some(SignatureProblem::Wrong(
                        "it is not of this commit".to_owned(),
                    ));
                }
                Answer::AnotherKey => {}
            }
        }
        Err(problem.unwrap_or_else(|| SignatureProblem::UnknownKey(issuer(packet))))
    }
}

enum Answer {
    Good,
    /// The certificate's key, and it may not.
    NotAllowed(&'static str),
    /// The certificate's key, and another content.
    Wrong,
    AnotherKey,
}

/// Asks one certificate.
fn with(
    certificate: &SignedPublicKey,
    signature: &DetachedSignature,
    content: &[u8],
    at: Timestamp,
) -> Answer {
    let primary = &certificate.primary_key;
    let details = &certificate.details;
    let own: Vec<&Signature> = details
        .users
        .iter()
        .flat_map(|user| {
            let good = |signature: &&Signature| {
                signature
                    .verify_certification(primary, pgp::types::Tag::UserId, &user.id)
                    .is_ok()
            };
            user.signatures.iter().filter(good)
        })
        .chain(
            details
                .direct_signatures
                .iter()
                .filter(|signature| signature.verify_key(primary).is_ok()),
        )
        .filter(|signature| signature.typ() != Some(SignatureType::CertRevocation))
        .collect();
    let is_revoked = details
        .revocation_signatures
        .iter()
        .any(|signature| signature.verify_key(primary).is_ok());
    let newest = own
        .iter()
        .max_by_key(|signature| seconds(signature.created()));
    let is_certificate_expired = newest.is_some_and(|signature| expired(primary, signature, at));
    let judge = |may_sign: bool, is_expired: bool, verified: bool| {
        if is_revoked {
            Answer::NotAllowed("its certificate was revoked")
        } else if newest.is_none() {
            Answer::NotAllowed("its certificate doesn't vouch for itself")
        } else if !may_sign {
            Answer::NotAllowed("it is not for signing")
        } else if is_certificate_expired || is_expired {
            Answer::NotAllowed("it had expired when the commit was signed")
        } else if verified {
            Answer::Good
        } else {
            Answer::Wrong
        }
    };
    if is_issuer(&signature.signature, primary) {
        let may_sign = newest.is_some_and(|signature| signature.key_flags().sign());
        return judge(may_sign, false, signature.verify(primary, content).is_ok());
    }
    for subkey in &certificate.public_subkeys {
        if !is_issuer(&signature.signature, &subkey.key) {
            continue;
        }
        let bound =
            |binding: &&Signature| binding.verify_subkey_binding(primary, &subkey.key).is_ok();
        let (revocations, bindings): (Vec<_>, Vec<_>) = subkey
            .signatures
            .iter()
            .filter(bound)
            .partition(|binding| binding.typ() == Some(SignatureType::SubkeyRevocation));
        if !revocations.is_empty() {
            return Answer::NotAllowed("it was revoked");
        }
        let Some(binding) = bindings
            .into_iter()
            .max_by_key(|binding| seconds(binding.created()))
        else {
            return Answer::NotAllowed("its certificate doesn't vouch for it");
        };
        // A key that signs says itself that it belongs there, so that nobody adopts another's.
        let agrees = binding.embedded_signature().is_some_and(|back| {
            back.verify_primary_key_binding(&subkey.key, primary)
                .is_ok()
        });
        let may_sign = binding.key_flags().sign() && agrees;
        let is_expired = expired(&subkey.key, binding, at);
        return judge(
            may_sign,
            is_expired,
            signature.verify(&subkey.key, content).is_ok(),
        );
    }
    Answer::AnotherKey
}

fn is_issuer(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        let id = key.legacy_key_id();
        return signature.issuer_key_id().contains(&&id);
    }
    let fingerprint = key.fingerprint();
    fingerprints.contains(&&fingerprint)
}

/// Whether a key was over when something was signed.
fn expired(key: &impl KeyDetails, says: &Signature, at: Timestamp) -> bool {
    says.key_expiration_time().is_some_and(|lasts| {
        let lasts: Duration = lasts.into();
        let born = seconds(Some(key.created_at()));
        !lasts.is_zero() && seconds(Some(at)) >= born.saturating_add(lasts.as_secs())
    })
}

fn seconds(time: Option<Timestamp>) -> u64 {
    time.and_then(|time| {
        SystemTime::from(time)
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
    })
    .map_or(0, |since| since.as_secs())
}

fn user(certificate: &SignedPublicKey) -> String {
    let users = &certificate.details.users;
    users
        .first()
        .map(|user| String::from_utf8_lossy(user.id.id()).into_owned())
        .unwrap_or_default()
}

fn hexadecimal(key: &impl KeyDetails) -> String {
    key.fingerprint()
        .as_bytes()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02X}");
            text
        })
}

fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint();
    match (fingerprint.first(), signature.issuer_key_id().first()) {
        (Some(fingerprint), _) => hex::encode_upper(fingerprint.as_bytes()),
        (None, Some(id)) => id.to_string(),
        (None, None) => "it doesn't say which".to_owned(),
    }
}
