//! A migration from a YAML or JSON document, alone or in a folder with its SQL files.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Json;
use whimbrel_core::definition::{
    Action, Checks, MetricQuery, Migration, Origin, PluginAction, SqlAction, Step,
};
use whimbrel_core::duration::Duration;
use whimbrel_core::name::{DatabaseName, MigrationName, PluginName};

use crate::check::Completeness;
use crate::document::{Document, Language};
use crate::files::{Files, join, normalized};
use crate::migrations::{Read, Text};
use crate::node::way;
use crate::problem::Problem;
use crate::shape::Kind;
use crate::source::Source;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    database: Option<DatabaseName>,
    #[serde(default)]
    depends_on: Vec<MigrationName>,
    steps: Vec<StepSpec>,
    #[serde(default)]
    checks: Checks,
    #[serde(default)]
    metrics: Vec<MetricQuery>,
    #[serde(default, rename = "environmentRef")]
    _environment_reference: serde::de::IgnoredAny,
    #[serde(default, rename = "deletionPolicy")]
    _deletion_policy: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepSpec {
    name: Option<String>,
    sql: Option<String>,
    sql_file: Option<String>,
    uses: Option<PluginName>,
    revert: Option<String>,
    revert_file: Option<String>,
    with: Option<Json>,
    #[serde(default)]
    reads: Vec<DatabaseName>,
    timeout: Option<Duration>,
}

/// What reading a document needs besides it.
pub struct Surroundings<'a> {
    /// To read the SQL files that it names.
    pub files: &'a Files<'a>,
    /// The folder that those are in.
    pub folder: &'a str,
    /// What the file, or the folder, is called.
    pub stem: &'a str,
    /// What `stem` is the name of: `file` or `folder`.
    pub holder: &'static str,
}

/// Reads a document; what is wrong is said in `problems`, and the paths of files that it names go to `named`.
pub fn read(
    source: Source,
    language: Language,
    surroundings: &Surroundings<'_>,
    named: &mut BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Option<Read> {
    let whole = Completeness::Whole;
    let read = Document::read::<Spec>(source, language, Kind::Migration, whole);
    let (document, envelope) = match read {
        Ok(read) => read,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let before = problems.len();
    let name: MigrationName = envelope.metadata.name.parse().ok()?;
    if name.as_str() != surroundings.stem {
        let (stem, holder) = (surroundings.stem, surroundings.holder);
        document
            .problem(
                &way!["metadata", "name"],
                format!("the migration is called `{name}` and its {holder} `{stem}`"),
            )
            .expected("the same name for both")
            .suggest(format!("write `name: {stem}`, or rename the {holder}"))
            .push(problems);
    }
    let mut texts = Vec::new();
    let mut steps = Vec::new();
    for (index, step) in envelope.spec.steps.into_iter().enumerate() {
        let mut reader = StepReader {
            document: &document,
            surroundings,
            index,
            named,
            problems,
            texts: &mut texts,
        };
        steps.extend(reader.step(step));
    }
    let mut spec_checks = envelope.spec.checks;
    for check in spec_checks.before.iter_mut().chain(&mut spec_checks.after) {
        check.query = normalized(&check.query);
    }
    let mut metrics = envelope.spec.metrics;
    for metric in &mut metrics {
        metric.query = normalized(&metric.query);
    }
    if problems.len() > before {
        // Nothing that follows from a mistake is worth a second message.
        return None;
    }
    let line = document.line(&way!["metadata", "name"]);
    Some(Read {
        database: envelope.spec.database,
        checksum: None,
        migration: Migration {
            name,
            // Set once the defaults are known.
            database: "unknown".parse().ok()?,
            depends_on: envelope.spec.depends_on,
            steps,
            checks: spec_checks,
            metrics,
            origin: Origin {
                path: document.source.path.clone(),
                line,
            },
        },
        document,
        texts,
    })
}

struct StepReader<'a> {
    document: &'a Document,
    surroundings: &'a Surroundings<'a>,
    index: usize,
    named: &'a mut BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
    texts: &'a mut Vec<Text>,
}

impl StepReader<'_> {
    fn step(&mut self, step: StepSpec) -> Option<Step> {
        let here = way!["spec", "steps", self.index];
        let number = self.index + 1;
        let given: Vec<_> = [
            ("sql", step.sql.is_some()),
            ("sqlFile", step.sql_file.is_some()),
            ("uses", step.uses.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                self.document
                    .problem(&here, format!("step {number} does nothing"))
                    .expected("one of `sql`, `sqlFile`, `uses`")
                    .push(self.problems);
                return None;
            }
            [first, second, ..] => {
                let mut way = here;
                way.push((*second).into());
                self.document
                    .key_problem(
                        &way,
                        format!("step {number} has both `{first}` and `{second}`"),
                    )
                    .expected("one of `sql`, `sqlFile`, `uses` in each step")
                    .suggest("make two steps of it")
                    .push(self.problems);
                return None;
            }
        }
        let action = match step.uses {
            Some(uses) => {
                self.refuse(
                    "revert",
                    step.revert.is_some(),
                    "a plugin undoes its own work",
                );
                self.refuse(
                    "revertFile",
                    step.revert_file.is_some(),
                    "a plugin undoes its own work",
                );
                Action::Plugin(PluginAction {
                    uses,
                    with: step.with.unwrap_or_default(),
                    reads: step.reads,
                })
            }
            None => {
                self.refuse("with", step.with.is_some(), "only a plugin is configured");
                self.refuse(
                    "reads",
                    !step.reads.is_empty(),
                    "only a plugin reads other databases",
                );
                let both = step.revert.is_some() && step.revert_file.is_some();
                self.refuse("revertFile", both, "there is a `revert` already");
                let (sql, file) = self.text("sql", step.sql, "sqlFile", step.sql_file)?;
                let (revert, revert_file) = if step.revert.is_none() && step.revert_file.is_none() {
                    (None, None)
                } else {
                    let (text, file) =
                        self.text("revert", step.revert, "revertFile", step.revert_file)?;
                    (Some(text), file)
                };
                Action::Sql(SqlAction {
                    sql,
                    revert,
                    file,
                    revert_file,
                })
            }
        };
        Some(Step {
            name: step.name,
            action,
            timeout: step.timeout,
        })
    }

    fn refuse(&mut self, key: &'static str, given: bool, reason: &str) {
        if given {
            let way = way!["spec", "steps", self.index, key];
            self.document
                .key_problem(
                    &way,
                    format!(
                        "`{key}` doesn't belong into step {}: {reason}",
                        self.index + 1
                    ),
                )
                .expected("a step without it")
                .push(self.problems);
        }
    }

    /// The SQL of a key, or of the file that another key names.
    fn text(
        &mut self,
        key: &'static str,
        text: Option<String>,
        file_key: &'static str,
        file: Option<String>,
    ) -> Option<(String, Option<Origin>)> {
        if let Some(text) = text {
            let way = way!["spec", "steps", self.index, key];
            let line = self.document.content_line(&way);
            let text = normalized(&text);
            self.texts.push(Text {
                way,
                line,
                sql: text.clone(),
                file: None,
            });
            return Some((text, None));
        }
        let name = file?;
        let way = way!["spec", "steps", self.index, file_key];
        let path = join(self.surroundings.folder, &name);
        self.named.insert(path.clone());
        let source = match self.surroundings.files.read(&path) {
            Ok(Some(source)) => source,
            Ok(None) => {
                let problem = self
                    .document
                    .problem(&way, format!("there is no file `{path}`"))
                    .expected("a file beside the document");
                let entries = self.surroundings.files.entries(self.surroundings.folder);
                let entries = entries.ok().flatten().unwrap_or_default();
                let others = entries.iter().map(|entry| entry.name.as_str());
                let others = others.filter(|other| other.ends_with(".sql"));
                problem.nearest(&name, others).push(self.problems);
                return None;
            }
            Err(problem) => {
                // Said where the file is named, as that is what the author can change.
                let mut said = self
                    .document
                    .problem(&way, format!("`{path}`: {}", problem.message));
                said.expected = problem.expected;
                said.suggestion = problem.suggestion;
                said.push(self.problems);
                return None;
            }
        };
        if source.text.trim().is_empty() && key == "sql" {
            self.document
                .problem(&way, format!("the file `{path}` is empty"))
                .expected("SQL")
                .push(self.problems);
            return None;
        }
        let sql = source.text.clone();
        self.texts.push(Text {
            way,
            line: 1,
            sql: sql.clone(),
            file: Some(source),
        });
        Some((sql, Some(Origin { path, line: 1 })))
    }
}
