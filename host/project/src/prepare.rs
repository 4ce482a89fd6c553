//! Makes a migration ready for a target: parameters filled in, statements split and classified, plugins asked.

use std::sync::Arc;

use whimbrel_config::{Spot, TextOf};
use whimbrel_core::canonical;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::{Action, Migration, PluginAction, SqlAction, Step};
use whimbrel_core::digest::Digest;
use whimbrel_core::history::Direction;
use whimbrel_core::plan::{Operation, OperationAction, PrepareError, Prepared};
use whimbrel_core::statement::{Dialect, Statement};
use whimbrel_core::template::{Filled, Values, expand_sql, fill, placeholders};
use whimbrel_database::{split, split_whole};
use whimbrel_plugin::{Mismatch, PluginError, Preview};

use crate::mistakes::{Mistakes, Source, Wrong};
use crate::plugins::Plugins;

/// What helps against a configuration that isn't as the plugin wants it.
const EXPECTS: &str = "`whimbrel plugin inspect` says what the plugin expects";

/// What helps against a number that canonical JSON can't say.
const AS_TEXT: &str = "write the number as text";

/// Makes migrations ready for one dialect and one set of parameters.
#[derive(Clone)]
pub(crate) struct Preparer {
    pub(crate) plugins: Arc<Plugins>,
    /// Where the definitions come from. Of one that the history has, neither checks nor metrics run, so that those of one that was
    /// applied before they had to read are no reason to keep it.
    pub(crate) source: Source,
    pub(crate) dialect: Dialect,
    pub(crate) parameters: Values,
}

/// The statements of a text.
pub(crate) struct Statements<'a> {
    /// As they are sent, each with the digest that stays the same for other parameters.
    pub(crate) statements: Vec<(Statement, Digest)>,
    /// The text; none when it has no placeholders.
    pub(crate) filled: Option<Filled<'a>>,
}

impl Preparer {
    /// The migration as a target would run it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) async fn prepare(
        &self,
        migration: &Migration,
        checksum: Checksum,
    ) -> Result<Prepared, PrepareError> {
        let mut mistakes = Mistakes::new(&self.source, migration);
        let definition = migration.canonical().unwrap_or_else(|error| {
            mistakes.add(Spot::Whole, &error.to_string(), AS_TEXT);
            serde_json::Value::Null
        });
        let mut prepared = Prepared::new(migration.name.clone(), checksum, definition);
        prepared.depends_on.clone_from(&migration.depends_on);
        let mut downs = Vec::new();
        for (index, step) in migration.steps.iter().enumerate() {
            let at = At { step, index };
            let down = match &step.action {
                Action::Sql(action) => self.sql(at, action, &mut prepared, &mut mistakes),
                Action::Plugin(action) => {
                    self.plugin(at, action, &mut prepared, &mut mistakes).await
                }
            };
            if down.is_none() {
                prepared.irreversible.push((index, step.title(index)));
            }
            downs.push(down.unwrap_or_default());
        }
        prepared.down = downs.into_iter().rev().flatten().collect();
        self.queries(migration, &mut prepared, &mut mistakes);
        match mistakes.into_error() {
            Some(error) => Err(error),
            None => Ok(prepared),
        }
    }

    /// Adds the statements of a step; gives those of its down, none when it has none.
    fn sql(
        &self,
        at: At<'_>,
        action: &SqlAction,
        prepared: &mut Prepared,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Vec<Operation>> {
        let mut operations = |sql: &str, direction| match self.statements(sql, prepared) {
            Ok(found) => {
                let statements = found.statements.into_iter();
                let operation =
                    |(statement, hash)| at.operation(hash, OperationAction::Statement(statement));
                statements.map(operation).collect()
            }
            Err(wrong) => {
                mistakes.add_in_text(TextOf::Step(at.index, direction), wrong);
                Vec::new()
            }
        };
        let up: Vec<_> = operations(&action.sql, Direction::Apply);
        let down = action.revert.as_ref();
        let down = down.map(|sql| operations(sql, Direction::Revert));
        prepared.up.extend(up);
        down
    }

    /// Adds a plugin's step; gives its down, none when the plugin says that it can't be reverted.
    async fn plugin(
        &self,
        at: At<'_>,
        action: &PluginAction,
        prepared: &mut Prepared,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Vec<Operation>> {
        let uses = Spot::Uses(at.index);
        let canonical = match canonical::canonical(action) {
            Ok(canonical) => canonical,
            Err(error) => {
                let with = Spot::With(at.index, "");
                mistakes.add(with, &error.to_string(), AS_TEXT);
                return None;
            }
        };
        let hash = Digest::of(canonical::text(&canonical).as_bytes());
        let plugin = match self.plugins.plugin(&action.uses).await {
            Ok(plugin) => plugin,
            Err(error) => {
                mistakes.add(uses, &error.to_string(), error.hint().unwrap_or_default());
                return None;
            }
        };
        let preview: Result<Preview, PluginError> = match plugin.mismatches(&action.with).await {
            Ok(mismatches) if !mismatches.is_empty() => {
                mismatched(at, &mismatches, mistakes);
                return None;
            }
            Ok(_) => plugin.plan(&action.with, self.dialect).await,
            Err(error) => Err(error),
        };
        let preview = match preview {
            Ok(preview) => preview,
            Err(error) => {
                // What a plugin says is about the value in `with:` that it points at, or about the step.
                let pointer = error.fault().and_then(|fault| fault.pointer.as_deref());
                let spot = pointer.map_or(uses, |pointer| Spot::With(at.index, pointer));
                let hint = error.hint().unwrap_or_else(|| EXPECTS.to_owned());
                mistakes.add(spot, &error.to_string(), hint);
                return None;
            }
        };
        prepared
            .plugins
            .insert(action.uses.clone(), plugin.digest());
        let operation = at.operation(
            hash,
            OperationAction::Plugin {
                uses: action.uses.clone(),
                with: action.with.clone(),
                reads: action.reads.clone(),
                effects: preview.effects,
            },
        );
        prepared.up.push(operation.clone());
        preview.reversible.then(|| vec![operation])
    }

    /// The statements of a text as they are sent.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn statements<'a>(
        &self,
        sql: &'a str,
        prepared: &mut Prepared,
    ) -> Result<Statements<'a>, Vec<Wrong>> {
        if !sql.contains("${") {
            let statements = split_whole(self.dialect, sql).map_err(|errors| {
                let errors = errors.into_iter();
                let wrong = errors.map(|error| {
                    let offset = error.offset;
                    Wrong::of_sql(error, offset)
                });
                wrong.collect::<Vec<_>>()
            })?;
            let statements = statements.into_iter().map(|statement| {
                let hash = Digest::of(statement.text.as_bytes());
                (statement, hash)
            });
            return Ok(Statements {
                statements: statements.collect(),
                filled: None,
            });
        }
        let filled = fill(self.dialect, sql, &self.parameters);
        let mut wrong: Vec<Wrong> = filled.errors.iter().map(Wrong::from).collect();
        let statements = split_whole(self.dialect, &filled.text).unwrap_or_else(|errors| {
            wrong.extend(errors.into_iter().map(|error| {
                let offset = filled.origin(error.offset);
                Wrong::of_sql(error, offset)
            }));
            Vec::new()
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let used = placeholders(self.dialect, sql).unwrap_or_default();
        for placeholder in &used {
            if let Some(value) = self.parameters.get(&placeholder.name) {
                prepared
                    .parameters
                    .insert(placeholder.name.clone(), value.clone());
            }
        }
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
        let digests = named
            .into_iter()
            .map(|named| Digest::of(named.text.as_bytes()));
        Ok(Statements {
            statements: statements.into_iter().zip(digests).collect(),
            filled: Some(filled),
        })
    }
}

/// Adds everything that is wrong with a step's `with:` by the plugin's own schema, each where it stands.
fn mismatched(at: At<'_>, mismatches: &[Mismatch], mistakes: &mut Mistakes<'_>) {
    for mismatch in mismatches {
        let spot = Spot::With(at.index, &mismatch.pointer);
        match &mismatch.hint {
            // One hint stands apart; each of several beside what it is about, and what helps against all of them apart.
            Some(hint) if mismatches.len() > 1 => {
                let message = format!("{} ({hint})", mismatch.message);
                mistakes.add(spot, &message, EXPECTS);
            }
            Some(hint) => mistakes.add(spot, &mismatch.message, hint.as_str()),
            None => mistakes.add(spot, &mismatch.message, EXPECTS),
        }
    }
}

/// A step, for operations.
#[derive(Clone, Copy)]
struct At<'a> {
    step: &'a Step,
    index: usize,
}

impl At<'_> {
    fn operation(self, hash: Digest, action: OperationAction) -> Operation {
        Operation {
            step: self.index,
            title: self.step.title(self.index),
            hash,
            timeout: self.step.timeout,
            action,
        }
    }
}
