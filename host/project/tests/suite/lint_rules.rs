//! What a project and its authors say of rules: levels, allowances with a reason, and lint of reverts and of text that
//! looks random.

use crate::support::linting::{careless, findings, lenient, of, rules};
use crate::support::{DEV, Shop};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_project::LintOptions;

fn set(shop: &Shop, rules: &str) {
    shop.write(
        "whimbrel.yaml",
        &format!("apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {{ name: shop }}\nspec: {{ lint: {{ rules: {{ {rules} }} }} }}\n"),
    );
}

fn places(findings: &[Finding], rule: &str) -> Vec<(String, u32)> {
    findings
        .iter()
        .filter(|finding| finding.rule == rule)
        .map(|finding| (finding.path.clone().unwrap(), finding.line.unwrap()))
        .collect()
}

#[tokio::test]
async fn the_sql_of_a_revert_is_linted_where_it_stands() {
    let shop = Shop::new();
    shop.write(
        "migrations/1-a.sql",
        "-- whimbrel:database shop\n-- whimbrel:up\nCREATE TABLE a (id integer PRIMARY KEY);\n-- whimbrel:down\n\nALTER TABLE a RENAME TO b;\nDROP TABLE b;\n",
    );
    shop.migration(
        "2-b",
        "  steps:\n    - sql: SELECT 1\n      revert: |\n        SELECT 2;\n        ALTER TABLE c RENAME COLUMN x TO y;\n    - sql: SELECT 1\n      revert: SELEKT\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    let table = of(&all, "renaming-table");
    assert!(table.message.starts_with("in the revert: "), "{table:?}");
    assert_eq!(
        places(&all, "renaming-table"),
        [("migrations/1-a.sql".to_owned(), 6)]
    );
    assert_eq!(
        places(&all, "renaming-column"),
        [("migrations/2-b.yaml".to_owned(), 10)]
    );
    assert_eq!(
        places(&all, "syntax-error"),
        [("migrations/2-b.yaml".to_owned(), 12)]
    );
    let lost = of(&all, "destructive-revert");
    assert!(lost.message.starts_with("in the revert: "), "{lost:?}");
    assert!(lost.help.as_ref().unwrap().contains("forbids"), "{lost:?}");
    assert_eq!(lost.severity, Severity::Note);
    assert_eq!(
        places(&all, "destructive-revert"),
        [("migrations/1-a.sql".to_owned(), 7)]
    );
}

#[tokio::test]
async fn a_project_says_how_grave_a_rule_is() {
    let shop = careless();
    shop.migration(
        "1-a",
        "  steps:\n    - { sql: ALTER TABLE a RENAME TO b, revert: \"\" }\n    - sql: SELECT 1\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(of(&all, "renaming-table").severity, Severity::Warning);
    set(&shop, "renaming-table: Error, no-revert: Off");
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(rules(&all), [("renaming-table", Severity::Error)]);
}

#[tokio::test]
async fn a_finding_passes_with_a_reason_and_only_so() {
    let shop = careless();
    shop.write(
        "migrations/1-a.sql",
        "-- whimbrel:database shop\n-- whimbrel:allow renaming-column nobody reads it yet\n-- whimbrel:up\nALTER TABLE a RENAME COLUMN x TO y;\nALTER TABLE a RENAME COLUMN y TO z;\n-- whimbrel:allow renaming-table\nALTER TABLE a RENAME TO b;\n-- whimbrel:down\n",
    );
    shop.migration(
        "2-b",
        "  steps:\n    # whimbrel:allow renaming-table it was made an hour ago\n    - sql: ALTER TABLE a RENAME TO b\n      revert: ALTER TABLE b RENAME TO a\n    - sql: ALTER TABLE c RENAME TO d -- whimbrel:allow renaming-tabel a slip\n      revert: \"\"\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(places(&all, "renaming-column"), []);
    assert_eq!(
        places(&all, "renaming-table"),
        [
            ("migrations/1-a.sql".to_owned(), 7),
            ("migrations/2-b.yaml".to_owned(), 10)
        ]
    );
    assert_eq!(
        places(&all, "allowance"),
        [
            ("migrations/1-a.sql".to_owned(), 6),
            ("migrations/2-b.yaml".to_owned(), 10)
        ]
    );
    let texts: Vec<_> = all
        .iter()
        .filter(|finding| finding.rule == "allowance")
        .map(|finding| {
            (
                finding.severity,
                finding.message.as_str(),
                finding.help.as_deref().unwrap(),
            )
        })
        .collect();
    assert!(texts[0].1.contains("without a reason"), "{texts:?}");
    assert!(texts[1].2.contains("`renaming-table`"), "{texts:?}");
    assert!(
        texts
            .iter()
            .all(|(severity, ..)| *severity == Severity::Error)
    );
}

#[tokio::test]
async fn what_is_allowed_before_the_first_section_changes_no_checksum() {
    let shop = Shop::new();
    let text = "-- whimbrel:up\nALTER TABLE a RENAME TO b;\n";
    let checksum = |text: &str| {
        shop.write(
            "migrations/1-a.sql",
            &format!("-- whimbrel:database shop\n{text}"),
        );
        shop.open().definitions().migrations[0].checksum().unwrap()
    };
    let before = checksum(text);
    let allowed = "-- whimbrel:allow renaming-table nobody reads it\n";
    assert_eq!(before, checksum(&format!("{allowed}{text}")));
    // Also where there are no sections.
    let bare = checksum("ALTER TABLE a RENAME TO b;\n");
    assert_eq!(
        bare,
        checksum(&format!("{allowed}ALTER TABLE a RENAME TO b;\n"))
    );
    assert_ne!(
        bare,
        checksum("SELECT 1;\n-- whimbrel:allow renaming-table x\nALTER TABLE a RENAME TO b;\n")
    );
}

#[tokio::test]
async fn what_looks_random_is_told_unless_somebody_says_why() {
    let shop = careless();
    shop.write(
        "environments/dev.yaml",
        &lenient(DEV).replace("spec:\n", "spec:\n  parameters:\n    apiKey: canaryQ7zk2Lx9Vb4\n    id: 123e4567-e89b-12d3-a456-426614174000\n"),
    );
    shop.write(
        "migrations/1-a.sql",
        "-- whimbrel:database shop\n-- whimbrel:up\nSELECT 'canaryZk2Lx9Vb4NwT8sYp3RmD6f';\n-- whimbrel: allow-credential a key of the vendor's documentation\nSELECT 'canaryZk2Lx9Vb4NwT8sYp3RmD6f', 'ghp_canary4711canary4711canary4711canary';\n-- whimbrel:allow-credential\nSELECT 'ghp_canary4711canary4711canary4711canary';\n-- whimbrel:down\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(
        places(&all, "high-entropy-text"),
        [("migrations/1-a.sql".to_owned(), 3)]
    );
    for rule in ["high-entropy-text", "plain-text-credential", "allowance"] {
        assert_eq!(of(&all, rule).severity, Severity::Error, "{rule}");
    }
    assert_eq!(
        places(&all, "plain-text-credential"),
        [
            ("environments/dev.yaml".to_owned(), 7),
            ("migrations/1-a.sql".to_owned(), 7)
        ]
    );
    assert_eq!(
        places(&all, "allowance"),
        [("migrations/1-a.sql".to_owned(), 6)]
    );
    assert!(!format!("{all:?}").contains("canary"), "{all:?}");
}

#[tokio::test]
async fn only_a_reason_lets_pass_what_a_document_escapes() {
    for (comment, found) in [
        ("whimbrel:allow-credential from the vendor's manual", 0),
        ("whimbrel:allow-credential", 1),
        ("whimbrel:allow renaming-table nobody reads it", 1),
    ] {
        let shop = careless();
        let steps = "  steps:\n    - { sql: \"SELECT '\\x67hp_canary4711canary4711canary4711canary'\", revert: \"\" }\n";
        shop.migration("1-a", &format!("  # {comment}\n{steps}"));
        let all = findings(&shop, &LintOptions::default()).await;
        assert_eq!(
            places(&all, "plain-text-credential").len(),
            found,
            "{comment}: {all:?}"
        );
    }
}

#[tokio::test]
async fn what_a_document_escapes_is_found_too() {
    let shop = careless();
    shop.migration(
        "1-a",
        "  # whimbrel: written by hand\n  steps:\n    - { sql: \"SELECT '\\x67hp_canary4711canary4711canary4711canary'\", revert: \"\" }\n",
    );
    shop.write(
        "environments/dev.yaml",
        &lenient(DEV).replace(
            "spec:\n",
            "spec:\n  parameters: { key: \"AK\\x49AIOSFODNN7EXAMPLE\" }\n",
        ),
    );
    let all = findings(&shop, &LintOptions::default()).await;
    let found: Vec<_> = all
        .iter()
        .filter(|finding| finding.rule == "plain-text-credential")
        .collect();
    assert_eq!(found.len(), 2, "{all:?}");
    assert!(!format!("{all:?}").contains("canary"), "{all:?}");
}
