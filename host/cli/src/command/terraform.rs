//! `whimbrel terraform-provider`: what Terraform starts, under this name or as `terraform-provider-whimbrel`.

mod plugins;

use std::io::stdout;
use std::path::Path;
use std::sync::Arc;

use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::lineage::AbsentRule;
use whimbrel_engine::Selection;
use whimbrel_project::{DefinitionCache, Location, RemoteLocation};
use whimbrel_resources::{Here, Places, Resources};
use whimbrel_terraform::{Environment, serve, serve_reattached};

use crate::arguments::{Global, TerraformProvider};
use crate::engine::context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::remote::{remote, signing_key, verification};

pub(crate) async fn run(
    arguments: &TerraformProvider,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let context = context(output);
    let sandbox = context.sandbox()?;
    let file = arguments.plugins.as_deref();
    let plugins = plugins::load(file, &sandbox).await;
    let places = Surroundings {
        output: output.clone(),
        global: global.clone(),
        cache: DefinitionCache::default(),
    };
    let engine = Here::new(Arc::new(places), context);
    let provider = Arc::new(Resources::new(plugins, engine));
    let scrubber = output.scrubber().clone();
    let served = match &arguments.reattach {
        Some(address) => serve_reattached(provider, scrubber, address, stdout()).await,
        None => serve(provider, scrubber, Environment::of_process(), stdout()).await,
    };
    served.map_err(|error| CliError::new(Exit::Usage, error))?;
    Ok(Exit::Success)
}

/// Projects as this process reaches them.
struct Surroundings {
    output: Output,
    /// What is insisted on by whoever starts it.
    global: Global,
    cache: DefinitionCache,
}

impl Places for Surroundings {
    fn selection(&self, source: &str, reference: Option<&str>) -> Result<Selection, Fault> {
        let wrong = |message: String| {
            let mut fault = Fault::new(FaultClass::Invalid, "terraform.source", message);
            fault.pointer = Some("/source".to_owned());
            fault
        };
        let fault = |error: CliError| wrong(error.render());
        let elsewhere = if Path::new(source).is_dir() {
            None
        } else {
            RemoteLocation::parse(source).map_err(|error| wrong(error.to_string()))?
        };
        let reference = reference.map(str::to_owned);
        let place = match elsewhere {
            Some(mut location) => {
                location.reference = reference.or(location.reference);
                whimbrel_project::Place::Elsewhere {
                    remote: remote(&location, self.output.scrubber()).map_err(fault)?,
                    reference: location.reference,
                }
            }
            None => Location {
                folder: source.into(),
                reference,
            }
            .into(),
        };
        Ok(Selection {
            place,
            control_ref: self.global.control_ref.clone(),
            verification: verification(&self.global.signatures).map_err(fault)?,
            signing: signing_key(self.output.scrubber()).map_err(fault)?,
            cache: Some(self.cache.clone()),
            absent: AbsentRule::AskGit,
            environment: None,
            databases: Vec::new(),
        })
    }
}
