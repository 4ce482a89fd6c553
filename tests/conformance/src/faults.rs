//! Every fault: what goes wrong is told apart, tells no secret, and leaves nothing behind that would matter later.

use whimbrel_core::fault::{Fault as Told, FaultClass, Retry};
use whimbrel_faulty_proxy::Fault;
use whimbrel_secrets::Backend as _;

use crate::{Subject, value};

/// What a server says when it can't at the moment.
const BUSY: [u16; 4] = [429, 500, 502, 503];

/// Breaks the reading of the kept secret in every way, each time until it is mended, and then for one request only.
pub(crate) async fn every(subject: &Subject<'_>) {
    let (Some(proxy), Some(request)) = (subject.proxy, &subject.request) else {
        return;
    };
    let refused = subject
        .refusals
        .iter()
        .map(|(status, class)| (*status, *class));
    let busy = BUSY.map(|status| (status, FaultClass::Unavailable));
    for (status, class) in refused.chain(busy) {
        proxy.inject(request.clone().fault(Fault::Status(status)));
        let told = fails(subject, &format!("status {status}")).await;
        assert_eq!(told.class, class, "status {status}: {told:?}");
        if class == FaultClass::Unavailable {
            assert_ne!(told.retry, Retry::Never, "status {status}: {told:?}");
        }
        recovers(subject).await;
    }
    proxy.inject(request.clone().fault(Fault::RetryAfter(7)));
    let told = fails(subject, "Retry-After").await;
    match told.retry {
        Retry::After(wait) => assert!((7_000..=8_000).contains(&wait), "{told:?}"),
        Retry::Backoff => assert!(!subject.says_when, "{told:?}"),
        Retry::Never => panic!("it would pass: {told:?}"),
    }
    recovers(subject).await;
    for fault in [Fault::ResetBefore, Fault::ResetAfter, Fault::Truncate(4)] {
        proxy.inject(request.clone().fault(fault));
        let told = fails(subject, &format!("{fault:?}")).await;
        assert_eq!(told.class, FaultClass::Unavailable, "{fault:?}: {told:?}");
        recovers(subject).await;
    }
    for fault in [Fault::Delay(300), Fault::Skew(-86_400)] {
        proxy.inject(request.clone().fault(fault).times(2));
        let secret = subject.store.read(&subject.kept.reference).await;
        let secret = secret.unwrap_or_else(|told| panic!("{fault:?} harms nobody: {told:?}"));
        assert_eq!(value(&secret, &subject.kept.field), subject.kept.value);
        recovers(subject).await;
    }
}

/// Asked twice, it fails twice, and says nothing that it must not.
async fn fails(subject: &Subject<'_>, what: &str) -> Told {
    let mut last = None;
    for _ in 0..2 {
        let told = subject.store.read(&subject.kept.reference).await.err();
        let told = told.unwrap_or_else(|| panic!("{what}: it was read all the same"));
        assert!(
            !told.code.is_empty() && !told.message.is_empty(),
            "{told:?}"
        );
        let said = format!("{told:?}");
        assert!(!said.contains(&subject.kept.value), "{what}: {said}");
        last = Some(told);
    }
    last.expect("asked twice")
}

/// Mended, it works at once.
async fn recovers(subject: &Subject<'_>) {
    if let Some(proxy) = subject.proxy {
        proxy.mend();
    }
    let secret = subject.store.read(&subject.kept.reference).await;
    let secret = secret.unwrap_or_else(|told| panic!("it is mended: {told:?}"));
    assert_eq!(value(&secret, &subject.kept.field), subject.kept.value);
}
