//! Makes a migration ready for a target: parameters filled in, statements split and classified, plugins asked.

use std::sync::Arc;

use whimbrel_config::with_problem;
use whimbrel_core::canonical;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::{Action, Migration, Origin, PluginAction, SqlAction, Step};
use whimbrel_core::digest::Digest;
use whimbrel_core::plan::{Operation, OperationAction, PrepareError, Prepared};
use whimbrel_core::statement::{Dialect, Statement};
use whimbrel_core::template::{TemplateError, TemplateErrorKind, Values, expand_sql, placeholders};
use whimbrel_database::{SqlError, split};
use whimbrel_plugin::{Mismatch, PluginError, Preview};

use crate::open::Tree;
use crate::plugins::Plugins;

/// What helps against a configuration that isn't as the plugin wants it.
const EXPECTS: &str = "`whimbrel plugin inspect` says what the plugin expects";

/// Makes migrations ready for one dialect and one set of parameters.
#[derive(Clone)]
pub(crate) struct Preparer {
    pub(crate) plugins: Arc<Plugins>,
    /// Where the definitions are, to say in which line something is wrong.
    pub(crate) tree: Tree,
    pub(crate) dialect: Dialect,
    pub(crate) parameters: Values,
    /// Whether it is to be reverted: then neither checks nor metrics run, so that those of one that was applied before
    /// they had to read are no reason to keep it.
    pub(crate) is_reverted: bool,
}

impl Preparer {
    /// The migration as a target would run it.
    pub(crate) async fn prepare(
        &self,
        migration: &Migration,
        checksum: Checksum,
    ) -> Result<Prepared, PrepareError> {
        let definition = migration.canonical().map_err(|error| PrepareError {
            message: format!("{}: {error}", migration.name),
            hint: "write the number as text".to_owned(),
        })?;
        let mut prepared = Prepared::new(migration.name.clone(), checksum, definition);
        prepared.depends_on.clone_from(&migration.depends_on);
        let mut downs = Vec::new();
        for (index, step) in migration.steps.iter().enumerate() {
            let place = Place {
                migration,
                step,
                index,
            };
            let down = match &step.action {
                Action::Sql(action) => self.sql(&place, action, &mut prepared)?,
                Action::Plugin(action) => self.plugin(&place, action, &mut prepared).await?,
            };
            if down.is_none() {
                prepared.irreversible.push((index, step.title(index)));
            }
            downs.push(down.unwrap_or_default());
        }
        prepared.down = downs.into_iter().rev().flatten().collect();
        self.queries(migration, &mut prepared)?;
        Ok(prepared)
    }

    /// Adds the statements of a step; gives those of its down, none when it has none.
    fn sql(
        &self,
        place: &Place<'_>,
        action: &SqlAction,
        prepared: &mut Prepared,
    ) -> Result<Option<Vec<Operation>>, PrepareError> {
        let mut operations = |sql: &str, file: Option<&Origin>| {
            self.statements(sql, prepared)
                .map(|statements| {
                    statements
                        .into_iter()
                        .map(|(statement, hash)| {
                            place.operation(hash, OperationAction::Statement(statement))
                        })
                        .collect::<Vec<_>>()
                })
                .map_err(|problem| place.error(file, problem))
        };
        let up = operations(&action.sql, action.file.as_ref())?;
        let down = action
            .revert
            .as_ref()
            .map(|sql| operations(sql, action.revert_file.as_ref()))
            .transpose()?;
        prepared.up.extend(up);
        Ok(down)
    }

    /// Adds a plugin's step; gives its down, none when the plugin says that it can't be reverted.
    async fn plugin(
        &self,
        place: &Place<'_>,
        action: &PluginAction,
        prepared: &mut Prepared,
    ) -> Result<Option<Vec<Operation>>, PrepareError> {
        let canonical = canonical::canonical(action).map_err(|error| PrepareError {
            message: format!("{}: {error}", place.describe(None)),
            hint: "write the number as text".to_owned(),
        })?;
        let hash = Digest::of(canonical::text(&canonical).as_bytes());
        let plugin = self.plugins.plugin(&action.uses).await;
        let plugin = plugin.map_err(|error| PrepareError {
            message: format!("{}: {error}", place.describe(None)),
            hint: error.hint().unwrap_or_default(),
        })?;
        let mismatches = plugin.mismatches(&action.with).await;
        let mismatches = mismatches.map_err(|error| self.refused(place, &error))?;
        if !mismatches.is_empty() {
            return Err(self.mismatched(place, &mismatches));
        }
        let preview: Preview = plugin
            .plan(&action.with, self.dialect)
            .await
            .map_err(|error| self.refused(place, &error))?;
        prepared
            .plugins
            .insert(action.uses.clone(), plugin.digest());
        let operation = place.operation(
            hash,
            OperationAction::Plugin {
                uses: action.uses.clone(),
                with: action.with.clone(),
                reads: action.reads.clone(),
                effects: preview.effects,
            },
        );
        prepared.up.push(operation.clone());
        Ok(preview.reversible.then(|| vec![operation]))
    }

    /// What a plugin says of a step, at the place in `with:` that it points at.
    fn refused(&self, place: &Place<'_>, error: &PluginError) -> PrepareError {
        let pointer = error.fault().and_then(|fault| fault.pointer.as_deref());
        let at = pointer.and_then(|pointer| self.place_of(place, pointer));
        PrepareError {
            message: match at {
                Some(at) => format!("{at}: {error}"),
                None => format!("{}: {error}", place.describe(None)),
            },
            hint: error.hint().unwrap_or_else(|| EXPECTS.to_owned()),
        }
    }

    /// Everything that is wrong with a step's `with:` by the plugin's own schema, each in a line with its place.
    fn mismatched(&self, place: &Place<'_>, mismatches: &[Mismatch]) -> PrepareError {
        let lines = mismatches.iter().map(|mismatch| {
            let at = self
                .place_of(place, &mismatch.pointer)
                .unwrap_or_else(|| format!("{}: with{}", place.describe(None), mismatch.pointer));
            match &mismatch.hint {
                Some(hint) if mismatches.len() > 1 => {
                    format!("{at}: {} ({hint})", mismatch.message)
                }
                _ => format!("{at}: {}", mismatch.message),
            }
        });
        let hint = match mismatches {
            [one] => one.hint.clone(),
            _ => None,
        };
        PrepareError {
            message: lines.collect::<Vec<_>>().join("\n"),
            hint: hint.unwrap_or_else(|| EXPECTS.to_owned()),
        }
    }

    /// File, line, column and step of a value in a step's `with:`.
    fn place_of(&self, place: &Place<'_>, pointer: &str) -> Option<String> {
        let problem = with_problem(&*self.tree, place.migration, place.index, pointer, "")?;
        let title = place.step.title(place.index);
        Some(format!(
            "{}:{}:{}: {title}",
            problem.path, problem.line, problem.column
        ))
    }

    /// The statements of a text as they are sent, each with the digest that stays the same for other parameters.
    pub(crate) fn statements(
        &self,
        sql: &str,
        prepared: &mut Prepared,
    ) -> Result<Vec<(Statement, Digest)>, Problem> {
        if !sql.contains("${") {
            let statements = split(self.dialect, sql)?;
            return Ok(statements
                .into_iter()
                .map(|statement| {
                    let hash = Digest::of(statement.text.as_bytes());
                    (statement, hash)
                })
                .collect());
        }
        let used =
            placeholders(self.dialect, sql).map_err(|error| Problem::template(sql, &error))?;
        for placeholder in &used {
            if let Some(value) = self.parameters.get(&placeholder.name) {
                prepared
                    .parameters
                    .insert(placeholder.name.clone(), value.clone());
            }
        }
        let filled = expand_sql(self.dialect, sql, &self.parameters)
            .map_err(|error| Problem::template(sql, &error))?;
        let statements = split(self.dialect, &filled)?;
        // The same text with a name in each value's place. Values are always one token, so it splits alike.
        let names = used.iter().map(|used| {
            let name = format!("p{}", Digest::of(used.name.as_bytes()).short());
            (used.name.clone(), name)
        });
        let named = expand_sql(self.dialect, sql, &names.collect())
            .ok()
            .and_then(|text| split(self.dialect, &text).ok())
            .filter(|named| named.len() == statements.len())
            .unwrap_or_else(|| statements.clone());
        Ok(statements
            .into_iter()
            .zip(named)
            .map(|(statement, named)| (statement, Digest::of(named.text.as_bytes())))
            .collect())
    }
}

/// A step, for messages and operations.
struct Place<'a> {
    migration: &'a Migration,
    step: &'a Step,
    index: usize,
}

impl Place<'_> {
    fn operation(&self, hash: Digest, action: OperationAction) -> Operation {
        Operation {
            step: self.index,
            title: self.step.title(self.index),
            hash,
            timeout: self.step.timeout,
            action,
        }
    }

    /// The file, and the step when the file holds several.
    fn describe(&self, file: Option<&Origin>) -> String {
        match file {
            Some(file) => file.path.clone(),
            None => format!(
                "{}: {}",
                self.migration.origin.path,
                self.step.title(self.index)
            ),
        }
    }

    fn error(&self, file: Option<&Origin>, problem: Problem) -> PrepareError {
        let begins = file.map_or(1, |file| file.line.max(1));
        let line = problem.line + begins - 1;
        let at = match (file, problem.column) {
            (Some(_), Some(column)) => format!("{}:{line}:{column}", self.describe(file)),
            (Some(_), None) => format!("{}:{line}", self.describe(file)),
            (None, _) => format!("{}, line {line}", self.describe(None)),
        };
        PrepareError {
            message: format!("{at}: {}", problem.message),
            hint: problem.hint,
        }
    }
}

/// What is wrong with a text, and where in it.
pub(crate) struct Problem {
    pub(crate) line: u32,
    pub(crate) column: Option<u32>,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Problem {
    fn template(sql: &str, error: &TemplateError) -> Self {
        let before = sql.get(..error.offset).unwrap_or(sql);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let hint = match &error.kind {
            TemplateErrorKind::Unknown {
                nearest: Some(name),
                ..
            } => format!("did you mean `{name}`?"),
            TemplateErrorKind::Unknown { .. } => {
                "give it a value under `parameters:` of the environment".to_owned()
            }
            _ => "a literal `${` is written `$${`".to_owned(),
        };
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: None,
            message: error.to_string(),
            hint,
        }
    }
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        Self {
            line: error.line,
            column: Some(error.column),
            message: error.message,
            hint: error.hint.unwrap_or_default(),
        }
    }
}
