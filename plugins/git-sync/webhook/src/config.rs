//! The receiver's `with:`. Its secrets aren't in it: the host keeps them, and only says whether one of them fits.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{schemars, serde};

use crate::host::GitHost;

/// Whose deliveries are taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// Deliveries of this host alone. Without it a delivery's headers say which host's it is.
    #[serde(default)]
    pub host: Option<GitHost>,
    /// Refuse deliveries of GitLab that show a secret token, which can be repeated, instead of a signature with a time.
    #[serde(default)]
    pub signed: bool,
}
