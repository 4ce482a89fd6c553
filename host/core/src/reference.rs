//! Finds the secret references in a plugin's configuration, and by them what a backend needs of others.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::environment::{CLUSTER_BACKEND, SecretBackend, SecretReference, ValueSource};
use crate::project::{Material, PluginSpec, Project};

impl SecretBackend {
    /// The backends whose secrets it needs, for its configuration or for its plugin's requests.
    #[must_use]
    pub fn needs(&self, project: &Project) -> BTreeSet<String> {
        let configured = references(&self.with);
        let configured = configured
            .into_iter()
            .map(|(_, reference)| reference.backend);
        let plugin = project.plugins.get(&self.plugin);
        let materials = plugin.into_iter().flat_map(PluginSpec::materials);
        let materials = materials.filter_map(|material| match material {
            Material::Secret(reference) => Some(reference.backend.clone()),
            Material::File { .. } => None,
        });
        configured.chain(materials).collect()
    }
}

/// Every reference in a document, each with the JSON pointer of its place, in the document's order.
#[must_use]
pub fn references(document: &Json) -> Vec<(String, SecretReference)> {
    let mut found = Vec::new();
    collect(document, &mut String::new(), &mut found);
    found
}

fn collect(document: &Json, pointer: &mut String, found: &mut Vec<(String, SecretReference)>) {
    if let Some(reference) = reference(document) {
        found.push((pointer.clone(), reference));
        return;
    }
    let mut below = |part: &str, value: &Json| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        collect(value, pointer, found);
        pointer.truncate(length);
    };
    match document {
        Json::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| below(&index.to_string(), item)),
        Json::Object(fields) => fields.iter().for_each(|(name, field)| below(name, field)),
        _ => {}
    }
}

/// The reference that a value is: a text with the scheme, or a map with backend and path.
fn reference(value: &Json) -> Option<SecretReference> {
    let may_be = match value {
        Json::String(_) => true,
        Json::Object(fields) => {
            let is_of_cluster = fields.len() == 1 && fields.contains_key(CLUSTER_BACKEND);
            is_of_cluster || (fields.contains_key("secret") && fields.contains_key("path"))
        }
        _ => false,
    };
    if !may_be {
        return None;
    }
    match ValueSource::deserialize(value) {
        Ok(ValueSource::Secret(reference)) => Some(reference),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::references;
    use serde_json::json;

    #[test]
    fn finds_both_forms_and_nothing_else() {
        let document = json!({
            "a/b": "secret://vault/x#y",
            "c": [1, "text", { "secret": "file", "path": "p" }],
            "d": { "secret": "not", "other": "this" },
            "e": { "secret": "nor", "path": "this", "more": 1 },
            "f": "secret://broken",
            "g": null,
            "h": { "secretKeyRef": { "name": "shop", "key": "password" } },
        });
        let found: Vec<_> = references(&document)
            .into_iter()
            .map(|(pointer, reference)| (pointer, reference.to_string()))
            .collect();
        assert_eq!(
            found,
            [
                ("/a~1b".to_owned(), "secret://vault/x#y".to_owned()),
                ("/c/2".to_owned(), "secret://file/p".to_owned()),
                (
                    "/h".to_owned(),
                    "secret://secretKeyRef/shop#password".to_owned()
                ),
            ]
        );
        let pointed = document.pointer(&found[0].0).unwrap();
        assert_eq!(pointed, "secret://vault/x#y");
    }
}
