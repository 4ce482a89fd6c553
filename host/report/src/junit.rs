//! JUnit's XML, as pipelines read it.

use std::fmt::Write as _;

/// One test case.
pub(crate) struct Case {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    pub(crate) failures: Vec<Failure>,
    /// Shown, and no failure.
    pub(crate) output: Vec<String>,
}

/// Why a test case failed.
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) text: String,
}

/// One suite with its cases.
pub(crate) fn suite(name: &str, cases: &[Case]) -> String {
    let failures = cases
        .iter()
        .filter(|case| !case.failures.is_empty())
        .count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\"",
        cases.len()
    );
    let name = escape(name);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string can't fail.
    let _ = writeln!(out, "<testsuites name=\"whimbrel\" {counts}>");
    let _ = writeln!(out, "  <testsuite name=\"{name}\" {counts} skipped=\"0\">");
    for case in cases {
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\"",
            escape(&case.class),
            escape(&case.name)
        );
        if let Some(file) = &case.file {
            let _ = write!(out, " file=\"{}\"", escape(file));
        }
        if case.failures.is_empty() && case.output.is_empty() {
            out.push_str("/>\n");
            continue;
        }
        out.push_str(">\n");
        for failure in &case.failures {
            let _ = writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                escape(&failure.kind),
                escape(&failure.message),
                escape(&failure.text)
            );
        }
        if !case.output.is_empty() {
            let text = escape(&case.output.join("\n"));
            let _ = writeln!(out, "      <system-out>{text}</system-out>");
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Text as XML may hold it; characters that XML 1.0 can't hold at all become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
