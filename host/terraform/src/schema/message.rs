//! Schemas as Terraform is told them.

use std::collections::BTreeMap;

use super::{Attribute, Block, Function, Nesting, Parameter, Resource, Setting, Shape};
use crate::message;

impl Resource {
    pub(crate) fn message(&self) -> message::Schema {
        message::Schema {
            // The document's reader keeps it in range.
            version: i64::try_from(self.version).unwrap_or(i64::MAX),
            block: Some(self.block.block_message()),
        }
    }
}

impl Block {
    pub(crate) fn message(&self) -> message::Schema {
        message::Schema {
            version: 0,
            block: Some(self.block_message()),
        }
    }

    fn block_message(&self) -> message::SchemaBlock {
        let blocks = self.blocks.iter();
        message::SchemaBlock {
            version: 0,
            attributes: attributes(&self.attributes),
            block_types: blocks
                .map(|(name, nested)| message::SchemaNestedBlock {
                    type_name: name.clone(),
                    block: Some(nested.block.block_message()),
                    nesting: nested.nesting.message().into(),
                    min_items: nested.minimum.into(),
                    max_items: nested.maximum.into(),
                })
                .collect(),
            description: self.description.clone(),
            description_kind: message::StringKind::Markdown.into(),
            deprecated: self.is_deprecated,
        }
    }
}

fn attributes(attributes: &BTreeMap<String, Attribute>) -> Vec<message::SchemaAttribute> {
    let attributes = attributes.iter();
    attributes
        .map(|(name, attribute)| attribute.message(name))
        .collect()
}

impl Attribute {
    fn message(&self, name: &str) -> message::SchemaAttribute {
        let (kind, nested) = match &self.shape {
            Shape::Type(kind) => (kind.to_bytes(), None),
            Shape::Nested(nesting, inner) => {
                let object = message::SchemaObject {
                    attributes: attributes(inner),
                    nesting: nesting.message().into(),
                };
                (Vec::new(), Some(object))
            }
        };
        message::SchemaAttribute {
            name: name.to_owned(),
            r#type: kind,
            description: self.description.clone(),
            required: self.setting == Setting::Required,
            optional: matches!(self.setting, Setting::Optional | Setting::OptionalComputed),
            computed: self.setting.is_computed(),
            sensitive: self.is_sensitive,
            description_kind: message::StringKind::Markdown.into(),
            deprecated: self.is_deprecated,
            nested_type: nested,
            write_only: self.is_write_only,
        }
    }
}

impl Nesting {
    const fn message(self) -> message::Nesting {
        match self {
            Self::Single => message::Nesting::Single,
            Self::List => message::Nesting::List,
            Self::Set => message::Nesting::Set,
            Self::Map => message::Nesting::Map,
            Self::Group => message::Nesting::Group,
        }
    }
}

impl Function {
    pub(crate) fn message(&self) -> message::Function {
        message::Function {
            parameters: self.parameters.iter().map(Parameter::message).collect(),
            variadic_parameter: self.variadic.as_ref().map(Parameter::message),
            r#return: Some(message::Returned {
                r#type: self.returns.to_bytes(),
            }),
            summary: self.summary.clone(),
            description: self.description.clone(),
            description_kind: message::StringKind::Markdown.into(),
        }
    }
}

impl Parameter {
    fn message(&self) -> message::Parameter {
        message::Parameter {
            name: self.name.clone(),
            r#type: self.kind.to_bytes(),
            allow_null_value: self.takes_null,
            allow_unknown_values: self.takes_unknown,
            description: self.description.clone(),
            description_kind: message::StringKind::Markdown.into(),
        }
    }
}
