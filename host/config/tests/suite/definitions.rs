//! What a tree without mistakes gives.

use crate::support::{MemoryTree, base, options};
use whimbrel_config::{Definitions, FolderTree, load, sql_origin, with_problem};
use whimbrel_core::definition::{Action, Migration, SqlAction};
use whimbrel_core::duration::Duration;
use whimbrel_core::environment::ValueSource;
use whimbrel_core::history::Direction;
use whimbrel_core::policy::{ApplyRule, DestructiveRule};
use whimbrel_core::project::{Material, PluginSource};
use whimbrel_core::size::ByteSize;

fn loaded(text: &str) -> Definitions {
    load(&base().over(MemoryTree::parse(text)), &options()).unwrap_or_else(|p| panic!("{p}"))
}

fn migration<'a>(definitions: &'a Definitions, name: &str) -> &'a Migration {
    let mut all = definitions.migrations.iter();
    all.find(|migration| migration.name.as_str() == name)
        .unwrap()
}

fn sql(migration: &Migration) -> &SqlAction {
    match &migration.steps[0].action {
        Action::Sql(action) => action,
        Action::Plugin(_) => panic!("a step of SQL was expected"),
    }
}

const HEAD: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\n";

#[test]
fn the_example_is_right() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");
    let definitions = load(&FolderTree::open(root).unwrap(), &options());
    let definitions = definitions.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(definitions.migrations.len() >= 12);
    assert!(definitions.environments.len() >= 3);
    assert_eq!(definitions.abstract_environments.len(), 1);
}

#[test]
fn the_three_shapes_give_the_same_migration() {
    let document = format!(
        "=== migrations/0002-a.yaml\n{HEAD}metadata: {{ name: 0002-a }}\nspec:\n  database: shop\n  dependsOn: [0001-customers]\n  steps:\n    - sql: |-\n        CREATE TABLE a (id int);\n      revert: |-\n        DROP TABLE a;\n"
    );
    let folder = format!(
        "{HEAD}metadata: {{ name: 0002-a }}\nspec:\n  database: shop\n  dependsOn: [0001-customers]\n  steps:\n    - sqlFile: up.sql\n      revertFile: sql/down.sql\n"
    );
    let tree = base()
        .with("migrations/0002-a/migration.yaml", folder)
        .with("migrations/0002-a/up.sql", "CREATE TABLE a (id int);")
        .with("migrations/0002-a/sql/down.sql", "DROP TABLE a;");
    let plain = "=== migrations/0002-a.sql\n-- The first table.\n-- whimbrel:database shop\n-- whimbrel:depends-on 0001-customers\n-- whimbrel:up\n\nCREATE TABLE a (id int);\n\n-- whimbrel:down\nDROP TABLE a;\n";
    let json = r#"=== migrations/0002-a.json
{"kind": "Migration", "spec": {"steps": [{"revert": "DROP TABLE a;", "sql": "CREATE TABLE a (id int);"}],
 "dependsOn": ["0001-customers"], "database": "shop"}, "metadata": {"name": "0002-a"}, "apiVersion": "whimbrel.dev/v1alpha1"}
"#;
    let from_folder = load(&tree, &options()).unwrap_or_else(|problems| panic!("{problems}"));
    let checksums: Vec<_> = [loaded(&document), loaded(plain), loaded(json), from_folder]
        .iter()
        .map(|definitions| migration(definitions, "0002-a").checksum().unwrap())
        .collect();
    assert!(
        checksums.iter().all(|checksum| *checksum == checksums[0]),
        "{checksums:?}"
    );
}

#[test]
fn line_ends_and_byte_order_marks_make_no_difference() {
    let text = "-- whimbrel:up\nCREATE TABLE a (\n  id int\n);\n-- whimbrel:down\nDROP TABLE a;\n";
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let checksum = |text: &str| {
        let tree = base().with("migrations/0002-a.sql", text);
        migration(&load(&tree, &options()).unwrap(), "0002-a")
            .checksum()
            .unwrap()
    };
    assert_eq!(checksum(text), checksum(&windows));
    let document = format!(
        "{HEAD}metadata:\n  name: 0002-a\nspec:\n  steps:\n    - sql: |\n        SELECT 1;\n        SELECT 2;\n"
    );
    let of = |text: &str| {
        let tree = base().with("migrations/0002-a.yaml", text);
        migration(&load(&tree, &options()).unwrap(), "0002-a")
            .checksum()
            .unwrap()
    };
    let windows = format!("\u{feff}{}", document.replace('\n', "\r\n"));
    assert_eq!(of(&document), of(&windows));
    let escaped = document.replace(
        "|\n        SELECT 1;\n        SELECT 2;\n",
        "\"SELECT 1;\\r\\nSELECT 2;\\n\"\n",
    );
    assert_eq!(of(&document), of(&escaped));
}

#[test]
fn a_file_without_sections_is_all_up() {
    let definitions = loaded(
        "=== migrations/0002-a.sql\n-- whimbrel:depends-on 0001-customers\n\n  SELECT 1;\n-- the end\n\n",
    );
    let action = sql(migration(&definitions, "0002-a"));
    assert_eq!(action.sql, "  SELECT 1;\n-- the end");
    assert_eq!(action.revert, None);
    assert_eq!(action.file.as_ref().map(|file| file.line), Some(3));
}

#[test]
fn an_empty_down_says_that_nothing_is_to_be_undone() {
    let definitions =
        loaded("=== migrations/0002-a.sql\n-- whimbrel:down\n-- whimbrel:up\nSELECT 1;\n");
    let action = sql(migration(&definitions, "0002-a"));
    assert_eq!(action.revert.as_deref(), Some(""));
    assert_eq!(
        action.revert_file.as_ref().map(|file| file.path.as_str()),
        Some("migrations/0002-a.sql")
    );
}

#[test]
fn the_database_is_the_default_or_the_only_one() {
    let only = loaded("=== migrations/0002-a.sql\nSELECT 1;\n");
    assert_eq!(migration(&only, "0002-a").database.as_str(), "shop");
    let default = loaded(
        "=== whimbrel.yaml\napiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: p }\nspec: { defaults: { database: b } }\n=== environments/dev.yaml\napiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  databases: { shop: { url: 'sqlite:a' }, b: { url: 'sqlite:b' } }\n=== migrations/0002-a.sql\nSELECT 1;\n",
    );
    assert_eq!(migration(&default, "0002-a").database.as_str(), "b");
    assert_eq!(
        migration(&default, "0001-customers").database.as_str(),
        "shop"
    );
}

#[test]
fn a_migration_may_say_everything() {
    let definitions = loaded(&format!(
        "=== migrations/0002-all.yaml\n{HEAD}metadata:\n  name: 0002-all\n  labels: {{ team: shop }}\n  annotations: {{ why: because }}\nspec:\n  database: shop\n  steps:\n    - name: fill it\n      uses: backfill\n      with: {{ table: orders, batchSize: 5000 }}\n      reads: [shop]\n      timeout: 30m\n    - sql: SELECT '${{schema}}'\n      revert: \"\"\n  checks:\n    before:\n      - {{ name: b, query: SELECT 1, equals: 1 }}\n    after:\n      - {{ name: a, query: SELECT NULL, equals: null }}\n  metrics:\n    - {{ name: orders, query: SELECT 1, type: counter }}\n"
    ));
    let migration = migration(&definitions, "0002-all");
    assert_eq!(migration.plugins()[0].as_str(), "backfill");
    assert_eq!(
        migration.steps[0].timeout.map(Duration::as_millis),
        Some(1_800_000)
    );
    assert_eq!(migration.checks.after[0].equals, serde_json::Value::Null);
    assert_eq!(migration.metrics[0].r#type, "counter");
    assert_eq!(
        (migration.origin.path.as_str(), migration.origin.line),
        ("migrations/0002-all.yaml", 4)
    );
}

#[test]
fn environments_inherit_deeply() {
    let definitions = loaded(
        "=== environments/dev.yaml\n=== environments/base.yaml\napiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: base }\nspec:\n  abstract: true\n  branch: main\n  parameters: { schema: shop, gone: x }\n  databases:\n    shop:\n      url: postgres://localhost:5432/${schema}\n      username: { secret: vault, path: creds, key: username }\n      password: secret://vault/creds?version=2#password\n      role: owner\n  secrets:\n    vault: { plugin: vault, with: { address: 'https://vault:8200' } }\n  policy: { destructive: Confirm, approvers: ['group:dba', me] }\n=== environments/prod.yaml\napiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: prod }\nspec:\n  extends: base\n  after: stage\n  parameters: { gone: ~, more: '7' }\n  databases:\n    shop: { role: ~ }\n    tenants:\n      forEach: { query: SELECT host FROM tenants, of: shop }\n      url: postgres://${host}/tenant\n  policy: { apply: Auto, approvers: [], window: 'Mon 08:00-16:00 UTC', perServer: 4 }\n=== environments/stage.json\n{\"apiVersion\": \"whimbrel.dev/v1alpha1\", \"kind\": \"Environment\", \"metadata\": {\"name\": \"stage\"}, \"spec\": {\"extends\": \"base\"}}\n",
    );
    let prod = &definitions.environments[&"prod".parse().unwrap()];
    assert_eq!(prod.branch.as_deref(), Some("main"));
    assert_eq!(
        prod.parameters.keys().collect::<Vec<_>>(),
        ["more", "schema"]
    );
    let shop = &prod.databases[&"shop".parse().unwrap()];
    assert_eq!(shop.role, None);
    assert!(
        matches!(&shop.username, Some(ValueSource::Secret(reference)) if reference.key.as_deref() == Some("username"))
    );
    assert!(
        matches!(&shop.password, Some(ValueSource::Secret(reference)) if reference.version.as_deref() == Some("2"))
    );
    assert_eq!(prod.policy.apply, ApplyRule::Auto);
    assert_eq!(prod.policy.destructive, DestructiveRule::Confirm);
    assert!(prod.policy.approvers.is_empty() && prod.policy.window.is_some());
    let stage = &definitions.environments[&"stage".parse().unwrap()];
    assert_eq!(
        stage.databases[&"shop".parse().unwrap()].role.as_deref(),
        Some("owner")
    );
    assert_eq!(definitions.abstract_environments[0].as_str(), "base");
}

#[test]
fn a_project_pins_plugins_and_grants() {
    let digest = "ab".repeat(32);
    let definitions = loaded(&format!(
        "=== whimbrel.yaml\napiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {{ name: p }}\nspec:\n  migrations: db/changes\n  controlRef: trunk\n  plugins:\n    fill: {{ builtin: backfill }}\n    copy:\n      path: plugins/copy.wasm\n      digest: sha256:{digest}\n      grants:\n        http:\n          - {{ to: 'https://vault:8200/*', ca: {{ file: ca.pem }}, bearer: secret://env/TOKEN }}\n          - {{ to: 'config:/address', basic: {{ username: secret://env/U, password: {{ secret: file, path: p }} }} }}\n        environment: [HOME]\n        files: [data, /run/tokens]\n        clock: true\n        random: true\n        metrics: true\n        memory: 128MiB\n=== db/changes/0001-x.sql\nSELECT 1;\n"
    ));
    let project = &definitions.project;
    assert_eq!(
        (project.migrations.as_str(), project.control_ref.as_str()),
        ("db/changes", "trunk")
    );
    let copy = &project.plugins[&"copy".parse().unwrap()];
    assert_eq!(
        copy.source,
        PluginSource::Path("plugins/copy.wasm".to_owned())
    );
    assert!(
        copy.digest.is_some() && copy.grants.clock && copy.grants.random && copy.grants.metrics
    );
    assert_eq!(copy.grants.memory.map(ByteSize::as_bytes), Some(128 << 20));
    assert_eq!(
        copy.grants.http[0].ca,
        Some(Material::File {
            file: "ca.pem".to_owned()
        })
    );
    assert!(matches!(
        copy.grants.http[0].bearer,
        Some(Material::Secret(_))
    ));
    assert!(copy.grants.http[1].basic.is_some());
    assert_eq!(copy.grants.files, ["data", "/run/tokens"]);
    let fill = &project.plugins[&"fill".parse().unwrap()];
    assert_eq!(fill.source, PluginSource::Builtin("backfill".to_owned()));
    let written = serde_json::to_value(project).unwrap();
    assert_eq!(written["plugins"]["fill"]["builtin"], "backfill");
}

#[test]
fn what_is_not_read_is_noticed() {
    let definitions = loaded(&format!(
        "=== migrations/README.md\nhello\n=== migrations/notes.txt\nhello\n=== migrations/.hidden\nx\n=== environments/old.txt\nx\n=== migrations/0002-x/migration.yaml\n{HEAD}metadata: {{ name: 0002-x }}\nspec: {{ steps: [{{ sqlFile: a.sql }}] }}\n=== migrations/0002-x/a.sql\nSELECT 1;\n=== migrations/0002-x/b.sql\nSELECT 1;\n"
    ));
    let paths: Vec<_> = definitions
        .notices
        .iter()
        .map(|notice| notice.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "environments/old.txt",
            "migrations/0002-x/b.sql",
            "migrations/notes.txt"
        ]
    );
}

#[test]
fn folders_may_be_missing() {
    let tree = MemoryTree::default().with(
        "whimbrel.json",
        r#"{"apiVersion": "whimbrel.dev/v1alpha1", "kind": "Project", "metadata": {"name": "p"}}"#,
    );
    let definitions = load(&tree, &options()).unwrap();
    assert!(definitions.migrations.is_empty() && definitions.environments.is_empty());
    assert_eq!(definitions.notices.len(), 2);
    let tree = tree.with("migrations/0001-a.yaml", format!("{HEAD}metadata: {{ name: 0001-a }}\nspec: {{ database: any, steps: [{{ sql: SELECT 1 }}] }}"));
    assert_eq!(load(&tree, &options()).unwrap().migrations.len(), 1);
}

#[test]
fn a_file_that_a_document_names_is_no_migration_of_its_own() {
    let definitions = loaded(&format!(
        "=== migrations/0002-a.yaml\n{HEAD}metadata: {{ name: 0002-a }}\nspec: {{ steps: [{{ sqlFile: index.sql }}] }}\n=== migrations/index.sql\nSELECT 1;\n"
    ));
    let names: Vec<_> = definitions
        .migrations
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(names, ["0001-customers", "0002-a"]);
}

#[test]
fn says_where_sql_stands() {
    let tree = base()
        .with("migrations/0002-a.yaml", format!("{HEAD}metadata:\n  name: 0002-a\nspec:\n  steps:\n    - sql: |\n        SELECT 1;\n      revert: SELECT 2\n    - uses: backfill\n"))
        .with("migrations/0003-b.sql", "-- whimbrel:up\nSELECT 1;\n-- whimbrel:down\n\nSELECT 2;\n");
    let definitions = load(&tree, &options()).unwrap();
    let line = |name: &str, step: usize, direction: Direction| {
        sql_origin(&tree, migration(&definitions, name), step, direction).map(|origin| origin.line)
    };
    assert_eq!(line("0002-a", 0, Direction::Apply), Some(8));
    assert_eq!(line("0002-a", 0, Direction::Revert), Some(9));
    assert_eq!(line("0002-a", 1, Direction::Apply), None);
    assert_eq!(line("0002-a", 2, Direction::Apply), None);
    assert_eq!(line("0003-b", 0, Direction::Apply), Some(2));
    assert_eq!(line("0003-b", 0, Direction::Revert), Some(5));
}

#[test]
fn says_where_a_value_of_a_plugin_s_configuration_stands() {
    let tree = base().with(
        "migrations/0002-a.yaml",
        format!("{HEAD}metadata:\n  name: 0002-a\nspec:\n  steps:\n    - sql: SELECT 1\n    - uses: backfill\n      with:\n        keys:\n          - a\n          - \"7\": {{ x/y: 1, ~z: 2 }}\n        \"0\": here\n"),
    );
    let definitions = load(&tree, &options()).unwrap();
    let place = |step: usize, pointer: &str| {
        let migration = migration(&definitions, "0002-a");
        let problem = with_problem(&tree, migration, step, pointer, "wrong")?;
        assert_eq!(
            (problem.path.as_str(), problem.message.as_str()),
            ("migrations/0002-a.yaml", "wrong")
        );
        Some((problem.line, problem.column))
    };
    for (pointer, expected) in [
        ("", (9, 7)),
        ("/keys", (10, 9)),
        ("/keys/0", (11, 13)),
        ("/keys/1/7", (12, 13)),
        ("/keys/1/7/x~1y", (12, 20)),
        ("/keys/1/7/~0z", (12, 28)),
        ("/keys/1/none", (12, 13)),
        ("/0", (13, 9)),
        ("/missing", (9, 7)),
    ] {
        assert_eq!(place(1, pointer), Some(expected), "{pointer}");
    }
    assert_eq!(place(2, ""), None);
    let gone = tree.with("migrations/0002-a.yaml", "steps: [");
    let migration = migration(&definitions, "0002-a");
    assert_eq!(with_problem(&gone, migration, 1, "", "wrong"), None);
}

#[test]
fn yaml_and_json_resolve_values_alike() {
    let values = r#"{"a": 1, "b": -1.5e3, "c": null, "d": true, "e": "0x1f", "f": "007", "g": [], "h": {"i": "é🐦"}}"#;
    let yaml =
        "{ a: 1, b: -1500.0, c: ~, d: true, e: \"0x1f\", f: 007, g: [], h: { i: \"\\u00e9🐦\" } }";
    let of = |path: &str, text: String| {
        let definitions =
            load(&base().with(path, text), &options()).unwrap_or_else(|p| panic!("{p}"));
        migration(&definitions, "0002-a").checksum().unwrap()
    };
    let json = of(
        "migrations/0002-a.json",
        format!(
            r#"{{"apiVersion": "whimbrel.dev/v1alpha1", "kind": "Migration", "metadata": {{"name": "0002-a"}}, "spec": {{"steps": [{{"uses": "backfill", "with": {values}}}]}}}}"#
        ),
    );
    let yaml = of(
        "migrations/0002-a.yml",
        format!(
            "{HEAD}metadata: {{ name: 0002-a }}\nspec:\n  steps:\n    - uses: backfill\n      with: {yaml}\n"
        ),
    );
    assert_eq!(json, yaml);
}
