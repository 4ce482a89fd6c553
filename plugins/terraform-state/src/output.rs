//! One output: a value with its type.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;

/// An output as a state has it. Its value stays as it is written: a number keeps all of its digits.
#[derive(Deserialize)]
#[serde(crate = "serde")]
pub(crate) struct Output<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    /// `"string"`, or a list that begins with `"object"`, `"list"` or another.
    #[serde(rename = "type", default)]
    of: Json,
    /// Terraform leaves it out where it is false.
    #[serde(default)]
    pub sensitive: bool,
}

impl Output<'_> {
    /// The name of its type, without what its parts are.
    pub(crate) fn kind(&self) -> &str {
        let name = match &self.of {
            Json::Array(parts) => parts.first().and_then(Json::as_str),
            other => other.as_str(),
        };
        name.unwrap_or("unknown")
    }

    /// Its parts: of an object each attribute, of a list each element by its number, else the one value. With `raw` the
    /// whole as JSON.
    ///
    /// # Errors
    /// It has no value.
    pub(crate) fn fields(&self, reference: &Reference) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let whole = self.value.get();
        let one = |bytes: Vec<u8>| vec![(Secret::VALUE.to_owned(), bytes)];
        if reference.is_raw() {
            return Ok(one(whole.as_bytes().to_vec()));
        }
        match whole.as_bytes().first() {
            Some(b'n') => {
                let message = format!("the output `{}` has no value: it is null", reference.path);
                Err(Fault::new(
                    FaultClass::NotFound,
                    "terraform.no-value",
                    message,
                ))
            }
            Some(b'{') => {
                let parts: BTreeMap<String, &RawValue> = inner(self.value)?;
                Ok(parts
                    .into_iter()
                    .map(|(name, part)| Ok((name, text(part)?)))
                    .collect::<Result<_, Fault>>()?)
            }
            Some(b'[') => {
                let parts: Vec<&RawValue> = inner(self.value)?;
                Ok(parts
                    .into_iter()
                    .enumerate()
                    .map(|(index, part)| Ok((index.to_string(), text(part)?)))
                    .collect::<Result<_, Fault>>()?)
            }
            _ => Ok(one(text(self.value)?)),
        }
    }
}

/// A text as it is, nothing for null, anything else as JSON.
fn text(value: &RawValue) -> Result<Vec<u8>, Fault> {
    let written = value.get();
    match written.as_bytes().first() {
        Some(b'"') => inner::<String>(value).map(String::into_bytes),
        Some(b'n') => Ok(Vec::new()),
        _ => Ok(written.as_bytes().to_vec()),
    }
}

/// What a value that is JSON already is made of.
fn inner<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, Fault> {
    serde_json::from_str(value.get()).map_err(|_| {
        Fault::new(
            FaultClass::Invalid,
            "terraform.not-a-state",
            "an output of the state can't be read",
        )
    })
}
