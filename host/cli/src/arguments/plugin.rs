//! What `whimbrel plugin` understands.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins of the project and of this binary
    List,
    /// Show what a component imports, exports, needs and is granted
    Inspect {
        /// A plugin's name or a component's file
        #[arg(value_name = "NAME|FILE")]
        plugin: String,
    },
    /// Try a step on a scratch database (describe, plan, estimate, apply, apply again, revert), or a secret store by itself
    Test {
        /// A plugin's name or a component's file
        #[arg(value_name = "NAME|FILE")]
        plugin: String,
        /// The step's or the store's configuration
        #[arg(long, value_name = "JSON", default_value = "{}")]
        with: String,
        /// SQL that prepares the scratch database
        #[arg(long, value_name = "FILE")]
        setup: Option<PathBuf>,
    },
    /// Compile the component on the standard input into a folder of compiled code, as a service asks for it
    #[command(hide = true)]
    Compile {
        /// The kind of room that it is for
        room: String,
        /// The folder
        folder: PathBuf,
    },
}
