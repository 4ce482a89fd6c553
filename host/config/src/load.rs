//! From a tree to definitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::name::{EnvironmentName, PluginName};
use whimbrel_core::project::Project;

use crate::cache::DefinitionCache;
use crate::environments;
use crate::files::Files;
use crate::migrations;
use crate::node::way;
use crate::problem::{Problem, Problems, alternatives};
use crate::project::{self, ProjectDocument};
use crate::references::{self, Known};
use crate::tree::SourceTree;

/// What the tree alone doesn't say.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Names of the plugins that are inside the binary.
    pub builtin_plugins: Vec<String>,
    /// Lists the names of the lint rules that a project may set. Few projects set one, and listing them takes longer than
    /// reading a small project.
    pub lint_rules: fn() -> Vec<String>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            builtin_plugins: Vec::new(),
            lint_rules: Vec::new,
        }
    }
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
    document: ProjectDocument,
}

/// The migrations of a tree.
#[derive(Clone, Debug, Default)]
pub struct Migrations {
    /// Sorted by name.
    pub migrations: Vec<Arc<Migration>>,
    /// The checksum of each, in the same order.
    pub checksums: Vec<Checksum>,
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
    pub migrations: Vec<Arc<Migration>>,
    /// The checksum of each, in the same order.
    pub checksums: Vec<Checksum>,
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
    /// A project and environments with migrations, of the same revision or of another.
    #[must_use]
    pub fn new(control: Control, migrations: Migrations) -> Self {
        Self {
            project: control.project,
            environments: control.environments,
            abstract_environments: control.abstract_environments,
            migrations: migrations.migrations,
            checksums: migrations.checksums,
            notices: [control.notices, migrations.notices].concat(),
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
    let Some(control) = read_control(&files, options, &mut problems) else {
        return Err(Problems::new(problems));
    };
    // Environments that are wrong are missing here, and what would refer to them is no second mistake.
    let complete = problems.is_empty();
    let scope = Scope {
        own: true,
        complete,
    };
    let migrations = read_migrations(&files, &control, scope, options, &mut problems);
    if problems.is_empty() {
        Ok(Definitions::new(control, migrations))
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
        Some(control) if problems.is_empty() => Ok(control),
        _ => Err(Problems::new(problems)),
    }
}

/// Reads the migrations of the tree that project and environments were read from: the second half of [`load`], for
/// whoever has something to do meanwhile.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_own_migrations(
    tree: &dyn SourceTree,
    control: &Control,
    options: &LoadOptions,
) -> Result<Migrations, Problems> {
    migrations_of(tree, control, true, options)
}

/// Reads the migrations of one tree against the project and environments of another, usually an older one.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_migrations(
    tree: &dyn SourceTree,
    control: &Control,
    options: &LoadOptions,
) -> Result<Migrations, Problems> {
    migrations_of(tree, control, false, options)
}

/// The same as [`load_own_migrations`] or [`load_migrations`] (`own`), but what a cache knows isn't parsed again.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_migrations_again(
    tree: &dyn SourceTree,
    control: &Control,
    own: bool,
    options: &LoadOptions,
    cache: &DefinitionCache,
) -> Result<Migrations, Problems> {
    match cache.migrations(tree, control, options) {
        Some(migrations) => Ok(migrations),
        None => migrations_of(tree, control, own, options),
    }
}

fn migrations_of(
    tree: &dyn SourceTree,
    control: &Control,
    own: bool,
    options: &LoadOptions,
) -> Result<Migrations, Problems> {
    let files = Files::new(tree);
    let mut problems = Vec::new();
    let scope = Scope {
        own,
        complete: true,
    };
    let read = read_migrations(&files, control, scope, options, &mut problems);
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
) -> Option<Control> {
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
    Some(Control {
        project: project.project.clone(),
        environments: environments.resolved,
        abstract_environments: environments.abstract_names,
        notices,
        document: project,
    })
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

/// What migrations are read against.
#[derive(Clone, Copy)]
struct Scope {
    /// Whether project and environments are of the same tree.
    own: bool,
    /// Whether all environments are there.
    complete: bool,
}

fn read_migrations(
    files: &Files<'_>,
    control: &Control,
    scope: Scope,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> Migrations {
    let mut notices = Vec::new();
    let folder = &control.project.migrations;
    let none = BTreeMap::new();
    let environments = if scope.complete {
        &control.environments
    } else {
        &none
    };
    let known = Known::new(&control.project, environments, options);
    let Some(found) = migrations::read(files, folder, &known, problems, &mut notices) else {
        let way = way!["spec", "migrations"];
        let document = &control.document.document;
        if scope.own && document.has(&way) {
            document
                .problem(&way, format!("there is no folder `{folder}`"))
                .expected("the folder of the migrations")
                .push(problems);
        } else {
            notices.push(Notice {
                path: folder.clone(),
                message: "there is no such folder, and so there are no migrations".to_owned(),
            });
        }
        return Migrations {
            notices,
            ..Migrations::default()
        };
    };
    let (migrations, checksums) = references::ordered(found, problems);
    Migrations {
        migrations,
        checksums,
        notices,
    }
}
