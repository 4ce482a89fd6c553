//! The benchmarks by name, and what they share.

mod apply;
mod backfill;
pub mod bare;
mod fanout;
mod gitops;
mod idle;
mod metrics;
mod noop;
mod operator;
mod sandbox;
mod secrets;
mod terraform;

use std::ffi::OsString;

use crate::failure::{Failure, Result};
use crate::postgres::Cluster;
use crate::report::Report;

/// What a benchmark needs.
#[derive(Debug)]
pub struct Stage {
    /// The product's binary.
    pub whimbrel: OsString,
    /// The other tool.
    pub sqlx: OsString,
    /// A server.
    pub cluster: Cluster,
}

type Benchmark = fn(&Stage, &mut Report) -> Result;

/// Every benchmark.
pub const ALL: &[(&str, Benchmark)] = &[
    ("noop-plain", noop::plain),
    ("noop-yaml", noop::yaml),
    ("apply-1000", apply::run),
    ("backfill-1000000", backfill::run),
    ("sandbox", sandbox::run),
    ("fanout-100", fanout::run),
    ("secrets", secrets::run),
    ("metrics", metrics::run),
    ("gitops", gitops::run),
    ("terraform", terraform::run),
    ("operator", operator::run),
];

impl Stage {
    /// Finds the programs and starts the server.
    pub fn set() -> Result<Self> {
        let program = |name: &str| {
            std::env::var_os(name).ok_or_else(|| {
                Failure::new(format!(
                    "{name} isn't set; start this with `cargo xtask bench`"
                ))
            })
        };
        Ok(Self {
            whimbrel: program("WHIMBREL_BIN")?,
            sqlx: program("SQLX_BIN")?,
            cluster: Cluster::start()?,
        })
    }
}

/// How many times as long ours took.
fn ratio(ours: std::time::Duration, theirs: std::time::Duration) -> f64 {
    ours.as_secs_f64() / theirs.as_secs_f64()
}

fn note(ours: std::time::Duration, theirs: std::time::Duration, whose: &str) -> String {
    format!(
        "{:.0} ms against {:.0} ms of {whose}",
        ours.as_secs_f64() * 1e3,
        theirs.as_secs_f64() * 1e3
    )
}
