//! A file as SOPS writes it: what is encrypted, and what SOPS says of it under `sops`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{files, serde, serde_json};

use crate::Sops;
use crate::age::{self, Closed, Identity};
use crate::cipher;
use crate::node::Node;

/// Where SOPS keeps what it needs itself.
const METADATA: &str = "sops";

/// What would have done it.
pub(crate) const CHANGED: &str =
    "the file was changed without SOPS: take the last good one from the version control";

/// A file, read and taken apart.
pub(crate) struct Document {
    path: String,
    /// Everything but the metadata.
    pub content: Node,
    pub metadata: Metadata,
}

/// The parts of SOPS's metadata that matter.
#[derive(Deserialize)]
#[serde(crate = "serde")]
pub(crate) struct Metadata {
    #[serde(default)]
    age: Option<Vec<Recipient>>,
    #[serde(default)]
    key_groups: Option<Vec<serde::de::IgnoredAny>>,
    /// When it was encrypted last (RFC 3339). The MAC is encrypted with it.
    pub lastmodified: String,
    pub mac: String,
    /// Whether the MAC leaves out what isn't encrypted.
    #[serde(default)]
    pub mac_only_encrypted: bool,
}

/// The data key, encrypted for somebody.
#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Recipient {
    enc: String,
}

/// A file of which only the metadata is wanted.
#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Envelope {
    sops: Metadata,
}

impl Sops {
    /// Reads the file that a reference means.
    pub(crate) fn open(&self, reference: &Reference) -> Result<Document, Fault> {
        if reference.version.is_some() {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "sops.no-versions",
                format!("`{}` has no versions: it is a file", reference.path),
            ));
        }
        let path = self.file(reference);
        let bytes = files::read(&path)?;
        take_apart(&bytes, &path).ok_or_else(|| {
            let message = format!("{path} is no JSON or YAML file that SOPS encrypted");
            Fault::new(FaultClass::Invalid, "sops.not-encrypted", message).with_hint(
                "`sops encrypt --in-place FILE` encrypts one; a YAML file has one document",
            )
        })
    }

    fn file(&self, reference: &Reference) -> String {
        self.folder.as_ref().map_or_else(
            || reference.path.clone(),
            |folder| format!("{}/{}", folder.trim_end_matches('/'), reference.path),
        )
    }
}

/// What the parsers say is left out: it quotes the file.
fn take_apart(bytes: &[u8], path: &str) -> Option<Document> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_json = text.trim_start().starts_with('{');
    let (content, envelope): (Node, Envelope) = if is_json {
        (
            serde_json::from_str(text).ok()?,
            serde_json::from_str(text).ok()?,
        )
    } else {
        (
            yaml_serde::from_str(text).ok()?,
            yaml_serde::from_str(text).ok()?,
        )
    };
    let Node::Map(mut entries) = content else {
        return None;
    };
    entries.retain(|(name, _)| name != METADATA);
    Some(Document {
        path: path.to_owned(),
        content: Node::Map(entries),
        metadata: envelope.sops,
    })
}

impl Document {
    /// The key with which the values are encrypted.
    pub(crate) fn data_key(&self, identities: &[Identity]) -> Result<[u8; 32], Fault> {
        let path = &self.path;
        if self
            .metadata
            .key_groups
            .as_ref()
            .is_some_and(|groups| !groups.is_empty())
        {
            let message = format!("the data key of {path} is shared among key groups");
            return Err(Fault::new(
                FaultClass::Unsupported,
                "sops.key-groups",
                message,
            ));
        }
        let recipients = self.metadata.age.as_deref().unwrap_or_default();
        if recipients.is_empty() {
            let message = format!("{path} is encrypted for no age recipient");
            return Err(
                Fault::new(FaultClass::Unsupported, "sops.no-age-recipient", message)
                    .with_hint("`sops rotate --in-place --add-age RECIPIENT FILE` adds one"),
            );
        }
        let mut is_broken = false;
        for recipient in recipients {
            match age::decrypt(&recipient.enc, identities) {
                Ok(key) => match key.try_into() {
                    Ok(key) => return Ok(key),
                    Err(_) => is_broken = true,
                },
                Err(closed) => is_broken |= closed == Closed::Broken,
            }
        }
        if is_broken {
            let message = format!("the data key of {path} is damaged");
            return Err(Fault::new(FaultClass::Invalid, "sops.data-key", message));
        }
        let message =
            format!("{path} is encrypted for other age recipients than the configured identity");
        Err(Fault::new(FaultClass::Denied, "sops.wrong-identity", message)
            .with_hint("`sops rotate --in-place --add-age RECIPIENT FILE`, by somebody who can decrypt it, adds one"))
    }

    /// The content, decrypted. It is to be trusted only when the MAC holds.
    pub(crate) fn decrypt(&self, key: &[u8; 32]) -> Result<Node, Fault> {
        cipher::decrypt(&self.content, key, &mut Vec::new()).map_err(|place| {
            let message = format!("the value at `{place}` in {} doesn't decrypt", self.path);
            Fault::new(FaultClass::Invalid, "sops.value", message).with_hint(CHANGED)
        })
    }

    /// Of the content, or of the same decrypted, what the MAC covers: with `mac_only_encrypted` anybody can have written
    /// the rest.
    pub(crate) fn covered(&self, of: &Node) -> Node {
        if self.metadata.mac_only_encrypted {
            covered(&self.content, of).unwrap_or(Node::Map(Vec::new()))
        } else {
            of.clone()
        }
    }

    /// What is worth knowing, and no secret.
    pub(crate) fn details(&self) -> Json {
        let recipients = self.metadata.age.as_ref().map_or(0, Vec::len);
        json!({ "ageRecipients": recipients })
    }

    /// The file's name.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

fn covered(file: &Node, of: &Node) -> Option<Node> {
    match (file, of) {
        (Node::Map(file), Node::Map(of)) => {
            let kept = file.iter().zip(of).filter_map(|((_, file), (name, of))| {
                covered(file, of).map(|node| (name.clone(), node))
            });
            Some(Node::Map(kept.collect())).filter(|node| *node != Node::Map(Vec::new()))
        }
        (Node::List(file), Node::List(of)) => {
            let kept = file
                .iter()
                .zip(of)
                .filter_map(|(file, of)| covered(file, of));
            Some(Node::List(kept.collect())).filter(|node| *node != Node::List(Vec::new()))
        }
        (Node::Text(text), of) => cipher::is_encrypted(text).then(|| of.clone()),
        _ => None,
    }
}
