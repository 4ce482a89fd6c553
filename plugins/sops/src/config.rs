//! The backend's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{schemars, serde};

use crate::age::Identity;

/// Where the files are, and what decrypts them.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The age identity: `AGE-SECRET-KEY-1…`, or the text of a file of `age-keygen`, in which comments may stand. Best a
    /// reference.
    pub identity: String,
    /// The folder from which a reference's path is counted.
    #[serde(default)]
    pub folder: Option<String>,
}

impl Config {
    /// The identities, each tried in turn.
    ///
    /// # Errors
    /// There is none, or one is of a kind that isn't supported. Which line it is isn't said by its text.
    pub(crate) fn identities(&self) -> Result<Vec<Identity>, Fault> {
        let lines = self.identity.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Option<Vec<_>> = lines.map(Identity::parse).collect();
        identities.filter(|all| !all.is_empty()).ok_or_else(|| {
            Fault::invalid(
                "/identity",
                "expected identities as `age-keygen` makes them, which begin with AGE-SECRET-KEY-1",
            )
        })
    }
}
