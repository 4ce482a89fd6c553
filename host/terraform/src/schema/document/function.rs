//! Reads functions and their parameters.

use serde_json::Value as Json;

use super::attribute::kind;
use super::place::{Place, SchemaError};
use super::text::{FunctionText, ParameterText};
use super::{is_name, part};
use crate::schema::{Function, Parameter};

pub(super) fn function(json: &Json, place: &Place<'_>) -> Result<Function, SchemaError> {
    let text: FunctionText = part(json, place)?;
    let parameters = place.at("parameters");
    let read = |(index, json): (usize, &Json)| parameter(json, &parameters.at(&index.to_string()));
    let variadic = text.variadic.as_ref();
    Ok(Function {
        summary: text.summary,
        description: text.description,
        parameters: text
            .parameters
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()?,
        variadic: variadic
            .map(|json| parameter(json, &place.at("variadic")))
            .transpose()?,
        returns: kind(&text.returns, &place.at("returns"))?,
    })
}

fn parameter(json: &Json, place: &Place<'_>) -> Result<Parameter, SchemaError> {
    let text: ParameterText = part(json, place)?;
    if !is_name(&text.name) {
        return Err(place.at("name").wrong("it is no name"));
    }
    Ok(Parameter {
        name: text.name,
        kind: kind(&text.r#type, &place.at("type"))?,
        description: text.description,
        takes_null: text.nullable,
        takes_unknown: text.unknown,
    })
}
