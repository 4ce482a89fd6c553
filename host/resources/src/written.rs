//! Environments whose migrations clients of a server write: where their databases are and what is allowed there, a document of
//! whoever runs the server says, and nobody else.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_core::environment::Environment;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::lineage::AbsentRule;
use whimbrel_core::name::{EnvironmentName, ProjectName};
use whimbrel_core::policy::ApplyRule;
use whimbrel_core::suggestion::instead;
use whimbrel_engine::{Audience, Context, Selection};
use whimbrel_plugin::ResourceEngine;
use whimbrel_project::{Control, Override, Place, Verification};
use whimbrel_server::{Grants, Writing};

use crate::belonging::Belonging;
use crate::failure::fault;
use crate::here::{Here, Places};
use crate::inline;
use crate::request::MigrationRequest;

/// The document of an environment.
#[derive(Debug)]
pub struct EnvironmentDocument {
    /// The name of its file, which is that of the environment with `.yaml` or `.json`.
    pub file: String,
    /// As it is written.
    pub text: String,
    /// The folder that relative paths of it are counted from.
    pub folder: PathBuf,
}

impl EnvironmentDocument {
    /// The name of its environment.
    ///
    /// # Errors
    /// It is no document of one environment, or of one that can't be for this.
    pub fn name(&self, project: &ProjectName) -> Result<EnvironmentName, Fault> {
        let place = Place::Written {
            tree: inline::with_document(project, self, &[]),
            folder: self.folder.clone(),
        };
        let opening = whimbrel_engine::opening(&selection(place), Control::Environment(None));
        let opening = opening.map_err(|error| fault(&error))?;
        let mut all = opening.documents().environments.values();
        let (Some(environment), None) = (all.next(), all.next()) else {
            return Err(refused("expected the document of one environment"));
        };
        let name = environment.name.clone();
        // Nobody would see what there is to approve.
        if environment.policy.apply != ApplyRule::Auto {
            let message = format!("`{name}` awaits approvals, which nobody could give");
            return Err(refused(&message).with_hint(
                "whoever may write its migrations has looked at them: `policy: { apply: Auto }`",
            ));
        }
        Ok(name)
    }

    /// Refuses what isn't the client's to say, or isn't there.
    ///
    /// # Errors
    /// See there.
    pub fn require(
        &self,
        environment: &Environment,
        grants: Grants,
        said: &Override,
        migrations: &[&MigrationRequest],
    ) -> Result<(), Fault> {
        for name in said.parameters.keys() {
            // What it uses, for an address say, and what it says.
            let is_used = self.text.contains(&format!("${{{name}}}"));
            let is_its_own = is_used || environment.parameter_names().any(|known| known == name);
            let missing = match () {
                () if is_its_own && !grants.parameters => "parameters",
                () if is_used && !grants.databases => "databases",
                () => continue,
            };
            let message = format!("the parameter `{name}` is the server's to say");
            return Err(Fault {
                pointer: Some("/parameters".to_owned()),
                ..Fault::new(FaultClass::Denied, "written.parameter", message).with_hint(format!(
                    "unless the token is granted `{missing}`: whoever runs the server says it behind `--token`"
                ))
            });
        }
        if let Some((pointer, message, hint)) = said.unsayable(environment) {
            return Err(Fault {
                pointer: Some(pointer),
                hint,
                ..Fault::new(FaultClass::Denied, "written.databases", message)
            });
        }
        for migration in migrations {
            let name = migration.database.as_str();
            let databases = environment.databases.iter();
            let single = databases.filter(|(_, database)| database.for_each.is_none());
            let known = single.map(|(known, _)| known.as_str());
            if !known.clone().any(|known| known == name) {
                let environment = &environment.name;
                let message =
                    format!("`{environment}` of the server has no database `{name}` for this");
                return Err(Fault {
                    pointer: Some("/database".to_owned()),
                    hint: instead(name, known),
                    ..Fault::new(FaultClass::Invalid, "written.database", message)
                });
            }
        }
        Ok(())
    }
}

/// Where only migrations that are written are looked at.
struct Nowhere;

impl Places for Nowhere {
    fn selection(&self, source: &str, _: Option<&str>) -> Result<Selection, Fault> {
        let message = format!("`{source}` isn't read here");
        Err(Fault::new(
            FaultClass::Unsupported,
            "written.source",
            message,
        ))
    }
}

/// The engine for migrations that clients write, of one environment of this project.
#[must_use]
pub fn writing(
    context: Context,
    project: ProjectName,
    document: EnvironmentDocument,
) -> Arc<dyn Writing> {
    let here = Here::new(Arc::new(Nowhere), context);
    let here = here.with_belonging(Belonging::to(project));
    Arc::new(here.with_document(document))
}

impl Writing for Here {
    fn engine(
        &self,
        by: &str,
        grants: Grants,
        audience: Arc<dyn Audience>,
    ) -> Arc<dyn ResourceEngine> {
        Arc::new(self.on_behalf_of(by, grants, audience))
    }
}

/// A project that is written.
pub fn selection(place: Place) -> Selection {
    Selection {
        place,
        control_ref: None,
        verification: Verification::default(),
        signing: None,
        cache: None,
        absent: AbsentRule::AskGit,
        environment: None,
        databases: Vec::new(),
    }
}

fn refused(message: &str) -> Fault {
    Fault::new(FaultClass::Invalid, "written.environment", message)
}
