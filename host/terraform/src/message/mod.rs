//! The messages of the plugin protocol, written by hand. Numbers and types of fields are the protocol's.
//!
//! Sources: `docs/plugin-protocol/tfplugin6.8.proto` of Terraform 1.11; `internal/plugin/*.proto` of go-plugin; and gRPC's
//! health checking protocol. Fields that nobody here reads or sets are left out, as the encoding allows.

// A message's own documentation is the protocol's.
#![allow(missing_docs, reason = "the protocol's own documentation says it")]

mod data;
mod function;
mod plugin;
mod provider;
mod resource;
mod schema;

use std::fmt;

pub(crate) use data::*;
pub(crate) use function::*;
pub(crate) use plugin::*;
pub(crate) use provider::*;
pub(crate) use resource::*;
pub(crate) use schema::*;

/// A value; no `Debug` of what is in it, because it may be secret.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct DynamicValue {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) msgpack: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) json: Vec<u8>,
}

impl fmt::Debug for DynamicValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DynamicValue")
    }
}

/// A state as it was kept; no `Debug` of what is in it.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct RawState {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) json: Vec<u8>,
}

impl fmt::Debug for RawState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RawState")
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Diagnostic {
    #[prost(enumeration = "Severity", tag = "1")]
    pub(crate) severity: i32,
    #[prost(string, tag = "2")]
    pub(crate) summary: String,
    #[prost(string, tag = "3")]
    pub(crate) detail: String,
    #[prost(message, optional, tag = "4")]
    pub(crate) attribute: Option<AttributePath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Severity {
    Invalid = 0,
    Error = 1,
    Warning = 2,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AttributePath {
    #[prost(message, repeated, tag = "1")]
    pub(crate) steps: Vec<PathStep>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct PathStep {
    #[prost(oneof = "Selector", tags = "1, 2, 3")]
    pub(crate) selector: Option<Selector>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum Selector {
    #[prost(string, tag = "1")]
    AttributeName(String),
    #[prost(string, tag = "2")]
    ElementKeyString(String),
    #[prost(int64, tag = "3")]
    ElementKeyInt(i64),
}
