//! The queries of `forEach`, looked at without asking them.

use std::collections::BTreeSet;

use whimbrel_config::for_each_place;
use whimbrel_core::environment::Environment;
use whimbrel_core::finding::Finding;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::plan::{Mistake, PrepareError, Where};
use whimbrel_core::statement::Dialect;
use whimbrel_database::split_query;

use crate::lint::{dialects, wrong};
use crate::{OpenProject, ProjectError};

/// What is wrong with the queries of an environment, each where it stands; `known` is the dialect that counts where no URL
/// says one.
fn mistakes(
    project: &OpenProject,
    environment: &Environment,
    known: Option<Dialect>,
) -> Option<PrepareError> {
    let mut found = Vec::new();
    for (database, spec) in &environment.databases {
        let Some(for_each) = &spec.for_each else {
            continue;
        };
        let mut dialects: BTreeSet<_> = dialects(project, environment, &for_each.of);
        if dialects.is_empty() {
            dialects.extend(known);
        }
        for dialect in dialects {
            let Err(error) = split_query(dialect, &for_each.query) else {
                continue;
            };
            let before = for_each.query.get(..error.offset).unwrap_or_default();
            let place = for_each_place(
                &*project.control,
                project.project(),
                &environment.name,
                database,
                before,
            );
            found.push(Mistake {
                at: place.map_or(Where::NoFile, Where::File),
                message: format!("`forEach` of `{database}`: {}", error.message),
                hint: error.hint.unwrap_or_default(),
            });
        }
    }
    PrepareError::new(found)
}

/// The same as findings.
pub(crate) fn for_each_findings(project: &OpenProject, environment: &Environment) -> Vec<Finding> {
    let found = mistakes(project, environment, None).map(PrepareError::into_mistakes);
    let found = found.into_iter().flatten();
    found.map(|mistake| wrong(None, mistake)).collect()
}

impl OpenProject {
    /// Why the targets of an environment can't be listed, with all its queries that are wrong and where they stand.
    #[must_use]
    pub fn located(&self, environment: &EnvironmentName, error: ProjectError) -> ProjectError {
        let ProjectError::ForEachQuery { dialect, .. } = error else {
            return error;
        };
        let environment = self.definitions().environments.get(environment);
        let found = environment.and_then(|environment| mistakes(self, environment, Some(dialect)));
        found.map_or(error, ProjectError::ForEachQueries)
    }
}
