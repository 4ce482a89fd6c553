//! Takes a guard of exactly-once out, and runs one of this very program's tests without it.

use std::process::Command;

/// Fails unless the test `MODULE::NAME` passes with every guard in place, and fails without this one.
pub fn is_noticed(guard: &str, test: &str) {
    let itself = std::env::current_exe().unwrap();
    let passes = |sabotage: Option<&str>| {
        let mut process = Command::new(&itself);
        process
            .args(["--exact", test])
            .env_remove("WHIMBREL_SABOTAGE");
        if let Some(guard) = sabotage {
            process.env("WHIMBREL_SABOTAGE", guard);
        }
        let output = process.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test"), "{test}: {said}");
        output.status.success()
    };
    assert!(passes(None), "{test} should pass with every guard in place");
    assert!(
        !passes(Some(guard)),
        "{test} should fail without the guard `{guard}`"
    );
}
