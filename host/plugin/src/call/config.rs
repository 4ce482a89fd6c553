//! A plugin's `with:`: its references resolved anew for each call, and its shape checked.

use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::Material;
use whimbrel_core::reference::references;
use zeroize::{Zeroize, Zeroizing};

use crate::egress::Materials;
use crate::limits::Limits;
use crate::schema::{ConfigSchema, Mismatch, SchemaError};

/// A `with:` as it is written.
pub struct Configuration {
    with: Json,
    /// The references in it, each with its place.
    references: Vec<(String, SecretReference)>,
    materials: Arc<dyn Materials>,
    /// The whole of it where it refers to nothing.
    plain: OnceLock<Arc<Resolved>>,
}

/// What stands for a value that is kept elsewhere.
const REFERRED: &str = "a value that is kept elsewhere";

/// A `with:` with every secret in its place. Wiped when it is dropped.
pub struct Resolved {
    document: Wiped,
    text: Zeroizing<String>,
}

/// A document whose texts are wiped when it is dropped.
struct Wiped(Json);

impl Configuration {
    pub fn new(with: Json, materials: Arc<dyn Materials>) -> Self {
        let with = match with {
            Json::Null => Json::Object(serde_json::Map::new()),
            with => with,
        };
        Self {
            references: references(&with),
            with,
            materials,
            plain: OnceLock::new(),
        }
    }

    /// The configuration with its secrets as they are now.
    pub async fn resolved(&self) -> Result<Arc<Resolved>, Fault> {
        if self.references.is_empty() {
            let plain = || Arc::new(Resolved::new(Wiped(self.with.clone())));
            return Ok(Arc::clone(self.plain.get_or_init(plain)));
        }
        let mut document = Wiped(self.with.clone());
        for (pointer, reference) in &self.references {
            let material = Material::Secret(reference.clone());
            let value = self.materials.read(&material).await;
            let value = value.map_err(|mut fault| {
                fault.pointer = Some(pointer.clone());
                fault
            })?;
            let text = std::str::from_utf8(&value).map_err(|_| {
                let message = format!("{reference} is not UTF-8, which no configuration can hold");
                let mut fault = Fault::new(FaultClass::Invalid, "config.not-text", message);
                fault.pointer = Some(pointer.clone());
                fault
            })?;
            if let Some(place) = document.0.pointer_mut(pointer) {
                *place = Json::String(text.to_owned());
            }
        }
        Ok(Arc::new(Resolved::new(document)))
    }

    /// The configuration where it is the same for each call, because it refers to nothing, once it was used.
    pub fn lasting(&self) -> Option<&Resolved> {
        self.plain.get().map(Arc::as_ref)
    }

    /// What is wrong with it by the plugin's schema, before anything secret is read. A reference stands for any value: what
    /// it leads to is the guest's to judge.
    ///
    /// # Errors
    /// The schema can't be used.
    pub fn mismatches(&self, schema: &Json, limits: &Limits) -> Result<Vec<Mismatch>, SchemaError> {
        let schema = ConfigSchema::new(schema, limits)?;
        let mut with = self.with.clone();
        let is_referred = |pointer: &str| self.references.iter().any(|(place, _)| place == pointer);
        for (pointer, _) in &self.references {
            if let Some(place) = with.pointer_mut(pointer) {
                *place = Json::String(REFERRED.to_owned());
            }
        }
        let mut found = schema.mismatches(&with);
        found.retain(|mismatch| !is_referred(&mismatch.pointer));
        Ok(found)
    }
}

impl Resolved {
    fn new(document: Wiped) -> Self {
        let text = Zeroizing::new(document.0.to_string());
        Self { document, text }
    }

    /// What egress destinations point into.
    pub const fn json(&self) -> &Json {
        &self.document.0
    }

    /// As the guest gets it.
    #[allow(
        clippy::missing_const_for_fn,
        reason = "it borrows through a type that has no constant way in"
    )]
    pub fn text(&self) -> &String {
        &self.text
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(document: &mut Json) {
    match document {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(fields) => fields.values_mut().for_each(wipe),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use serde_json::json;
    use whimbrel_core::fault::{Fault, FaultClass};
    use whimbrel_core::project::Material;
    use zeroize::Zeroizing;

    use super::Configuration;
    use crate::egress::Materials;

    struct Named;

    #[async_trait]
    impl Materials for Named {
        async fn read(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, Fault> {
            let Material::Secret(reference) = material else {
                return Err(Fault::new(FaultClass::Internal, "x", "no secret"));
            };
            match reference.path.as_str() {
                "bytes" => Ok(Zeroizing::new(vec![0xff])),
                "none" => Err(Fault::new(FaultClass::NotFound, "x", "not there")),
                path => Ok(Zeroizing::new(format!("value of {path}").into_bytes())),
            }
        }
    }

    async fn resolved(with: serde_json::Value) -> Result<String, Fault> {
        let configuration = Configuration::new(with, Arc::new(Named));
        Ok(configuration.resolved().await?.text().clone())
    }

    #[tokio::test]
    async fn references_are_resolved_wherever_they_are() {
        let with = json!({
            "a": "secret://file/x",
            "b": [{ "c": { "secret": "env", "path": "Y", "key": "k" } }],
            "d": "plain",
        });
        assert_eq!(
            resolved(with).await.unwrap(),
            r#"{"a":"value of x","b":[{"c":"value of Y"}],"d":"plain"}"#
        );
        assert_eq!(resolved(serde_json::Value::Null).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn what_can_not_be_had_says_where() {
        for path in ["bytes", "none"] {
            let with = json!({ "list": [format!("secret://file/{path}")] });
            let fault = resolved(with).await.unwrap_err();
            assert_eq!(fault.pointer.as_deref(), Some("/list/0"));
        }
    }
}
