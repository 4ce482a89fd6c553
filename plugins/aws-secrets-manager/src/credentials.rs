//! Credentials kept between calls while they are temporary, and how far the clock is off.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, serde, session};

use crate::config::Config;
use crate::sign::Credentials;
use crate::source;

/// Temporary credentials are replaced when they hold no longer than this, in milliseconds: five minutes, as AWS's own SDKs.
const MARGIN: u64 = 300_000;

/// What the host keeps.
#[derive(Default, Serialize, Deserialize)]
#[serde(crate = "serde", default)]
pub(crate) struct Kept {
    temporary: Option<Temporary>,
    /// What to add to this machine's clock to get AWS's, in milliseconds.
    pub(crate) skew: i64,
}

/// Credentials that end.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "serde")]
pub(crate) struct Temporary {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) expires: u64,
}

impl Kept {
    pub(crate) fn load() -> Self {
        session::load().unwrap_or_default()
    }

    pub(crate) fn save(&self) -> Result<(), Fault> {
        let Some(temporary) = &self.temporary else {
            return session::keep(self, &[], None);
        };
        let conceal = [&*temporary.secret_access_key, &*temporary.session_token];
        session::keep(self, &conceal, Some(temporary.expires))
    }

    /// The time as AWS has it.
    pub(crate) fn now(&self) -> u64 {
        clock::now().saturating_add_signed(self.skew)
    }

    /// Credentials of an earlier call, or new ones.
    pub(crate) fn credentials(&mut self, config: &Config) -> Result<Credentials, Fault> {
        let now = self.now();
        if let Some(temporary) = &self.temporary
            && temporary.expires > now.saturating_add(MARGIN)
        {
            return Ok(temporary.clone().into());
        }
        self.renewed(config)
    }

    /// New credentials.
    pub(crate) fn renewed(&mut self, config: &Config) -> Result<Credentials, Fault> {
        match source::ask(config)? {
            source::Given::Lasting(credentials) => Ok(credentials),
            source::Given::Temporary(temporary) => {
                self.temporary = Some(temporary.clone());
                self.save()?;
                Ok(temporary.into())
            }
        }
    }

    /// Whether asking the source again could give others.
    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

impl From<Temporary> for Credentials {
    fn from(temporary: Temporary) -> Self {
        Self {
            access_key_id: temporary.access_key_id,
            secret_access_key: temporary.secret_access_key,
            session_token: Some(temporary.session_token),
        }
    }
}
