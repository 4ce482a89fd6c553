//! What is said to a server of an environment, in place of what it knows. Addresses and references are sent, a password isn't.

use serde_json::{Map, Value as Json, json};
use whimbrel_core::environment::ValueSource;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_project::holds_password;

use crate::request::Terms;
use crate::sealed::{SEALED, Sealed};

/// The parts of a body; empty if nothing is said.
pub type Said = Map<String, Json>;

/// What is said, as a body has it.
///
/// # Errors
/// Something of it is no value, or a password.
pub fn said(terms: &Terms, sealed: &Sealed) -> Result<Said, Fault> {
    let over = terms.overriding(sealed)?;
    let mut said = Map::new();
    if !over.parameters.is_empty() {
        said.insert("parameters".to_owned(), json!(over.parameters));
    }
    let mut databases = Map::new();
    for (name, database) in &over.databases {
        let mut parts = Map::new();
        for (part, value) in [
            ("url", &database.url),
            ("username", &database.username),
            ("password", &database.password),
        ] {
            let pointer = format!("/databases/{name}/{part}");
            match value {
                None => continue,
                Some(ValueSource::Secret(reference)) if reference.backend == SEALED => {
                    // Of what a resource says only that is sensitive by itself.
                    let part = if part == "password" {
                        "password_wo"
                    } else {
                        part
                    };
                    let message = format!(
                        "`{part}` can't be said to a server for `{name}`: a secret itself isn't sent"
                    );
                    return Err(refused(format!("/databases/{name}/{part}"), message));
                }
                Some(ValueSource::Literal(text)) if part == "url" && holds_password(text) => {
                    let message = format!("`url` of `{name}`: a URL can't hold a password");
                    return Err(refused(pointer, message));
                }
                Some(value) => parts.insert(part.to_owned(), json!(value)),
            };
        }
        databases.insert(name.to_string(), Json::Object(parts));
    }
    if !databases.is_empty() {
        said.insert("databases".to_owned(), Json::Object(databases));
    }
    Ok(said)
}

fn refused(pointer: String, message: String) -> Fault {
    Fault {
        pointer: Some(pointer),
        ..Fault::new(FaultClass::Unsupported, "endpoint.terms", message).with_hint(
            "write a reference that the server can read, such as `secret://env/NAME`, or use a provider without `endpoint`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::said;
    use crate::request::Request;
    use crate::sealed::Sealed;
    use serde_json::{Value as Json, json};

    fn sent(database: &Json) -> Result<Json, String> {
        let request = Request::read(json!({
            "environment": "dev", "project": {}, "databases": { "main": database },
        }));
        let sealed = Sealed::new(|token| match token {
            "0" => Some("hunter2".into()),
            _ => Some("secret://env/PASSWORD".into()),
        });
        let said = said(request.unwrap().terms(), &sealed);
        let said = said.map_err(|fault| fault.pointer.unwrap_or_default())?;
        Ok(said["databases"]["main"].clone())
    }

    #[test]
    fn addresses_and_references_are_sent_and_no_password() {
        let address = json!({ "url": "postgres://ada@db/shop", "username": "ada" });
        assert_eq!(sent(&address).unwrap(), address);
        let kept = sent(&json!({ "password": { "$sealed": "1" } })).unwrap();
        assert_eq!(
            kept["password"],
            json!({ "secret": "env", "path": "PASSWORD" })
        );
        for (database, pointer) in [
            (
                json!({ "password": { "$sealed": "0" } }),
                "/databases/main/password_wo",
            ),
            (
                json!({ "username": { "$sealed": "0" } }),
                "/databases/main/username",
            ),
            (
                json!({ "url": "postgres://ada:hunter2@db/shop" }),
                "/databases/main/url",
            ),
            (
                json!({ "url": "postgres://db/shop?password=hunter2" }),
                "/databases/main/url",
            ),
        ] {
            assert_eq!(sent(&database).unwrap_err(), pointer);
        }
    }
}
