//! Git sources: files with one or more documents, which belong to whoever runs the process and not to any repository.

use std::collections::BTreeMap;

use serde::Deserialize;
use whimbrel_core::duration::Duration;
use whimbrel_core::git_source::{GitAuth, GitSource, GitVerify};
use whimbrel_core::name::{EnvironmentName, SourceName};

use crate::check::Completeness;
use crate::document::{Document, Language, language};
use crate::files;
use crate::git_source_checks::{Checks, Report, Webhook};
use crate::load::LoadOptions;
use crate::locate;
use crate::node::way;
use crate::problem::{Problem, Problems};
use crate::shape::Kind;
use crate::source::Source;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Spec {
    url: Option<String>,
    folder: Option<String>,
    path: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    environments: Vec<EnvironmentName>,
    interval: Option<Duration>,
    auth: GitAuth,
    verify: GitVerify,
    webhook: Option<Webhook>,
    report: Option<Report>,
    #[serde(rename = "suspend")]
    _suspend: bool,
}

/// A Git source, and its document.
#[derive(Clone, Debug)]
pub struct GitSourceDocument {
    /// The source.
    pub source: GitSource,
    document: Document,
}

impl GitSourceDocument {
    /// A problem with something of the spec, where it stands: what no document alone can say.
    ///
    /// `pointer` is a JSON pointer into `spec`, such as `/webhook/with/host`.
    #[must_use]
    pub fn problem(&self, pointer: &str, message: &str) -> Problem {
        locate::within(&self.document, way!["spec"], pointer, message)
    }
}

/// Reads the Git sources of a file: in YAML one after the other, with `---` between them.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read_git_sources(
    path: &str,
    bytes: Vec<u8>,
    options: &LoadOptions,
) -> Result<Vec<GitSourceDocument>, Problems> {
    let one = |problem| Problems::new(vec![problem]);
    let source = files::text(path, bytes).map_err(one)?;
    let language = language(path).map_or(Language::Yaml, |(_, language)| language);
    let parts = match language {
        Language::Yaml => documents(&source),
        Language::Json => vec![source],
    };
    if parts.is_empty() {
        return Err(one(Problem::whole(path, "there is no source here")
            .expected("a document of the kind `GitSource`")));
    }
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for part in parts {
        match Document::read::<Spec>(part, language, Kind::GitSource, Completeness::Whole) {
            Ok((document, envelope)) => {
                let read = resolve(&document, &envelope.metadata.name, envelope.spec, options);
                match read {
                    Ok(source) => found.push(GitSourceDocument { source, document }),
                    Err(wrong) => problems.extend(wrong),
                }
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    check_names(&found, &mut problems);
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(Problems::new(problems))
    }
}

/// The documents of a file, each at its lines. Those that say nothing are left out.
fn documents(source: &Source) -> Vec<Source> {
    let is_marker = |line: &str| {
        line.strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let mut parts: Vec<(usize, Vec<&str>)> = vec![(0, Vec::new())];
    for (number, line) in source.text.lines().enumerate() {
        if is_marker(line) {
            parts.push((number, Vec::new()));
        }
        if let Some((_, lines)) = parts.last_mut() {
            lines.push(line);
        }
    }
    let says = |lines: &[&str]| {
        lines.iter().any(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#') && !is_marker(line)
        })
    };
    parts
        .into_iter()
        .filter(|(_, lines)| says(lines))
        .map(|(before, lines)| Source {
            path: source.path.clone(),
            text: "\n".repeat(before) + &lines.join("\n"),
        })
        .collect()
}

fn check_names(found: &[GitSourceDocument], problems: &mut Vec<Problem>) {
    let mut lines: BTreeMap<&SourceName, u32> = BTreeMap::new();
    for one in found {
        let name = &one.source.name;
        let way = way!["metadata", "name"];
        match lines.get(name) {
            Some(line) => one
                .document
                .problem(&way, format!("two sources are called `{name}`"))
                .expected(format!("a name of its own; the first is in line {line}"))
                .push(problems),
            None => {
                lines.insert(name, one.document.line(&way));
            }
        }
    }
}

fn resolve(
    document: &Document,
    name: &str,
    spec: Spec,
    options: &LoadOptions,
) -> Result<GitSource, Vec<Problem>> {
    let mut checks = Checks {
        document,
        options,
        problems: Vec::new(),
    };
    let place = checks.place(spec.url, spec.folder, spec.path);
    checks.auth(&spec.auth);
    checks.verify(&spec.verify);
    let webhook = spec.webhook.and_then(|webhook| checks.webhook(webhook));
    let report = spec
        .report
        .and_then(|report| checks.report(report, place.as_ref()));
    match (name.parse(), place) {
        (Ok(name), Some(place)) if checks.problems.is_empty() => Ok(GitSource {
            name,
            place,
            reference: spec.reference,
            environments: spec.environments,
            interval: spec.interval,
            auth: spec.auth,
            verify: spec.verify,
            webhook,
            report,
        }),
        _ => Err(checks.problems),
    }
}
