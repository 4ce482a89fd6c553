//! Values that a plugin may hand on and not see.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use whimbrel_core::environment::{SecretReference, ValueSource};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_secrets::{Backend, Secret, Shape};

/// The secret backend of sealed values. No document can name it.
pub const SEALED: &str = "sealed";

/// What a token stands for.
type Revealing = dyn Fn(&str) -> Option<SecretString> + Send + Sync;

/// The sealed values of one call, by the token that stands for each.
#[derive(Clone)]
pub struct Sealed(Arc<Revealing>);

impl Default for Sealed {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl Sealed {
    /// Those that this reveals.
    #[must_use]
    pub fn new(reveal: impl Fn(&str) -> Option<SecretString> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reveal))
    }

    /// What a value of a request means: a text, a reference, or what a token stands for, which may be a reference itself.
    ///
    /// # Errors
    /// It is none of these.
    pub fn source(&self, pointer: &str, value: &Json) -> Result<ValueSource, Fault> {
        let wrong = |message: &str| {
            let mut fault = Fault::new(FaultClass::Invalid, "engine.value", message);
            fault.pointer = Some(pointer.to_owned());
            fault
        };
        // Which backend is meant is known to an environment's own document, and sent as it is it would be the password.
        let is_foreign = |text: &str| text.starts_with("ref+");
        let foreign =
            "references of other tools aren't read here: write `secret://BACKEND/PATH#KEY`";
        let Some(token) = value.get("$sealed").and_then(Json::as_str) else {
            if value.as_str().is_some_and(is_foreign) {
                return Err(wrong(foreign));
            }
            let source = serde_json::from_value(value.clone());
            return source.map_err(|_| wrong("expected a text or a secret reference"));
        };
        let known = (self.0)(token);
        let known = known.ok_or_else(|| wrong("this call has no such sealed value"))?;
        if is_foreign(known.expose_secret()) {
            return Err(wrong(foreign));
        }
        if known.expose_secret().starts_with("secret://") {
            let reference: SecretReference = known
                .expose_secret()
                .parse()
                .map_err(|_| wrong("expected a secret reference, `secret://BACKEND/PATH#KEY`"))?;
            return Ok(ValueSource::Secret(reference));
        }
        Ok(ValueSource::Secret(SecretReference {
            backend: SEALED.to_owned(),
            path: token.to_owned(),
            key: None,
            version: None,
            options: Json::Null,
        }))
    }
}

#[async_trait]
impl Backend for Sealed {
    fn describe(&self) -> String {
        "values of the configuration".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let value = (self.0)(&reference.path).ok_or_else(|| {
            let message = "the value was there for one call only";
            Fault::new(FaultClass::NotFound, "sealed.gone", message)
        })?;
        Ok(Secret::of_value(value.expose_secret().as_bytes().to_vec()))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use whimbrel_core::environment::ValueSource;
    use whimbrel_secrets::{Backend as _, Shape};

    use super::Sealed;

    #[tokio::test]
    async fn a_token_is_a_value_or_a_reference() {
        let sealed = Sealed::new(|token| match token {
            "0" => Some("hunter2".into()),
            "1" => Some("secret://env/PASSWORD".into()),
            "3" => Some("ref+vault://shop#/password".into()),
            _ => None,
        });
        let read = |value| sealed.source("/p", &value);
        let Ok(ValueSource::Secret(reference)) = read(json!({ "$sealed": "0" })) else {
            panic!("a value is a secret");
        };
        let read_by_host = sealed.read(&reference).await.unwrap();
        assert_eq!(
            Shape::of(&read_by_host),
            sealed.shape(&reference).await.unwrap()
        );
        let Ok(ValueSource::Secret(reference)) = read(json!({ "$sealed": "1" })) else {
            panic!("a reference is a secret");
        };
        assert_eq!(reference.to_string(), "secret://env/PASSWORD");
        assert_eq!(
            read(json!("a")).unwrap(),
            ValueSource::Literal("a".to_owned())
        );
        let fault = read(json!({ "$sealed": "2" })).unwrap_err();
        assert_eq!(fault.pointer.as_deref(), Some("/p"));
        assert!(read(json!(3)).is_err());
        for foreign in [
            json!("ref+vault://shop#/password"),
            json!({ "$sealed": "3" }),
        ] {
            assert!(read(foreign).unwrap_err().message.contains("secret://"));
        }
    }
}
