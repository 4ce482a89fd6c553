//! What keeps secrets inside of the process: no dumps of its memory, no panic that says one.

use std::io::Write as _;
use std::panic::PanicHookInfo;

use whimbrel_signal::Scrubber;

/// Says that this program's memory is nobody's business: no core dump after a crash, no reading by other processes of
/// the same user. What the platform or a sandbox refuses is left as it is.
pub(crate) fn memory() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// The scrubber of this program.
pub(crate) fn scrubber() -> Scrubber {
    // The canary suite proves that the scrubber finds something by taking it away.
    #[cfg(feature = "crash-points")]
    if std::env::var_os("WHIMBREL_SCRUBBER").is_some_and(|value| value == "off") {
        return Scrubber::blind();
    }
    Scrubber::default()
}

/// Lets a panic say where it was and why, without secrets, and that it is our bug.
pub(crate) fn panics(scrubber: Scrubber) {
    hook(scrubber, |text| {
        // A closed stderr is silence.
        let _ = std::io::stderr().write_all(text.as_bytes());
    });
}

fn hook(scrubber: Scrubber, say: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| say(&scrubber.scrub(&report(info)))));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let why = info.payload_as_str().unwrap_or("no reason given");
    let place = info
        .location()
        .map(|location| format!(" at {location}"))
        .unwrap_or_default();
    format!("error: a bug in whimbrel{place}: {why}\n")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use whimbrel_signal::Scrubber;

    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_gets_an_image_of_the_memory() {
        use rustix::process::{
            DumpableBehavior, Resource, dumpable_behavior, getrlimit, set_dumpable_behavior,
        };
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        super::memory();
        let behavior = dumpable_behavior().unwrap();
        assert!(matches!(behavior, DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        // The other tests of this process needn't be kept from looking at themselves.
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    }

    #[test]
    fn a_panic_says_no_secret() {
        let said = Arc::new(Mutex::new(String::new()));
        let scrubber = Scrubber::default();
        scrubber.register("canary-4711");
        let before = std::panic::take_hook();
        let hears = Arc::clone(&said);
        super::hook(scrubber, move |text| hears.lock().unwrap().push_str(text));
        let panicked = std::thread::spawn(|| {
            let word = "canary-4711";
            panic!("can't go on with {word}");
        });
        assert!(panicked.join().is_err());
        std::panic::set_hook(before);
        let said = said.lock().unwrap().clone();
        assert!(
            said.contains("error: a bug in whimbrel at host/cli/src/protect.rs"),
            "{said}"
        );
        assert!(said.contains("can't go on with [redacted]"), "{said}");
    }
}
