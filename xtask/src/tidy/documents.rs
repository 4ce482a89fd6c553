//! A link between pages of the clone leads somewhere, and a Rust file says what it is for.

use super::Source;

pub(super) fn check(source: &Source<'_>) -> Vec<String> {
    match source.text {
        Some(text) if source.path.ends_with(".md") => dead_links(source, text),
        // What a file of tests is for, the file beside it says.
        Some(text) if source.path.ends_with(".rs") && !source.path.ends_with("/tests.rs") => {
            module_doc(source.path, text)
        }
        _ => Vec::new(),
    }
}

/// Relative links of a page to files that aren't there.
fn dead_links(source: &Source<'_>, text: &str) -> Vec<String> {
    let path = source.path;
    let page = source.root.join(path);
    let folder = page.parent().unwrap_or(source.root);
    targets(text)
        .into_iter()
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{path}: the link to {target} leads nowhere"))
        .collect()
}

fn targets(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
        .collect()
}

fn module_doc(path: &str, text: &str) -> Vec<String> {
    let first = text.lines().find(|line| !line.trim().is_empty());
    if first.is_some_and(|line| line.starts_with("//!") || line.contains("@generated")) {
        return Vec::new();
    }
    vec![format!(
        "{path}: begins without a `//!` line that says what it is for"
    )]
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let found = dead_links(
            &source("README.md", ""),
            "see [this](no-such-page.md), [that](https://x.y)",
        );
        assert_eq!(
            found,
            ["README.md: the link to no-such-page.md leads nowhere"]
        );
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        assert_eq!(module_doc("a.rs", "fn a() {}").len(), 1);
        assert!(module_doc("a.rs", "\n//! Says.\n").is_empty());
    }
}
