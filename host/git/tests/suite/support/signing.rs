//! What tests of signatures share.

use std::path::Path;
use std::process::Command;

use whimbrel_git::{SignatureError, SignatureProblem};

/// Runs a program and gives what it printed.
pub fn run(program: &str, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Why a signature doesn't count.
pub fn problem<T: std::fmt::Debug>(result: Result<T, SignatureError>) -> SignatureProblem {
    match result {
        Err(error @ SignatureError::Commit { .. }) => {
            assert!(error.to_string().contains("ada@example.org") && error.hint().is_some());
            let SignatureError::Commit { problem, .. } = error else {
                unreachable!()
            };
            assert!(!problem.to_string().is_empty());
            problem
        }
        other => panic!("{other:?}"),
    }
}
