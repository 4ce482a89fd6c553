//! What of a Git source can't be meant.

use serde::Deserialize;
use serde_json::Value as Json;
use whimbrel_core::digest::Digest;
use whimbrel_core::environment::{BUILTIN_BACKENDS, CLUSTER_BACKEND, SecretReference, ValueSource};
use whimbrel_core::git_source::{
    AttachedPlugin, GitAuth, GitVerify, PullRequestSpec, ReportSpec, SourcePlace, VerifyMode,
    WebhookSpec,
};
use whimbrel_core::name::PluginName;
use whimbrel_core::project::{Grants, Material, PluginSource, PluginSpec};
use whimbrel_core::reference::references;

use crate::document::Document;
use crate::foreign;
use crate::grant_checks;
use crate::load::LoadOptions;
use crate::locate;
use crate::node::{Part, Way, way};
use crate::problem::{Problem, alternatives};

/// The most secrets of a webhook: two while one is replaced, and some for whoever replaces slowly.
const SECRETS: usize = 8;

/// `webhook:` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    plugin: Option<PluginName>,
    path: Option<String>,
    digest: Option<Digest>,
    #[serde(default)]
    grants: Grants,
    #[serde(default)]
    with: Json,
    secrets: Vec<Material>,
    repository: Option<String>,
}

/// `report:` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    plugin: Option<PluginName>,
    path: Option<String>,
    digest: Option<Digest>,
    #[serde(default)]
    grants: Grants,
    #[serde(default)]
    with: Json,
    pull_requests: Option<PullRequestSpec>,
}

/// What is said about one document.
pub struct Checks<'a> {
    pub document: &'a Document,
    pub options: &'a LoadOptions,
    pub problems: Vec<Problem>,
}

impl Checks<'_> {
    fn push(&mut self, problem: Problem) {
        problem.push(&mut self.problems);
    }

    pub fn place(
        &mut self,
        url: Option<String>,
        folder: Option<String>,
        path: Option<String>,
    ) -> Option<SourcePlace> {
        let problem = match (url, folder, path) {
            (Some(url), folder, None) => {
                return Some(SourcePlace::Repository {
                    url,
                    folder: folder.unwrap_or_default(),
                });
            }
            (None, None, Some(path)) => return Some(SourcePlace::Folder(path)),
            (Some(_), _, Some(_)) => self
                .document
                .key_problem(&way!["spec", "path"], "the source is in two places")
                .expected("either `url` or `path`"),
            (None, Some(_), Some(_)) => self
                .document
                .key_problem(&way!["spec", "folder"], "`folder` is one of a repository")
                .expected("`folder` beside `url` only; `path` names the project's own folder"),
            (None, _, None) => self
                .document
                .key_problem(&way!["spec"], "the source is nowhere")
                .expected("`url: https://…`, or `path: FOLDER`"),
        };
        self.push(problem);
        None
    }

    pub fn auth(&mut self, auth: &GitAuth) {
        let at = |key: &str| way!["spec", "auth", key];
        for (key, material) in [
            ("token", &auth.token),
            ("password", &auth.password),
            ("sshKey", &auth.ssh_key),
            ("sshKeyPassphrase", &auth.ssh_key_passphrase),
            ("knownHosts", &auth.known_hosts),
            ("caFile", &auth.ca_file),
        ] {
            self.material(&at(key), material.as_ref());
        }
        match &auth.username {
            Some(ValueSource::Secret(reference)) => self.reference(&at("username"), reference),
            Some(ValueSource::Literal(text)) if text.starts_with(foreign::BEGINNING) => self.push(
                self.document
                    .problem(
                        &at("username"),
                        "`username` doesn't say which backend is meant",
                    )
                    .expected("`secret://BACKEND/PATH#KEY`"),
            ),
            _ => {}
        }
        if auth.token.is_some() && auth.password.is_some() {
            self.push(
                self.document
                    .key_problem(&at("password"), "`password` beside `token`")
                    .expected("one of them"),
            );
        }
        if auth.password.is_some() && auth.username.is_none() {
            self.push(
                self.document
                    .key_problem(&at("password"), "`password` without `username`")
                    .expected("both, or `token`"),
            );
        }
        if auth.ssh_key_passphrase.is_some() && auth.ssh_key.is_none() {
            self.push(
                self.document
                    .key_problem(
                        &at("sshKeyPassphrase"),
                        "`sshKeyPassphrase` without `sshKey`",
                    )
                    .expected("both, or neither"),
            );
        }
    }

    pub fn verify(&mut self, verify: &GitVerify) {
        let at = |key: &str| way!["spec", "verify", key];
        self.material(&at("allowedSigners"), verify.allowed_signers.as_ref());
        self.material(&at("openpgpKeys"), verify.openpgp_keys.as_ref());
        self.material(&at("promotionSigners"), verify.promotion_signers.as_ref());
        let is_anybody = verify.allowed_signers.is_some() || verify.openpgp_keys.is_some();
        if verify.mode != VerifyMode::None && !is_anybody {
            self.push(
                self.document
                    .problem(
                        &at("mode"),
                        "commits must be signed, and nobody's signature counts",
                    )
                    .expected("`allowedSigners` or `openpgpKeys`"),
            );
        }
    }

    pub fn webhook(&mut self, webhook: Webhook) -> Option<WebhookSpec> {
        let at = way!["spec", "webhook"];
        for (index, material) in webhook.secrets.iter().enumerate() {
            self.material(&below(&at, &way!["secrets", index]), Some(material));
        }
        if webhook.secrets.len() > SECRETS {
            self.push(
                self.document
                    .key_problem(
                        &below(&at, &way!["secrets"]),
                        "too many secrets are live at once",
                    )
                    .expected(format!("at most {SECRETS}: two while one is replaced")),
            );
        }
        self.with(&at, &webhook.with);
        let plugin = self.plugin(
            &at,
            webhook.plugin,
            "git-webhook",
            (webhook.path, webhook.digest),
            webhook.grants,
        )?;
        Some(WebhookSpec {
            plugin,
            with: webhook.with,
            secrets: webhook.secrets,
            repository: webhook.repository,
        })
    }

    pub fn report(&mut self, report: Report, place: Option<&SourcePlace>) -> Option<ReportSpec> {
        let at = way!["spec", "report"];
        self.with(&at, &report.with);
        if let (Some(_), Some(SourcePlace::Folder(_))) = (&report.pull_requests, place) {
            self.push(
                self.document
                    .key_problem(
                        &below(&at, &way!["pullRequests"]),
                        "a folder of this machine has no pull requests",
                    )
                    .expected("`url` in the place of `path`"),
            );
        }
        let plugin = self.plugin(
            &at,
            report.plugin,
            "git-reporter",
            (report.path, report.digest),
            report.grants,
        )?;
        Some(ReportSpec {
            plugin,
            with: report.with,
            pull_requests: report.pull_requests,
        })
    }

    fn plugin(
        &mut self,
        at: &[Part],
        name: Option<PluginName>,
        usual: &str,
        (path, digest): (Option<String>, Option<Digest>),
        grants: Grants,
    ) -> Option<AttachedPlugin> {
        let is_said = name.is_some();
        let name = match name {
            Some(name) => name,
            None => usual.parse().ok()?,
        };
        grant_checks::check(
            self.document,
            &below(at, &way!["grants"]),
            &grants,
            &mut self.problems,
        );
        let materials: Vec<_> = {
            let spec = PluginSpec {
                source: PluginSource::Builtin(String::new()),
                digest: None,
                grants: grants.clone(),
            };
            spec.materials().cloned().collect()
        };
        for material in &materials {
            self.material(&below(at, &way!["grants"]), Some(material));
        }
        let builtin = &self.options.builtin_plugins;
        let is_known = builtin.iter().any(|known| known == name.as_str());
        match (&path, digest) {
            (Some(_), None) => self.push(
                self.document
                    .key_problem(
                        &below(at, &way!["path"]),
                        format!("the plugin `{name}` isn't pinned"),
                    )
                    .expected("`digest: sha256:…`"),
            ),
            (None, _) if !is_known => {
                let place = if is_said {
                    below(at, &way!["plugin"])
                } else {
                    at.to_vec()
                };
                let names = builtin.iter().map(String::as_str);
                self.push(
                    self.document
                        .problem(&place, format!("there is no built-in plugin `{name}`"))
                        .expected(self.options.expected_plugins())
                        .nearest(name.as_str(), names),
                );
            }
            _ => {}
        }
        let source = path.map_or_else(
            || PluginSource::Builtin(name.to_string()),
            PluginSource::Path,
        );
        Some(AttachedPlugin {
            name,
            spec: PluginSpec {
                source,
                digest,
                grants,
            },
        })
    }

    fn with(&mut self, at: &[Part], with: &Json) {
        for (pointer, reference) in references(with) {
            if !is_known(&reference) {
                let message = unknown(&reference);
                let place = below(at, &way!["with"]);
                let problem = locate::within(self.document, place, &pointer, &message);
                self.push(problem.expected(alternatives(BUILTIN_BACKENDS)));
            }
        }
    }

    fn material(&mut self, way: &[Part], material: Option<&Material>) {
        if let Some(Material::Secret(reference)) = material {
            self.reference(way, reference);
        }
    }

    fn reference(&mut self, way: &[Part], reference: &SecretReference) {
        if !is_known(reference) {
            let problem = self.document.problem(way, unknown(reference));
            self.push(
                problem
                    .expected(alternatives(BUILTIN_BACKENDS))
                    .nearest(&reference.backend, BUILTIN_BACKENDS),
            );
        }
    }
}

fn is_known(reference: &SecretReference) -> bool {
    BUILTIN_BACKENDS.contains(&reference.backend.as_str()) || reference.backend == CLUSTER_BACKEND
}

fn unknown(reference: &SecretReference) -> String {
    format!("a source has no secret backend `{}`", reference.backend)
}

fn below(at: &[Part], rest: &[Part]) -> Way {
    [at, rest].concat()
}
