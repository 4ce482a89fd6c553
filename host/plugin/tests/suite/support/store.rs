//! Secret stores for tests: the hostile one, with grants, names and materials as a test wants them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::Material;
use whimbrel_plugin::{
    Grants, HttpGrant, Level, Limits, Materials, Names, Plugin, Sandbox, SecretStore, Settings,
    StoreSettings,
};
use whimbrel_secrets::{Backend, Secret};
use whimbrel_signal::Scrubber;
use zeroize::Zeroizing;

use super::{built, cache_dir, with_manifest};

/// A resolver that says what a test tells it, one list after the other; the last one stays.
#[derive(Clone, Default)]
pub struct Told(pub Arc<Mutex<Vec<Vec<SocketAddr>>>>);

impl Told {
    pub fn that(lists: &[&[&str]]) -> Self {
        let lists = lists.iter().map(|list| {
            list.iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
                .collect()
        });
        Self(Arc::new(Mutex::new(lists.collect())))
    }
}

#[async_trait]
impl Names for Told {
    async fn addresses(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let mut lists = self.0.lock().unwrap();
        match lists.len() {
            0 => Err(io::ErrorKind::NotFound.into()),
            1 => Ok(lists[0].clone()),
            _ => Ok(lists.remove(0)),
        }
    }
}

/// Files and secrets in memory, that a test can change.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<BTreeMap<String, String>>>);

impl Kept {
    pub fn set(&self, name: &str, value: &str) {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }
}

#[async_trait]
impl Materials for Kept {
    async fn read(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let name = match material {
            Material::File { file } => file.clone(),
            Material::Secret(reference) => reference.to_string(),
        };
        let value = self.0.lock().unwrap().get(&name).cloned();
        let value = value.ok_or_else(|| Fault::new(FaultClass::NotFound, "test.none", name))?;
        Ok(Zeroizing::new(value.into_bytes()))
    }
}

/// How a store is set up.
#[derive(Clone, Default)]
pub struct Setup {
    pub with: Json,
    pub grants: Grants,
    pub limits: Limits,
    pub names: Option<Told>,
    pub materials: Kept,
}

impl Setup {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with(mut self, with: Json) -> Self {
        self.with = with;
        self
    }

    pub fn http(self, to: &str) -> Self {
        self.grant(json!({ "to": to }))
    }

    pub fn grant(mut self, grant: Json) -> Self {
        let grant: HttpGrant = serde_json::from_value(grant).unwrap();
        self.grants.http.push(grant);
        self
    }

    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn names(mut self, lists: &[&[&str]]) -> Self {
        self.names = Some(Told::that(lists));
        self
    }

    /// The plugin, admitted with what the manifest then needs.
    pub async fn plugin(&self) -> Plugin {
        let needs: Vec<_> = self
            .grants
            .names()
            .iter()
            .map(|need| need.as_str())
            .collect();
        let manifest = json!({ "id": "hostile-store", "version": "1", "needs": needs });
        let bytes = built("test-components", "hostile_store");
        let bytes = with_manifest(bytes, &manifest.to_string());
        let sandbox = Sandbox::new(Settings {
            cache_dir: Some(cache_dir()),
            limits: self.limits.clone(),
            names: self
                .names
                .clone()
                .map(|names| Arc::new(names) as Arc<dyn Names>),
            ..Settings::default()
        });
        let name = "hostile-store".parse().unwrap();
        sandbox
            .unwrap()
            .admit(&name, bytes, self.grants.clone())
            .await
            .unwrap()
    }

    pub async fn store(self) -> Store {
        let plugin = self.plugin().await;
        Store::of(plugin, self)
    }
}

/// A store, with what can be seen of it from outside.
pub struct Store {
    pub store: Arc<SecretStore>,
    pub scrubber: Scrubber,
    pub lines: Arc<Mutex<Vec<String>>>,
}

impl Store {
    pub fn of(plugin: Plugin, setup: Setup) -> Self {
        let scrubber = Scrubber::default();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&lines);
        let store = SecretStore::new(
            plugin,
            StoreSettings {
                name: "bad".to_owned(),
                with: setup.with,
                materials: Arc::new(setup.materials),
                scrubber: scrubber.clone(),
                log: Some(Arc::new(
                    move |level: Level, message: &str, fields: &[(String, String)]| {
                        let line = format!("{level}: {message} {fields:?}");
                        heard.lock().unwrap().push(line);
                    },
                )),
            },
        );
        Self {
            store: Arc::new(store.unwrap()),
            scrubber,
            lines,
        }
    }

    pub async fn read(&self, deed: &str, options: Json) -> Result<Secret, Fault> {
        self.store.read(&reference(deed, options)).await
    }

    /// The one field of what was read, as text.
    pub async fn value(&self, deed: &str, options: Json) -> Result<String, Fault> {
        self.read(deed, options).await.map(|secret| value(&secret))
    }

    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

pub fn value(secret: &Secret) -> String {
    let value = secret.fields["value"].expose_secret();
    String::from_utf8_lossy(value).into_owned()
}

pub fn reference(path: &str, options: Json) -> SecretReference {
    SecretReference {
        backend: "bad".to_owned(),
        path: path.to_owned(),
        key: None,
        version: None,
        options,
    }
}
