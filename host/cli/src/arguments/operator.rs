//! The arguments of `whimbrel operator`.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use whimbrel_server::Listen;

#[derive(Debug, Args)]
pub(crate) struct Operator {
    /// The namespace whose objects are kept; the pod's own, or the kubeconfig's, if absent
    #[arg(long, value_name = "NAME", env = "WHIMBREL_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Where to answer probes and Prometheus, ADDRESS:PORT or unix:PATH
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "127.0.0.1:8732",
        env = "WHIMBREL_LISTEN"
    )]
    pub(crate) listen: Listen,
    /// Where mirrors of repositories are kept; all of it can be made again
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache: Option<PathBuf>,
    /// How often to look at an environment when nothing happens, such as `10m`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::time)]
    pub(crate) resync: Duration,
    /// How often to compare what is applied with its definitions; `0s` for never
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::time)]
    pub(crate) drift_interval: Duration,
    /// How long the object of a migration that is to be reverted may be kept from going, such as `1h`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::time)]
    pub(crate) revert_within: Duration,
    /// How long a run may go on to its next safe point after its environment was deleted, before it is cancelled, such as `5m`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::time)]
    pub(crate) release_within: Duration,
    /// How long a watch of the API server is held before it is renewed, from `1s` to `290s`. One that is silent for three
    /// times as long makes the process count as dead
    #[arg(long, value_name = "TIME", default_value = "290s", value_parser = watch_time)]
    pub(crate) watch_timeout: Duration,
    /// Over how many shards to spread the environments: of so many replicas each has its share. With one, one replica works
    /// and the others stand by
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = shards)]
    pub(crate) shards: NonZeroU16,
    /// After how long without a sign of life another replica takes what one has, from `1s`
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease_time)]
    pub(crate) lease_duration: Duration,
    /// How many environments to run at once, each with a connection to every one of its databases; the others wait. Jobs
    /// aren't counted
    #[arg(long, value_name = "NUMBER", default_value = "32", value_parser = runs)]
    pub(crate) runs: NonZeroUsize,
    /// Let objects refer to the operator's own variables and files with `env` and `file`
    #[arg(long)]
    pub(crate) local_secrets: bool,
}

/// A number of shards: each costs a request in every few seconds.
fn shards(text: &str) -> Result<NonZeroU16, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &NonZeroU16| number.get() <= 256);
    number.ok_or_else(|| "expected a number from 1 to 256".to_owned())
}

/// A number of runs: each has connections of its own.
fn runs(text: &str) -> Result<NonZeroUsize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &NonZeroUsize| number.get() <= 1_000);
    number.ok_or_else(|| "expected a number from 1 to 1000".to_owned())
}

/// A time for which a Lease holds: whole seconds are what its object says.
fn lease_time(text: &str) -> Result<Duration, String> {
    let time = super::time(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&time) {
        return Ok(time);
    }
    Err("expected a time from `1s` to `1h`".to_owned())
}

/// A time for which a watch may be held: the client takes no longer one.
fn watch_time(text: &str) -> Result<Duration, String> {
    let time = super::time(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_secs(290)).contains(&time) {
        return Ok(time);
    }
    Err("expected a time from `1s` to `290s`".to_owned())
}
