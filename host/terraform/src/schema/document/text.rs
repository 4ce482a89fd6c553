//! The document as it is written. What of it belongs where is checked by its reader.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::schema::Nesting;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentText {
    #[serde(default)]
    pub(super) provider: Json,
    #[serde(default)]
    pub(super) resources: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) data_sources: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockText {
    pub(super) version: Option<u64>,
    pub(super) nesting: Option<NestingText>,
    pub(super) minimum: Option<u32>,
    pub(super) maximum: Option<u32>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) deprecated: Option<Json>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) blocks: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeText {
    pub(super) r#type: Option<Json>,
    pub(super) nested: Option<NestedText>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) computed: bool,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(default)]
    pub(super) write_only: bool,
    pub(super) deprecated: Option<Json>,
    #[serde(default)]
    pub(super) description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NestedText {
    pub(super) nesting: NestingText,
    pub(super) attributes: BTreeMap<String, Json>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum NestingText {
    Single,
    List,
    Set,
    Map,
    Group,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionText {
    #[serde(default)]
    pub(super) summary: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) parameters: Vec<Json>,
    pub(super) variadic: Option<Json>,
    pub(super) returns: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterText {
    pub(super) name: String,
    pub(super) r#type: Json,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) nullable: bool,
    #[serde(default)]
    pub(super) unknown: bool,
}

impl From<NestingText> for Nesting {
    fn from(text: NestingText) -> Self {
        match text {
            NestingText::Single => Self::Single,
            NestingText::List => Self::List,
            NestingText::Set => Self::Set,
            NestingText::Map => Self::Map,
            NestingText::Group => Self::Group,
        }
    }
}
