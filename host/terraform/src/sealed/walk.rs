//! The way through a block's value to each of its attributes.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Block, Nesting, Shape};
use crate::value::Value;

/// What is made of an attribute's value, at a JSON pointer.
pub(super) type Visit<'a> = dyn FnMut(Value, &Attribute, &str) -> Result<Value, Diagnostic> + 'a;

/// A block's value with every attribute's value replaced, from outside in: attributes of a nested one come after it, if it
/// then still is what it was.
pub(super) fn attributes(
    value: Value,
    block: &Block,
    at: &str,
    visit: &mut Visit<'_>,
) -> Result<Value, Diagnostic> {
    members(value, at, &mut |name, value, at| {
        if let Some(attribute) = block.attributes.get(name) {
            one(value, attribute, at, visit)
        } else if let Some(nested) = block.blocks.get(name) {
            each(value, nested.nesting, at, &mut |value, at| {
                attributes(value, &nested.block, at, visit)
            })
        } else {
            Ok(value)
        }
    })
}

fn one(
    value: Value,
    attribute: &Attribute,
    at: &str,
    visit: &mut Visit<'_>,
) -> Result<Value, Diagnostic> {
    let value = visit(value, attribute, at)?;
    let Shape::Nested(nesting, inner) = &attribute.shape else {
        return Ok(value);
    };
    each(value, *nesting, at, &mut |value, at| {
        members(value, at, &mut |name, value, at| match inner.get(name) {
            Some(attribute) => one(value, attribute, at, visit),
            None => Ok(value),
        })
    })
}

type Named<'a> = dyn FnMut(&str, Value, &str) -> Result<Value, Diagnostic> + 'a;

fn members(value: Value, at: &str, of: &mut Named<'_>) -> Result<Value, Diagnostic> {
    let Value::Map(all) = value else {
        return Ok(value);
    };
    let mut done = BTreeMap::new();
    for (name, value) in all {
        let value = of(&name, value, &below(at, &name))?;
        done.insert(name, value);
    }
    Ok(Value::Map(done))
}

type Placed<'a> = dyn FnMut(Value, &str) -> Result<Value, Diagnostic> + 'a;

fn each(
    value: Value,
    nesting: Nesting,
    at: &str,
    of: &mut Placed<'_>,
) -> Result<Value, Diagnostic> {
    match (nesting, value) {
        (Nesting::Single | Nesting::Group, value) => of(value, at),
        (Nesting::List | Nesting::Set, Value::List(elements)) => {
            let elements = elements.into_iter().enumerate();
            elements
                .map(|(index, value)| of(value, &format!("{at}/{index}")))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        (Nesting::Map, value) => members(value, at, &mut |_, value, at| of(value, at)),
        (_, value) => Ok(value),
    }
}

fn below(at: &str, name: &str) -> String {
    let escaped = if name.starts_with('$') { "$" } else { "" };
    format!(
        "{at}/{escaped}{}",
        name.replace('~', "~0").replace('/', "~1")
    )
}

/// Where the first sealed value is.
pub(super) fn first_sealed(value: &Value) -> Option<String> {
    match value {
        Value::Sealed(_) => Some(String::new()),
        Value::List(elements) => elements
            .iter()
            .enumerate()
            .find_map(|(index, value)| first_sealed(value).map(|inner| format!("/{index}{inner}"))),
        Value::Map(members) => members.iter().find_map(|(name, value)| {
            first_sealed(value).map(|inner| format!("{}{inner}", below("", name)))
        }),
        Value::Dynamic(_, value) => first_sealed(value),
        Value::Null | Value::Unknown | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What is proposed for a new resource: what the provider will compute and nobody configured isn't known yet.
pub(crate) fn unknown_where_computed(proposed: Value, block: &Block) -> Value {
    let marked = attributes(proposed, block, "", &mut |value, attribute, _| {
        Ok(if attribute.setting.is_computed() && value.is_null() {
            Value::Unknown
        } else {
            value
        })
    });
    // Marking has no error.
    marked.unwrap_or_default()
}

/// A block's value as it may be planned: without write-only values, which Terraform proposes as they are configured.
pub(crate) fn without_write_only(proposed: Value, block: &Block) -> Value {
    let without = attributes(proposed, block, "", &mut |value, attribute, _| {
        Ok(if attribute.is_write_only {
            Value::Null
        } else {
            value
        })
    });
    // Leaving out has no error.
    without.unwrap_or_default()
}

/// Where write-only attributes have a value.
pub(crate) fn secrets_written_once(config: &Value, block: &Block) -> Vec<String> {
    let mut found = Vec::new();
    let seen = attributes(config.clone(), block, "", &mut |value, attribute, at| {
        if attribute.is_write_only && !value.is_null() {
            found.push(at.to_owned());
        }
        Ok(value)
    });
    debug_assert!(seen.is_ok(), "looking has no error");
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::ProviderSchema;

    #[test]
    fn what_will_be_computed_is_unknown_in_a_new_resource() {
        let computed = json!({"type": "string", "optional": true, "computed": true});
        let document = json!({"provider": {
            "attributes": {
                "id": {"type": "string", "computed": true},
                "name": computed,
                "text": {"type": "string", "optional": true},
                "all": {"nested": {"nesting": "list", "attributes": {"id": computed}}, "optional": true},
            },
            "blocks": {"one": {"nesting": "single", "attributes": {"id": computed}}},
        }});
        let schema = ProviderSchema::from_json(&document.to_string()).unwrap();
        let block = schema.provider;
        let json = r#"{"name":"given","all":[{}],"one":{}}"#;
        let proposed = Value::from_json(json, &block.kind()).unwrap();
        assert_eq!(
            unknown_where_computed(proposed, &block).to_json(),
            r#"{"all":[{"id":{"$unknown":true}}],"id":{"$unknown":true},"name":"given","one":{"id":{"$unknown":true}},"text":null}"#
        );
    }
}
