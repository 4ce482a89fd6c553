//! A component, set up as the product would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::{self, Material};
use whimbrel_plugin::{Grants, Limits, Materials, Sandbox, SecretStore, Settings, StoreSettings};
use whimbrel_secrets::Secret;
use whimbrel_signal::Scrubber;
use zeroize::Zeroizing;

/// How long a server may take to answer: much more than any does on loopback, and little enough to wait for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a backend is set up.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its `with:`.
    pub with: Json,
    /// Its `grants:`.
    pub grants: Json,
    /// Files that grants and `with:` refer to, by name.
    pub files: BTreeMap<String, String>,
}

impl Setup {
    /// The backend. Nothing of it runs yet.
    ///
    /// # Panics
    ///
    /// It isn't admitted.
    pub async fn store(self, name: &str, component: Vec<u8>) -> SecretStore {
        let limits = Limits {
            http_timeout: PATIENCE,
            ..Limits::default()
        };
        let sandbox = Sandbox::new(Settings {
            limits,
            ..Settings::default()
        })
        .expect("a sandbox");
        let granted: project::Grants = serde_json::from_value(self.grants.clone()).expect("grants");
        let plugin = sandbox
            .admit(
                &name.parse().expect("a name"),
                component,
                Grants::of_project(&granted, Path::new("/")),
            )
            .await
            .expect("a component of this world");
        SecretStore::new(
            plugin,
            StoreSettings {
                name: name.to_owned(),
                with: self.with.clone(),
                materials: Arc::new(self),
                scrubber: Scrubber::default(),
                log: None,
            },
        )
        .expect("a secret store")
    }
}

#[async_trait]
impl Materials for Setup {
    async fn read(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let name = match material {
            Material::File { file } => file.clone(),
            Material::Secret(reference) => reference.path.clone(),
        };
        self.files.get(&name).map_or_else(
            || {
                Err(Fault::new(
                    FaultClass::NotFound,
                    "test.no-file",
                    name.clone(),
                ))
            },
            |text| Ok(Zeroizing::new(text.clone().into_bytes())),
        )
    }
}

/// A component that `cargo xtask plugins` built: one of the binary's own, or one of the tests'.
///
/// # Panics
///
/// It isn't there.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    if let Some(bytes) = whimbrel_plugin::builtin(name) {
        return bytes.to_vec();
    }
    let folder = std::env::var_os("WHIMBREL_TEST_COMPONENTS").map_or_else(
        || {
            let program = std::env::current_exe().expect("a program");
            let target = program.ancestors().nth(3).expect("a target folder");
            target.join("test-components")
        },
        PathBuf::from,
    );
    let file = folder.join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run `cargo xtask plugins` first",
            file.display()
        )
    })
}

/// A field of a secret, as text.
///
/// # Panics
///
/// There is no such field, or it is no text.
#[must_use]
pub fn value(secret: &Secret, field: &str) -> String {
    let bytes = secret.fields.get(field).expect("a field").expose_secret();
    String::from_utf8(bytes.to_vec()).expect("text")
}
