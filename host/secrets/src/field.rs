//! From the bytes that a backend keeps to the value that a reference means.

use secrecy::SecretString;
use serde_json::Value as Json;
use whimbrel_core::environment::SecretReference;

use crate::SecretError;

/// The whole text, or with a key one field of it as JSON. A key that begins with `/` is a JSON pointer.
pub(crate) fn select(
    reference: &SecretReference,
    bytes: &[u8],
) -> Result<SecretString, SecretError> {
    let unusable = |problem| SecretError::Unusable {
        reference: Box::new(reference.clone()),
        problem,
    };
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("the value is not UTF-8"))?;
    let value = match &reference.key {
        None => {
            // Editors and `echo` end a file with a newline that belongs to no password.
            let text = text.strip_suffix('\n').unwrap_or(text);
            SecretString::from(text.strip_suffix('\r').unwrap_or(text))
        }
        Some(key) => {
            let document: Json = serde_json::from_str(text)
                .map_err(|_| unusable("a key was given, and the value is not a JSON document"))?;
            let field = if key.starts_with('/') {
                document.pointer(key)
            } else {
                document.get(key)
            };
            match field {
                None => {
                    return Err(SecretError::NotFound {
                        reference: Box::new(reference.clone()),
                        what: format!("there is no field `{key}`"),
                    });
                }
                Some(Json::String(text)) => SecretString::from(text.as_str()),
                Some(scalar @ (Json::Number(_) | Json::Bool(_))) => {
                    SecretString::from(scalar.to_string())
                }
                Some(_) => return Err(unusable("the field is no text")),
            }
        }
    };
    if secrecy::ExposeSecret::expose_secret(&value).is_empty() {
        return Err(unusable("the value is empty"));
    }
    Ok(value)
}

/// The built-in backends keep one version only.
pub(crate) fn refuse_version(reference: &SecretReference) -> Result<(), SecretError> {
    if reference.version.is_some() {
        return Err(SecretError::Unusable {
            reference: Box::new(reference.clone()),
            problem: "this backend has no versions",
        });
    }
    Ok(())
}
