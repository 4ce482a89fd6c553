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
    /// When it was made, in milliseconds since the Unix epoch: its name, which is no secret.
    pub(crate) made: u64,
    /// For how long from then, in milliseconds; none for ever.
    pub(crate) granted: Option<u64>,
    /// When it was made or renewed.
    pub(crate) since: u64,
    /// For how long from then; none for ever.
    pub(crate) holds: Option<u64>,
    /// What a wrapping token gave. It gives it once only, so a later login needs it from here.
    pub(crate) secret_id: Option<String>,
    pub(crate) mounts: BTreeMap<String, EngineName>,
    /// Logins that this one replaced before their end: what was lent under them may still be in use.
    pub(crate) former: Vec<Former>,
}

/// A login that was replaced.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "serde")]
pub(crate) struct Former {
    pub(crate) token: String,
    /// When it ends by itself; none for never.
    pub(crate) end: Option<u64>,
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
    /// One that somebody else made, from now on.
    pub(crate) fn new(token: String, is_renewable: bool, holds: Option<u64>) -> Self {
        let now = clock::now();
        Self {
            token,
            is_own: false,
            is_renewable,
            made: now,
            granted: holds,
            since: now,
            holds,
            secret_id: None,
            mounts: BTreeMap::new(),
            former: Vec::new(),
        }
    }

    pub(crate) fn load() -> Option<Self> {
        session::load()
    }

    pub(crate) fn save(&self) -> Result<(), Fault> {
        let own = [Some(&self.token), self.secret_id.as_ref()];
        let former = self.former.iter().map(|former| &former.token);
        let conceal = own.into_iter().flatten().chain(former);
        let conceal: Vec<&str> = conceal.map(String::as_str).collect();
        // An unwrapped secret id must outlive the token that it was used for.
        let expires = match self.secret_id {
            Some(_) => None,
            None => self.end(),
        };
        session::keep(self, &conceal, expires)
    }

    /// The same, unless another call has replaced it meanwhile.
    pub(crate) fn save_if_current(&self) -> Result<(), Fault> {
        match Self::load() {
            Some(kept) if kept.token != self.token => Ok(()),
            _ => self.save(),
        }
    }

    /// Remembers what is mounted where, also for the login that another call has replaced this one by.
    pub(crate) fn note(&mut self, mount: String, engine: EngineName) -> Result<(), Fault> {
        self.mounts.insert(mount.clone(), engine);
        match Self::load() {
            Some(mut kept) if kept.token != self.token => {
                kept.mounts.insert(mount, engine);
                kept.save()
            }
            _ => self.save(),
        }
    }

    /// Tells the host what ends whatever is lent in this call.
    pub(crate) fn work_under(&self) {
        session::under(&self.made.to_string(), self.end());
    }

    /// When it ends; none for never.
    pub(crate) fn end(&self) -> Option<u64> {
        self.holds.map(|holds| self.since.saturating_add(holds))
    }

    /// Whether it ends before so many milliseconds have passed.
    pub(crate) fn ends_within(&self, milliseconds: u64) -> bool {
        self.end()
            .is_some_and(|end| end < clock::now().saturating_add(milliseconds))
    }

    /// Whether half of what it was made for is over and wasn't renewed: too little for what is lent under it.
    pub(crate) fn is_worn(&self) -> bool {
        self.granted
            .is_some_and(|granted| self.ends_within(granted / 2))
    }

    /// What is to be remembered of logins once this one is replaced.
    pub(crate) fn into_former(self) -> Vec<Former> {
        let (now, end) = (clock::now(), self.end());
        let own = self.is_own.then_some(Former {
            token: self.token,
            end,
        });
        let all = self.former.into_iter().chain(own);
        all.filter(|former| former.end.is_none_or(|end| end > now))
            .collect()
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
