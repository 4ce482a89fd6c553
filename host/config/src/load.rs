//! From a tree to definitions.

use std::collections::BTreeMap;

use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::name::{EnvironmentName, PluginName};
use whimbrel_core::project::Project;

use crate::environments;
use crate::files::Files;
use crate::migrations;
use crate::node::way;
use crate::problem::{Problem, Problems, alternatives};
use crate::project::{self, ProjectDocument};
use crate::references::{self, Known};
use crate::tree::SourceTree;

/// What the tree alone doesn't say.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Names of the plugins that are inside the binary.
    pub builtin_plugins: Vec<String>,
    /// Names of the lint rules that a project may set.
    pub lint_rules: Vec<String>,
}

impl LoadOptions {
    /// The names that `uses:` and `plugin:` may say.
    pub(crate) fn plugin_names<'a>(
        &'a self,
        project: &'a Project,
    ) -> impl Iterator<Item = &'a str> {
        let own = project.plugins.keys().map(PluginName::as_str);
        own.chain(self.builtin_plugins.iter().map(String::as_str))
    }

    pub(crate) fn expected_plugins(&self) -> String {
        if self.builtin_plugins.is_empty() {
            return "`path: FILE`: this program was built without plugins".to_owned();
        }
        alternatives(self.builtin_plugins.iter().map(String::as_str))
    }
}

/// What only the control ref may say: the project and its environments.
#[derive(Clone, Debug)]
pub struct Control {
    /// The project.
    pub project: Project,
    /// The environments that can be used, with everything that they inherit.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// The environments that only others extend.
    pub abstract_environments: Vec<EnvironmentName>,
    /// Not wrong, but worth knowing.
    pub notices: Vec<Notice>,
}

/// Everything that a tree defines.
#[derive(Clone, Debug)]
pub struct Definitions {
    /// The project.
    pub project: Project,
    /// The environments that can be used, with everything that they inherit.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// The environments that only others extend.
    pub abstract_environments: Vec<EnvironmentName>,
    /// The migrations, sorted by name.
    pub migrations: Vec<Migration>,
    /// Not wrong, but worth knowing.
    pub notices: Vec<Notice>,
}

/// Something that is not wrong, but worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Path of the file from the project's root.
    pub path: String,
    /// What there is to know about it.
    pub message: String,
}

impl Definitions {
    /// The same project and environments with the migrations of another revision.
    #[must_use]
    pub fn new(control: Control, migrations: Vec<Migration>, notices: Vec<Notice>) -> Self {
        Self {
            project: control.project,
            environments: control.environments,
            abstract_environments: control.abstract_environments,
            migrations,
            notices: [control.notices, notices].concat(),
        }
    }
}

/// Reads project, environments and migrations of one tree.
///
/// # Errors
/// Everything that is wrong with the tree.
pub fn load(tree: &dyn SourceTree, options: &LoadOptions) -> Result<Definitions, Problems> {
    let files = Files::new(tree);
    let mut problems = Vec::new();
    let Some((control, document)) = read_control(&files, options, &mut problems) else {
        return Err(Problems::new(problems));
    };
    // Environments that are wrong are missing here, and what would refer to them is no second mistake.
    let complete = problems.is_empty();
    let (migrations, notices) = read_migrations(
        &files,
        &control,
        Some(&document),
        complete,
        options,
        &mut problems,
    );
    if problems.is_empty() {
        Ok(Definitions::new(control, migrations, notices))
    } else {
        Err(Problems::new(problems))
    }
}

/// Reads project and environments only.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_control(tree: &dyn SourceTree, options: &LoadOptions) -> Result<Control, Problems> {
    let files = Files::new(tree);
    let mut problems = Vec::new();
    match read_control(&files, options, &mut problems) {
        Some((control, _)) if problems.is_empty() => Ok(control),
        _ => Err(Problems::new(problems)),
    }
}

/// Reads the migrations of one tree against the project and environments of another, usually an older one.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_migrations(
    tree: &dyn SourceTree,
    control: &Control,
    options: &LoadOptions,
) -> Result<(Vec<Migration>, Vec<Notice>), Problems> {
    let files = Files::new(tree);
    let mut problems = Vec::new();
    let read = read_migrations(&files, control, None, true, options, &mut problems);
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(Problems::new(problems))
    }
}

fn read_control(
    files: &Files<'_>,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> Option<(Control, ProjectDocument)> {
    let project = match project::read(files, options) {
        Ok(project) => project,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let mut notices = Vec::new();
    let environments = environments::read(files, &project, options, problems, &mut notices);
    if problems.is_empty() {
        check_default_database(&project, &environments, problems);
    }
    let control = Control {
        project: project.project.clone(),
        environments: environments.resolved,
        abstract_environments: environments.abstract_names,
        notices,
    };
    Some((control, project))
}

fn check_default_database(
    project: &ProjectDocument,
    environments: &environments::Environments,
    problems: &mut Vec<Problem>,
) {
    let Some(default) = &project.project.defaults.database else {
        return;
    };
    let resolved = environments.resolved.values();
    let names: Vec<_> = resolved
        .flat_map(|environment| environment.databases.keys())
        .collect();
    if !names.is_empty() && !names.contains(&default) {
        project
            .document
            .problem(
                &way!["spec", "defaults", "database"],
                format!("no environment has a database `{default}`"),
            )
            .expected("a database of an environment")
            .nearest(default.as_str(), names.iter().map(|name| name.as_str()))
            .push(problems);
    }
}

fn read_migrations(
    files: &Files<'_>,
    control: &Control,
    document: Option<&ProjectDocument>,
    complete: bool,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> (Vec<Migration>, Vec<Notice>) {
    let mut notices = Vec::new();
    let folder = &control.project.migrations;
    let Some(found) = migrations::read(files, folder, problems, &mut notices) else {
        let way = way!["spec", "migrations"];
        match document.filter(|project| project.document.has(&way)) {
            Some(project) => project
                .document
                .problem(&way, format!("there is no folder `{folder}`"))
                .expected("the folder of the migrations")
                .push(problems),
            None => notices.push(Notice {
                path: folder.clone(),
                message: "there is no such folder, and so there are no migrations".to_owned(),
            }),
        }
        return (Vec::new(), notices);
    };
    let none = BTreeMap::new();
    let known = Known {
        project: &control.project,
        environments: if complete {
            &control.environments
        } else {
            &none
        },
        options,
    };
    let migrations = references::resolve(found, &known, problems);
    (migrations, notices)
}
