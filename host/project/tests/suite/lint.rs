//! Lint: everything that can be said without a database.

use crate::support::linting::{careless, findings, lenient, of, rules};
use crate::support::{DEV, Shop, plugins};
use whimbrel_core::finding::Severity;
use whimbrel_project::{LintOptions, OUTER_TRANSACTION, ProjectError, lint};

#[tokio::test]
async fn a_clean_project_has_no_findings() {
    let shop = careless();
    shop.table("1-orders", "orders");
    assert_eq!(findings(&shop, &LintOptions::default()).await, []);
}

#[tokio::test]
async fn destructive_statements_follow_the_strictest_policy() {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &DEV.replace("apply: Auto", "apply: Auto, destructive: Allow"),
    );
    shop.write(
        "environments/production.yaml",
        &DEV.replace("name: dev", "name: production"),
    );
    shop.write(
        "migrations/1-drop.sql",
        "-- whimbrel:database shop\n-- whimbrel:up\n\nDROP TABLE orders;\n-- whimbrel:down\nCREATE TABLE orders (id integer);\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    let destructive: Vec<_> = all
        .iter()
        .filter(|found| found.rule == "destructive")
        .collect();
    let severities: Vec<_> = destructive.iter().map(|found| found.severity).collect();
    assert_eq!(severities, [Severity::Error], "{all:?}");
    assert!(
        destructive[0]
            .help
            .as_ref()
            .unwrap()
            .contains("`production`")
    );
    assert_eq!(
        destructive[0].path.as_deref(),
        Some("migrations/1-drop.sql")
    );
    assert_eq!(destructive[0].line, Some(4));
    let dev = LintOptions {
        environments: vec!["dev".parse().unwrap()],
        ..LintOptions::default()
    };
    assert_eq!(
        of(&findings(&shop, &dev).await, "destructive").severity,
        Severity::Note
    );
}

#[tokio::test]
async fn a_step_without_a_down_is_a_note_and_bad_sql_an_error() {
    let shop = Shop::new();
    shop.migration("1-data", "  steps:\n    - sql: INSERT INTO a VALUES (1)\n");
    shop.migration("2-bad", "  steps:\n    - { sql: COMMIT, revert: \"\" }\n");
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(of(&all, "no-revert").severity, Severity::Note);
    let bad = of(&all, "definition");
    assert_eq!(bad.severity, Severity::Error);
    assert_eq!(bad.path.as_deref(), Some("migrations/2-bad.yaml"));
    assert!(bad.message.contains("step 1"), "{}", bad.message);
    assert_eq!((bad.line, bad.column), (Some(7), Some(14)));
}

#[tokio::test]
async fn an_outer_transaction_is_noted_where_it_stands() {
    let shop = Shop::new();
    shop.migration(
        "1-a",
        "  steps:\n    - sql: |\n        -- why\n        begin;\n        CREATE TABLE a (id integer);\n        commit;\n      revert: DROP TABLE a\n",
    );
    shop.migration(
        "2-b",
        "  steps:\n    - { sql: CREATE TABLE starts (a text), revert: \"BEGIN; DROP TABLE starts; COMMIT\" }\n",
    );
    // What can't be read at all has its own finding, and no note.
    shop.migration(
        "3-c",
        "  steps:\n    - { sql: \"BEGIN; SAVEPOINT x; COMMIT\", revert: \"\" }\n    - { sql: \"SELECT 'begin\", revert: \"\" }\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    let notes: Vec<_> = all
        .iter()
        .filter(|finding| finding.rule == OUTER_TRANSACTION)
        .map(|finding| {
            (
                finding.severity,
                finding.path.as_deref().unwrap(),
                finding.line,
            )
        })
        .collect();
    assert_eq!(
        notes,
        [
            (Severity::Note, "migrations/1-a.yaml", Some(9)),
            (Severity::Note, "migrations/2-b.yaml", Some(7)),
        ]
    );
}

#[tokio::test]
async fn plain_text_credentials_are_errors_that_do_not_repeat_them() {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &DEV.replace(
            "spec:\n",
            "spec:\n  parameters: { key: AKIAIOSFODNN7EXAMPLE }\n",
        ),
    );
    shop.write(
        "migrations/1-role.sql",
        "-- whimbrel:database shop\n-- whimbrel:up\nSELECT 1;\nSELECT 'postgres://ada:canary-4711@db/shop';\n-- whimbrel:down\nSELECT 'ghp_canary4711canary4711canary4711canary';\n",
    );
    shop.migration(
        "2-step",
        "  steps:\n    - uses: backfill\n      with: { table: glpat-canary4711canary4711 }\n",
    );
    let all = findings(&shop, &LintOptions::default()).await;
    let found: Vec<_> = all
        .iter()
        .filter(|finding| finding.rule == "plain-text-credential")
        .map(|finding| (finding.path.clone().unwrap(), finding.line))
        .collect();
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.contains(&("migrations/1-role.sql".to_owned(), Some(4))));
    assert!(found.contains(&("migrations/1-role.sql".to_owned(), Some(6))));
    let credentials = all
        .iter()
        .filter(|finding| finding.rule == "plain-text-credential");
    for finding in credentials {
        assert_eq!(finding.severity, Severity::Error);
        assert!(!format!("{finding:?}").contains("canary"), "{finding:?}");
    }
}

#[tokio::test]
async fn what_the_base_has_must_not_be_edited() {
    let shop = careless();
    shop.table("1-orders", "orders");
    shop.table("2-customers", "customers");
    shop.commit("base");
    shop.git(&["checkout", "--quiet", "-b", "change"]);
    shop.table("1-orders", "renamed");
    shop.remove("migrations/2-customers.sql");
    shop.table("3-items", "items");
    shop.commit("change");
    // What main gets meanwhile is no removal of ours.
    shop.git(&["checkout", "--quiet", "main"]);
    shop.table("4-later", "later");
    shop.commit("later");
    shop.git(&["checkout", "--quiet", "change"]);
    let options = LintOptions {
        base: Some("main".to_owned()),
        ..LintOptions::default()
    };
    let all = findings(&shop, &options).await;
    assert_eq!(
        rules(&all),
        [
            ("edited-migration", Severity::Error),
            ("removed-migration", Severity::Note),
        ]
    );
    assert_eq!(all[0].migration.as_ref().unwrap().as_str(), "1-orders");
    assert_eq!(all[1].migration.as_ref().unwrap().as_str(), "2-customers");
}

#[tokio::test]
async fn a_base_or_an_environment_that_is_not_there_is_an_error() {
    let shop = Shop::new();
    shop.commit("first");
    let project = shop.open();
    let base = LintOptions {
        base: Some("nowhere".to_owned()),
        ..LintOptions::default()
    };
    let error = lint(&project, plugins(&project), &base).await.unwrap_err();
    assert!(matches!(error, ProjectError::Git(_)), "{error}");
    let environment = LintOptions {
        environments: vec!["nowhere".parse().unwrap()],
        ..LintOptions::default()
    };
    let error = lint(&project, plugins(&project), &environment)
        .await
        .unwrap_err();
    assert!(matches!(error, ProjectError::UnknownEnvironment { .. }));
}

#[tokio::test]
async fn a_url_that_is_a_secret_takes_the_dialect_of_other_environments() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let secret = lenient(DEV).replace("\"sqlite:shop.db\"", "{ secret: env, path: URL }");
    shop.write("environments/dev.yaml", &secret);
    let all = findings(&shop, &LintOptions::default()).await;
    assert_eq!(rules(&all), [("unknown-dialect", Severity::Note)]);
    shop.write(
        "environments/test.yaml",
        &lenient(DEV).replace("name: dev", "name: test"),
    );
    assert_eq!(findings(&shop, &LintOptions::default()).await, []);
}
