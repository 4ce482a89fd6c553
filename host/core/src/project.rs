//! The project: where its documents are, what it takes for granted, which plugins it pins and what they may do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::environment::SecretReference;
use crate::finding::RuleLevel;
use crate::name::{DatabaseName, PluginName, ProjectName};
use crate::size::ByteSize;

/// The document `whimbrel.yaml`, resolved: every field has its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its name; a target records it as its owner.
    pub name: ProjectName,
    /// Folder of the migrations, from the project's root.
    pub migrations: String,
    /// Folder of the environments, from the project's root.
    pub environments: String,
    /// The ref from which the project file, environments, plugins and grants are read.
    pub control_ref: String,
    /// What definitions may leave out.
    pub defaults: Defaults,
    /// How findings are taken.
    pub lint: LintSettings,
    /// The plugins that it pins, besides the built-in ones.
    pub plugins: BTreeMap<PluginName, PluginSpec>,
}

/// What definitions may leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// The database of a migration that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseName>,
}

/// How findings are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LintSettings {
    /// The level of rules that the project doesn't take as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, RuleLevel>,
}

/// One plugin of the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginSpec {
    /// Where its component comes from.
    #[serde(flatten)]
    pub source: PluginSource,
    /// The digest that the component must have; always there for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
}

impl PluginSpec {
    /// What the host reads for its requests.
    pub fn materials(&self) -> impl Iterator<Item = &Material> {
        self.grants.http.iter().flat_map(|grant| {
            let basic = grant.basic.iter();
            let basic = basic.flat_map(|basic| [&basic.username, &basic.password]);
            [&grant.ca, &grant.certificate, &grant.key, &grant.bearer]
                .into_iter()
                .flatten()
                .chain(basic)
        })
    }
}

/// Where a plugin's component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginSource {
    /// A file of the repository, from the project's root.
    Path(String),
    /// A component inside the binary.
    Builtin(String),
}

/// What the operator lets a plugin do. Nothing, unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Grants {
    /// Where it may send HTTP requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Environment variables that it may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Folders that it may read, from the project's root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Whether it may ask what time it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clock: bool,
    /// Whether it may ask for random bytes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
    /// Whether it may report metrics.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub metrics: bool,
    /// How much memory one call may use; the host's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
}

/// One place to which a plugin may send HTTP requests, and what the host adds to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// `https://host:port/path*`, or `config:/pointer` into the plugin's `with:`.
    pub to: String,
    /// Certificates to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Material>,
    /// Client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Material>,
    /// Key of the client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Material>,
    /// Token for an `Authorization: Bearer` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Material>,
    /// Username and password for an `Authorization: Basic` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicMaterial>,
}

impl HttpGrant {
    /// Requests to a place, to which nothing is added.
    #[must_use]
    pub fn to(place: impl Into<String>) -> Self {
        Self {
            to: place.into(),
            ca: None,
            certificate: None,
            key: None,
            bearer: None,
            basic: None,
        }
    }
}

/// Username and password of basic authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicMaterial {
    /// The username.
    pub username: Material,
    /// The password.
    pub password: Material,
}

/// Something that the host reads when it is needed: a file, or a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Material {
    /// `{ file: PATH }`.
    File {
        /// The file's path on the host.
        file: String,
    },
    /// `{ secret: BACKEND, path: PATH, … }` or `secret://BACKEND/PATH`.
    Secret(SecretReference),
}
