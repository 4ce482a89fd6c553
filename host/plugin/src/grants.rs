//! What an operator lets a plugin do, and what a plugin says that it needs.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whimbrel_core::project;
pub use whimbrel_core::project::HttpGrant;

/// A capability that must be granted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Requests to named hosts.
    Http,
    /// Named variables of the environment.
    Environment,
    /// Named folders, read-only.
    Files,
    /// The time of day.
    Clock,
    /// Randomness.
    Random,
    /// Business metrics.
    Metrics,
}

impl Need {
    /// The name of the grant in `whimbrel.yaml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Environment => "environment",
            Self::Files => "files",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A folder that may be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PathBuf")]
pub struct Folder {
    /// As the operator wrote it, and the guest calls it.
    pub name: PathBuf,
    /// Where it is.
    pub at: PathBuf,
}

impl From<PathBuf> for Folder {
    fn from(path: PathBuf) -> Self {
        Self {
            name: path.clone(),
            at: path,
        }
    }
}

impl From<&str> for Folder {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

/// What `whimbrel.yaml` grants to one plugin. Nothing unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Grants {
    /// Hosts that requests may go to.
    pub http: Vec<HttpGrant>,
    /// Variables of the environment that may be read.
    pub environment: Vec<String>,
    /// Folders that may be read.
    pub files: Vec<Folder>,
    /// The time of day.
    pub clock: bool,
    /// Randomness.
    pub random: bool,
    /// Business metrics.
    pub metrics: bool,
}

impl Grants {
    /// What a project grants, with its folders counted from the project's own.
    #[must_use]
    pub fn of_project(granted: &project::Grants, base: &Path) -> Self {
        let folder = |name: &String| Folder {
            name: name.into(),
            at: base.join(name),
        };
        Self {
            http: granted.http.clone(),
            environment: granted.environment.clone(),
            files: granted.files.iter().map(folder).collect(),
            clock: granted.clock,
            random: granted.random,
            metrics: granted.metrics,
        }
    }

    /// Whether anything is granted under this name.
    #[must_use]
    pub fn allows(&self, need: Need) -> bool {
        match need {
            Need::Http => !self.http.is_empty(),
            Need::Environment => !self.environment.is_empty(),
            Need::Files => !self.files.is_empty(),
            Need::Clock => self.clock,
            Need::Random => self.random,
            Need::Metrics => self.metrics,
        }
    }

    /// What is granted, by name.
    #[must_use]
    pub fn names(&self) -> Vec<Need> {
        [
            Need::Http,
            Need::Environment,
            Need::Files,
            Need::Clock,
            Need::Random,
            Need::Metrics,
        ]
        .into_iter()
        .filter(|need| self.allows(*need))
        .collect()
    }

    /// The part that a plugin with these needs gets: what is granted and not needed isn't given.
    #[must_use]
    pub fn limited_to(mut self, needs: &[Need]) -> Self {
        let unneeded = |need| !needs.contains(&need);
        if unneeded(Need::Http) {
            self.http.clear();
        }
        if unneeded(Need::Environment) {
            self.environment.clear();
        }
        if unneeded(Need::Files) {
            self.files.clear();
        }
        self.clock &= !unneeded(Need::Clock);
        self.random &= !unneeded(Need::Random);
        self.metrics &= !unneeded(Need::Metrics);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Grants, HttpGrant, Need};

    #[test]
    fn gives_what_is_needed_and_granted() {
        let all = Grants {
            http: vec![HttpGrant::to("https://example.org/*")],
            environment: vec!["HOME".to_owned()],
            files: vec!["/etc".into()],
            clock: true,
            random: true,
            metrics: true,
        };
        assert_eq!(all.names().len(), 6);
        let some = all.clone().limited_to(&[Need::Clock, Need::Files]);
        assert_eq!(some.names(), [Need::Files, Need::Clock]);
        assert_eq!(all.limited_to(&[]), Grants::default());
    }

    #[test]
    fn reads_as_yaml_says_it() {
        let grants: Grants = serde_json::from_str("{\"clock\":true}").unwrap();
        assert_eq!(grants.names(), [Need::Clock]);
        assert!(serde_json::from_str::<Grants>("{\"root\":true}").is_err());
        assert_eq!(Need::Environment.to_string(), "environment");
    }
}
