//! Reads the document that describes a provider, and says clearly what is wrong with it.

mod attribute;
mod function;
mod place;
mod text;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Attribute, Block, NestedBlock, Nesting, ProviderSchema, Resource, Shape};
use crate::value::Type;

use attribute::attribute;
use function::function;
pub use place::SchemaError;
use place::{Place, ROOT};
use text::{BlockText, DocumentText};

impl ProviderSchema {
    /// Reads a document.
    ///
    /// # Errors
    /// It is no JSON, isn't such a document, or Terraform wouldn't take what it describes.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        let json: Json = serde_json::from_str(text)
            .map_err(|error| ROOT.wrong(format!("it is no JSON: {error}")))?;
        let document: DocumentText = part(&json, &ROOT)?;
        let resources = ROOT.at("resources");
        let data_sources = ROOT.at("data_sources");
        let functions = ROOT.at("functions");
        let provider = if document.provider.is_null() {
            Block::default()
        } else {
            plain_block(&document.provider, &ROOT.at("provider"))?
        };
        Ok(Self {
            provider,
            resources: each(&document.resources, &resources, resource)?,
            data_sources: each(&document.data_sources, &data_sources, data_source)?,
            functions: each(&document.functions, &functions, function)?,
        })
    }
}

fn part<'de, T: Deserialize<'de>>(json: &'de Json, place: &Place<'_>) -> Result<T, SchemaError> {
    T::deserialize(json).map_err(|error| place.wrong(error.to_string()))
}

fn each<T>(
    parts: &BTreeMap<String, Json>,
    place: &Place<'_>,
    read: impl Fn(&Json, &Place<'_>) -> Result<T, SchemaError>,
) -> Result<BTreeMap<String, T>, SchemaError> {
    let read = |(name, json): (&String, &Json)| {
        let place = place.at(name);
        if is_name(name) {
            Ok((name.clone(), read(json, &place)?))
        } else {
            Err(place
                .wrong("a name has only small letters, digits and `_`, and begins with a letter"))
        }
    };
    parts.iter().map(read).collect()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether nobody should use it: `true`, or the text that says what to use instead. Terraform is told no more than that.
fn is_deprecated(json: Option<&Json>, place: &Place<'_>) -> Result<bool, SchemaError> {
    match json {
        None | Some(Json::Null | Json::Bool(false)) => Ok(false),
        Some(Json::Bool(true) | Json::String(_)) => Ok(true),
        Some(_) => Err(place.at("deprecated").wrong("expected a text")),
    }
}

fn resource(json: &Json, place: &Place<'_>) -> Result<Resource, SchemaError> {
    let text: BlockText = part(json, place)?;
    let version = text.version.unwrap_or_default();
    if i64::try_from(version).is_err() {
        return Err(place.at("version").wrong("it is too large"));
    }
    without_nesting(&text, place)?;
    for name in [
        "count",
        "for_each",
        "depends_on",
        "lifecycle",
        "provider",
        "connection",
        "provisioner",
    ] {
        if text.attributes.contains_key(name) || text.blocks.contains_key(name) {
            return Err(place.wrong(format!("`{name}` belongs to Terraform in every resource")));
        }
    }
    let block = block(text, place)?;
    Ok(Resource { version, block })
}

fn data_source(json: &Json, place: &Place<'_>) -> Result<Block, SchemaError> {
    let block = plain_block(json, place)?;
    no_write_only(&block, place)?;
    Ok(block)
}

fn plain_block(json: &Json, place: &Place<'_>) -> Result<Block, SchemaError> {
    let text: BlockText = part(json, place)?;
    if text.version.is_some() {
        return Err(place.at("version").wrong("only resources have one"));
    }
    without_nesting(&text, place)?;
    block(text, place)
}

fn without_nesting(text: &BlockText, place: &Place<'_>) -> Result<(), SchemaError> {
    if text.nesting.is_some() || text.minimum.is_some() || text.maximum.is_some() {
        return Err(place.wrong("only a block in a block has `nesting`, `minimum`, `maximum`"));
    }
    Ok(())
}

fn no_write_only(block: &Block, place: &Place<'_>) -> Result<(), SchemaError> {
    let attributes = block.attributes.iter();
    let mut write_only = attributes.filter(|(_, attribute)| attribute.is_write_only);
    if let Some((name, _)) = write_only.next() {
        let why = "only attributes of resources are write-only";
        return Err(place.at("attributes").at(name).wrong(why));
    }
    for (name, nested) in &block.blocks {
        no_write_only(&nested.block, &place.at("blocks").at(name))?;
    }
    Ok(())
}

fn block(text: BlockText, place: &Place<'_>) -> Result<Block, SchemaError> {
    let is_deprecated = is_deprecated(text.deprecated.as_ref(), place)?;
    let attributes = each(&text.attributes, &place.at("attributes"), attribute)?;
    let blocks = each(&text.blocks, &place.at("blocks"), nested_block)?;
    if let Some(name) = blocks.keys().find(|name| attributes.contains_key(*name)) {
        return Err(place.wrong(format!("`{name}` is both an attribute and a block")));
    }
    Ok(Block {
        description: text.description,
        is_deprecated,
        attributes,
        blocks,
    })
}

fn nested_block(json: &Json, place: &Place<'_>) -> Result<NestedBlock, SchemaError> {
    let text: BlockText = part(json, place)?;
    if text.version.is_some() {
        return Err(place.at("version").wrong("only resources have one"));
    }
    let Some(nesting) = text.nesting else {
        return Err(place.wrong("a block in a block says its `nesting`"));
    };
    let (minimum, maximum) = (text.minimum.unwrap_or(0), text.maximum.unwrap_or(0));
    let nesting = nesting.into();
    let is_counted = matches!(nesting, Nesting::List | Nesting::Set);
    if !is_counted && (maximum > 0 || minimum > 1 || nesting != Nesting::Single && minimum > 0) {
        return Err(place.wrong("blocks of this nesting aren't counted"));
    }
    if maximum > 0 && minimum > maximum {
        return Err(place.wrong("`minimum` is above `maximum`"));
    }
    let block = block(text, place)?;
    closed(&block.kind(), nesting, place)?;
    if nesting == Nesting::Set && has_write_only(&block) {
        return Err(place.wrong("nothing in a set can be write-only"));
    }
    Ok(NestedBlock {
        nesting,
        // A block that is there once either must be or needn't: Terraform wants both bounds equal.
        maximum: if nesting == Nesting::Single {
            minimum
        } else {
            maximum
        },
        minimum,
        block,
    })
}

fn has_write_only(block: &Block) -> bool {
    block.attributes.values().any(any_write_only)
        || block
            .blocks
            .values()
            .any(|nested| has_write_only(&nested.block))
}

fn any_write_only(attribute: &Attribute) -> bool {
    attribute.is_write_only
        || matches!(&attribute.shape, Shape::Nested(_, inner) if inner.values().any(any_write_only))
}

/// What is in a collection has one type: Terraform takes none that is left open.
fn closed(kind: &Type, nesting: Nesting, place: &Place<'_>) -> Result<(), SchemaError> {
    let is_collection = !matches!(nesting, Nesting::Single | Nesting::Group);
    if is_collection && kind.has_dynamic() {
        return Err(place.wrong("nothing in a list, set or map can be `dynamic`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
