//! What resources have in common: words for what happens at their end, and what isn't known yet.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{is_unknown, unknown};

use crate::request::text;

/// What happens to databases when a resource is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDestroy {
    /// Nothing.
    Keep,
    /// The resource can't be destroyed.
    Fail,
    /// What is stored to take migrations back is run.
    Revert,
}

const WORDS: [(&str, OnDestroy); 3] = [
    ("keep", OnDestroy::Keep),
    ("fail", OnDestroy::Fail),
    ("revert", OnDestroy::Revert),
];

impl OnDestroy {
    /// What a state says.
    ///
    /// # Errors
    /// It says something else.
    pub fn of(state: &Json) -> Result<Self, Fault> {
        let word = text(state, "on_destroy").unwrap_or("keep");
        let known = WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, meant)| *meant).ok_or_else(|| {
            let message = format!("expected `keep`, `fail` or `revert`, found `{word}`");
            Fault::invalid("/on_destroy", message)
        })
    }
}

/// Looks at what every resource may say.
///
/// # Errors
/// What is wrong with it.
pub fn valid(_kind: &str, config: &Json) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    faults.extend(OnDestroy::of(config).err());
    let databases = config.get("databases").and_then(Json::as_object);
    let nested = databases.into_iter().flatten().map(|(name, database)| {
        let name = name.replace('~', "~0").replace('/', "~1");
        (format!("/databases/{name}"), database)
    });
    for (pointer, said) in nested.chain([(String::new(), config)]) {
        if let Some(password) = text(said, "password")
            && !is_reference(password)
        {
            faults.push(
                Fault::invalid(
                    &format!("{pointer}/password"),
                    "expected a reference to the password: the text itself would be kept in the state",
                )
                .with_hint("such as `secret://env/NAME`; or write it to `password_wo`"),
            );
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn is_reference(text: &str) -> bool {
    text.starts_with("secret://")
}

/// Fills in what the configuration leaves out.
pub fn with_default(state: &mut Json, name: &str, default: &str) {
    if state
        .get(name)
        .is_none_or(|value| value.is_null() || is_unknown(value))
    {
        set(state, name, json!(default));
    }
}

/// Sets a field.
pub fn set(state: &mut Json, name: &str, value: Json) {
    if let Some(fields) = state.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Says of fields that they are known only later.
pub fn set_unknown(state: &mut Json, names: &[&str]) {
    for name in names {
        set(state, name, unknown());
    }
}

/// Drops what must not be kept.
pub fn without_write_only(state: &mut Json) {
    if let Some(fields) = state.as_object_mut() {
        for (name, value) in fields {
            if name.ends_with("_wo") {
                *value = Json::Null;
            } else {
                without_write_only(value);
            }
        }
    }
}

/// The refusal to end a resource.
pub fn must_stay(kind: &str, state: &Json) -> Fault {
    let id = text(state, "id").unwrap_or_default();
    let message = format!("{kind} `{id}` has `on_destroy = \"fail\"`");
    Fault::new(FaultClass::Denied, "terraform.destroy", message)
        .with_hint("apply it with `on_destroy = \"keep\"` or `\"revert\"` first")
}

#[cfg(test)]
mod tests {
    use super::{OnDestroy, valid, without_write_only};
    use whimbrel_sdk::prelude::*;

    #[test]
    fn passwords_are_references() {
        let config = json!({
            "on_destroy": "drop", "password": "hunter2",
            "databases": { "a/b": { "password": "x" }, "c": { "password": "secret://env/C" } },
        });
        let faults = valid("whimbrel_environment", &config).unwrap_err();
        let pointers: Vec<_> = faults
            .iter()
            .map(|fault| fault.pointer.as_deref())
            .collect();
        let expected = ["/on_destroy", "/databases/a~1b/password", "/password"];
        assert_eq!(pointers, expected.map(Some));
    }

    #[test]
    fn nothing_that_is_only_written_is_kept() {
        let mut state =
            json!({ "password_wo": "a", "databases": { "b": { "password_wo": "c", "url": "d" } } });
        without_write_only(&mut state);
        let expected = json!({ "password_wo": null, "databases": { "b": { "password_wo": null, "url": "d" } } });
        assert_eq!(state, expected);
        assert_eq!(OnDestroy::of(&json!({})), Ok(OnDestroy::Keep));
    }
}
