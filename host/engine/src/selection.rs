//! What is meant: a project, an environment of it, and perhaps only some of its databases.

use whimbrel_core::environment::Environment;
use whimbrel_core::lineage::AbsentRule;
use whimbrel_core::name::{DatabaseName, EnvironmentName};
use whimbrel_git::SigningKey;
use whimbrel_project::{
    Control, DefinitionCache, OpenOptions, OpenProject, Opening, Place, Verification,
};

use crate::context::Context;
use crate::error::EngineError;

/// What is meant.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Where the project is.
    pub place: Place,
    /// The ref that project file, environments and plugins are read from; as the project says it if absent.
    pub control_ref: Option<String>,
    /// Which commits must be signed.
    pub verification: Verification,
    /// What signs promotion records; for whoever runs plans.
    pub signing: Option<SigningKey>,
    /// What a process that runs on has parsed before.
    pub cache: Option<DefinitionCache>,
    /// The environment's name; the only one if absent.
    pub environment: Option<String>,
    /// Only these databases; all if empty.
    pub databases: Vec<DatabaseName>,
    /// What becomes of applied migrations that aren't defined.
    pub absent: AbsentRule,
}

/// Opens a project as far as its environments, which are read from where they may be.
///
/// # Errors
/// See [`Place::begin`].
pub fn opening(selection: &Selection, control: Control) -> Result<Opening, EngineError> {
    let options = OpenOptions {
        control: selection.control_ref.clone().map_or(control, Control::Ref),
        cache: selection.cache.clone(),
        verification: selection.verification.clone(),
        signing: selection.signing.clone(),
        absent: selection.absent,
    };
    Ok(selection.place.begin(&options)?)
}

/// Opens a project as it is at hand, which reads all of its definitions: for whoever looks at them and reaches no
/// database.
///
/// # Errors
/// See [`Opening::finish`].
pub fn project(selection: &Selection, context: &Context) -> Result<OpenProject, EngineError> {
    let project = opening(selection, Control::AtHand)?.finish()?;
    tell(&project, context);
    Ok(project)
}

/// Says what is worth knowing about the definitions.
pub(crate) fn tell(project: &OpenProject, context: &Context) {
    if let Some((reference, revision)) = project.control_ref()
        && project.revision() != Some(revision)
    {
        let revision = revision.short();
        context.notice(&format!(
            "note: the environment and the project file are read from `{reference}` ({revision})"
        ));
    }
    for notice in &project.definitions().notices {
        context.notice(&format!("note: {}: {}", notice.path, notice.message));
    }
}

/// The environment that is meant: the one that was said, or the only one.
///
/// # Errors
/// There is no such one, none at all, or it wasn't said which of several.
pub fn environment<'a>(
    opening: &'a Opening,
    selection: &Selection,
) -> Result<&'a Environment, EngineError> {
    if let Some(name) = &selection.environment {
        return Ok(opening.environment(name)?);
    }
    let environments = &opening.documents().environments;
    let mut all = environments.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(EngineError::NoEnvironment {
            folder: opening.documents().project.environments.clone(),
        }),
        (Some(_), Some(_)) => Err(EngineError::WhichEnvironment {
            known: environments.keys().map(EnvironmentName::clone).collect(),
        }),
    }
}
