//! The command line, as clap reads it.

mod format;
mod operator;
mod parse;
mod plugin;
mod report;
mod run;
mod schema;
mod serve;
mod signatures;
mod terraform;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use whimbrel_core::digest::DigestPrefix;
use whimbrel_core::gate::Gate;
use whimbrel_core::name::{DatabaseName, EnvironmentName};
use whimbrel_server::client::Place;

pub(crate) use format::{Format, LogFormat};
pub(crate) use operator::Operator;
pub(crate) use plugin::PluginCommand;
pub(crate) use report::ReportFile;
pub(crate) use run::Run;
pub(crate) use schema::{Schema, SchemaKind};
pub(crate) use serve::Serve;
pub(crate) use signatures::{Signatures, VerifyCommits};
pub(crate) use terraform::TerraformProvider;

use crate::metrics::MetricsArguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Brings databases to what Git says, exactly once.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, styles = STYLES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The environment; the only one if there is just one
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        env = "WHIMBREL_ENVIRONMENT"
    )]
    pub(crate) environment: Option<String>,
    /// The project: a folder, or a repository's URL, at a Git revision; the nearest folder upwards with a whimbrel.yaml
    #[arg(
        long,
        global = true,
        value_name = "DIR|GIT-URL[@REF]",
        env = "WHIMBREL_PROJECT"
    )]
    pub(crate) project: Option<String>,
    /// Read the project file, environments and plugins from this ref instead: what a pull request must not decide
    #[arg(long, global = true, value_name = "REF", env = "WHIMBREL_CONTROL_REF")]
    pub(crate) control_ref: Option<String>,
    #[command(flatten)]
    pub(crate) signatures: Signatures,
    /// Only this database; may be given again
    #[arg(long = "database", global = true, value_name = "NAME")]
    pub(crate) databases: Vec<DatabaseName>,
    /// How to show what stdout gets
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
    /// Write the same in another format to a file, too, such as `sarif=lint.sarif`; may be given again
    #[arg(long = "report", global = true, value_name = "FORMAT=FILE")]
    pub(crate) reports: Vec<ReportFile>,
    /// Only errors and what was asked for
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Every statement, lock and retry
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// How to show what stderr gets
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// When to use colour; `auto` honours NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project: whimbrel.yaml, environments, a first migration
    Init(Init),
    /// Make a migration
    New(New),
    /// Look at everything that needs no database
    Lint(Lint),
    /// Show what would run, and fail as `apply` would where something is in its way; writes nothing
    Plan(PlanArguments),
    /// Bring the databases to the definitions
    Apply(Apply),
    /// Approve a plan
    Approve(Approve),
    /// Show what one environment may take over from another
    Promote(Promote),
    /// Run the stored down of migrations that are applied, newest first
    Revert(Revert),
    /// Show where every migration stands
    Status(Status),
    /// Show what happened: who, when, from which commit
    History(History),
    /// Record migrations as applied without running them
    Baseline(Baseline),
    /// Compare what was applied with the definitions, and run checks again
    Verify(Verify),
    /// Clear a lock after proving that its holder is gone
    Unlock(Unlock),
    /// Take a database over from another project or environment
    Adopt(Adopt),
    /// Wait until a migration or a revision is applied
    Wait(Wait),
    /// Keep environments where their sources say, and answer over HTTP
    Serve(Serve),
    /// Keep the environments and migrations of a Kubernetes namespace
    Operator(Operator),
    /// Run the plan of an environment of a Kubernetes namespace once, as its Jobs do
    Run(Run),
    /// Serve Terraform, which starts this by itself
    #[command(hide = true)]
    TerraformProvider(TerraformProvider),
    /// Print the CustomResourceDefinitions of the operator
    Crds,
    /// Look at plugins, and try them
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look at secrets without revealing them
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Print the JSON Schema of a kind of document
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where; the current folder if absent
    pub(crate) folder: Option<PathBuf>,
    /// The project's name; the folder's if absent
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it does, such as `add-email`; the next number is put before it
    pub(crate) name: String,
    /// As plain SQL with sections, which is the default
    #[arg(long, conflicts_with_all = ["yaml", "folder"])]
    pub(crate) sql: bool,
    /// As one YAML document
    #[arg(long, conflicts_with = "folder")]
    pub(crate) yaml: bool,
    /// As a folder: YAML beside its SQL files
    #[arg(long)]
    pub(crate) folder: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Compare checksums with this ref: what is there must not have been edited
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
}

/// Whether pending changes have an exit code of their own.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Detailed {
    /// Exit with 2 when changes are pending, 0 when there is nothing to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) detailed: Detailed,
    #[command(flatten)]
    pub(crate) passing: Passing,
}

/// How gates are passed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Passing {
    /// Destructive statements were looked at and may run, where the policy says `Confirm`
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// Pass this gate, audited; each needs its `--reason`
    #[arg(long = "override", value_name = "GATE")]
    pub(crate) overrides: Vec<Gate>,
    /// Why a gate is passed
    #[arg(long = "reason", value_name = "TEXT", requires = "overrides")]
    pub(crate) reasons: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Only if the plan is still the one with this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) plan: Option<DigestPrefix>,
    #[command(flatten)]
    pub(crate) passing: Passing,
    #[command(flatten)]
    pub(crate) detailed: Detailed,
    #[command(flatten)]
    pub(crate) metrics: MetricsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The plan's digest, as `whimbrel plan` shows it
    pub(crate) digest: DigestPrefix,
    /// Who approves; Git's user.email if absent
    #[arg(long = "as", value_name = "WHO", env = "WHIMBREL_APPROVER")]
    pub(crate) approver: Option<String>,
    #[command(flatten)]
    pub(crate) goal: RevertGoal,
}

/// Approves the plan of a revert instead.
#[derive(Clone, Debug, Args)]
pub(crate) struct RevertGoal {
    /// The plan is that of `whimbrel revert NAME`; may be given again
    #[arg(long = "revert", value_name = "NAME")]
    pub(crate) reverts: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The environment before
    pub(crate) from: EnvironmentName,
    /// The environment after
    pub(crate) to: EnvironmentName,
}

#[derive(Debug, Args)]
pub(crate) struct Revert {
    /// Migrations to revert; the number before the name may be left out
    #[arg(value_name = "NAME", required_unless_present = "to")]
    pub(crate) names: Vec<String>,
    /// Everything that is applied and that this revision doesn't define
    #[arg(long, value_name = "REV", conflicts_with = "names")]
    pub(crate) to: Option<String>,
    /// Only if the plan is still the one with this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) plan: Option<DigestPrefix>,
    /// Show the plan, as `plan` does, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) passing: Passing,
    #[command(flatten)]
    pub(crate) metrics: MetricsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) detailed: Detailed,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// How many events of each database
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Baseline {
    /// The last migration to record; all if absent
    #[arg(long, value_name = "NAME")]
    pub(crate) through: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Record this migration as it is now; may be given again
    #[arg(long, value_name = "NAME", requires = "reason")]
    pub(crate) accept: Vec<String>,
    /// Why it is right as it is now
    #[arg(long, value_name = "TEXT", requires = "accept")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) metrics: MetricsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// End the session that holds the lock, whatever it does; audited. Not on SQLite
    #[arg(long, requires = "reason")]
    pub(crate) terminate: bool,
    /// Why it is ended
    #[arg(long, value_name = "TEXT", requires = "terminate")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "adopted")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Until this migration is applied
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "revision",
        conflicts_with = "revision"
    )]
    pub(crate) migration: Option<String>,
    /// Until every migration that this revision defines is applied
    #[arg(long, value_name = "SHA")]
    pub(crate) revision: Option<String>,
    /// Ask this server instead of the databases: http://HOST:PORT, https://HOST:PORT or unix:PATH
    #[arg(long, value_name = "PLACE", env = "WHIMBREL_SERVER")]
    pub(crate) server: Option<Place>,
    /// How long at most, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    pub(crate) timeout: Duration,
}

fn time(text: &str) -> Result<Duration, whimbrel_core::duration::DurationError> {
    let duration: whimbrel_core::duration::Duration = text.parse()?;
    Ok(duration.to_std())
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Show for each reference whether it leads to a secret, and of which shape
    Check {
        /// How long the plan is expected to take: what is lent for less must be renewed on the way
        #[arg(long, value_name = "TIME", value_parser = time)]
        lasting: Option<Duration>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
