//! The MAC of a file: SHA-512 over its values in the order of the file, encrypted with the data key.

use sha2::{Digest, Sha512};
use whimbrel_sdk::prelude::*;

use crate::cipher;
use crate::document::{CHANGED, Document};
use crate::node::Node;

/// What SOPS begins with where the MAC covers encrypted values only, so that neither MAC passes for the other.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Makes sure that a file's values, decrypted, are those that were there when SOPS wrote it.
pub(crate) fn check(document: &Document, content: &Node, key: &[u8; 32]) -> Result<(), Fault> {
    let metadata = &document.metadata;
    let mut digest = Sha512::new();
    if metadata.mac_only_encrypted {
        digest.update(ONLY_ENCRYPTED);
    }
    feed(&mut digest, &document.covered(content));
    let found: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let written = cipher::value(&metadata.mac, key, &metadata.lastmodified);
    if written == Some(Node::Text(found)) {
        return Ok(());
    }
    let message = format!("the MAC of {} doesn't hold", document.path());
    Err(Fault::new(FaultClass::Invalid, "sops.mac", message).with_hint(CHANGED))
}

fn feed(digest: &mut Sha512, node: &Node) {
    match node {
        Node::Null | Node::Comment => {}
        Node::Bool(true) => digest.update("True"),
        Node::Bool(false) => digest.update("False"),
        Node::Integer(number) => digest.update(number.to_string()),
        // The shortest that reads the same, never with an exponent: both languages write it so.
        Node::Float(number) => digest.update(number.to_string()),
        Node::Text(text) => digest.update(text),
        Node::Bytes(bytes) => digest.update(bytes),
        Node::List(items) => items.iter().for_each(|item| feed(digest, item)),
        Node::Map(entries) => entries.iter().for_each(|(_, entry)| feed(digest, entry)),
    }
}
