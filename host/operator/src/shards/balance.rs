//! How shards are shared: whoever holds fewest takes what is free, and whoever holds too many gives some up.
//!
//! Every replica computes this by itself from the Leases that it sees, and what it sees may be old: two that take the same
//! shard both write its Lease, and the API server lets one of them.

use std::collections::{BTreeMap, BTreeSet};

/// The free shards that a replica takes. `holders` are those of all shards, none where nobody holds it; `replicas` are those
/// that live, also those without any.
#[must_use]
pub fn takes(me: &str, replicas: &BTreeSet<&str>, holders: &[Option<&str>]) -> Vec<usize> {
    let counts = counts(me, replicas, holders);
    let mut own = counts.get(me).copied().unwrap_or_default();
    let others = counts.iter().filter(|(name, _)| **name != me);
    let least = others.map(|(_, count)| *count).min();
    let mut taken = Vec::new();
    for (shard, holder) in holders.iter().enumerate() {
        if holder.is_none() && least.is_none_or(|least| own <= least) {
            own += 1;
            taken.push(shard);
        }
    }
    taken
}

/// How many shards a replica gives up: those that are to move from it until all shares differ by one at most. Nothing moves
/// while something is free.
#[must_use]
pub fn surplus(me: &str, replicas: &BTreeSet<&str>, holders: &[Option<&str>]) -> usize {
    if holders.iter().any(Option::is_none) {
        return 0;
    }
    let mut counts = counts(me, replicas, holders);
    let mut given = 0;
    loop {
        let most = counts.iter().max_by_key(|(name, count)| (**count, **name));
        let least = counts.iter().min_by_key(|(name, count)| (**count, **name));
        let (Some((most, has)), Some((least, lacks))) = (most, least) else {
            return given;
        };
        if *has < lacks + 2 {
            return given;
        }
        let (most, least) = (*most, *least);
        given += usize::from(most == me);
        for (name, count) in &mut counts {
            if *name == most {
                *count -= 1;
            } else if *name == least {
                *count += 1;
            }
        }
    }
}

fn counts<'n>(
    me: &'n str,
    replicas: &BTreeSet<&'n str>,
    holders: &[Option<&'n str>],
) -> BTreeMap<&'n str, usize> {
    let mut counts: BTreeMap<_, _> = replicas.iter().map(|name| (*name, 0)).collect();
    counts.entry(me).or_default();
    for holder in holders.iter().flatten() {
        *counts.entry(*holder).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{surplus, takes};

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// Numbers that look like chance, and are the same every time.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % limit as u64).unwrap()
        }
    }

    /// Lets those that live act one at a time, in any order, each on a view that may be one step old, until nobody has
    /// anything to do. How many shards moved, and who holds them then.
    fn settle(
        mut holders: Vec<Option<&'static str>>,
        live: &BTreeSet<&'static str>,
        chance: &mut Chance,
    ) -> (usize, Vec<Option<&'static str>>) {
        let mut moves = 0;
        let names: Vec<_> = live.iter().copied().collect();
        let mut before = holders.clone();
        for _ in 0..10_000 {
            let is_done = names
                .iter()
                .all(|me| takes(me, live, &holders).is_empty() && surplus(me, live, &holders) == 0);
            if is_done {
                return (moves, holders);
            }
            let me = names[chance.below(names.len())];
            let view = if chance.below(3) == 0 {
                &before
            } else {
                &holders
            };
            let taken = takes(me, live, view);
            let given = surplus(me, live, view);
            before = holders.clone();
            for shard in taken {
                // The API server lets nobody take what another one took.
                if holders[shard].is_none() {
                    holders[shard] = Some(me);
                    moves += 1;
                }
            }
            for _ in 0..given {
                if let Some(shard) = holders.iter().position(|holder| *holder == Some(me)) {
                    holders[shard] = None;
                }
            }
        }
        panic!("it never comes to an end: {holders:?}");
    }

    fn spread(live: &BTreeSet<&str>, holders: &[Option<&str>]) -> usize {
        let count = |name: &&str| holders.iter().filter(|of| **of == Some(*name)).count();
        let counts: Vec<_> = live.iter().map(count).collect();
        counts.iter().max().unwrap() - counts.iter().min().unwrap()
    }

    #[test]
    fn whoever_comes_and_goes_all_shards_are_held_and_shares_differ_by_one_at_most() {
        let mut chance = Chance(7);
        for shards in 1..10 {
            for _ in 0..40 {
                let mut holders = vec![None; shards];
                for _ in 0..4 {
                    let count = 1 + chance.below(NAMES.len());
                    let first = chance.below(NAMES.len());
                    let live: BTreeSet<_> = (0..count)
                        .map(|step| NAMES[(first + step) % NAMES.len()])
                        .collect();
                    for holder in &mut holders {
                        *holder = holder.filter(|name| live.contains(name));
                    }
                    holders = settle(holders, &live, &mut chance).1;
                    assert!(holders.iter().all(Option::is_some));
                    assert!(spread(&live, &holders) < 2, "{live:?} {holders:?}");
                }
            }
        }
    }

    #[test]
    fn one_takes_everything_and_gives_each_who_comes_a_share_at_once() {
        let alone = BTreeSet::from(["a"]);
        assert_eq!(takes("a", &alone, &[None; 4]), [0, 1, 2, 3]);
        let all = BTreeSet::from(NAMES);
        let held = [Some("a"); 4];
        assert_eq!(surplus("a", &all, &held), 3);
        assert_eq!(surplus("b", &all, &held), 0);
        // What it gave up is for those that have none.
        let given = [Some("a"), None, None, None];
        assert!(takes("a", &all, &given).is_empty());
        assert_eq!(takes("c", &all, &given), [1]);
        assert_eq!(
            surplus("a", &all, &[Some("a"), Some("a"), Some("a"), None]),
            0
        );
    }

    #[test]
    fn one_shard_never_moves() {
        let all = BTreeSet::from(NAMES);
        assert_eq!(surplus("a", &all, &[Some("a")]), 0);
        assert!(takes("b", &all, &[Some("a")]).is_empty());
    }
}
