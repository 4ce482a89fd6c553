//! Whatever bytes are in a file, they are read or refused, and never end the program.

use crate::support::{base, options};
use proptest::prelude::*;
use whimbrel_config::load;

/// Pieces that lead into the corners of YAML, JSON and SQL.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: whimbrel.dev/v1alpha1\n",
        "kind: Migration\n",
        "metadata:\n",
        "  name: x\n",
        "spec:\n",
        "  steps:\n",
        "    - sql: |\n",
        "        SELECT ${schema};\n",
        "    - uses: backfill\n",
        "      with: {",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "'",
        "&a ",
        "*a",
        "!!str ",
        "? ",
        "- ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\n",
        " ",
        "é",
        "🐦",
        "\u{feff}",
        "\r",
        "#",
        "<<",
        "~",
        "-- whimbrel:up\n",
        "-- whimbrel:down\n",
        "-- whimbrel:depends-on ",
        "${",
        "$${",
        "$$",
        "1e999",
        "0x",
        "-",
        "{\"a\": ",
        "null",
        "\\u12",
        "|",
        ">-\n",
        "password: x",
        "secret://",
        "://a:b@c",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const PATHS: [&str; 5] = [
    "migrations/x.yaml",
    "migrations/x.json",
    "migrations/x.sql",
    "environments/x.yaml",
    "whimbrel.yaml",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), path in prop::sample::select(PATHS.to_vec())) {
        if let Err(problems) = load(&base().with(path, bytes), &options()) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    #[test]
    fn any_pieces(text in pieces(), path in prop::sample::select(PATHS.to_vec())) {
        if let Err(problems) = load(&base().with(path, &text), &options()) {
            for problem in &problems.problems {
                let lines = text.lines().count().max(1) + 1;
                // The checks find everything that the typed reader would refuse.
                prop_assert!(!problem.message.starts_with("this can't be read"), "{problem}");
                prop_assert!(problem.path != path || problem.line <= lines, "{problem}");
            }
            prop_assert!(!problems.render(true).is_empty());
        }
    }

    #[test]
    fn a_good_document_with_a_hole(cut in 0usize..300, length in 1usize..20) {
        let text = include_str!("../bad_input/base.tree");
        let text = text.split("=== migrations/0001-customers.yaml\n").nth(1).unwrap();
        let (start, end) = (cut.min(text.len()), (cut + length).min(text.len()));
        let holed = format!("{}{}", &text[..start], &text[end..]);
        // It may still be right; what matters is that the answer is one or the other.
        let _ = load(&base().with("migrations/0001-customers.yaml", holed), &options());
    }
}
