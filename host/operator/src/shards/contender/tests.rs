//! Every schedule of two replicas, with requests that are late, lost, carried out without an answer, and with clocks that
//! neither show the same nor run as fast.

use std::collections::HashSet;
use std::time::Duration;

use super::{Contender, Move, Record, Terms};

const TERMS: Terms = Terms {
    duration: Duration::from_secs(3),
    deadline: Duration::from_secs(2),
};
const NAMES: [&str; 2] = ["a", "b"];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The Lease as the API server has it: who holds it, and the number of its version.
type Lease = Option<(Option<usize>, u8)>;

/// A request that was sent: it is carried out only where the Lease is still as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sent {
    expected: Lease,
    begun: Duration,
    gives_back: bool,
}

/// One replica: what it knows, the request that it waits for, and one that it gave up waiting for, which may yet be carried
/// out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Replica {
    contender: Contender,
    known: Lease,
    waits: Option<Sent>,
    late: Option<Sent>,
    /// What the API server answered, which isn't heard yet; with when it was begun where it was asked to write us into it.
    answer: Option<(Lease, Option<Duration>)>,
    /// It asks at most once in a second.
    has_asked: bool,
    is_dead: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: u64,
    lease: Lease,
    replicas: [Replica; 2],
}

/// Clocks: what each shows at first, and how many of its milliseconds a real second has.
#[derive(Clone, Copy)]
struct Clocks([(u64, u64); 2]);

/// What the clocks show differs by minutes.
const CLOCKS: [Clocks; 3] = [
    Clocks([(0, 1_000), (600, 1_000)]),
    Clocks([(0, 1_000), (600, 1_400)]),
    Clocks([(0, 1_400), (600, 1_000)]),
];

impl Clocks {
    fn read(self, replica: usize, now: u64) -> Duration {
        let (first, rate) = self.0[replica];
        seconds(first) + Duration::from_millis(rate * now)
    }
}

fn record(lease: Lease) -> Option<Record> {
    lease.map(|(holder, version)| Record {
        holder: holder.map(|holder| NAMES[holder].to_owned()),
        version: version.to_string(),
    })
}

fn carried_out(lease: Lease, by: usize, sent: &Sent) -> Option<Lease> {
    let version = lease.map_or(0, |(_, version)| version + 1);
    let holder = Some(by).filter(|_| !sent.gives_back);
    (sent.expected == lease).then_some(Some((holder, version)))
}

/// What can happen next. An answer to a read comes at once where `is_prompt`.
fn next(world: &World, clocks: Clocks, is_prompt: bool) -> Vec<World> {
    let mut all = Vec::new();
    let mut then = |change: &dyn Fn(&mut World)| {
        let mut changed = world.clone();
        change(&mut changed);
        all.push(changed);
    };
    // Who does nothing meanwhile is paused.
    then(&|world| {
        world.now += 1;
        for replica in &mut world.replicas {
            replica.has_asked = false;
        }
    });
    for (one, replica) in world.replicas.iter().enumerate() {
        let now = clocks.read(one, world.now);
        let me = NAMES[one];
        // The network and the API server go on, whatever the replica does.
        if let Some(late) = &replica.late {
            then(&|world| world.replicas[one].late = None);
            if let Some(lease) = carried_out(world.lease, one, late) {
                then(&|world| {
                    world.lease = lease;
                    world.replicas[one].late = None;
                });
            }
        }
        if replica.is_dead {
            continue;
        }
        then(&|world| {
            world.replicas[one] = Replica {
                is_dead: true,
                late: replica.waits.clone(),
                ..Replica::default()
            };
        });
        if let Some((answer, written)) = replica.answer {
            then(&|world| {
                let replica = &mut world.replicas[one];
                replica.answer = None;
                replica.known = answer;
                replica.contender.read(me, now, record(answer));
                if let Some(begun) = written {
                    replica.contender.wrote(begun);
                }
            });
            continue;
        }
        let Some(sent) = &replica.waits else {
            if replica.has_asked {
                continue;
            }
            then(&|world| {
                let (lease, replica) = (world.lease, &mut world.replicas[one]);
                if is_prompt {
                    replica.known = lease;
                    replica.contender.read(me, now, record(lease));
                } else {
                    replica.answer = Some((lease, None));
                    replica.has_asked = true;
                }
            });
            let sent = Sent {
                expected: replica.known,
                begun: now,
                gives_back: false,
            };
            let what = replica.contender.next(me, TERMS, now);
            if what != Move::Wait {
                then(&|world| {
                    world.replicas[one].waits = Some(sent.clone());
                    world.replicas[one].has_asked = true;
                });
            }
            if what == Move::Renew {
                then(&|world| {
                    world.replicas[one].contender.give_back();
                    world.replicas[one].waits = Some(Sent {
                        gives_back: true,
                        ..sent.clone()
                    });
                    world.replicas[one].has_asked = true;
                });
            }
            continue;
        };
        // It is given up; whether it is ever carried out is open.
        then(&|world| {
            world.replicas[one].late.clone_from(&replica.waits);
            world.replicas[one].waits = None;
        });
        if let Some(lease) = carried_out(world.lease, one, sent) {
            then(&|world| {
                world.lease = lease;
                let replica = &mut world.replicas[one];
                replica.waits = None;
                replica.answer = Some((lease, Some(sent.begun).filter(|_| !sent.gives_back)));
            });
        }
    }
    all
}

/// Who may begin work, of those that live. One that is paused may once it goes on.
fn may_begin(world: &World, clocks: Clocks) -> Vec<usize> {
    let mut all = Vec::new();
    for (one, replica) in world.replicas.iter().enumerate() {
        let now = clocks.read(one, world.now);
        if !replica.is_dead && replica.contender.may_begin(TERMS, now) {
            all.push(one);
        }
    }
    all
}

/// Whether a replica holds it after another one that died.
fn check(world: &World, clocks: Clocks) -> bool {
    let may = may_begin(world, clocks);
    assert!(may.len() < 2, "{world:?}");
    may.iter().any(|one| {
        world.replicas[1 - one].is_dead && world.lease.is_some_and(|(_, version)| version > 1)
    })
}

fn begin() -> World {
    World {
        now: 0,
        lease: None,
        replicas: [Replica::default(), Replica::default()],
    }
}

#[test]
fn never_two_may_begin_work_in_all_that_can_happen_within_a_lease() {
    let clocks = CLOCKS[1];
    let (mut known, mut open) = (HashSet::from([begin()]), vec![begin()]);
    while let Some(world) = open.pop() {
        check(&world, clocks);
        for one in next(&world, clocks, true) {
            if one.now < 4 && known.insert(one.clone()) {
                open.push(one);
            }
        }
    }
    assert!(known.len() > 10_000, "{}", known.len());
}

#[test]
fn never_two_may_begin_work_in_long_schedules_by_chance() {
    let mut chance = 7_u64;
    let mut below = |limit: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % limit as u64).unwrap()
    };
    let mut followed = 0;
    for number in 0..6_000 {
        let (mut world, clocks) = (begin(), CLOCKS[number % CLOCKS.len()]);
        let mut has_followed = false;
        for _ in 0..60 {
            // Who dies in every tenth step lives too briefly for anything to be seen.
            let mut all = next(&world, clocks, false);
            let mut one = all.swap_remove(below(all.len()));
            let dead = |world: &World| world.replicas.iter().filter(|one| one.is_dead).count();
            if dead(&one) > dead(&world) && below(4) > 0 {
                one = world.clone();
            }
            world = one;
            has_followed |= check(&world, clocks);
        }
        followed += usize::from(has_followed);
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn a_dead_holder_is_followed_after_the_lease_and_a_live_one_never() {
    let mut other = Contender::default();
    let mut what = |second: u64, version: u64| {
        let record = Record {
            holder: Some("a".to_owned()),
            version: version.to_string(),
        };
        other.read("b", seconds(second), Some(record));
        other.next("b", TERMS, seconds(second))
    };
    for second in 0..11 {
        // Renewed every two seconds until the eighth.
        assert_eq!(what(second, (second / 2).min(4)), Move::Wait);
    }
    assert_eq!(what(11, 4), Move::Take);
}

#[test]
fn what_was_given_back_is_taken_at_once_and_ones_own_is_gone_on_with() {
    let mut one = Contender::default();
    let record = |holder: Option<&str>, version: &str| {
        Some(Record {
            holder: holder.map(str::to_owned),
            version: version.to_owned(),
        })
    };
    one.read("a", seconds(0), record(None, "1"));
    assert_eq!(one.next("a", TERMS, seconds(0)), Move::Take);
    // As after a restart in the same pod: nothing may be begun before it is written anew.
    one.read("a", seconds(0), record(Some("a"), "2"));
    assert_eq!(one.next("a", TERMS, seconds(0)), Move::Renew);
    assert!(!one.may_begin(TERMS, seconds(0)));
    one.wrote(seconds(0));
    assert!(one.may_begin(TERMS, seconds(1)));
    assert!(!one.may_begin(TERMS, seconds(2)));
    one.wrote(seconds(2));
    one.give_back();
    assert!(!one.may_begin(TERMS, seconds(2)));
}
