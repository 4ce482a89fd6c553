//! The world `resource-provider` as a trait, and what turns the trait into the world's exports.

use std::marker::PhantomData;

use serde_json::Value as Json;

use crate::bindings::provider::exports::whimbrel::resources::provider as wit;
use crate::{Fault, FaultClass, configured, log};

/// What is kept of a resource: the state that users see, and bytes of the plugin's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// As the schema says.
    pub state: Json,
    /// Not shown to anybody.
    pub private: Vec<u8>,
}

/// What a resource will be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// What will be kept, as far as it is known; [`unknown`] for what isn't.
    pub stored: Stored,
    /// JSON pointers of the attributes whose change needs a new resource.
    pub replace: Vec<String>,
    /// Each with the JSON pointer that it is about, or an empty one.
    pub warnings: Vec<(String, String)>,
}

/// A part that isn't known before something else is done.
#[must_use]
pub fn unknown() -> Json {
    serde_json::json!({ "$unknown": true })
}

/// A map's key as its author wrote it: one that begins with `$` has one more on the way here.
#[must_use]
pub fn plain_key(key: &str) -> &str {
    key.strip_prefix('$').unwrap_or(key)
}

/// Whether a part isn't known yet.
#[must_use]
pub fn is_unknown(value: &Json) -> bool {
    value.get("$unknown").and_then(Json::as_bool) == Some(true)
}

/// Whether a part of it isn't known yet.
#[must_use]
pub fn has_unknown(value: &Json) -> bool {
    match value {
        Json::Object(fields) => is_unknown(value) || fields.values().any(has_unknown),
        Json::Array(items) => items.iter().any(has_unknown),
        _ => false,
    }
}

/// Resources with a life of their own, as Terraform drives them.
///
/// The host makes an instance per call. Those that look at databases or change them are configured first
/// ([`ResourceProvider::configure`]); the others are functions of their arguments. Values are JSON, in which
/// `{"$unknown": true}` stands for what isn't known yet, and `{"$sealed": "n"}` for a sensitive value that only the host
/// holds: it can be handed on to the [`engine`], and nothing else. `kind` is a resource's or a data source's name.
pub trait ResourceProvider: Sized + 'static {
    /// The provider, its resources, data sources and functions with their attributes (`provider.schema.json`).
    fn schema() -> Json;

    /// Makes the provider of its own configuration, parts of which may be unknown. Does no I/O: it runs before most calls.
    ///
    /// # Errors
    /// The configuration makes no sense.
    fn configure(config: Json) -> Result<Self, Fault>;

    /// Looks at a configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(_kind: &str, _config: &Json) -> Result<(), Vec<Fault>> {
        Ok(())
    }

    /// What a resource will be: `proposed` is the prior state with what the configuration says, computed parts as they were,
    /// or unknown when there is no prior state.
    ///
    /// # Errors
    /// It can't be.
    fn plan(
        &self,
        kind: &str,
        prior: Option<&Stored>,
        config: &Json,
        proposed: Json,
    ) -> Result<Planned, Vec<Fault>>;

    /// Whether a resource could be ended, before anything is done. Asks nothing of anybody.
    ///
    /// # Errors
    /// It must stay.
    fn plan_delete(_kind: &str, _current: &Stored) -> Result<(), Fault> {
        Ok(())
    }

    /// Makes a resource, or goes on with one whose making was cut short.
    ///
    /// # Errors
    /// It isn't made.
    fn create(&self, kind: &str, planned: Stored, config: &Json) -> Result<Stored, Fault>;

    /// A resource as it is now; none when it is gone.
    ///
    /// # Errors
    /// It can't be looked at.
    fn read(&self, kind: &str, current: Stored) -> Result<Option<Stored>, Fault>;

    /// Changes a resource in place.
    ///
    /// # Errors
    /// It isn't changed, or only in part.
    fn update(
        &self,
        kind: &str,
        prior: Stored,
        planned: Stored,
        config: &Json,
    ) -> Result<Stored, Fault>;

    /// Ends a resource; one that is gone is no error.
    ///
    /// # Errors
    /// It is still there.
    fn delete(&self, kind: &str, current: Stored) -> Result<(), Fault>;

    /// The state of a resource that is there and was never made by Terraform.
    ///
    /// # Errors
    /// The id means none, or none can be taken over.
    fn import_state(&self, kind: &str, _id: &str) -> Result<Stored, Fault> {
        Err(unsupported(&format!("import of {kind}")))
    }

    /// What a data source says.
    ///
    /// # Errors
    /// It can't be read.
    fn read_data(&self, kind: &str, _config: &Json) -> Result<Json, Fault> {
        Err(unsupported(kind))
    }

    /// Brings a state of an earlier version of the schema to the present one.
    ///
    /// # Errors
    /// It can't be read.
    fn upgrade(_kind: &str, _version: u64, state: Json) -> Result<Json, Fault> {
        Ok(state)
    }

    /// A function of the schema.
    ///
    /// # Errors
    /// What is wrong with its arguments, each at a pointer into their list.
    fn function(name: &str, _arguments: &[Json]) -> Result<Json, Vec<Fault>> {
        Err(vec![unsupported(&format!("the function {name}"))])
    }
}

fn unsupported(what: &str) -> Fault {
    let message = format!("{what} is nothing that this plugin knows");
    Fault::new(FaultClass::Unsupported, "resource.unsupported", message)
}

/// The world's exports over a [`ResourceProvider`]. Named by [`crate::export_provider!`] and by tests that cross the border.
#[derive(Debug)]
pub struct ExportedProvider<T>(PhantomData<T>);

impl From<wit::Stored> for Stored {
    fn from(stored: wit::Stored) -> Self {
        Self {
            // The host writes what it sends; null is what no schema takes.
            state: serde_json::from_str(&stored.state).unwrap_or_default(),
            private: stored.private,
        }
    }
}

impl From<Stored> for wit::Stored {
    fn from(stored: Stored) -> Self {
        Self {
            state: stored.state.to_string(),
            private: stored.private,
        }
    }
}

fn read(text: &str) -> Result<Json, Fault> {
    Ok(serde_json::from_str(text)?)
}

fn reads(text: &str) -> Result<Json, Vec<Fault>> {
    read(text).map_err(|fault| vec![fault])
}

impl<T: ResourceProvider> wit::Guest for ExportedProvider<T> {
    fn schema() -> String {
        log::hook_panics();
        T::schema().to_string()
    }

    fn configure(config: String) -> Result<(), Fault> {
        log::hook_panics();
        configured::set(T::configure(read(&config)?)?);
        Ok(())
    }

    fn validate(kind: String, config: String) -> Result<(), Vec<Fault>> {
        log::hook_panics();
        T::validate(&kind, &reads(&config)?)
    }

    fn plan(
        kind: String,
        prior: Option<wit::Stored>,
        config: String,
        proposed: String,
    ) -> Result<wit::Planned, Vec<Fault>> {
        let (config, proposed) = (reads(&config)?, reads(&proposed)?);
        let prior = prior.map(Stored::from);
        let mut several = Vec::new();
        let planned = configured::on(|provider: &T| {
            let planned = provider.plan(&kind, prior.as_ref(), &config, proposed);
            planned.map_err(|mut faults| {
                let first = faults.pop();
                several = faults;
                first.unwrap_or_else(|| unsupported("a refusal without a reason"))
            })
        });
        let planned = planned.map_err(|last| {
            several.push(last);
            several
        })?;
        Ok(wit::Planned {
            state: planned.stored.state.to_string(),
            private: planned.stored.private,
            replace: planned.replace,
            warnings: planned.warnings,
        })
    }

    fn create(kind: String, planned: wit::Stored, config: String) -> Result<wit::Stored, Fault> {
        let config = read(&config)?;
        configured::on(|provider: &T| {
            provider
                .create(&kind, planned.into(), &config)
                .map(Into::into)
        })
    }

    fn read(kind: String, current: wit::Stored) -> Result<Option<wit::Stored>, Fault> {
        configured::on(|provider: &T| {
            let read = provider.read(&kind, current.into())?;
            Ok(read.map(Into::into))
        })
    }

    fn update(
        kind: String,
        prior: wit::Stored,
        planned: wit::Stored,
        config: String,
    ) -> Result<wit::Stored, Fault> {
        let config = read(&config)?;
        configured::on(|provider: &T| {
            let updated = provider.update(&kind, prior.into(), planned.into(), &config);
            updated.map(Into::into)
        })
    }

    fn delete(kind: String, current: wit::Stored) -> Result<(), Fault> {
        configured::on(|provider: &T| provider.delete(&kind, current.into()))
    }

    fn import_state(kind: String, id: String) -> Result<wit::Stored, Fault> {
        configured::on(|provider: &T| provider.import_state(&kind, &id).map(Into::into))
    }

    fn read_data(kind: String, config: String) -> Result<String, Fault> {
        let config = read(&config)?;
        configured::on(|provider: &T| Ok(provider.read_data(&kind, &config)?.to_string()))
    }

    fn upgrade(kind: String, version: u64, state: String) -> Result<String, Fault> {
        log::hook_panics();
        Ok(T::upgrade(&kind, version, read(&state)?)?.to_string())
    }

    fn other(operation: String, request: String) -> Result<String, Vec<Fault>> {
        log::hook_panics();
        let request = reads(&request)?;
        if operation == "plan-delete" {
            let kind = request.get("kind").and_then(Json::as_str);
            let current = Stored {
                state: request.get("state").cloned().unwrap_or_default(),
                private: Vec::new(),
            };
            let may = T::plan_delete(kind.unwrap_or_default(), &current);
            return may.map(|()| "{}".to_owned()).map_err(|fault| vec![fault]);
        }
        if operation != "function" {
            return Err(vec![unsupported(&operation)]);
        }
        let name = request.get("name").and_then(Json::as_str);
        let arguments = request.get("arguments").and_then(Json::as_array);
        let result = T::function(
            name.unwrap_or_default(),
            arguments.map(Vec::as_slice).unwrap_or_default(),
        );
        Ok(result?.to_string())
    }
}
