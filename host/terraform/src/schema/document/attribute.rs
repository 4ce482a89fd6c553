//! Reads attributes and their types.

use serde_json::Value as Json;

use super::place::{Place, SchemaError};
use super::text::AttributeText;
use super::{any_write_only, closed, each, is_deprecated, part};
use crate::schema::{Attribute, Nesting, Setting, Shape, object};
use crate::value::Type;

pub(super) fn attribute(json: &Json, place: &Place<'_>) -> Result<Attribute, SchemaError> {
    let text: AttributeText = part(json, place)?;
    let setting = match (text.required, text.optional, text.computed) {
        (true, false, false) => Setting::Required,
        (false, true, false) => Setting::Optional,
        (false, true, true) => Setting::OptionalComputed,
        (false, false, true) => Setting::Computed,
        (false, false, false) => {
            return Err(place.wrong("it is neither `required`, `optional` nor `computed`"));
        }
        (true, ..) => {
            return Err(place.wrong("what is `required` is neither `optional` nor `computed`"));
        }
    };
    let shape = match (text.r#type, text.nested) {
        (Some(json), None) => Shape::Type(kind(&json, &place.at("type"))?),
        (None, Some(nested)) => {
            let place = place.at("nested");
            let nesting = Nesting::from(nested.nesting);
            if nesting == Nesting::Group {
                return Err(place.wrong("only blocks can be a `group`"));
            }
            let inner = each(&nested.attributes, &place.at("attributes"), attribute)?;
            closed(&object(&inner), nesting, &place)?;
            if nesting == Nesting::Set && inner.values().any(any_write_only) {
                return Err(place.wrong("nothing in a set can be write-only"));
            }
            Shape::Nested(nesting, inner)
        }
        _ => return Err(place.wrong("it has either a `type` or `nested`")),
    };
    if text.write_only && setting.is_computed() {
        return Err(place.wrong("what is write-only isn't `computed`"));
    }
    Ok(Attribute {
        shape,
        setting,
        is_sensitive: text.sensitive,
        is_write_only: text.write_only,
        is_deprecated: is_deprecated(text.deprecated.as_ref(), place)?,
        description: text.description,
    })
}

pub(super) fn kind(json: &Json, place: &Place<'_>) -> Result<Type, SchemaError> {
    let kind = Type::from_json(json).map_err(|error| SchemaError {
        why: error.why().to_owned(),
        pointer: format!("{}{}", place.pointer(), error.pointer()),
    })?;
    if kind != Type::Dynamic && kind.has_dynamic() {
        return Err(place.wrong("`dynamic` is a type by itself only, not a part of one"));
    }
    Ok(kind)
}
