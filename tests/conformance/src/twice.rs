//! Everything twice: a crash may come between doing something and knowing that it is done.

use std::time::Duration;

use whimbrel_core::fault::FaultClass;
use whimbrel_secrets::{Backend as _, LeaseId, Renewal};

use crate::{Subject, value};

/// For how long a lease is lengthened.
pub(crate) const WANTED: Duration = Duration::from_secs(20);

/// A kept secret is read, and its shape told without it, as often as one likes.
pub(crate) async fn reads(subject: &Subject<'_>) {
    let kept = &subject.kept;
    let mut versions = Vec::new();
    for _ in 0..2 {
        let secret = subject.store.read(&kept.reference).await.expect("a secret");
        assert_eq!(value(&secret, &kept.field), kept.value);
        assert!(secret.lease.is_none(), "what is kept isn't lent");
        assert!(!secret.details.to_string().contains(&kept.value));
        versions.push(secret.version);
    }
    versions.dedup();
    assert_eq!(
        versions.len(),
        1,
        "the same version each time: {versions:?}"
    );
    for _ in 0..2 {
        let shape = subject.store.shape(&kept.reference).await.expect("a shape");
        // Where a backend can't tell the fields without reading, it names none.
        assert!(
            shape.fields.is_empty() || shape.fields.contains(&kept.field),
            "{:?}",
            shape.fields
        );
        let said = format!("{:?} {:?} {}", shape.fields, shape.version, shape.details);
        assert!(
            !said.contains(&kept.value),
            "a shape reveals nothing: {said}"
        );
    }
}

/// An earlier version is still there, and the newest one is what is meant without saying so.
pub(crate) async fn versions(subject: &Subject<'_>) {
    let Some(earlier) = &subject.earlier else {
        return;
    };
    for _ in 0..2 {
        let then = subject
            .store
            .read(&earlier.reference)
            .await
            .expect("a version");
        assert_eq!(value(&then, &earlier.field), earlier.value);
        let now = subject.store.read(&subject.kept.reference).await;
        let now = now.expect("the newest version");
        assert_eq!(value(&now, &subject.kept.field), subject.kept.value);
        assert_ne!(then.version, now.version);
    }
}

/// What isn't there isn't there the second time either, and nobody should try again.
pub(crate) async fn misses(subject: &Subject<'_>) {
    for _ in 0..2 {
        let fault = subject.store.read(&subject.missing).await.err();
        let fault = fault.expect("it isn't there");
        assert_eq!(fault.class, FaultClass::NotFound, "{fault:?}");
        assert_eq!(fault.retry, whimbrel_core::fault::Retry::Never, "{fault:?}");
        let fault = subject.store.shape(&subject.missing).await.err();
        assert_eq!(fault.map(|fault| fault.class), Some(FaultClass::NotFound));
    }
}

/// Two readings are two leases; each is lengthened and ended twice, and then it is gone.
pub(crate) async fn lends(subject: &Subject<'_>) {
    let store = &subject.store;
    let Some(reference) = &subject.lent else {
        let unknown = LeaseId("nobody/lent/this".to_owned());
        for _ in 0..2 {
            store
                .revoke(&unknown)
                .await
                .expect("nothing to end is fine");
        }
        return;
    };
    let first = store.read(reference).await.expect("a loan");
    let second = store.read(reference).await.expect("another loan");
    let (first, second) = (
        first.lease.expect("a lease"),
        second.lease.expect("a lease"),
    );
    assert_ne!(first.id, second.id, "a reading is a loan of its own");
    for lease in [&first, &second] {
        assert!(!lease.time_to_live.is_zero());
        for _ in 0..2 {
            match store.renew(&lease.id, WANTED).await.expect("an answer") {
                Renewal::Renewed(longer) | Renewal::Truncated(longer) => {
                    assert_eq!(longer.id, lease.id);
                }
                Renewal::Gone => panic!("it was lent a moment ago"),
            }
        }
        for _ in 0..2 {
            store.revoke(&lease.id).await.expect("the second time, too");
        }
        for _ in 0..2 {
            let renewal = store.renew(&lease.id, WANTED).await.expect("an answer");
            assert!(matches!(renewal, Renewal::Gone), "what was ended is gone");
        }
    }
    let shape = store.shape(reference).await.expect("a shape");
    assert!(shape.version.is_none() || !shape.fields.is_empty());
}

/// The login is ended twice, and whoever asks afterwards logs in anew.
pub(crate) async fn closes(subject: &Subject<'_>) {
    subject
        .store
        .close()
        .await
        .expect("before anything was asked");
    for _ in 0..2 {
        reads(subject).await;
        subject.store.close().await.expect("the login is ended");
        subject.store.close().await.expect("the second time, too");
    }
}
