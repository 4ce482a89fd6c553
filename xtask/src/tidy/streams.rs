//! What the product says passes a scrubber. So its streams, and what its log is written to, are named only where one stands
//! before them.

use super::Source;

/// Who may name them: each scrubs what it writes, or has nothing to say that isn't fixed.
const DOORS: &[&str] = &[
    "host/cli/src/output.rs",
    "host/cli/src/logging.rs",
    "host/cli/src/protect.rs",
    // Says that stdout is full, and nothing else; and gives Terraform the handshake's stream.
    "host/cli/src/command/mod.rs",
    "host/cli/src/command/terraform.rs",
    // Draws what came over the bus.
    "host/report/src/sink/terminal.rs",
];

const FORBIDDEN: &[&str] = &[
    "io::stdout()",
    "io::stderr()",
    "anstream::stdout()",
    "anstream::stderr()",
    "ProgressDrawTarget::std",
    "set_global_default",
    "subscriber::set_default",
];

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    let is_product = source.path.starts_with("host/") && source.path.contains("/src/");
    let Some(text) = source
        .text
        .filter(|_| is_product && !DOORS.contains(&source.path))
    else {
        return Vec::new();
    };
    let breach = |(number, line): (usize, &str)| {
        let found = FORBIDDEN.iter().find(|name| line.contains(**name))?;
        Some(format!(
            "{}:{}: {found} is behind no scrubber here; what is said goes over `Output`, the bus or `tracing`",
            source.path,
            number + 1
        ))
    };
    text.lines().enumerate().filter_map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_stream_without_a_scrubber_is_found() {
        let text = "fn f() {\n    let _ = std::io::stderr().write_all(b\"x\");\n}\n";
        let found = check(&source("host/server/src/lib.rs", text));
        assert_eq!(found.len(), 1);
        assert!(
            found
                .iter()
                .all(|one| one.starts_with("host/server/src/lib.rs:2: io::stderr()"))
        );
        for elsewhere in [
            "host/cli/src/output.rs",
            "xtask/src/main.rs",
            "host/cli/tests/x.rs",
        ] {
            assert!(check(&source(elsewhere, text)).is_empty());
        }
    }
}
