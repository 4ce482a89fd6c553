//! The loop of a replica's Leases: sees them all, takes and renews its own, gives up what is another one's share.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;
use whimbrel_run::Stop;
use whimbrel_server::Pulse;

use super::balance::{surplus, takes};
use super::contender::{Move, Sighting};
use super::lease::{LeaseError, Leases, Subject, is_handed_over, record};
use super::{Shard, Shards};

/// How many looks there are in the time of a Lease: a holder that misses one, or two, holds on.
const LOOKS: u32 = 6;
/// How many times in its duration a Lease is renewed.
const RENEWALS: u32 = 5;
/// How many times its duration the Lease of a replica that is gone stays.
const REMEMBERED: u32 = 20;

struct Keeper {
    shards: Arc<Shards>,
    leases: Leases,
    /// All Leases as they were read or written last; none before they were read once.
    known: Option<BTreeMap<Subject, Lease>>,
    /// Those that aren't shards of ours: other replicas', and shards of another number.
    others: BTreeMap<Subject, Sighting>,
    /// When this replica announced itself last.
    announced: Option<Duration>,
    /// The shards that were held at the end of the last round.
    held: BTreeSet<usize>,
    /// Whether shards of another number are held by somebody.
    is_waiting: bool,
}

/// What is done about a shard's Lease.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Takes it, or renews it.
    Write,
    GiveBack,
}

/// Keeps the Leases until the operator ends and all of them are given back. `is_listed` is told once they were read.
pub async fn keep(
    shards: Arc<Shards>,
    leases: Leases,
    timeout: Duration,
    stop: Stop,
    pulse: Pulse,
    is_listed: watch::Sender<bool>,
) {
    let events = leases.watch(timeout);
    let mut events = pin!(events);
    let mut keeper = Keeper {
        shards,
        leases,
        known: None,
        others: BTreeMap::new(),
        announced: None,
        held: BTreeSet::new(),
        is_waiting: false,
    };
    let pause = keeper.shards.terms.duration / LOOKS;
    loop {
        let is_stopping = stop.is_requested();
        pulse.beat(Duration::ZERO);
        let has_changed = keeper.round(is_stopping, &is_listed).await;
        if is_stopping && keeper.has_nothing() {
            return;
        }
        // What was taken or given changes what is to be done next.
        let pause = if has_changed { pause / LOOKS } else { pause };
        pulse.beat(pause);
        let shards = Arc::clone(&keeper.shards);
        tokio::select! {
            () = stop.requested(), if !is_stopping => {}
            () = shards.idle.notified(), if shards.is_leaving() => {}
            () = handed_over(&mut events) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Until something is given back, taken, or gone, so that whoever it concerns hears of it at once. What the watch misses, the
/// next look finds.
async fn handed_over(events: &mut (impl Stream<Item = watcher::Result<Event<Lease>>> + Unpin)) {
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Delete(_)) => return,
            Ok(Event::Apply(lease)) if is_handed_over(&lease) => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the Leases can't be watched"),
        }
    }
    std::future::pending::<()>().await;
}

impl Keeper {
    /// One look, and what follows from it; whether anything changed hands.
    async fn round(&mut self, is_stopping: bool, is_listed: &watch::Sender<bool>) -> bool {
        let is_first = self.known.is_none();
        let (announced, listed) = tokio::join!(self.announce(is_stopping), self.leases.list());
        match listed {
            Ok(listed) => {
                self.see(listed);
                is_listed.send_replace(true);
            }
            // What is held is renewed all the same, as it was written last.
            Err(error) => tracing::warn!(%error, "the Leases of the namespace can't be read"),
        }
        if let (Some((begun, announced)), Some(known)) = (announced, &mut self.known) {
            let me = Subject::Replica(self.shards.me.clone());
            match announced {
                Some(lease) => known.insert(me, lease),
                None => known.remove(&me),
            };
            self.announced = Some(begun);
        }
        let deeds = self.deeds(is_stopping);
        let has_changed = self.act(deeds).await;
        self.collect().await;
        // Whoever has just begun says so right away.
        has_changed || is_first
    }

    /// Says to the others that this replica lives, or that it goes; when that was begun, and the Lease that says so. Where
    /// there is one shard, it is no matter how many could hold it.
    async fn announce(&self, is_stopping: bool) -> Option<(Duration, Option<Lease>)> {
        let known = self.known.as_ref()?;
        let me = Subject::Replica(self.shards.me.clone());
        let (before, begun) = (known.get(&me), self.shards.now());
        if is_stopping {
            let done = self.leases.delete(before?).await;
            return done.ok().map(|()| (begun, None));
        }
        let last = self.announced;
        let is_due = last.is_none_or(|last| begun.saturating_sub(last) >= self.renewal());
        if self.shards.lock().len() < 2 || !is_due {
            return None;
        }
        match self.leases.write(&me, before, true).await {
            Ok(lease) => Some((begun, Some(lease))),
            Err(error) => {
                warn(&error, &me);
                None
            }
        }
    }

    fn renewal(&self) -> Duration {
        self.shards.terms.duration / RENEWALS
    }

    /// Takes what was read.
    fn see(&mut self, listed: BTreeMap<Subject, Lease>) {
        let now = self.shards.now();
        let mut all = self.shards.lock();
        for (place, shard) in all.iter_mut().enumerate() {
            let found = listed.get(&self.shards.subject(place)).map(record);
            shard.contender.read(&self.shards.me, now, found);
        }
        drop(all);
        let others = listed.iter().filter(|(subject, _)| self.is_other(subject));
        self.others = others
            .map(|(subject, lease)| {
                let before = self.others.get(subject);
                (subject.clone(), Sighting::after(before, record(lease), now))
            })
            .collect();
        self.known = Some(listed);
    }

    fn is_other(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Shard { of, .. } => *of != self.shards.number,
            Subject::Replica(identity) => *identity != self.shards.me,
        }
    }

    /// Whether somebody has written it within the time of a Lease, and has it.
    fn is_live(&self, sighting: &Sighting, now: Duration) -> bool {
        sighting.record.holder.is_some() && sighting.age(now) < self.shards.terms.duration
    }

    /// What is to be done about which shard.
    fn deeds(&mut self, is_stopping: bool) -> Vec<(usize, Deed)> {
        if self.known.is_none() {
            return Vec::new();
        }
        let (me, terms, now) = (&self.shards.me, self.shards.terms, self.shards.now());
        let live =
            |(subject, sighting): (_, &Sighting)| self.is_live(sighting, now).then_some(subject);
        let live: Vec<&Subject> = self.others.iter().filter_map(live).collect();
        // As in the middle of an upgrade: two that count differently must not both work on an environment.
        let is_waiting = live
            .iter()
            .any(|subject| matches!(subject, Subject::Shard { .. }));
        let mut replicas: BTreeSet<&str> = live
            .iter()
            .filter_map(|subject| match subject {
                Subject::Replica(identity) => Some(identity.as_str()),
                Subject::Shard { .. } => None,
            })
            .collect();
        replicas.insert(me);
        let mut all = self.shards.lock();
        let next: Vec<_> = all
            .iter()
            .map(|shard| shard.contender.next(me, terms, now))
            .collect();
        let holders: Vec<_> = all
            .iter()
            .zip(&next)
            .map(|(shard, next)| match next {
                Move::Take => None,
                Move::Wait | Move::Renew => shard.contender.holder().map(str::to_owned),
            })
            .collect();
        let holders: Vec<_> = holders.iter().map(Option::as_deref).collect();
        let wanted = if is_stopping {
            usize::MAX
        } else {
            surplus(me, &replicas, &holders)
        };
        let is_settled = wanted == 0 && holders.iter().all(Option::is_some);
        leave(&mut all, &next, wanted, is_settled, now);
        let mut deeds = Vec::new();
        if !is_stopping && !is_waiting {
            let taken = takes(me, &replicas, &holders);
            deeds.extend(taken.into_iter().map(|place| (place, Deed::Write)));
        }
        for (place, (shard, next)) in all.iter_mut().zip(&next).enumerate() {
            if *next != Move::Renew {
                continue;
            }
            let is_given = shard.leaves.is_some_and(|since| {
                let is_late = !is_stopping && now.saturating_sub(since) >= terms.duration;
                shard.in_work == 0 || is_late
            });
            if is_given {
                // Nothing is begun from now on, whether the request is heard or not.
                shard.contender.give_back();
                deeds.push((place, Deed::GiveBack));
            } else if shard
                .contender
                .written(now)
                .is_none_or(|ago| ago >= terms.duration / RENEWALS)
            {
                deeds.push((place, Deed::Write));
            }
        }
        drop(all);
        if is_waiting && !self.is_waiting {
            tracing::info!(
                "replicas with another number of shards work: nothing is taken until they have ended"
            );
        }
        self.is_waiting = is_waiting;
        deeds
    }

    /// Writes Leases; whether any changed hands.
    async fn act(&mut self, deeds: Vec<(usize, Deed)>) -> bool {
        let Some(known) = &mut self.known else {
            return false;
        };
        let (shards, leases) = (&self.shards, &self.leases);
        let found = &*known;
        let asked = deeds.into_iter().map(|(place, deed)| {
            let subject = shards.subject(place);
            let before = found.get(&subject);
            async move {
                let begun = shards.now();
                let done = leases.write(&subject, before, deed == Deed::Write).await;
                (place, subject, deed, begun, done)
            }
        });
        let answers = join_all(asked).await;
        let (mut has_changed, mut is_regained) = (false, false);
        let mut all = shards.lock();
        for (place, subject, deed, begun, done) in answers {
            let Some(shard) = all.get_mut(place) else {
                continue;
            };
            match done {
                Ok(lease) => {
                    let now = shards.now();
                    let was_ours = shard.contender.holder() == Some(&shards.me);
                    let was_held = shard.may_begin(shards.terms, now);
                    shard.contender.read(&shards.me, now, Some(record(&lease)));
                    if deed == Deed::Write {
                        shard.contender.wrote(begun);
                        is_regained |= !was_held;
                        has_changed |= !was_ours;
                    } else {
                        shard.leaves = None;
                        has_changed = true;
                    }
                    known.insert(subject, lease);
                }
                Err(error) => warn(&error, &subject),
            }
        }
        let now = shards.now();
        let held = all
            .iter()
            .enumerate()
            .filter(|(_, shard)| shard.may_begin(shards.terms, now))
            .map(|(place, _)| place);
        let held: BTreeSet<_> = held.collect();
        drop(all);
        if held != self.held {
            tracing::info!(of = shards.number, "shards held: {held:?}");
        }
        if is_regained || held != self.held {
            shards.changed.send_replace(());
        }
        self.held = held;
        has_changed
    }

    /// Deletes Leases of what is long gone. One replica does it for all.
    async fn collect(&self) {
        let now = self.shards.now();
        let Some(known) = self.known.as_ref().filter(|_| self.held.contains(&0)) else {
            return;
        };
        for (subject, sighting) in &self.others {
            let is_gone = sighting.age(now) >= self.shards.terms.duration * REMEMBERED;
            if let Some(lease) = known.get(subject).filter(|_| is_gone)
                && let Err(error) = self.leases.delete(lease).await
            {
                warn(&error, subject);
            }
        }
    }

    /// Whether everything is given back.
    fn has_nothing(&self) -> bool {
        let all = self.shards.lock();
        all.iter()
            .all(|shard| shard.contender.holder() != Some(&self.shards.me))
    }
}

/// Begins to give up so many shards, those first in which nothing is done, and stops it where all have their share.
fn leave(all: &mut [Shard], next: &[Move], wanted: usize, is_settled: bool, now: Duration) {
    let own = all.iter_mut().zip(next);
    let (mut own, others): (Vec<_>, Vec<_>) = own.partition(|(_, next)| **next == Move::Renew);
    for (shard, _) in others {
        shard.leaves = None;
    }
    own.sort_by_key(|(shard, _)| (shard.leaves.is_none(), shard.in_work));
    for (number, (shard, _)) in own.into_iter().enumerate() {
        if number < wanted {
            shard.leaves.get_or_insert(now);
        } else if is_settled {
            shard.leaves = None;
        }
    }
}

fn warn(error: &LeaseError, subject: &Subject) {
    if error.is_conflict() {
        tracing::debug!(%error, ?subject, "somebody else wrote a Lease first");
    } else {
        tracing::warn!(%error, ?subject, "a Lease can't be written");
    }
}
