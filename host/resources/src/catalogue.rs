//! What all plugins of a provider have together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_plugin::ResourceProvider;
use whimbrel_terraform::{ProviderSchema, Type};

/// What there is, and which plugin has it.
pub struct Catalogue {
    /// All of it, as Terraform is told.
    pub schema: Arc<ProviderSchema>,
    /// The plugin of each kind of resource, by its place, and what such a one is made of.
    pub resources: BTreeMap<String, (usize, Type)>,
    /// The same of data sources: one may be called like a resource.
    pub data_sources: BTreeMap<String, (usize, Type)>,
    /// The same of functions, with what they give.
    pub functions: BTreeMap<String, (usize, Type)>,
    /// What of the provider's configuration is each plugin's own.
    pub own: Vec<BTreeSet<String>>,
}

impl Catalogue {
    /// Asks every plugin.
    ///
    /// # Errors
    /// A schema can't be used, or two plugins have the same.
    pub async fn read(plugins: &[ResourceProvider]) -> Result<Self, Fault> {
        let mut whole = Map::new();
        let mut owners: BTreeMap<(&str, String), usize> = BTreeMap::new();
        let mut shared: BTreeMap<(&str, String), usize> = BTreeMap::new();
        let mut own = Vec::new();
        let twice = |name: &str, one: usize, other: usize| {
            let called = |index: usize| plugins.get(index).map(|it| it.name().as_str());
            twice(
                name,
                called(one).unwrap_or_default(),
                called(other).unwrap_or_default(),
            )
        };
        for (index, plugin) in plugins.iter().enumerate() {
            let schema = plugin.schema().await?;
            for section in ["resources", "data_sources", "functions"] {
                for (name, part) in members(&schema, section) {
                    let before = owners.insert((section, name.clone()), index);
                    if let Some(before) = before {
                        return Err(twice(&name, before, index));
                    }
                    add(&mut whole, section, name, part);
                }
            }
            let provider = schema.get("provider").cloned().unwrap_or_default();
            let mut names = BTreeSet::new();
            for section in ["attributes", "blocks"] {
                for (name, part) in members(&provider, section) {
                    names.insert(name.clone());
                    let into = whole.entry("provider").or_insert_with(empty);
                    let Some(into) = into.as_object_mut() else {
                        continue;
                    };
                    let there = into.get(section).and_then(|there| there.get(&name));
                    let first = *shared.entry((section, name.clone())).or_insert(index);
                    if there.is_some_and(|there| *there != part) {
                        return Err(twice(&name, first, index));
                    }
                    add(into, section, name, part);
                }
            }
            own.push(names);
        }
        let text = Json::Object(whole).to_string();
        let schema = ProviderSchema::from_json(&text).map_err(|error| {
            Fault::new(FaultClass::Internal, "resource.schema", error.to_string())
        })?;
        let place =
            |section: &'static str, name: &str| owners.get(&(section, name.to_owned())).copied();
        let mut resources = BTreeMap::new();
        for (name, resource) in &schema.resources {
            if let Some(index) = place("resources", name) {
                resources.insert(name.clone(), (index, resource.block.kind()));
            }
        }
        let mut data_sources = BTreeMap::new();
        for (name, block) in &schema.data_sources {
            if let Some(index) = place("data_sources", name) {
                data_sources.insert(name.clone(), (index, block.kind()));
            }
        }
        let mut functions = BTreeMap::new();
        for (name, function) in &schema.functions {
            if let Some(index) = place("functions", name) {
                functions.insert(name.clone(), (index, function.returns.clone()));
            }
        }
        Ok(Self {
            schema: Arc::new(schema),
            resources,
            data_sources,
            functions,
            own,
        })
    }
}

fn members(document: &Json, section: &str) -> Vec<(String, Json)> {
    let members = document.get(section).and_then(Json::as_object);
    let members = members.into_iter().flatten();
    members
        .map(|(name, part)| (name.clone(), part.clone()))
        .collect()
}

fn add(into: &mut Map<String, Json>, section: &str, name: String, part: Json) {
    let section = into.entry(section).or_insert_with(empty);
    if let Some(section) = section.as_object_mut() {
        section.insert(name, part);
    }
}

fn empty() -> Json {
    Json::Object(Map::new())
}

fn twice(name: &str, one: &str, other: &str) -> Fault {
    let message = format!("the plugins `{one}` and `{other}` both have `{name}`");
    Fault::new(FaultClass::Invalid, "resource.twice", message).with_hint("load only one of them")
}
