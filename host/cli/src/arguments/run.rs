//! The arguments of `whimbrel run`.

use std::path::PathBuf;

use clap::Args;
use whimbrel_core::digest::DigestPrefix;
use whimbrel_core::name::MigrationName;

use crate::metrics::MetricsArguments;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The namespace of the environment; the pod's own, or the kubeconfig's, if absent
    #[arg(long, value_name = "NAME", env = "WHIMBREL_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Only if the plan is still the one with this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) plan: Option<DigestPrefix>,
    /// The plan is that of reverting this migration; may be given again
    #[arg(long = "revert", value_name = "NAME")]
    pub(crate) reverts: Vec<MigrationName>,
    /// Where mirrors of repositories are kept; all of it can be made again
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache: Option<PathBuf>,
    /// Let objects refer to this process's own variables and files with `env` and `file`
    #[arg(long)]
    pub(crate) local_secrets: bool,
    /// Write the last lines of what is said into this file; `/dev/termination-log` if absent, where there is one
    #[arg(long, value_name = "FILE", env = "WHIMBREL_TERMINATION_LOG")]
    pub(crate) termination_log: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) metrics: MetricsArguments,
}
