//! Values as SOPS encrypts them: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::node::Node;

const BEGINNING: &str = "ENC[AES256_GCM,data:";

/// Whether a text is an encrypted value. SOPS leaves empty texts as they are.
///
/// What is encrypted is told by its look and not by the file's rules: a value that was replaced by plain text fails the
/// MAC all the same.
pub(crate) fn is_encrypted(text: &str) -> bool {
    text.starts_with(BEGINNING) && text.ends_with(']')
}

/// Decrypts every value below a node. `path` are the keys that lead to it; items of a list have none of their own.
///
/// # Errors
/// A value doesn't decrypt; the error is its path.
pub(crate) fn decrypt(node: &Node, key: &[u8; 32], path: &mut Vec<String>) -> Result<Node, String> {
    Ok(match node {
        Node::Text(text) if is_encrypted(text) => {
            let additional = format!("{}:", path.join(":"));
            value(text, key, &additional).ok_or_else(|| path.join("."))?
        }
        Node::List(items) => {
            let items = items.iter().map(|item| decrypt(item, key, path));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Node::Map(entries) => {
            let mut decrypted = Vec::new();
            for (name, entry) in entries {
                path.push(name.clone());
                decrypted.push((name.clone(), decrypt(entry, key, path)?));
                path.pop();
            }
            Node::Map(decrypted)
        }
        other => other.clone(),
    })
}

/// Decrypts one value. None when it was changed, moved or encrypted with another key, or is of no known type.
pub(crate) fn value(text: &str, key: &[u8; 32], additional: &str) -> Option<Node> {
    let inside = text.strip_prefix(BEGINNING)?.strip_suffix(']')?;
    let (data, inside) = inside.split_once(",iv:")?;
    let (nonce, inside) = inside.split_once(",tag:")?;
    let (tag, kind) = inside.split_once(",type:")?;
    let nonce: [u8; 32] = STANDARD.decode(nonce).ok()?.try_into().ok()?;
    let sealed = [STANDARD.decode(data).ok()?, STANDARD.decode(tag).ok()?].concat();
    let payload = Payload {
        msg: &sealed,
        aad: additional.as_bytes(),
    };
    let plain = AesGcm::<Aes256, U32>::new(key.into())
        .decrypt(&nonce.into(), payload)
        .ok()?;
    typed(plain, kind)
}

fn typed(plain: Vec<u8>, kind: &str) -> Option<Node> {
    let text = match (kind, String::from_utf8(plain)) {
        ("str" | "bytes", Err(error)) => return Some(Node::Bytes(error.into_bytes())),
        (_, text) => text.ok()?,
    };
    Some(match kind {
        "str" | "bytes" | "time" => Node::Text(text),
        "int" => Node::Integer(text.parse().ok()?),
        "float" => Node::Float(text.parse().ok()?),
        "bool" => Node::Bool(match text.as_str() {
            "True" | "true" => true,
            "False" | "false" => false,
            _ => return None,
        }),
        "comment" => Node::Comment,
        _ => return None,
    })
}
