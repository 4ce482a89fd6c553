//! Who does the work, as the provider's configuration says it: this process, or a server.

use whimbrel_core::environment::SecretReference;
use whimbrel_server::client::Place;
use whimbrel_terraform::{Answer, Diagnostic, Value};

/// What says who a client is may come from where a server takes it from, too.
const BACKENDS: [&str; 2] = ["env", "file"];

/// Who does the work.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// This process.
    Here,
    /// A server that isn't known yet.
    Unknown,
    /// A server.
    There {
        /// Where it is.
        place: Place,
        /// What says who asks it.
        token: Option<SecretReference>,
    },
}

impl Endpoint {
    /// Reads `endpoint` and `token`.
    ///
    /// # Errors
    /// They say nothing that can be used. No error repeats a token.
    pub fn read(config: &Value) -> Answer<Self> {
        let null = Value::Null;
        let endpoint = config.get("endpoint").unwrap_or(&null);
        let token = config.get("token").unwrap_or(&null);
        let wrong = |pointer: &str, summary: &str, detail: &str| {
            Err(vec![Diagnostic::error(summary, detail).at(pointer)])
        };
        if endpoint.is_null() {
            if token.is_null() {
                return Ok(Self::Here);
            }
            let detail = "It says who asks the server at `endpoint`, which is missing.";
            return wrong("/token", "A token for nobody", detail);
        }
        let place = match endpoint.as_str().map(str::parse::<Place>) {
            _ if endpoint.is_unknown() => None,
            Some(Ok(place)) => Some(place),
            Some(Err(error)) => {
                return wrong(
                    "/endpoint",
                    "No place of a server",
                    &format!("It is {error}."),
                );
            }
            None => return wrong("/endpoint", "No place of a server", "It is no text."),
        };
        let token = match token.as_str().map(str::parse::<SecretReference>) {
            _ if token.is_unknown() => return Ok(Self::Unknown),
            None if token.is_null() => None,
            Some(Ok(reference)) if BACKENDS.contains(&reference.backend.as_str()) => {
                Some(reference)
            }
            _ => {
                let detail = "Such as `secret://env/NAME` or `secret://file/PATH`: a token itself would be kept with \
                              the plan.";
                return wrong("/token", "Expected a reference to the token", detail);
            }
        };
        Ok(place.map_or(Self::Unknown, |place| Self::There { place, token }))
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use whimbrel_terraform::Value;

    fn read(endpoint: Value, token: Value) -> Result<Endpoint, (String, String)> {
        let config = Value::object([("endpoint", endpoint), ("token", token)]);
        Endpoint::read(&config).map_err(|all| {
            let said = format!("{all:?}");
            (all.into_iter().map(|one| one.pointer).collect(), said)
        })
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn a_token_is_a_reference_and_is_never_repeated() {
        let there = || text("unix:/run/whimbrel.sock");
        assert!(matches!(read(Value::Null, Value::Null), Ok(Endpoint::Here)));
        assert!(matches!(
            read(there(), text("secret://env/TOKEN")),
            Ok(Endpoint::There { token: Some(_), .. })
        ));
        for unknown in [
            read(Value::Unknown, Value::Null),
            read(there(), Value::Unknown),
        ] {
            assert!(matches!(unknown, Ok(Endpoint::Unknown)));
        }
        for wrong in ["hunter2hunter2hunter2", "secret://vault/hunter2", ""] {
            let (pointer, said) = read(there(), text(wrong)).unwrap_err();
            assert_eq!(pointer, "/token");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let (pointer, _) = read(Value::Null, text("secret://env/TOKEN")).unwrap_err();
        assert_eq!(pointer, "/token");
        let (pointer, _) = read(text("shop:8731"), Value::Null).unwrap_err();
        assert_eq!(pointer, "/endpoint");
    }
}
