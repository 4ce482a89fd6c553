//! Schemas and what a provider is able to do.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum StringKind {
    Plain = 0,
    Markdown = 1,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Schema {
    #[prost(int64, tag = "1")]
    pub(crate) version: i64,
    #[prost(message, optional, tag = "2")]
    pub(crate) block: Option<SchemaBlock>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SchemaBlock {
    #[prost(int64, tag = "1")]
    pub(crate) version: i64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) attributes: Vec<SchemaAttribute>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) block_types: Vec<SchemaNestedBlock>,
    #[prost(string, tag = "4")]
    pub(crate) description: String,
    #[prost(enumeration = "StringKind", tag = "5")]
    pub(crate) description_kind: i32,
    #[prost(bool, tag = "6")]
    pub(crate) deprecated: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SchemaAttribute {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) r#type: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) description: String,
    #[prost(bool, tag = "4")]
    pub(crate) required: bool,
    #[prost(bool, tag = "5")]
    pub(crate) optional: bool,
    #[prost(bool, tag = "6")]
    pub(crate) computed: bool,
    #[prost(bool, tag = "7")]
    pub(crate) sensitive: bool,
    #[prost(enumeration = "StringKind", tag = "8")]
    pub(crate) description_kind: i32,
    #[prost(bool, tag = "9")]
    pub(crate) deprecated: bool,
    #[prost(message, optional, tag = "10")]
    pub(crate) nested_type: Option<SchemaObject>,
    #[prost(bool, tag = "11")]
    pub(crate) write_only: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SchemaNestedBlock {
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) block: Option<SchemaBlock>,
    #[prost(enumeration = "Nesting", tag = "3")]
    pub(crate) nesting: i32,
    #[prost(int64, tag = "4")]
    pub(crate) min_items: i64,
    #[prost(int64, tag = "5")]
    pub(crate) max_items: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SchemaObject {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<SchemaAttribute>,
    #[prost(enumeration = "Nesting", tag = "3")]
    pub(crate) nesting: i32,
}

/// Of blocks; nested attributes have the same without a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Nesting {
    Invalid = 0,
    Single = 1,
    List = 2,
    Set = 3,
    Map = 4,
    Group = 5,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct ServerCapabilities {
    #[prost(bool, tag = "1")]
    pub(crate) plan_destroy: bool,
    #[prost(bool, tag = "2")]
    pub(crate) get_provider_schema_optional: bool,
    #[prost(bool, tag = "3")]
    pub(crate) move_resource_state: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct ClientCapabilities {
    #[prost(bool, tag = "1")]
    pub(crate) deferral_allowed: bool,
    #[prost(bool, tag = "2")]
    pub(crate) write_only_attributes_allowed: bool,
}
