//! By which name a replica is known in Leases.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The longest name that fits into the name of an object beside what is put before it.
const LENGTH: usize = 200;

/// The pod's name, where `POD_NAME` says it: no other pod has it, and a container that is started again in the same pod goes on
/// at once with what the one before held, which has ended. Elsewhere the host's name with something random, so that no two
/// processes ever have the same.
pub fn identity() -> String {
    let pod = std::env::var("POD_NAME").ok();
    let pod = pod.map(|pod| as_name(&pod)).filter(|pod| !pod.is_empty());
    pod.unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
        let host = host.map(|host| as_name(host.trim())).unwrap_or_default();
        let host = if host.is_empty() { "replica" } else { &host };
        // Seeded by the operating system.
        let random = RandomState::new().build_hasher().finish();
        format!("{host}-{random:016x}")
    })
}

/// What of a text can be part of an object's name.
fn as_name(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .map(|letter| match letter {
            'a'..='z' | '0'..='9' => letter,
            _ => '-',
        })
        .take(LENGTH)
        .collect();
    text.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{as_name, identity};

    #[test]
    fn two_processes_of_a_host_differ_and_every_name_is_one_of_an_object() {
        assert_ne!(identity(), identity());
        assert_eq!(as_name("Host_7.example.org."), "host-7-example-org");
        assert_eq!(as_name(&"x".repeat(300)).len(), 200);
        assert_eq!(as_name("…"), "");
    }
}
