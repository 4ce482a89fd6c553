//! What is wrong with a migration, gathered while it is made ready. Whoever finds something says which part of the migration it
//! is about; where that stands in a file is found here, once.

use whimbrel_config::{Spot, TextOf, place_of};
use whimbrel_core::definition::{Migration, Step};
use whimbrel_core::plan::{Mistake, PrepareError, Where};
use whimbrel_core::template::{TemplateError, TemplateErrorKind};
use whimbrel_database::SqlError;

use crate::open::Tree;

/// Where a definition comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// From the files of this tree.
    Files(Tree),
    /// From the history, to be reverted: there is no file of it.
    History,
}

/// What is wrong with one migration.
pub(crate) struct Mistakes<'a> {
    source: &'a Source,
    migration: &'a Migration,
    found: Vec<Mistake>,
}

/// What is wrong with a text, and where in it.
pub(crate) struct Wrong {
    /// In bytes of the text as it is written, with its placeholders.
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl<'a> Mistakes<'a> {
    pub(crate) const fn new(source: &'a Source, migration: &'a Migration) -> Self {
        Self {
            source,
            migration,
            found: Vec::new(),
        }
    }

    /// Adds what is wrong with a part of the migration.
    pub(crate) fn add(&mut self, spot: Spot<'_>, message: &str, hint: impl Into<String>) {
        let message = match self.subject(spot) {
            Some(subject) => format!("{subject}: {message}"),
            None => message.to_owned(),
        };
        let at = match self.source {
            Source::Files(tree) => Where::File(place_of(&**tree, self.migration, spot)),
            Source::History => Where::NoFile,
        };
        let hint = hint.into();
        self.found.push(Mistake { at, message, hint });
    }

    /// Adds what is wrong with a text of the migration.
    pub(crate) fn add_in_text(&mut self, text: TextOf, wrong: Vec<Wrong>) {
        for Wrong {
            offset,
            message,
            hint,
        } in wrong
        {
            self.add(Spot::Text(text, offset), &message, hint);
        }
    }

    /// Everything that was found; none when that is nothing.
    pub(crate) fn into_error(self) -> Option<PrepareError> {
        PrepareError::new(self.found)
    }

    /// What a part is called, where its place doesn't say that already.
    fn subject(&self, spot: Spot<'_>) -> Option<String> {
        let migration = self.migration;
        let check = |name: &String| format!("check `{name}`");
        match spot {
            Spot::Whole => None,
            Spot::Uses(step) | Spot::With(step, _) => self.title(step),
            Spot::Text(text @ TextOf::Step(step, _), offset) => {
                if text.file(migration).is_some() {
                    return None;
                }
                let title = self.title(step)?;
                Some(match self.source {
                    Source::Files(_) => title,
                    Source::History => {
                        let before = text.of(migration).and_then(|text| text.get(..offset));
                        let line = before.unwrap_or_default().matches('\n').count() + 1;
                        format!("{title}, line {line}")
                    }
                })
            }
            Spot::Text(TextOf::Before(index), _) => {
                let found = migration.checks.before.get(index);
                found.map(|found| check(&found.name))
            }
            Spot::Text(TextOf::After(index), _) => {
                let found = migration.checks.after.get(index);
                found.map(|found| check(&found.name))
            }
            Spot::Text(TextOf::Metric(index), _) => {
                let found = migration.metrics.get(index);
                found.map(|found| format!("metric `{}`", found.name))
            }
        }
    }

    fn title(&self, index: usize) -> Option<String> {
        let step: Option<&Step> = self.migration.steps.get(index);
        step.map(|step| step.title(index))
    }
}

impl From<&TemplateError> for Wrong {
    fn from(error: &TemplateError) -> Self {
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
            offset: error.offset,
            message: error.to_string(),
            hint,
        }
    }
}

impl Wrong {
    /// What a dialect says of a text, at this place of what is written.
    pub(crate) fn of_sql(error: SqlError, offset: usize) -> Self {
        Self {
            offset,
            message: error.message,
            hint: error.hint.unwrap_or_default(),
        }
    }
}
