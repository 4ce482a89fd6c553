//! From the fields that a backend gave to the one value that a reference means.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::Value as Json;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use zeroize::Zeroize as _;

use crate::{Secret, SecretError, Shape, UNNAMED_FIELD};

/// The value that a reference means.
///
/// Without a key it is the only field; several are an error that names them. A key is the name of a field, or what is
/// called so in the JSON document that the only field holds. A key that begins with `/` is a JSON pointer: its first
/// part names a field, and the rest leads into that field's document; in a secret of one field that isn't called so it
/// leads into that one.
pub(crate) fn select(
    reference: &SecretReference,
    secret: &Secret,
) -> Result<SecretString, SecretError> {
    let chosen = choose(reference, &secret.fields)?;
    let value = match chosen {
        Chosen::Whole(bytes) => whole(reference, bytes)?,
        Chosen::Inside(bytes, key) => inside(reference, bytes, &key, &secret.fields)?,
    };
    if value.expose_secret().is_empty() {
        return Err(unusable(reference, "the value is empty"));
    }
    Ok(value)
}

impl Shape {
    /// Whether a secret of this shape has the value that a reference means, as far as a shape tells.
    ///
    /// # Errors
    /// It has no such field, or several of which none is named.
    pub fn fits(&self, reference: &SecretReference) -> Result<(), SecretError> {
        let fields = &self.fields;
        let named = |name: &str| fields.iter().any(|field| field == name);
        let Some(key) = &reference.key else {
            if fields.len() > 1 {
                return Err(SecretError::KeyNeeded {
                    reference: Box::new(reference.clone()),
                    fields: fields.clone(),
                });
            }
            return Ok(());
        };
        // Nothing is known of the fields, or there is a document of which nothing is known.
        let unknown = fields.is_empty() || *fields == [UNNAMED_FIELD];
        let first = match key.strip_prefix('/') {
            Some(_) if fields.len() == 1 => None,
            Some(pointer) => pointer.split('/').next(),
            None => Some(key.as_str()),
        };
        let first = first.map(|first| first.replace("~1", "/").replace("~0", "~"));
        if unknown || named(key) || first.is_none_or(|first| named(&first)) {
            return Ok(());
        }
        Err(no_field(reference, key, fields.clone()))
    }
}

enum Chosen<'a> {
    Whole(&'a SecretSlice<u8>),
    /// Inside of a document: by a JSON pointer or by a name.
    Inside(&'a SecretSlice<u8>, String),
}

type Fields = BTreeMap<String, SecretSlice<u8>>;

fn choose<'a>(reference: &SecretReference, fields: &'a Fields) -> Result<Chosen<'a>, SecretError> {
    let only = fields.iter().next().filter(|_| fields.len() == 1);
    let Some(key) = &reference.key else {
        return match only {
            Some((_, value)) => Ok(Chosen::Whole(value)),
            None if fields.is_empty() => Err(unusable(reference, "the secret has no fields")),
            None => Err(SecretError::KeyNeeded {
                reference: Box::new(reference.clone()),
                fields: fields.keys().cloned().collect(),
            }),
        };
    };
    // A value without a name is a document before it is a field called `value`.
    let unnamed = only.filter(|(name, _)| *name == UNNAMED_FIELD);
    if let Some((_, value)) = unnamed.filter(|(_, value)| is_document(value)) {
        return Ok(Chosen::Inside(value, key.clone()));
    }
    if let Some(value) = fields.get(key) {
        return Ok(Chosen::Whole(value));
    }
    if let Some(pointer) = key.strip_prefix('/') {
        let (first, rest) = match pointer.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (pointer, None),
        };
        let name = first.replace("~1", "/").replace("~0", "~");
        if let Some(value) = fields.get(&name) {
            return Ok(match rest {
                Some(rest) => Chosen::Inside(value, format!("/{rest}")),
                None => Chosen::Whole(value),
            });
        }
    }
    match only {
        Some((name, value)) if name == UNNAMED_FIELD || is_document(value) => {
            Ok(Chosen::Inside(value, key.clone()))
        }
        _ => Err(no_field(reference, key, fields.keys().cloned().collect())),
    }
}

fn is_document(value: &SecretSlice<u8>) -> bool {
    let text = value.expose_secret().trim_ascii_start();
    text.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

fn whole(
    reference: &SecretReference,
    bytes: &SecretSlice<u8>,
) -> Result<SecretString, SecretError> {
    let text = text(reference, bytes)?;
    // Editors and `echo` end a file with a newline that belongs to no password.
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
}

fn inside(
    reference: &SecretReference,
    bytes: &SecretSlice<u8>,
    key: &str,
    fields: &Fields,
) -> Result<SecretString, SecretError> {
    let mut document: Json = serde_json::from_str(text(reference, bytes)?).map_err(|_| {
        unusable(
            reference,
            "a key was given, and the value is not a JSON document",
        )
    })?;
    let field = if key.starts_with('/') {
        document.pointer(key)
    } else {
        document.get(key)
    };
    let value = match field {
        None => {
            let known = match &document {
                Json::Object(map) if fields.len() == 1 => map.keys().cloned().collect(),
                _ => Vec::new(),
            };
            Err(no_field(reference, key, known))
        }
        Some(Json::String(text)) => Ok(SecretString::from(text.as_str())),
        Some(scalar @ (Json::Number(_) | Json::Bool(_))) => {
            Ok(SecretString::from(scalar.to_string()))
        }
        Some(_) => Err(unusable(reference, "the field is no text")),
    };
    // A parsed document holds copies of everything in it.
    wipe(&mut document);
    value
}

fn wipe(document: &mut Json) {
    match document {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}

fn text<'a>(
    reference: &SecretReference,
    bytes: &'a SecretSlice<u8>,
) -> Result<&'a str, SecretError> {
    std::str::from_utf8(bytes.expose_secret())
        .map_err(|_| unusable(reference, "the value is not UTF-8"))
}

fn unusable(reference: &SecretReference, problem: &'static str) -> SecretError {
    SecretError::Unusable {
        reference: Box::new(reference.clone()),
        problem,
    }
}

fn no_field(reference: &SecretReference, field: &str, known: Vec<String>) -> SecretError {
    SecretError::NoField {
        reference: Box::new(reference.clone()),
        field: field.to_owned(),
        known,
    }
}

/// The built-in backends keep one version only.
pub(crate) fn refuse_version(reference: &SecretReference, code: &str) -> Result<(), Fault> {
    if reference.version.is_some() {
        return Err(Fault::new(
            FaultClass::Unsupported,
            code,
            "this backend has no versions",
        ));
    }
    Ok(())
}
