//! Every timeout, limit and retry of what speaks to a remote repository, in one table.

use std::time::Duration;

/// How long and how much a remote repository may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands (15 s): a packet that is lost twice is sent again within nine seconds.
    pub connect: Duration,
    /// Without a single byte (60 s): a server that packs a large repository says so every five seconds.
    pub stall: Duration,
    /// A whole fetch or push (15 min): a first clone of a large repository over a slow line.
    pub total: Duration,
    /// Bytes of one pack (2 GiB): definitions are text, so that more is a repository of something else.
    pub pack: u64,
    /// Bytes of the list of refs (64 MiB), which is half a million refs.
    pub advertisement: u64,
    /// Commits offered to the server as known (256): what it lacks of them after a forced push is seldom more.
    pub haves: usize,
    /// Packs in a mirror before they are made one (64): every object that isn't found is looked for in each of them.
    pub packs: usize,
    /// Waiting for another process that fetches into the same mirror (5 min), which may be a first clone.
    pub lock: Duration,
    /// Between two looks at whether the other process is done (50 ms): shorter than anybody notices.
    pub lock_poll: Duration,
    /// Redirects followed within one server (3): from a name without `.git` to the one with it, or to a new name.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(60),
            total: Duration::from_secs(15 * 60),
            pack: 2 << 30,
            advertisement: 64 << 20,
            haves: 256,
            packs: 64,
            lock: Duration::from_secs(5 * 60),
            lock_poll: Duration::from_millis(50),
            redirects: 3,
        }
    }
}

/// The longest line of the protocol, with its length: what Git itself sends at most.
pub(super) const LINE: usize = 65_520;

/// Bytes of an error message of a server that are shown: the first sentence says it, and the rest is HTML.
pub(super) const MESSAGE: usize = 400;
