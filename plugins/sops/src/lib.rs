//! Files that SOPS encrypted for age: JSON and YAML, decrypted here, each only when its MAC holds.

mod age;
mod cipher;
mod config;
mod document;
mod fields;
mod mac;
mod node;

pub use config::Config;
use node::Node;
use whimbrel_sdk::prelude::*;

/// The secret backend `plugin: sops`.
pub struct Sops {
    folder: Option<String>,
    identities: Vec<age::Identity>,
}

impl SecretStore for Sops {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self {
            identities: config.identities()?,
            folder: config.folder,
        })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let document = self.open(reference)?;
        let key = document.data_key(&self.identities)?;
        let content = document.decrypt(&key)?;
        mac::check(&document, &content, &key)?;
        Ok(Secret::new(fields::of(&document.covered(&content)))
            .with_version(document.metadata.lastmodified.clone())
            .with_details(document.details()))
    }

    /// Keys are in plain text in such a file, so that nothing needs to be decrypted.
    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        let document = self.open(reference)?;
        let fields = match document.covered(&document.content) {
            Node::Map(entries) => entries.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        };
        Ok(Shape {
            fields,
            version: Some(document.metadata.lastmodified.clone()),
            details: document.details(),
            ..Shape::default()
        })
    }
}

whimbrel_sdk::export_store!(Sops, needs: ["files"]);
