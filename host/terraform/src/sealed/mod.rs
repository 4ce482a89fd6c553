//! Sensitive and write-only values: the host keeps them, a component gets names for them.
//!
//! A name is a [`Token`]. What a component gives back is looked through: a token where a sensitive attribute is becomes
//! its value again, and anywhere else is refused, so that no component can move a secret to where it would be shown.

mod walk;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_signal::{Concealed, Scrubber};

use crate::diagnostic::Diagnostic;
use crate::schema::Block;
use crate::value::{Token, Value};

pub(crate) use walk::{secrets_written_once, unknown_where_computed, without_write_only};

/// Tokens are of the whole process: one of another call is never mistaken for one of this.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The sensitive values of one call, and of the provider's configuration before it. They are known to the scrubber for as
/// long as this lives. Has no `Debug`.
pub struct Sealed {
    before: Option<Arc<Sealed>>,
    scrubber: Scrubber,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: BTreeMap<Token, Value>,
    concealed: Vec<Concealed>,
}

impl Sealed {
    /// None yet, but those of before.
    #[must_use]
    pub fn new(scrubber: Scrubber, before: Option<Arc<Self>>) -> Self {
        Self {
            before,
            scrubber,
            kept: Mutex::default(),
        }
    }

    /// Keeps a value and gives what stands for it. Equal values have equal tokens, so that a change can be seen; null and
    /// unknown stay what they are.
    #[must_use]
    pub fn seal(&self, value: Value) -> Value {
        if value.is_null() || value.is_unknown() || matches!(value, Value::Sealed(_)) {
            return value;
        }
        if let Some(token) = self.token(&value) {
            return Value::Sealed(token);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        conceal(&value, &self.scrubber, &mut kept.concealed);
        let token = Token(NEXT.fetch_add(1, Ordering::Relaxed));
        kept.values.insert(token, value);
        Value::Sealed(token)
    }

    /// The value that a token stands for; none if it wasn't given in this call. Parts of it may be unknown.
    #[must_use]
    pub fn reveal(&self, token: Token) -> Option<Value> {
        let own = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.values.get(&token).cloned()
        };
        own.or_else(|| self.before.as_ref().and_then(|before| before.reveal(token)))
    }

    fn token(&self, value: &Value) -> Option<Token> {
        let before = self.before.as_ref();
        before.and_then(|before| before.token(value)).or_else(|| {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = kept.values.iter();
            all.find(|(_, known)| *known == value)
                .map(|(token, _)| *token)
        })
    }

    /// A block's value with every sensitive and write-only attribute sealed.
    pub(crate) fn seal_block(&self, value: Value, block: &Block) -> Value {
        let sealed = walk::attributes(value, block, "", &mut |value, attribute, _| {
            Ok(if attribute.is_secret() {
                self.seal(value)
            } else {
                value
            })
        });
        // Sealing has no error.
        sealed.unwrap_or_default()
    }

    /// A block's value as it belongs into a plan or a state: sensitive values are there again, write-only ones are null.
    pub(crate) fn reveal_block(&self, value: Value, block: &Block) -> Result<Value, Diagnostic> {
        let revealed = walk::attributes(value, block, "", &mut |value, attribute, at| {
            if attribute.is_write_only {
                return Ok(Value::Null);
            }
            match value {
                Value::Sealed(token) if attribute.is_sensitive => {
                    self.reveal(token).ok_or_else(|| foreign(at))
                }
                value => Ok(value),
            }
        })?;
        match walk::first_sealed(&revealed) {
            Some(at) => Err(misplaced(&at)),
            None => Ok(revealed),
        }
    }

    /// A value outside of any schema's secrets, such as what a function gives.
    pub(crate) fn without_secrets(value: Value) -> Result<Value, Diagnostic> {
        match walk::first_sealed(&value) {
            Some(at) => Err(misplaced(&at)),
            None => Ok(value),
        }
    }
}

/// The texts and numbers of a value become known to the scrubber.
fn conceal(value: &Value, scrubber: &Scrubber, concealed: &mut Vec<Concealed>) {
    match value {
        Value::String(text) => concealed.push(scrubber.conceal(text.as_bytes())),
        Value::Number(number) => {
            concealed.push(scrubber.conceal(number.to_string().as_bytes()));
        }
        Value::List(elements) => {
            for element in elements {
                conceal(element, scrubber, concealed);
            }
        }
        Value::Map(members) => {
            for member in members.values() {
                conceal(member, scrubber, concealed);
            }
        }
        Value::Dynamic(_, value) => conceal(value, scrubber, concealed),
        Value::Null | Value::Unknown | Value::Bool(_) | Value::Sealed(_) => {}
    }
}

fn misplaced(at: &str) -> Diagnostic {
    Diagnostic::error(
        "The provider would show a sensitive value",
        "It gave one back in an attribute that isn't sensitive, where plans would show it and states would keep it \
         unmarked. This is a bug of the provider.",
    )
    .at(at)
}

fn foreign(at: &str) -> Diagnostic {
    Diagnostic::error(
        "The provider gave back a sensitive value that it wasn't given",
        "No value of this call has that name. This is a bug of the provider.",
    )
    .at(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::ProviderSchema;

    fn block() -> Block {
        let optional = |kind: &str| json!({"type": kind, "optional": true});
        let secret = json!({"type": "string", "optional": true, "sensitive": true});
        let document = json!({"resources": {"a_b": {
            "attributes": {
                "plain": optional("string"),
                "secret": secret,
                "once": {"type": "string", "optional": true, "write_only": true},
                "many": {"type": ["map", "string"], "optional": true, "sensitive": true},
                "nested": {"nested": {"nesting": "map", "attributes": {"key": secret, "name": optional("string")}}, "optional": true},
            },
            "blocks": {"rule": {"nesting": "list", "attributes": {"key": secret, "name": optional("string")}}},
        }}});
        let mut schema = ProviderSchema::from_json(&document.to_string()).unwrap();
        schema.resources.remove("a_b").unwrap().block
    }

    fn value(json: &serde_json::Value) -> Value {
        Value::from_json(&json.to_string(), &block().kind()).unwrap()
    }

    fn everything() -> Value {
        value(&json!({
            "plain": "shown",
            "secret": "hunter22",
            "many": {"a": "hunter33"},
            "nested": {"x": {"key": "hunter22", "name": "shown"}},
            "rule": [{"key": {"$unknown": true}, "name": "shown"}, {"key": "hunter44"}],
        }))
    }

    #[test]
    fn a_component_sees_no_sensitive_value_and_gives_all_back() {
        let scrubber = Scrubber::default();
        let sealed = Sealed::new(scrubber.clone(), None);
        let seen = sealed.seal_block(everything(), &block());
        assert!(!seen.to_json().contains("hunter"), "{}", seen.to_json());
        assert!(seen.to_json().contains("shown"));
        assert_eq!(seen.get("rule").map(Value::is_wholly_known), Some(false));
        assert_eq!(scrubber.scrub("hunter44"), "[redacted]");
        assert_eq!(sealed.reveal_block(seen, &block()), Ok(everything()));
        drop(sealed);
        assert_eq!(scrubber.scrub("hunter44"), "hunter44");
    }

    #[test]
    fn equal_values_have_equal_tokens_also_those_of_the_provider() {
        let provider = Arc::new(Sealed::new(Scrubber::default(), None));
        let first = provider.seal("hunter22".into());
        let call = Sealed::new(Scrubber::default(), Some(provider));
        let seen = call.seal_block(everything(), &block());
        assert_eq!(seen.get("secret"), Some(&first));
        let Value::Sealed(token) = first else {
            panic!("it isn't sealed")
        };
        assert_eq!(call.reveal(token), Some("hunter22".into()));
    }

    #[test]
    fn a_sensitive_value_in_a_plain_attribute_is_refused() {
        let sealed = Sealed::new(Scrubber::default(), None);
        let token = sealed.seal("hunter22".into());
        for (stolen, at) in [
            (Value::object([("plain", token.clone())]), "/plain"),
            (
                Value::object([(
                    "rule",
                    Value::List(vec![Value::object([("name", token.clone())])]),
                )]),
                "/rule/0/name",
            ),
            (token.clone(), ""),
            (Value::object([("nested", token.clone())]), "/nested"),
        ] {
            let refused = sealed.reveal_block(stolen, &block()).unwrap_err();
            assert_eq!(refused.pointer, at, "{refused:?}");
        }
    }

    #[test]
    fn a_token_of_nothing_is_refused() {
        let sealed = Sealed::new(Scrubber::default(), None);
        let invented = Value::object([("secret", Value::Sealed(Token(u64::MAX)))]);
        let refused = sealed.reveal_block(invented, &block()).unwrap_err();
        assert_eq!(refused.pointer, "/secret");
    }

    #[test]
    fn what_is_write_only_comes_back_as_null() {
        let sealed = Sealed::new(Scrubber::default(), None);
        let config = value(&json!({"once": "hunter22"}));
        let seen = sealed.seal_block(config, &block());
        assert!(matches!(seen.get("once"), Some(Value::Sealed(_))));
        let kept = sealed.reveal_block(seen, &block()).unwrap();
        assert_eq!(kept.get("once"), Some(&Value::Null));
        let plain = value(&json!({"once": "hunter22"}));
        let kept = sealed.reveal_block(plain, &block()).unwrap();
        assert_eq!(kept.get("once"), Some(&Value::Null));
    }
}
