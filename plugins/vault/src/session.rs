//! What the host keeps between calls: the login, and what is mounted where.

use std::collections::BTreeMap;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, serde, session};

use crate::config::EngineName;

/// A login, whoever made it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "serde")]
pub(crate) struct Login {
    pub(crate) token: String,
    /// Whether this plugin made it, and so ends it.
    pub(crate) is_own: bool,
    pub(crate) is_renewable: bool,
    /// When it was made or renewed, in milliseconds since the Unix epoch.
    pub(crate) since: u64,
    /// For how long from then, in milliseconds; none for ever.
    pub(crate) holds: Option<u64>,
    /// What a wrapping token gave. It gives it once only, so a later login needs it from here.
    pub(crate) secret_id: Option<String>,
    pub(crate) mounts: BTreeMap<String, EngineName>,
}

/// What is to be done with a login before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Two thirds of its time are over.
    Renewal,
    /// Its time is over, or so nearly that the answer might come too late, and it can't be renewed.
    Replacement,
}

impl Login {
    pub(crate) fn load() -> Option<Self> {
        session::load()
    }

    pub(crate) fn save(&self) -> Result<(), Fault> {
        let conceal = [Some(&self.token), self.secret_id.as_ref()];
        let conceal: Vec<&str> = conceal.into_iter().flatten().map(String::as_str).collect();
        // An unwrapped secret id must outlive the token that it was used for.
        let expires = match self.secret_id {
            Some(_) => None,
            None => self.holds.map(|holds| self.since.saturating_add(holds)),
        };
        session::keep(self, &conceal, expires)
    }

    pub(crate) fn due(&self) -> Due {
        let Some(holds) = self.holds else {
            return Due::Nothing;
        };
        let age = clock::now().saturating_sub(self.since);
        if age >= holds || (!self.is_renewable && age >= holds / 10 * 9) {
            Due::Replacement
        } else if self.is_renewable && age >= holds / 3 * 2 {
            Due::Renewal
        } else {
            Due::Nothing
        }
    }
}
