//! What decides does nothing else: no clock, no API server, no database, no file.

use super::Source;

/// Where that is so.
const PURE: &[&str] = &["host/operator/src/reconcile/"];

/// What would ask somebody else, or do something.
const EFFECTS: &[&str] = &[
    "tokio::",
    "kube::",
    "reqwest::",
    "async ",
    ".await",
    "Instant",
    "SystemTime",
    "::now()",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "crate::cluster",
    "crate::operator",
];

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    let is_pure = PURE.iter().any(|folder| source.path.starts_with(folder));
    let Some(text) = source.text.filter(|_| is_pure) else {
        return Vec::new();
    };
    let found = |line: &str| {
        let is_comment = line.trim_start().starts_with("//");
        let mut effects = EFFECTS.iter().filter(|_| !is_comment);
        effects.find(|effect| line.contains(**effect))
    };
    text.lines()
        .zip(1..)
        .filter_map(|(line, number)| Some((number, found(line)?)))
        .map(|(number, effect)| {
            let path = source.path;
            format!("{path}:{number}: {effect:?} is no part of a pure function")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn what_decides_asks_nobody() {
        let text = "fn a() {\n    let now = Timestamp::now();\n}\n";
        let found = check(&source("host/operator/src/reconcile/say.rs", text));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("host/operator/src/reconcile/say.rs:2: "));
        assert!(check(&source("host/operator/src/keeper/mod.rs", text)).is_empty());
    }
}
