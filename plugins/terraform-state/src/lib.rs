//! Outputs of Terraform: one at a time by its name, from the state that Terraform left in a file or behind its HTTP
//! backend. Needs no Terraform, and reads nothing else of a state.

mod config;
mod output;
mod server;
mod state;

pub use config::{Config, Http, Local, Origin};
use output::Output;
use state::State;
use whimbrel_sdk::prelude::*;

/// The secret backend `plugin: terraform-state`.
pub struct TerraformState {
    config: Config,
}

impl SecretStore for TerraformState {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        self.on(reference, |state, output| {
            Ok(Secret::new(output.fields(reference)?)
                .with_version(state.version())
                .with_details(state.details(output)))
        })
    }

    /// There is no way to an output's form but to read the state; its values end here.
    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        self.on(reference, |state, output| {
            let fields = output.fields(reference)?;
            Ok(Shape {
                fields: fields.into_iter().map(|(name, _)| name).collect(),
                version: Some(state.version()),
                details: state.details(output),
                ..Shape::default()
            })
        })
    }
}

impl TerraformState {
    /// Does something with the output that a reference means.
    fn on<T>(
        &self,
        reference: &Reference,
        then: impl FnOnce(&State<'_>, &Output<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if reference.version.is_some() {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "terraform.no-versions",
                format!(
                    "`{}` has no versions: a state holds what is, and not what was",
                    reference.path
                ),
            ));
        }
        let (place, bytes) = match &self.config.from {
            Origin::Local(local) => (local.path.clone(), state::of_file(&local.path)?),
            Origin::Http(http) => (http.shown(), server::get(http)?),
        };
        let state = State::parse(&bytes, &place)?;
        then(&state, state.output(&reference.path)?)
    }
}

whimbrel_sdk::export_store!(TerraformState, needs: [], uses: ["files", "http"]);
