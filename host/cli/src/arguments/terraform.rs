//! The arguments of `whimbrel terraform-provider`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TerraformProvider {
    /// Serve any number of Terraforms, under this address of a provider, and print what TF_REATTACH_PROVIDERS must be
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) reattach: Option<String>,
    /// A document of the kind `Provider`: plugins whose resources there are, too
    #[arg(long, value_name = "FILE", env = "WHIMBREL_PROVIDER_PLUGINS")]
    pub(crate) plugins: Option<PathBuf>,
}
