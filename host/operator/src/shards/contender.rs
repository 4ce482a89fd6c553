//! One replica's view of one Lease, as a state machine: what it has seen, until when it may begin work, what it does next.
//!
//! As in client-go's leader election, clocks of two replicas are never compared. A record is as old as the time since this
//! replica has seen it change, by its own clock; nothing that others wrote into it as times is read. Times here are those
//! since the process began. What is asked of clocks is that none runs half as fast again as another one.

use std::time::Duration;

/// How long a Lease holds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// After how long without a change others may take it.
    pub duration: Duration,
    /// For how long after it was written its holder begins work: shorter, so that a holder stops before another one begins.
    pub deadline: Duration,
}

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// None when it was given back.
    pub holder: Option<String>,
    /// Another one after every write.
    pub version: String,
}

/// A record, and since when it has been the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sighting {
    /// As it was read last.
    pub record: Record,
    since: Duration,
}

impl Sighting {
    /// Takes what was read.
    #[must_use]
    pub fn after(before: Option<&Self>, record: Record, now: Duration) -> Self {
        let same = before.filter(|before| before.record == record);
        let since = same.map_or(now, |before| before.since);
        Self { record, since }
    }

    /// For how long it has been the same.
    #[must_use]
    pub const fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }
}

/// What to do about a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Somebody else holds it.
    Wait,
    /// Nobody holds it: whoever takes it writes itself into it, if it is still as it was read.
    Take,
    /// It is ours: write it again, if it is still as it was read.
    Renew,
}

/// One replica's view of one Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Contender {
    seen: Option<Sighting>,
    written: Option<Duration>,
}

impl Contender {
    /// Takes what was read, none where there is no such Lease.
    pub fn read(&mut self, me: &str, now: Duration, found: Option<Record>) {
        self.seen = found.map(|found| Sighting::after(self.seen.as_ref(), found, now));
        if self.holder() != Some(me) {
            // Whoever wrote it has waited until we may not begin anything any more, or was given it.
            self.written = None;
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next(&self, me: &str, terms: Terms, now: Duration) -> Move {
        let Some(seen) = &self.seen else {
            return Move::Take;
        };
        match &seen.record.holder {
            Some(holder) if holder == me => Move::Renew,
            Some(_) if seen.age(now) < terms.duration => Move::Wait,
            _ => Move::Take,
        }
    }

    /// Who is written into it, however old that is.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.record.holder.as_deref()
    }

    /// It was written by us. It counts from when the request was begun: it was written later than that.
    pub const fn wrote(&mut self, begun: Duration) {
        self.written = Some(begun);
    }

    /// How long ago that was; none where it isn't held by us.
    #[must_use]
    pub fn written(&self, now: Duration) -> Option<Duration> {
        self.written.map(|written| now.saturating_sub(written))
    }

    /// It is given back: nothing is begun from now on, whether that is heard or not.
    pub const fn give_back(&mut self) {
        self.written = None;
    }

    /// Whether work may be begun.
    #[must_use]
    pub fn may_begin(&self, terms: Terms, now: Duration) -> bool {
        self.written(now).is_some_and(|ago| ago < terms.deadline)
    }
}

#[cfg(test)]
mod tests;
