//! The files of the clone as the house rules see them.

use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::failure::{Doing, Result};

/// Every file that Git knows or would take, from the root of the clone.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = Call::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .within(root)
        .text()?;
    Ok(listed
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}

/// Whether a path, with `/`, holds tests rather than code that ships.
pub fn is_for_tests(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs" | "benches") || part.ends_with("_tests.rs"))
}

/// The number of the last line before a file's `#[cfg(test)]` module, which stands at its end.
pub fn shipped_lines(path: &Path) -> Result<u32> {
    let text = std::fs::read_to_string(path).doing(format!("reading {}", path.display()))?;
    Ok(last_shipped_line(&text))
}

fn last_shipped_line(text: &str) -> u32 {
    let lines: Vec<&str> = text.lines().collect();
    let test_module = lines.windows(2).position(|pair| match pair {
        [attribute, module] => *attribute == "#[cfg(test)]" && module.starts_with("mod tests"),
        _ => false,
    });
    u32::try_from(test_module.unwrap_or(lines.len())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_test_module_are_no_shipped_lines() {
        assert_eq!(
            last_shipped_line("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"),
            2
        );
        assert_eq!(last_shipped_line("fn a() {}\nfn b() {}\n"), 2);
    }

    #[test]
    fn folders_and_files_of_tests_are_known_by_name() {
        assert!(is_for_tests("host/run/tests/crash.rs"));
        assert!(is_for_tests("host/run/src/step/tests.rs"));
        assert!(!is_for_tests("host/run/src/step/attest.rs"));
    }
}
