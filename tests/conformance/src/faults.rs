//! Every fault: what goes wrong is told apart, tells no secret, and leaves nothing behind that would matter later.

use std::collections::BTreeSet;

use whimbrel_core::fault::{Fault as Told, FaultClass, Retry};
use whimbrel_faulty_proxy::Fault;
use whimbrel_secrets::LeaseId;

use crate::{Doing, Step, Subject};

/// What a server says when it can't at the moment.
const BUSY: [u16; 4] = [429, 500, 502, 503];

/// Breaks each step in every way, each time until it is mended, and then for one request only.
pub(crate) async fn every(subject: &Subject<'_>) {
    for step in &subject.steps {
        refused(subject, step).await;
        broken(subject, step).await;
        harmless(subject, step).await;
    }
}

/// The server says no, in its own words or in those of what stands before it.
async fn refused(subject: &Subject<'_>, step: &Step<'_>) {
    let known: BTreeSet<u16> = step.refusals.iter().map(|(status, _)| *status).collect();
    let busy = BUSY.into_iter().filter(|status| !known.contains(status));
    let busy = busy.map(|status| (status, FaultClass::Unavailable));
    for (status, class) in step.refusals.iter().copied().chain(busy) {
        for fault in [
            Fault::Status(status),
            Fault::Wrapped(status),
            Fault::Page(status),
        ] {
            let told = fails(subject, step, fault).await;
            assert_eq!(told.class, class, "{:?}, {fault:?}: {told:?}", step.doing);
            if class == FaultClass::Unavailable {
                assert_ne!(
                    told.retry,
                    Retry::Never,
                    "{:?}, {fault:?}: {told:?}",
                    step.doing
                );
            }
        }
    }
    let told = fails(subject, step, Fault::RetryAfter(7)).await;
    match told.retry {
        Retry::After(wait) => assert!((7_000..=8_000).contains(&wait), "{told:?}"),
        Retry::Backoff => assert!(!step.says_when, "{:?}: {told:?}", step.doing),
        Retry::Never => panic!("it would pass: {told:?}"),
    }
    // A page where an answer should be is none, whatever its status says.
    fails(subject, step, Fault::Page(200)).await;
}

/// There is no answer, or only a part of one.
async fn broken(subject: &Subject<'_>, step: &Step<'_>) {
    let mut faults = vec![Fault::ResetBefore, Fault::ResetAfter, Fault::Hang];
    if step.doing != Doing::Revoke {
        // The answer that something was given back may be empty, and then nothing of it breaks off.
        faults.push(Fault::Truncate(4));
    }
    for fault in faults {
        let told = fails(subject, step, fault).await;
        assert_eq!(
            told.class,
            FaultClass::Unavailable,
            "{:?}, {fault:?}: {told:?}",
            step.doing
        );
        assert_ne!(
            told.retry,
            Retry::Never,
            "{:?}, {fault:?}: {told:?}",
            step.doing
        );
    }
}

/// It is slow, or its clock is wrong.
async fn harmless(subject: &Subject<'_>, step: &Step<'_>) {
    let faults = [
        Fault::Delay(300),
        Fault::Skew(-86_400),
        Fault::Clock(-86_400),
        Fault::Clock(86_400),
    ];
    for fault in faults {
        let lease = step.prepare(subject).await;
        inject(subject, step, fault);
        let done = step.attempt(subject, lease.as_ref()).await;
        done.unwrap_or_else(|told| panic!("{:?}: {fault:?} harms nobody: {told:?}", step.doing));
        mended(subject, step, lease.as_ref()).await;
    }
}

/// Asked twice, it fails twice, and says nothing that it must not; mended, it works.
async fn fails(subject: &Subject<'_>, step: &Step<'_>, fault: Fault) -> Told {
    let lease = step.prepare(subject).await;
    inject(subject, step, fault);
    let mut last = None;
    // It waits for as long as it is patient, and so do we, once.
    for _ in 0..if fault == Fault::Hang { 1 } else { 2 } {
        let told = step.attempt(subject, lease.as_ref()).await.err();
        let told =
            told.unwrap_or_else(|| panic!("{:?}, {fault:?}: it was done all the same", step.doing));
        assert!(
            !told.code.is_empty() && !told.message.is_empty(),
            "{told:?}"
        );
        let said = format!("{told:?}");
        assert!(!said.contains(&subject.kept.value), "{fault:?}: {said}");
        last = Some(told);
    }
    mended(subject, step, lease.as_ref()).await;
    last.expect("asked")
}

fn inject(subject: &Subject<'_>, step: &Step<'_>, fault: Fault) {
    let proxy = subject
        .proxy
        .expect("what is asked for is asked through it");
    proxy.inject(step.request.clone().fault(fault));
}

async fn mended(subject: &Subject<'_>, step: &Step<'_>, lease: Option<&LeaseId>) {
    if let Some(proxy) = subject.proxy {
        proxy.mend();
    }
    step.recovers(subject, lease).await;
}
