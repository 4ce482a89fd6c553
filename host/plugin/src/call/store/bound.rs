//! Which login ends which lease, as the store says it: a lease counts as no longer than the login that it was lent under.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use whimbrel_secrets::{Lease, LeaseId, Renewal};

use crate::session::Under;

/// How much less than was asked a login may leave of a lease, in hundredths, before new credentials are needed: it was
/// renewed by an earlier call, or a moment ago.
const SHORTFALL_PERCENT: u32 = 10;

/// The logins that held leases were lent under.
#[derive(Default)]
pub struct Bound(Mutex<BTreeMap<String, Bond>>);

struct Bond {
    end: Option<SystemTime>,
    leases: BTreeSet<LeaseId>,
}

impl Bound {
    /// Takes in what a call said of its login: until when it holds now.
    pub fn note(&self, under: Option<&Under>) {
        if let Some(under) = under
            && let Some(bond) = self.lock().get_mut(&under.login)
        {
            bond.end = under.end;
        }
    }

    /// A lease of a call, which ends with its login.
    pub fn lent(&self, under: Option<&Under>, mut lease: Lease) -> Lease {
        let Some(under) = under else {
            return lease;
        };
        let mut bonds = self.lock();
        let bond = bonds.entry(under.login.clone()).or_insert_with(|| Bond {
            end: under.end,
            leases: BTreeSet::new(),
        });
        bond.leases.insert(lease.id.clone());
        drop(bonds);
        if let Some(left) = left(under.end) {
            lease.time_to_live = lease.time_to_live.min(left);
        }
        lease
    }

    /// What became of a lease of so long, whose login may end before.
    pub fn renewed(&self, id: &LeaseId, renewal: Renewal, want: Duration) -> Renewal {
        let (mut lease, is_whole) = match renewal {
            Renewal::Renewed(lease) => (lease, true),
            Renewal::Truncated(lease) => (lease, false),
            Renewal::Gone => return Renewal::Gone,
        };
        let end = {
            let bonds = self.lock();
            let bond = bonds.values().find(|bond| bond.leases.contains(id));
            bond.and_then(|bond| bond.end)
        };
        let enough = want.saturating_mul(100 - SHORTFALL_PERCENT) / 100;
        let mut lasts = is_whole;
        if let Some(left) = left(end) {
            lease.time_to_live = lease.time_to_live.min(left);
            lasts &= left >= enough;
        }
        if lasts {
            Renewal::Renewed(lease)
        } else {
            Renewal::Truncated(lease)
        }
    }

    /// Forgets a lease, and its login with the last one.
    pub fn forget(&self, id: &LeaseId) {
        self.lock().retain(|_, bond| {
            bond.leases.remove(id);
            !bond.leases.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bond>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left until then; none without an end.
fn left(end: Option<SystemTime>) -> Option<Duration> {
    let end = end?;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use whimbrel_secrets::{Lease, LeaseId, Renewal};

    use super::Bound;
    use crate::session::Under;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn under(login: &str, minutes: Option<u64>) -> Under {
        let end = minutes.map(|minutes| SystemTime::now() + Duration::from_secs(minutes * 60));
        Under {
            login: login.to_owned(),
            end,
        }
    }

    fn lease(id: &str) -> Lease {
        Lease {
            id: LeaseId(id.to_owned()),
            renewable: true,
            time_to_live: HOUR,
        }
    }

    #[test]
    fn a_lease_is_no_longer_than_the_login_it_was_lent_under() {
        let bound = Bound::default();
        let short = under("1", Some(20));
        let one = bound.lent(Some(&short), lease("one"));
        assert!(one.time_to_live <= HOUR / 3 && one.time_to_live > HOUR / 4);
        assert_eq!(bound.lent(None, lease("free")).time_to_live, HOUR);
        let lasting = under("2", None);
        assert_eq!(bound.lent(Some(&lasting), lease("two")).time_to_live, HOUR);

        // Whatever a later call works under, a lease ends with its own login.
        let want = one.time_to_live;
        let renewal = |id: &str| {
            let renewed = Renewal::Renewed(Lease {
                time_to_live: want,
                ..lease(id)
            });
            bound.renewed(&LeaseId(id.to_owned()), renewed, want)
        };
        bound.note(Some(&under("1", Some(7))));
        bound.note(Some(&under("2", None)));
        assert!(
            matches!(renewal("one"), Renewal::Truncated(lease) if lease.time_to_live < HOUR / 8)
        );
        assert!(matches!(renewal("two"), Renewal::Renewed(_)));
        assert!(matches!(renewal("free"), Renewal::Renewed(_)));
        // A login that was renewed a moment ago is as good as one renewed now.
        bound.note(Some(&under("1", Some(19))));
        assert!(matches!(renewal("one"), Renewal::Renewed(_)));

        bound.forget(&LeaseId("one".to_owned()));
        bound.note(Some(&under("1", Some(1))));
        assert!(matches!(renewal("one"), Renewal::Renewed(_)));
        assert_eq!(bound.lock().len(), 1);
    }
}
