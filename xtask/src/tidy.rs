//! House rules that no other tool checks. Every breach is printed, not only the first.

mod documents;
mod length;
mod names;
mod pure;
mod streams;
mod unfinished;
mod weight;

use std::path::{Path, PathBuf};

use crate::architecture;
use crate::failure::{Failure, Result};
use crate::sources;
use crate::workspace::Workspace;

/// One file as the rules see it.
struct Source<'a> {
    /// The root of the clone.
    root: &'a Path,
    path: &'a str,
    /// None when it isn't text.
    text: Option<&'a str>,
    bytes: u64,
}

/// A rule: what is wrong with one file.
type Rule = fn(&Source<'_>) -> Vec<String>;

const RULES: &[Rule] = &[
    length::check,
    names::check,
    pure::check,
    streams::check,
    unfinished::check,
    weight::check,
    documents::check,
];

/// Checks every file of the clone and every dependency edge.
pub fn run(workspace: &Workspace) -> Result {
    let files = sources::files(workspace.root())?;
    let mut breaches = architecture::forbidden_edges(workspace.root())?;
    breaches.extend(
        files
            .iter()
            .flat_map(|file| breaches_of(workspace.root(), file)),
    );
    for breach in &breaches {
        println!("{breach}");
    }
    if breaches.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} house rules broken",
        breaches.len()
    )))
}

fn breaches_of(root: &Path, file: &PathBuf) -> Vec<String> {
    let path = file.to_string_lossy();
    let Ok(content) = std::fs::read(root.join(file)) else {
        return vec![format!("{path}: can't be read")];
    };
    let source = Source {
        root,
        path: &path,
        text: std::str::from_utf8(&content).ok(),
        bytes: content.len() as u64,
    };
    RULES.iter().flat_map(|rule| rule(&source)).collect()
}

#[cfg(test)]
fn source<'a>(path: &'a str, text: &'a str) -> Source<'a> {
    Source {
        root: Path::new("."),
        path,
        text: Some(text),
        bytes: text.len() as u64,
    }
}
