//! Writes Whimbrel plugins in Rust.
//!
//! A step of a migration is a type that implements [`MigrationStep`], exported with [`export_step!`]:
//!
//! ```
//! use whimbrel_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "whimbrel_sdk::serde")]
//! #[schemars(crate = "whimbrel_sdk::schemars")]
//! struct Config {
//!     table: String,
//! }
//!
//! struct Empty;
//!
//! impl MigrationStep for Empty {
//!     type Config = Config;
//!
//!     fn describe() -> Description {
//!         Description::new("Empties a table")
//!     }
//!
//!     fn plan(config: &Config, _dialect: &Dialect) -> Result<Preview, Fault> {
//!         Ok(Preview::new([format!("deletes every row of {}", config.table)]))
//!     }
//!
//!     fn apply(config: &Config) -> Result<Outcome, Fault> {
//!         let table = database::quote(&config.table);
//!         let rows = database::execute(&format!("DELETE FROM {table}"), &[])?;
//!         Ok(Outcome::new(rows, format!("{rows} rows deleted")))
//!     }
//! }
//!
//! whimbrel_sdk::export_step!(Empty);
//! # fn main() {}
//! ```
//!
//! Built for `wasm32-unknown-unknown` with the linker `wasm-component-ld` it is a component whose only imports are the
//! world's. Built natively, every import is served by the [`mock`] host, so that `cargo test` exercises the plugin.
//!
//! What a plugin exports may be called again after a crash: `apply` goes on from [`database::last_checkpoint`].

#![warn(missing_docs)]

#[doc(hidden)]
pub mod bindings;
pub mod call;
pub mod clock;
pub mod database;
mod duration;
mod export;
mod fault;
pub mod http;
pub mod log;
pub mod metrics;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
pub mod sources;
mod step;
mod value;

pub use duration::Duration;
pub use fault::{Fault, FaultClass, Retry};
pub use step::{Description, Dialect, MigrationStep, Outcome, Preview};
pub use value::{RowSet, Value};

#[doc(hidden)]
pub use export::manifest;
#[doc(hidden)]
pub use step::Exported;
pub use {schemars, serde, serde_json};

/// All that most plugins need.
pub mod prelude {
    pub use crate::{
        Description, Dialect, Duration, Fault, FaultClass, MigrationStep, Outcome, Preview, Retry,
        RowSet, Value, call, database, export_step, log,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value as Json, json};
}

/// Calls an import: the real one in a component, the mock host's elsewhere.
macro_rules! import {
    ($path:path, $mock:ident ( $($argument:expr),* )) => {{
        #[cfg(target_arch = "wasm32")]
        {
            $path($($argument),*)
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            $crate::mock::$mock($($argument),*)
        }
    }};
}
pub(crate) use import;
