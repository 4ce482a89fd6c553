//! The backend's `with:`. Its words are those of Terraform's own backends.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{schemars, serde};

/// Where the state is.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The backend that Terraform keeps it in.
    pub from: Origin,
}

/// The backend that Terraform keeps the state in.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum Origin {
    /// `local`: a file. Its folder must be granted.
    Local(Local),
    /// `http`: a server, as GitLab is one. Its certificate authority is said beside the grant `http`.
    Http(Http),
}

/// A state in a file.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Local {
    /// The file, as the grant has its folder: absolute, or from the project's folder. Of a workspace other than `default` it
    /// is `terraform.tfstate.d/WORKSPACE/terraform.tfstate`.
    pub path: String,
}

/// A state behind a server.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Http {
    /// The address that gives the state.
    pub address: String,
    /// Who asks (HTTP basic authentication).
    #[serde(default)]
    pub username: Option<String>,
    /// The password of who asks; best a reference.
    #[serde(default)]
    pub password: Option<String>,
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        match &self.from {
            Origin::Local(local) if local.path.is_empty() || local.path.ends_with('/') => {
                Err(Fault::invalid("/from/local/path", "expected a file"))
            }
            Origin::Local(_) => Ok(()),
            Origin::Http(http) => http.check(),
        }
    }
}

impl Http {
    fn check(&self) -> Result<(), Fault> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| self.address.strip_prefix(scheme));
        let is_plain = |c: char| c.is_ascii_graphic() && c != '#' && c != '\\';
        let is_good = rest.is_some_and(|rest| {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            !authority.is_empty() && !authority.contains('@') && rest.chars().all(is_plain)
        });
        if !is_good {
            let message = "expected an address such as `https://example.org/states/shop`, without user and password";
            return Err(Fault::invalid("/from/http/address", message));
        }
        if self.username.is_none() && self.password.is_some() {
            let message = "a password needs a `username` beside it";
            return Err(Fault::invalid("/from/http/password", message));
        }
        if self
            .username
            .as_ref()
            .is_some_and(|name| name.contains(':'))
        {
            let message = "a colon would end the name where the password begins";
            return Err(Fault::invalid("/from/http/username", message));
        }
        Ok(())
    }

    /// The address for people: what stands behind `?` may be meant for the server alone.
    pub(crate) fn shown(&self) -> String {
        self.address
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}
