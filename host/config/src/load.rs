//! From a tree to definitions.

use std::collections::BTreeMap;

use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::project::Project;

use crate::problem::Problems;
use crate::tree::SourceTree;

/// What the tree alone doesn't say.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Names of the plugins that are inside the binary.
    pub builtin_plugins: Vec<String>,
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
    /// What there is to know.
    pub message: String,
}

/// Reads project, environments and migrations of one tree.
///
/// # Errors
/// Everything that is wrong with the tree.
pub fn load(tree: &dyn SourceTree, options: &LoadOptions) -> Result<Definitions, Problems> {
    let control = load_control(tree, options)?;
    let (migrations, notices) = load_migrations(tree, &control, options)?;
    Ok(Definitions {
        project: control.project,
        environments: control.environments,
        abstract_environments: control.abstract_environments,
        migrations,
        notices: [control.notices, notices].concat(),
    })
}

/// Reads project and environments only.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_control(tree: &dyn SourceTree, options: &LoadOptions) -> Result<Control, Problems> {
    let _ = (tree, options);
    Err(Problems::default())
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
    let _ = (tree, control, options);
    Err(Problems::default())
}
