//! Git sources: a repository that a process follows by itself, what opens it, who may ring for it, and where results are
//! shown.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::duration::Duration;
use crate::environment::{SecretReference, ValueSource};
use crate::name::{EnvironmentName, PluginName, SourceName};
use crate::project::{Material, PluginSpec};

/// The document of the kind `GitSource`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct GitSource {
    /// What it is called.
    pub name: SourceName,
    /// Where it is.
    pub place: SourcePlace,
    /// The branch, tag, pattern of tags or commit; what each environment follows if absent.
    pub reference: Option<String>,
    /// The environments that are kept; all that it defines if empty.
    pub environments: Vec<EnvironmentName>,
    /// How often it is looked at when nothing rings before.
    pub interval: Option<Duration>,
    /// What proves who asks.
    pub auth: GitAuth,
    /// Which commits must be signed.
    pub verify: GitVerify,
    /// How its host rings.
    pub webhook: Option<WebhookSpec>,
    /// Where results are shown.
    pub report: Option<ReportSpec>,
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePlace {
    /// A repository elsewhere.
    Repository {
        /// Its URL.
        url: String,
        /// The project's folder in it; empty for its root.
        folder: String,
    },
    /// A folder of this machine.
    Folder(String),
}

/// What proves to a Git server who asks. Read anew for every fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GitAuth {
    /// A token for HTTPS.
    pub token: Option<Material>,
    /// A user's name, for a password or a token that belongs to it.
    pub username: Option<ValueSource>,
    /// A user's password.
    pub password: Option<Material>,
    /// A private key for SSH.
    pub ssh_key: Option<Material>,
    /// What the key is encrypted with.
    pub ssh_key_passphrase: Option<Material>,
    /// The lines of a `known_hosts`; the user's and the machine's if absent.
    pub known_hosts: Option<Material>,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<Material>,
}

/// Which commits must be signed, and whose signatures count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GitVerify {
    /// Which.
    pub mode: VerifyMode,
    /// SSH's `allowed_signers`.
    pub allowed_signers: Option<Material>,
    /// Armored OpenPGP certificates.
    pub openpgp_keys: Option<Material>,
    /// A revision that is trusted as it is, with all before it.
    pub since: Option<String>,
    /// Whose promotion records count, as SSH's `allowed_signers`; whose commits count if absent.
    pub promotion_signers: Option<Material>,
}

impl GitSource {
    /// The secrets that reading its repository takes.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretReference> {
        let (auth, verify) = (&self.auth, &self.verify);
        let materials = [
            &auth.token,
            &auth.password,
            &auth.ssh_key,
            &auth.ssh_key_passphrase,
            &auth.known_hosts,
            &auth.ca_file,
            &verify.allowed_signers,
            &verify.openpgp_keys,
            &verify.promotion_signers,
        ];
        let materials = materials.into_iter().flatten();
        let secrets = materials.filter_map(|material| match material {
            Material::Secret(reference) => Some(reference),
            Material::File { .. } => None,
        });
        let username = auth.username.iter().filter_map(|value| match value {
            ValueSource::Secret(reference) => Some(reference),
            ValueSource::Literal(_) => None,
        });
        secrets.chain(username)
    }
}

/// Which commits must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum VerifyMode {
    /// None.
    #[default]
    None,
    /// The one that is read.
    Head,
    /// Every one that changes migrations.
    EveryMigrationCommit,
}

/// A plugin that is attached to a source, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedPlugin {
    /// What it is called.
    pub name: PluginName,
    /// Where it comes from and what it may do; a file's path is one of the host.
    pub spec: PluginSpec,
}

/// How a source's host rings.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookSpec {
    /// What verifies and reads deliveries.
    pub plugin: AttachedPlugin,
    /// Its configuration. No secret is in it.
    pub with: Json,
    /// What deliveries are proved with: one, or two while one is replaced.
    pub secrets: Vec<Material>,
    /// The repository that deliveries must be about, as its host names it; as the URL says it if absent.
    pub repository: Option<String>,
}

/// Where the results of a source are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSpec {
    /// What shows them.
    pub plugin: AttachedPlugin,
    /// Its configuration.
    pub with: Json,
    /// Which pull requests are planned; none if absent.
    pub pull_requests: Option<PullRequestSpec>,
}

/// Which pull requests are planned, and against what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PullRequestSpec {
    /// The environments; all of the source if empty.
    pub environments: Vec<EnvironmentName>,
    /// Whether pull requests of other repositories are planned.
    pub allow_forks: bool,
}

impl GitSource {
    /// Whether a repository that a delivery names is this one. Hosts don't tell letters of different cases apart. A source
    /// of a folder that names none takes every one.
    #[must_use]
    pub fn is_repository(&self, name: &str) -> bool {
        let said = self
            .webhook
            .as_ref()
            .and_then(|one| one.repository.as_deref());
        match (said, &self.place) {
            (Some(said), _) => said.eq_ignore_ascii_case(name),
            (None, SourcePlace::Repository { url, .. }) => ends_in(url, name),
            (None, SourcePlace::Folder(_)) => true,
        }
    }
}

/// Whether the path of a repository's address ends in a name, by whole parts.
fn ends_in(url: &str, name: &str) -> bool {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        // `git@HOST:PATH`.
        None => url.split_once(':').map_or(url, |(_, path)| path),
    };
    let path = path.trim_end_matches('/');
    let path = path
        .strip_suffix(".git")
        .unwrap_or(path)
        .to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    !name.is_empty()
        && path
            .strip_suffix(&name)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::ends_in;

    #[test]
    fn an_address_names_a_repository() {
        for (url, name) in [
            ("https://github.com/acme/shop.git", "acme/shop"),
            ("https://github.com/Acme/Shop", "acme/shop"),
            ("git@github.com:acme/shop.git", "acme/shop"),
            ("ssh://git@git.example.org:7999/PROJ/shop.git", "PROJ/shop"),
            ("https://git.example.org/scm/proj/shop.git", "PROJ/shop"),
            ("https://gitlab.example.org/a/b/c/shop.git/", "a/b/c/shop"),
            ("file:///srv/git/acme/shop.git", "acme/shop"),
        ] {
            assert!(ends_in(url, name), "{url} {name}");
        }
        for (url, name) in [
            ("https://github.com/acme/shop.git", "evil/shop"),
            ("https://github.com/acme/shop.git", "me/shop"),
            ("https://github.com/acme/shop.git", "acme/shop2"),
            ("https://github.com/acme/shop.git", ""),
            ("https://github.com", "github.com"),
        ] {
            assert!(!ends_in(url, name), "{url} {name}");
        }
    }
}
