//! A state as Terraform writes it, format version 4:
//! <https://developer.hashicorp.com/terraform/internals/json-format> says that it is no interface, so that only what every
//! release of Terraform since 0.12 and OpenTofu writes is looked at: who wrote it, and the outputs of the root module.

use std::collections::BTreeMap;

use serde_json::error::Category;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{files, serde};

use crate::output::Output;

/// The format that this reads.
const FORMAT: u64 = 4;

/// How many names a hint lists.
const LISTED: usize = 10;

/// A state, without its resources.
pub(crate) struct State<'a> {
    place: &'a str,
    content: Content<'a>,
}

/// What is looked at first: it says what the rest may be.
#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Format {
    version: Option<u64>,
    encrypted_data: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Content<'a> {
    #[serde(default)]
    terraform_version: String,
    /// Grows by one with each change.
    #[serde(default)]
    serial: u64,
    /// Given to a state when it is new, so that serials of others aren't taken for its own.
    #[serde(default)]
    lineage: String,
    #[serde(default, borrow)]
    outputs: BTreeMap<String, Output<'a>>,
}

/// Reads a state from a file.
///
/// # Errors
/// It isn't there, or isn't granted.
pub(crate) fn of_file(path: &str) -> Result<Vec<u8>, Fault> {
    files::read(path).map_err(|fault| match fault.class {
        FaultClass::NotFound => none_there(path),
        _ => fault,
    })
}

/// There is no state.
pub(crate) fn none_there(place: &str) -> Fault {
    let message = format!("there is no state at {place}");
    Fault::new(FaultClass::NotFound, "terraform.no-state", message).with_hint(
        "`terraform apply` makes one; of a workspace other than `default` it is elsewhere",
    )
}

impl<'a> State<'a> {
    /// Takes a state apart. No fault says anything of what stands in it.
    ///
    /// # Errors
    /// It isn't whole, is none, or is one that this doesn't read.
    pub(crate) fn parse(bytes: &'a [u8], place: &'a str) -> Result<Self, Fault> {
        let format: Format = parse(bytes, place)?;
        match format.version {
            Some(FORMAT) => {}
            Some(other) => return Err(unknown_format(other, place)),
            None if format.encrypted_data.is_some() => {
                let message = format!("the state at {place} is encrypted");
                return Err(
                    Fault::new(FaultClass::Unsupported, "terraform.encrypted", message)
                        .with_hint("what OpenTofu encrypts, only OpenTofu can read"),
                );
            }
            None => return Err(no_state(place)),
        }
        Ok(Self {
            place,
            content: parse(bytes, place)?,
        })
    }

    /// An output by its name.
    ///
    /// # Errors
    /// There is none; the fault names the nearest one.
    pub(crate) fn output(&self, name: &str) -> Result<&Output<'a>, Fault> {
        self.content.outputs.get(name).ok_or_else(|| {
            let message = format!("the state at {} has no output `{name}`", self.place);
            Fault::new(FaultClass::NotFound, "terraform.no-output", message)
                .with_hint(self.instead_of(name))
        })
    }

    /// What may have been meant by a name that isn't there.
    fn instead_of(&self, name: &str) -> String {
        let names = || self.content.outputs.keys().map(String::as_str);
        // `database.host` and `database/host` are how others write a part of an output.
        if let Some((first, rest)) = name.split_once(['.', '/', '['])
            && names().any(|known| known == first)
        {
            let key = rest.trim_end_matches(']').replace('.', "/");
            return format!(
                "`{first}` is an output; a part of it is a key: `path: {first}`, `key: {key}`"
            );
        }
        if let Some(near) = nearest(name, names()) {
            return format!("did you mean `{near}`?");
        }
        if self.content.outputs.is_empty() {
            return "it has no outputs: only those of the root module are in a state, once `terraform apply` has run".to_owned();
        }
        let listed: Vec<_> = names()
            .take(LISTED)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = if self.content.outputs.len() > LISTED {
            ", …"
        } else {
            ""
        };
        format!("its outputs are {}{more}", listed.join(", "))
    }

    /// Which state it is: the serial alone begins anew when somebody begins anew.
    pub(crate) fn version(&self) -> String {
        let Content {
            serial, lineage, ..
        } = &self.content;
        if lineage.is_empty() {
            serial.to_string()
        } else {
            format!("{serial}@{lineage}")
        }
    }

    /// What is worth knowing of an output, and no secret. `sensitive: false` lets the host show it.
    pub(crate) fn details(&self, output: &Output<'_>) -> Json {
        json!({
            "sensitive": output.sensitive,
            "type": output.kind(),
            "terraformVersion": self.content.terraform_version,
        })
    }
}

/// Terraform writes a file from its beginning, so that whoever reads meanwhile finds a document that ends too early.
fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], place: &str) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Eof => {
            let message = format!("the state at {place} ends too early");
            Fault::new(FaultClass::Unavailable, "terraform.half-written", message)
                .with_retry(Retry::Backoff)
                .with_hint("if nobody is writing it, it is damaged: Terraform keeps the one before it as `.backup`")
        }
        _ => no_state(place),
    })
}

fn no_state(place: &str) -> Fault {
    let message = format!("what is at {place} is no state of Terraform");
    Fault::new(FaultClass::Invalid, "terraform.not-a-state", message)
}

fn unknown_format(version: u64, place: &str) -> Fault {
    let message =
        format!("the state at {place} has the format version {version}, and {FORMAT} is read");
    let hint = if version < FORMAT {
        "Terraform 0.12 and newer rewrite it with the next `terraform apply`"
    } else {
        "it was written by a newer Terraform than this plugin knows"
    };
    Fault::new(FaultClass::Unsupported, "terraform.format-version", message).with_hint(hint)
}

/// The name that was most likely meant: a third of the letters may be wrong.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = word.to_lowercase();
    let near = names.filter_map(|name| {
        let distance = strsim::damerau_levenshtein(&lowered, &name.to_lowercase());
        let longest = word.chars().count().max(name.chars().count());
        (distance * 3 <= longest).then_some((distance, name))
    });
    near.min().map(|(_, name)| name)
}
