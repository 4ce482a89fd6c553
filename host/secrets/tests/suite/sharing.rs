//! How often a store is asked, and when it is asked again.

use std::time::Duration;

use crate::support::{Asked, ENDS_AFTER, Store, conflict, reference, settle, store, unavailable};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_secrets::{Condition, Limits, Readings, Resolver};

const SECOND: Duration = Duration::from_secs(1);

async fn value(readings: &Readings, text: &str) -> String {
    let value = readings.resolve(&reference(text)).await.unwrap();
    value.expose_secret().to_owned()
}

async fn again(resolver: &Resolver, text: &str) -> String {
    value(&resolver.begin(), text).await
}

#[tokio::test]
async fn a_hundred_who_wait_cost_one_reading() {
    let (store, _, resolver) = store(Store::default());
    let (open, gate) = watch::channel(false);
    *store.gate.lock().unwrap() = Some(gate);
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let resolver = resolver.clone();
            let path = if number % 2 == 0 {
                "username"
            } else {
                "password"
            };
            tokio::spawn(
                async move { again(&resolver, &format!("secret://store/creds#{path}")).await },
            )
        })
        .collect();
    settle().await;
    assert_eq!(store.reads(), 1);
    // One who goes away takes nothing from the others.
    waiting.first().unwrap().abort();
    open.send_replace(true);
    for waits in waiting.into_iter().skip(1) {
        assert!(waits.await.unwrap().ends_with("-1"));
    }
    assert_eq!(store.reads(), 1);
    assert_eq!(resolver.leases().len(), 1);
}

#[tokio::test]
async fn what_has_a_version_is_kept_for_a_minute_and_the_rest_is_not() {
    let (store, clock, resolver) = store(Store::default());
    let first = again(&resolver, "secret://store/kv").await;
    assert_eq!(again(&resolver, "secret://store/kv").await, first);
    assert_eq!(store.reads(), 1);
    again(&resolver, "secret://store/kv?version=7").await;
    assert_eq!(store.reads(), 2, "another version is another secret");
    clock.advance(Duration::from_secs(59)).await;
    assert_eq!(again(&resolver, "secret://store/kv").await, first);
    clock.advance(Duration::from_secs(1)).await;
    assert_ne!(again(&resolver, "secret://store/kv").await, first);
    assert_eq!(store.reads(), 3);
    for text in [
        "secret://store/plain",
        "secret://store/creds#username",
        "secret://store/creds-versioned#username",
    ] {
        let first = again(&resolver, text).await;
        assert_ne!(again(&resolver, text).await, first, "{text}");
    }
}

#[tokio::test]
async fn what_ends_is_kept_no_longer_than_it_is_of_use() {
    let (store, clock, resolver) = store(Store::default());
    let (first, lasting) = (
        again(&resolver, "secret://store/kv-ends").await,
        again(&resolver, "secret://store/kv").await,
    );
    clock.advance(ENDS_AFTER - SECOND).await;
    assert_eq!(again(&resolver, "secret://store/kv-ends").await, first);
    clock.advance(SECOND * 2).await;
    assert_ne!(again(&resolver, "secret://store/kv-ends").await, first);
    assert_eq!(again(&resolver, "secret://store/kv").await, lasting);
    assert_eq!(store.reads(), 3);
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let (store, _, resolver) = store(Store::default());
    let resolver = resolver.with_limits(Limits {
        cache_entries: 2,
        ..Limits::default()
    });
    for path in ["kv1", "kv2", "kv3", "kv2", "kv3"] {
        again(&resolver, &format!("secret://store/{path}")).await;
    }
    assert_eq!(store.reads(), 3);
    again(&resolver, "secret://store/kv1").await;
    assert_eq!(store.reads(), 4);
}

#[tokio::test]
async fn one_connection_gets_one_reading_and_another_try_a_newer_one() {
    let (store, _, resolver) = store(Store::default());
    let readings = resolver.begin();
    assert_eq!(
        value(&readings, "secret://store/creds#username").await,
        "username-1"
    );
    assert_eq!(
        value(&readings, "secret://store/creds#password").await,
        "password-1"
    );
    assert_eq!(readings.lent().records().len(), 1);
    let kept = again(&resolver, "secret://store/kv").await;
    let refused = resolver.begin();
    assert_eq!(value(&refused, "secret://store/kv").await, kept);
    // A hundred that were refused with the same reading share the newer one.
    let fresh = refused.again().await;
    let newer = value(&fresh, "secret://store/kv").await;
    assert_ne!(newer, kept);
    assert_eq!(
        value(&refused.again().await, "secret://store/kv").await,
        newer
    );
    let reads = store.reads();
    assert_ne!(
        value(&fresh.again().await, "secret://store/kv").await,
        newer
    );
    assert_eq!(store.reads(), reads + 1);
}

#[tokio::test]
async fn what_may_be_cured_is_tried_again_and_nothing_else() {
    let (store, clock, resolver) = store(Store::default());
    store.fail([unavailable(Retry::Backoff), unavailable(Retry::Backoff)]);
    let asks = tokio::spawn({
        let resolver = resolver.clone();
        async move { again(&resolver, "secret://store/plain").await }
    });
    settle().await;
    assert_eq!(store.reads(), 1);
    clock.advance(Duration::from_secs(2)).await;
    assert_eq!(asks.await.unwrap(), "value-3-of-plain");
    for (class, retry) in [
        (FaultClass::Denied, Retry::Backoff),
        (FaultClass::NotFound, Retry::Backoff),
        (FaultClass::Invalid, Retry::Backoff),
        (FaultClass::Unavailable, Retry::Never),
    ] {
        let before = store.reads();
        let mut fault = Fault::new(class, "store.no", "no");
        fault.retry = retry;
        store.fail([fault]);
        let error = resolver.resolve(&reference("secret://store/plain")).await;
        assert_eq!(
            error.err().unwrap().is_temporary(),
            class == FaultClass::Unavailable
        );
        assert_eq!(store.reads(), before + 1, "{class:?}");
    }
}

#[tokio::test]
async fn what_somebody_changed_at_the_same_time_is_asked_again() {
    let (store, clock, resolver) = store(Store::default());
    store.fail([conflict(Retry::Backoff), conflict(Retry::After(1_000))]);
    let asks = tokio::spawn({
        let resolver = resolver.clone();
        async move { again(&resolver, "secret://store/plain").await }
    });
    settle().await;
    assert_eq!(store.reads(), 1);
    clock.advance(Duration::from_secs(3)).await;
    assert_eq!(asks.await.unwrap(), "value-3-of-plain");
    // One that a person must settle isn't.
    store.fail([conflict(Retry::Never)]);
    let error = resolver.resolve(&reference("secret://store/plain")).await;
    assert!(!error.err().unwrap().is_temporary());
    assert_eq!(store.reads(), 4);
}

#[tokio::test]
async fn the_pause_that_a_store_names_is_kept_within_the_budget() {
    let (store, clock, resolver) = store(Store::default());
    store.fail([unavailable(Retry::After(9_000))]);
    let asks = tokio::spawn({
        let resolver = resolver.clone();
        async move { again(&resolver, "secret://store/plain").await }
    });
    clock.advance(Duration::from_millis(8_500)).await;
    assert_eq!(store.reads(), 1);
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(asks.await.unwrap(), "value-2-of-plain");
    store.fail([unavailable(Retry::After(600_000))]);
    let error = resolver.resolve(&reference("secret://store/plain")).await;
    assert!(error.err().unwrap().to_string().contains("it is sealed"));
    assert_eq!(store.reads(), 3);
}

#[tokio::test]
async fn a_store_that_stays_away_costs_the_budget_and_is_reported() {
    let (store, clock, resolver) = store(Store::default());
    store.fail(std::iter::repeat_n(unavailable(Retry::Backoff), 100));
    let asks = tokio::spawn({
        let resolver = resolver.clone();
        async move { resolver.resolve(&reference("secret://store/plain")).await }
    });
    clock.advance(Duration::from_secs(31)).await;
    assert!(asks.await.unwrap().err().unwrap().is_temporary());
    let tries = store.reads();
    assert!((5..40).contains(&tries), "{tries}");
    let health = resolver.health();
    let of = |name: &str| {
        let found = health.iter().find(|health| health.backend == name);
        found.unwrap().condition.clone()
    };
    assert_eq!(of("env"), Condition::Unknown);
    assert!(matches!(
        of("store"),
        Condition::Unavailable { failures: 1, .. }
    ));
}

#[tokio::test]
async fn health_follows_what_a_store_answers() {
    let (store, _, resolver) = store(Store::default());
    let condition = || {
        resolver
            .health()
            .into_iter()
            .find(|health| health.backend == "store")
    };
    assert!(
        resolver
            .resolve(&reference("secret://store/nowhere"))
            .await
            .is_err()
    );
    assert_eq!(condition().unwrap().condition, Condition::Healthy);
    store.fail([Fault::new(FaultClass::Denied, "store.denied", "go away")]);
    assert!(
        resolver
            .resolve(&reference("secret://store/kv"))
            .await
            .is_err()
    );
    assert!(matches!(
        condition().unwrap().condition,
        Condition::Refusing(_)
    ));
    again(&resolver, "secret://store/kv").await;
    assert_eq!(condition().unwrap().condition, Condition::Healthy);
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let (store, clock, resolver) = store(Store::default());
    let (_closed, gate) = watch::channel(false);
    *store.gate.lock().unwrap() = Some(gate);
    let asks = tokio::spawn({
        let resolver = resolver.clone();
        async move { resolver.resolve(&reference("secret://store/plain")).await }
    });
    clock.advance(Duration::from_secs(31)).await;
    let error = asks.await.unwrap().err().unwrap().to_string();
    assert!(error.contains("no answer within"), "{error}");
}

#[tokio::test]
async fn shapes_reveal_nothing_and_large_secrets_are_refused() {
    let (store, _, resolver) = store(Store::default());
    let shape = resolver
        .shape(&reference("secret://store/creds"))
        .await
        .unwrap();
    assert_eq!(shape.fields, ["username", "password"]);
    assert_eq!(store.reads(), 0);
    assert_eq!(store.count(|asked| matches!(asked, Asked::Shape(_))), 1);
    let error = resolver
        .resolve(&reference("secret://store/many-fields#1"))
        .await;
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .contains("more than 256 fields")
    );
}
