//! What a provider, its resources, data sources and functions look like.
//!
//! Read from the document that `schema()` of `whimbrel:resources` gives, told to Terraform as messages, and the source of
//! the types that drive the codecs.

mod document;
mod message;

use std::collections::BTreeMap;

pub use document::SchemaError;

use crate::value::Type;

/// All of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProviderSchema {
    /// Of the provider's own configuration.
    pub provider: Block,
    /// Resources by their types' names.
    pub resources: BTreeMap<String, Resource>,
    /// Data sources by their types' names.
    pub data_sources: BTreeMap<String, Block>,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Resource {
    /// Of its states: an older one is upgraded before anything else is done with it.
    pub version: u64,
    /// What it has.
    pub block: Block,
}

/// A block of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Block {
    /// For people, in Markdown.
    pub description: String,
    /// Whether nobody should use it any more.
    pub is_deprecated: bool,
    /// Its attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Blocks in it by name.
    pub blocks: BTreeMap<String, NestedBlock>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What its value is made of.
    pub shape: Shape,
    /// Who says its value.
    pub setting: Setting,
    /// Whether its value is hidden from people and from components.
    pub is_sensitive: bool,
    /// Whether its value is only ever in configurations, never in a plan or a state.
    pub is_write_only: bool,
    /// Whether nobody should use it any more.
    pub is_deprecated: bool,
    /// For people, in Markdown.
    pub description: String,
}

/// What the value of an attribute is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A type.
    Type(Type),
    /// Attributes of their own, each with its own settings.
    Nested(Nesting, BTreeMap<String, Attribute>),
}

/// Who says the value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The configuration must.
    Required,
    /// The configuration may.
    Optional,
    /// The provider does.
    Computed,
    /// The configuration may, and the provider does otherwise.
    OptionalComputed,
}

/// A block in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedBlock {
    /// How often it may be there, and how it is found again.
    pub nesting: Nesting,
    /// How often it must be there at least.
    pub minimum: u32,
    /// How often it may be there at most; zero is any number.
    pub maximum: u32,
    /// What it has.
    pub block: Block,
}

/// How often something may be there, and how it is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// Once.
    Single,
    /// In order.
    List,
    /// Without order.
    Set,
    /// By key.
    Map,
    /// Once, and there even if nobody wrote it. Only blocks.
    Group,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// For people, one line.
    pub summary: String,
    /// For people, in Markdown.
    pub description: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
    /// What else it takes, any number of times.
    pub variadic: Option<Parameter>,
    /// The type of what it gives.
    pub returns: Type,
}

/// What a function takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// For people.
    pub name: String,
    /// What it must be.
    pub kind: Type,
    /// For people, in Markdown.
    pub description: String,
    /// Whether it may be null.
    pub takes_null: bool,
    /// Whether the function wants to be called although it isn't known.
    pub takes_unknown: bool,
}

impl Setting {
    /// Whether the provider may say the value.
    #[must_use]
    pub const fn is_computed(self) -> bool {
        matches!(self, Self::Computed | Self::OptionalComputed)
    }
}

impl Attribute {
    /// The type of its value.
    #[must_use]
    pub fn kind(&self) -> Type {
        match &self.shape {
            Shape::Type(kind) => kind.clone(),
            Shape::Nested(nesting, attributes) => nesting.around(object(attributes)),
        }
    }

    /// Whether only the host may see its value.
    pub(crate) const fn is_secret(&self) -> bool {
        self.is_sensitive || self.is_write_only
    }
}

impl Nesting {
    fn around(self, object: Type) -> Type {
        match self {
            Self::Single | Self::Group => object,
            Self::List => Type::List(Box::new(object)),
            Self::Set => Type::Set(Box::new(object)),
            Self::Map => Type::Map(Box::new(object)),
        }
    }
}

impl Block {
    /// The type of its values.
    #[must_use]
    pub fn kind(&self) -> Type {
        let mut members = kinds(&self.attributes);
        for (name, nested) in &self.blocks {
            members.insert(name.clone(), nested.nesting.around(nested.block.kind()));
        }
        Type::Object(members)
    }
}

impl Function {
    /// The parameter of this argument.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<&Parameter> {
        self.parameters.get(index).or(self.variadic.as_ref())
    }
}

fn kinds(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, Type> {
    let attributes = attributes.iter();
    attributes
        .map(|(name, attribute)| (name.clone(), attribute.kind()))
        .collect()
}

fn object(attributes: &BTreeMap<String, Attribute>) -> Type {
    Type::Object(kinds(attributes))
}
