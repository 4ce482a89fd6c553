//! What is lent is renewed while it is needed, and given back afterwards.

use std::time::Duration;

use crate::support::{
    Asked, LENT_FOR, Store, conflict, lease, reference, settle, store, unavailable,
};
use tokio::sync::watch;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_secrets::{
    Clock as _, HeldLease, LeaseState, Lent, Limits, RecordedLease, Renewal, Resolver,
};
use whimbrel_signal::metric::Meter;

async fn borrow(resolver: &Resolver) -> HeldLease {
    lent(resolver).await.leases().first().unwrap().clone()
}

async fn lent(resolver: &Resolver) -> Lent {
    let readings = resolver.begin();
    let username = reference("secret://store/creds#username");
    readings.resolve(&username).await.unwrap();
    let lent = readings.lent();
    assert_eq!(lent.records().len(), 1);
    lent
}

fn state(lease: &HeldLease) -> LeaseState {
    *lease.state.borrow()
}

#[tokio::test]
async fn a_lease_is_renewed_at_two_thirds_for_as_long_as_it_is_held() {
    let (store, clock, resolver) = store(Store::default());
    let lease = borrow(&resolver).await;
    assert_eq!(lease.record.backend, "store");
    clock.advance(Duration::from_millis(17_500)).await;
    assert_eq!(store.renewed(), 0, "more than a tenth too soon");
    clock.advance(Duration::from_millis(2_600)).await;
    assert_eq!(store.renewed(), 1, "after two thirds");
    // Eight minutes with leases of thirty seconds.
    clock.advance(Duration::from_secs(480)).await;
    assert_eq!(state(&lease), LeaseState::Held);
    let renewed = store.renewed();
    assert!((24..=28).contains(&renewed), "{renewed}");
}

#[tokio::test]
async fn leases_that_began_together_are_renewed_one_after_the_other() {
    const LEASES: usize = 40;
    let (store, clock, resolver) = store(Store::default());
    for _ in 0..LEASES {
        borrow(&resolver).await;
    }
    // Two thirds of thirty seconds, and up to a tenth sooner: all in one half of that span is one chance in 2^39.
    clock.advance(Duration::from_millis(19_000)).await;
    let early = store.renewed();
    assert!(early > 0 && early < LEASES, "{early} in the first half");
    clock.advance(Duration::from_millis(1_500)).await;
    assert_eq!(store.renewed(), LEASES);
}

#[tokio::test]
async fn the_end_waits_until_the_store_says_that_what_was_lent_is_gone() {
    let (store, _, resolver) = store(Store::default());
    borrow(&resolver).await;
    let (word, gate) = watch::channel(false);
    *store.ending.lock().unwrap() = Some(gate);
    let ends = tokio::spawn({
        let resolver = resolver.clone();
        async move { resolver.close().await }
    });
    settle().await;
    assert_eq!(store.revoked(), ["creds/1"]);
    assert!(!ends.is_finished(), "asked for, and not confirmed");
    word.send_replace(true);
    assert!(ends.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_truncated_lease_tells_its_holder_until_when() {
    let (store, clock, resolver) = store(Store::default());
    let mut held = borrow(&resolver).await;
    let short = lease("creds/1", true, Duration::from_secs(5));
    store
        .renewals
        .lock()
        .unwrap()
        .push_back(Renewal::Truncated(short));
    clock.advance(Duration::from_secs(20)).await;
    let LeaseState::EndsAt(end) = state(&held) else {
        panic!("{:?}", state(&held));
    };
    assert!(end <= clock.now() + Duration::from_secs(5));
    assert_eq!(resolver.leases().len(), 1);
    clock.advance(Duration::from_secs(6)).await;
    held.state
        .wait_for(|state| *state == LeaseState::Gone)
        .await
        .unwrap();
    assert_eq!(store.renewed(), 1);
    assert!(resolver.leases().is_empty(), "what is over isn't revoked");
}

#[tokio::test]
async fn a_lease_that_was_revoked_elsewhere_is_told_at_once() {
    let (store, clock, resolver) = store(Store::default());
    let held = borrow(&resolver).await;
    store.renewals.lock().unwrap().push_back(Renewal::Gone);
    clock.advance(Duration::from_secs(20)).await;
    assert_eq!(state(&held), LeaseState::Gone);
}

#[tokio::test]
async fn what_can_t_be_renewed_is_told_in_time() {
    let (store, clock, resolver) = store(Store {
        fixed: true,
        ..Store::default()
    });
    let held = borrow(&resolver).await;
    clock.advance(Duration::from_secs(20)).await;
    assert!(matches!(state(&held), LeaseState::EndsAt(_)));
    assert_eq!(store.renewed(), 0);
    clock.advance(Duration::from_secs(11)).await;
    assert_eq!(state(&held), LeaseState::Gone);
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_loses_no_lease() {
    let (store, clock, resolver) = store(Store::default());
    let held = borrow(&resolver).await;
    store.fail([unavailable(Retry::Backoff), unavailable(Retry::Backoff)]);
    clock.advance(Duration::from_secs(24)).await;
    assert_eq!(state(&held), LeaseState::Held);
    assert_eq!(store.renewed(), 3);
    // Nor one where somebody else was faster.
    store.fail([conflict(Retry::Backoff)]);
    clock.advance(Duration::from_secs(24)).await;
    assert_eq!(state(&held), LeaseState::Held);
    assert_eq!(store.renewed(), 5);
    // One that stays away costs the lease, and the holder knows before it is over.
    store.fail(std::iter::repeat_n(unavailable(Retry::Backoff), 1_000));
    let mut seen = held.state.clone();
    let told = tokio::spawn(async move {
        let ends = |state: &LeaseState| matches!(state, LeaseState::EndsAt(_));
        seen.wait_for(ends).await.map(|state| *state).unwrap()
    });
    clock.advance(LENT_FOR).await;
    let LeaseState::EndsAt(end) = told.await.unwrap() else {
        panic!("it wasn't told");
    };
    clock.advance(LENT_FOR).await;
    assert!(end < clock.now());
    assert_eq!(state(&held), LeaseState::Gone);
}

#[tokio::test]
async fn at_the_end_everything_is_revoked_and_what_is_left_is_told() {
    let (store, _, resolver) = store(Store::default());
    let first = borrow(&resolver).await;
    let second = borrow(&resolver).await;
    assert_eq!(
        resolver.leases(),
        [first.record.clone(), second.record.clone()]
    );
    store.fail([Fault::new(FaultClass::Denied, "store.denied", "may not")]);
    let left = resolver.revoke_all().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left.first().unwrap().fault.message, "may not");
    assert_eq!(store.revoked().len(), 2);
    assert_eq!(state(&first), LeaseState::Gone);
    assert!(resolver.leases().is_empty());
    assert!(resolver.revoke_all().await.is_empty());
}

#[tokio::test]
async fn a_store_that_never_confirms_doesn_t_keep_the_program() {
    let (store, clock, resolver) = store(Store::default());
    borrow(&resolver).await;
    store.fail(std::iter::repeat_n(unavailable(Retry::Backoff), 1_000));
    let ends = tokio::spawn({
        let resolver = resolver.clone();
        async move { resolver.revoke_all().await }
    });
    clock.advance(Duration::from_secs(21)).await;
    let left = ends.await.unwrap();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn what_a_crashed_run_left_is_revoked_by_its_record() {
    let (store, _, resolver) = store(Store::default());
    let record = |backend: &str, lease: &str| RecordedLease {
        backend: backend.to_owned(),
        lease: lease.to_owned(),
    };
    let left = [record("store", "creds/9"), record("former", "x")];
    let text = serde_json::to_string(&left).unwrap();
    assert_eq!(
        text,
        r#"[{"backend":"store","lease":"creds/9"},{"backend":"former","lease":"x"}]"#
    );
    let read: Vec<RecordedLease> = serde_json::from_str(&text).unwrap();
    for _ in 0..2 {
        let failed = resolver.revoke_left(&read).await;
        assert_eq!(failed.len(), 1);
        assert!(failed.first().unwrap().fault.message.contains("`former`"));
    }
    assert_eq!(store.revoked(), ["creds/9", "creds/9"]);
}

#[tokio::test]
async fn after_the_end_nothing_is_borrowed_any_more() {
    let (store, _, resolver) = store(Store::default());
    borrow(&resolver).await;
    assert!(resolver.close().await.is_empty());
    assert_eq!(store.count(|asked| *asked == Asked::Close), 1);
    let error = resolver
        .resolve(&reference("secret://store/creds#username"))
        .await;
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .contains("the run has ended")
    );
    settle().await;
    // What arrived too late was given back at once.
    assert_eq!(store.revoked().len(), 2);
    assert!(resolver.close().await.is_empty());
}

#[tokio::test]
async fn leases_are_bounded_and_one_too_many_is_given_back() {
    let (store, _, resolver) = store(Store::default());
    let resolver = resolver.with_limits(Limits {
        leases: 1,
        ..Limits::default()
    });
    borrow(&resolver).await;
    let error = resolver
        .resolve(&reference("secret://store/creds#username"))
        .await;
    let error = error.err().unwrap();
    assert!(error.to_string().contains("1 leases are held"), "{error}");
    assert_eq!(store.revoked(), ["creds/2"]);
}

#[tokio::test]
async fn what_several_share_is_ended_by_the_last() {
    let (store, _, resolver) = store(Store::default());
    let (open, gate) = watch::channel(false);
    *store.gate.lock().unwrap() = Some(gate);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { lent(&resolver).await })
        })
        .collect();
    settle().await;
    open.send_replace(true);
    let mut both = Vec::new();
    for waits in waiting {
        both.push(waits.await.unwrap());
    }
    let (first, second) = (both.remove(0), both.remove(0));
    assert_eq!(first.records(), second.records());
    assert!(first.end().await.is_empty());
    assert_eq!(second.state(), LeaseState::Held);
    assert!(store.revoked().is_empty());
    assert!(second.end().await.is_empty());
    assert_eq!(store.revoked(), ["creds/1"]);
    // What nobody lent ends with nothing.
    let readings = resolver.begin();
    readings
        .resolve(&reference("secret://store/kv"))
        .await
        .unwrap();
    let nothing = readings.lent();
    assert_eq!(nothing.state(), LeaseState::Held);
    assert!(nothing.end().await.is_empty());
}

#[tokio::test]
async fn whoever_was_refused_can_ask_how_things_stand() {
    let (store, clock, resolver) = store(Store::default());
    let lent = lent(&resolver).await;
    assert_eq!(lent.ask().await, LeaseState::Held);
    assert_eq!(store.renewed(), 1);
    let short = lease("creds/1", true, Duration::from_secs(2));
    store
        .renewals
        .lock()
        .unwrap()
        .extend([Renewal::Truncated(short), Renewal::Gone]);
    let end = clock.now() + Duration::from_secs(2);
    assert_eq!(lent.ask().await, LeaseState::EndsAt(end));
    assert_eq!(lent.ask().await, LeaseState::Gone);
    assert_eq!(lent.ask().await, LeaseState::Gone);
    assert_eq!(store.renewed(), 3);
    assert!(resolver.leases().is_empty());
}

/// The values of a metric by its labels, as text.
fn shown(meter: &Meter, name: &str) -> String {
    let families = meter.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.map(|family| family.get_metric().to_vec());
    let lines = metrics.unwrap_or_default().into_iter().map(|metric| {
        let labels = metric.get_label().iter();
        let labels: Vec<_> = labels.map(|label| label.value().to_owned()).collect();
        let value = metric.get_counter().get_value() + metric.get_gauge().get_value();
        (labels.join(" "), value)
    });
    let lines: Vec<_> = lines
        .filter(|(_, value)| *value > 0.0)
        .map(|(labels, value)| format!("{labels} {value}"))
        .collect();
    lines.join(", ")
}

#[tokio::test]
async fn answers_are_counted_and_the_end_of_leases_is_shown_while_they_are_held() {
    let meter = Meter::default();
    let (store, clock, resolver) = store(Store::default());
    let resolver = resolver.with_meter(meter.clone());
    let end = || shown(&meter, "whimbrel_secret_lease_expiry_timestamp_seconds");
    assert_eq!(end(), "");
    let held = lent(&resolver).await;
    let now = jiff::Timestamp::now().as_second();
    let left: f64 = end().strip_prefix("store ").unwrap().parse().unwrap();
    let left = left - now as f64;
    assert!((20.0..40.0).contains(&left), "{left}");
    clock.advance(Duration::from_secs(21)).await;
    held.end().await;
    assert_eq!(end(), "", "what was given back isn't held");
    let denied = Fault::new(FaultClass::Denied, "x", "no");
    store.fail([denied]);
    let username = reference("secret://store/creds#username");
    assert!(resolver.resolve(&username).await.is_err());
    assert_eq!(
        shown(&meter, "whimbrel_secret_requests_total"),
        "store read denied 1, store read ok 1, store renew ok 1, store revoke ok 1"
    );

    // One that is over by itself isn't shown either.
    let short = lease("creds/2", true, Duration::from_secs(5));
    store
        .renewals
        .lock()
        .unwrap()
        .push_back(Renewal::Truncated(short));
    let held = borrow(&resolver).await;
    clock.advance(Duration::from_secs(40)).await;
    assert_eq!(state(&held), LeaseState::Gone);
    assert_eq!(end(), "");
}
