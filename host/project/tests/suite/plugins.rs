//! Plugins of a project: found, checked against their pin, admitted once.

use crate::support::{Shop, planner, plugins, shop};
use whimbrel_core::digest::Digest;
use whimbrel_core::history::History;
use whimbrel_core::plan::{Goal, OperationAction};
use whimbrel_plugin::PluginError;
use whimbrel_project::PluginUnavailable;

const PROJECT: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec:\n  plugins:\n";

/// The built-in component that every test build has.
fn backfill() -> &'static [u8] {
    whimbrel_plugin::builtin("backfill").expect("`cargo xtask plugins` builds the components first")
}

/// A project whose plugin `fill` is a file with this digest pinned.
fn pinned(bytes: &[u8], digest: Digest) -> Shop {
    let shop = Shop::new();
    std::fs::create_dir(shop.path().join("plugins")).unwrap();
    std::fs::write(shop.path().join("plugins/fill.wasm"), bytes).unwrap();
    shop.write(
        "whimbrel.yaml",
        &format!("{PROJECT}    fill: {{ path: plugins/fill.wasm, digest: \"{digest}\" }}\n"),
    );
    shop
}

#[tokio::test]
async fn a_pinned_file_and_a_built_in_one_are_admitted_once() {
    let shop = pinned(backfill(), Digest::of(backfill()));
    let plugins = plugins(&shop.open());
    let fill = plugins.plugin(&"fill".parse().unwrap()).await.unwrap();
    assert_eq!(fill.digest(), Digest::of(backfill()));
    std::fs::remove_file(shop.path().join("plugins/fill.wasm")).unwrap();
    assert!(plugins.plugin(&"fill".parse().unwrap()).await.is_ok());
    assert!(plugins.plugin(&"backfill".parse().unwrap()).await.is_ok());
    assert!(plugins.names().contains(&"fill".to_owned()));
}

#[tokio::test]
async fn another_component_than_the_pinned_one_is_refused_with_both_digests() {
    let wanted = Digest::of(b"looked at");
    let shop = pinned(b"exchanged", wanted);
    let plugins = plugins(&shop.open());
    let error = plugins
        .plugin(&"fill".parse().unwrap())
        .await
        .err()
        .unwrap();
    let found = Digest::of(b"exchanged");
    let text = error.to_string();
    assert!(
        text.contains(&wanted.to_string()) && text.contains(&found.to_string()),
        "{text}"
    );
    assert!(error.hint().unwrap().contains(&found.to_string()));
}

#[tokio::test]
async fn what_can_not_be_used_says_why() {
    let shop = pinned(b"no component", Digest::of(b"no component"));
    let project = shop.open();
    let plugins = plugins(&project);
    let refused = plugins
        .plugin(&"fill".parse().unwrap())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(refused, PluginUnavailable::Refused(_)),
        "{refused}"
    );
    let unknown = plugins
        .plugin(&"bakcfill".parse().unwrap())
        .await
        .err()
        .unwrap();
    assert_eq!(unknown.hint().unwrap(), "did you mean `backfill`?");
    let unknown = plugins.plugin(&"zzz".parse().unwrap()).await.err().unwrap();
    assert!(unknown.hint().unwrap().contains("under `plugins:`"));
    assert!(matches!(PluginError::from(unknown), PluginError::Engine(_)));
    assert!(!matches!(
        PluginError::from(refused),
        PluginError::Engine(_)
    ));
}

#[tokio::test]
async fn a_file_that_is_gone_is_named() {
    let shop = pinned(b"x", Digest::of(b"x"));
    let project = shop.open();
    shop.remove("plugins/fill.wasm");
    let error = plugins(&project).plugin(&"fill".parse().unwrap()).await;
    let error = error.err().unwrap();
    assert!(error.to_string().contains("plugins/fill.wasm"), "{error}");
    assert_eq!(error.hint(), None);
}

#[tokio::test]
async fn a_step_says_what_it_would_do_and_carries_the_digest() {
    let shop_ = Shop::new();
    shop_.migration(
        "1-fill",
        "  steps:\n    - name: fill it\n      uses: backfill\n      with: { table: orders, key: id, set: \"total = 1\", where: \"total IS NULL\" }\n",
    );
    let project = shop_.open();
    let planner = planner(&project, Goal::Apply).await;
    let plan = planner.plan(&shop(), &History::default()).await.unwrap();
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    let change = plan.applies().next().unwrap();
    let OperationAction::Plugin { effects, .. } = &change.operations[0].operation.action else {
        panic!("expected a plugin step");
    };
    assert!(
        effects.iter().any(|effect| effect.contains("orders")),
        "{effects:?}"
    );
    let digest = change.prepared.plugins[&"backfill".parse().unwrap()];
    assert_eq!(digest, Digest::of(backfill()));
}

#[tokio::test]
async fn a_configuration_that_the_plugin_refuses_blocks() {
    let shop_ = Shop::new();
    shop_.migration(
        "1-fill",
        "  steps:\n    - uses: backfill\n      with: { tabel: orders }\n",
    );
    let project = shop_.open();
    let planner = planner(&project, Goal::Apply).await;
    let plan = planner.plan(&shop(), &History::default()).await.unwrap();
    assert_eq!(plan.blockers.len(), 3);
    let lines: Vec<String> = plan.blockers.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "migrations/1-fill.yaml:8:7: step 1 (backfill): `set` is missing (`set`: What to set, as after `SET` in an UPDATE: `full_name = first || ' ' || last`.)",
            "migrations/1-fill.yaml:8:7: step 1 (backfill): `table` is missing (`table`: The table, with its schema if need be: `orders` or `shop.orders`.)",
            "migrations/1-fill.yaml:8:15: step 1 (backfill): unknown key `tabel` (did you mean `table`?)",
        ]
    );
    for blocker in &plan.blockers {
        assert!(blocker.hint.contains("plugin inspect"));
    }
}

/// What no schema can say the plugin says itself, and points at it.
#[tokio::test]
async fn a_fault_of_the_plugin_stands_where_it_points() {
    let shop_ = Shop::new();
    shop_.migration(
        "1-fill",
        "  steps:\n    - name: fill\n      uses: backfill\n      with:\n        table: orders\n        set: a = 1\n        revert: { set: \" \", where: a }\n",
    );
    let planner = planner(&shop_.open(), Goal::Apply).await;
    let plan = planner.plan(&shop(), &History::default()).await.unwrap();
    let message = plan.blockers[0].to_string();
    assert!(
        message.starts_with("migrations/1-fill.yaml:12:9: fill: ")
            && message.contains("can't be empty"),
        "{message}"
    );
}

#[tokio::test]
async fn one_mismatch_has_its_hint_apart() {
    let shop_ = Shop::new();
    shop_.write(
        "migrations/1-fill.json",
        "{\"apiVersion\": \"whimbrel.dev/v1alpha1\", \"kind\": \"Migration\", \"metadata\": {\"name\": \"1-fill\"},\n \"spec\": {\"database\": \"shop\", \"steps\": [\n  {\"uses\": \"backfill\", \"with\": {\"table\": \"t\", \"set\": \"a = 1\", \"keys\": \"id\"}}]}}\n",
    );
    let planner = planner(&shop_.open(), Goal::Apply).await;
    let plan = planner.plan(&shop(), &History::default()).await.unwrap();
    let blocker = &plan.blockers[0];
    assert_eq!(
        blocker.to_string(),
        "migrations/1-fill.json:3:63: step 1 (backfill): unknown key `keys`"
    );
    assert_eq!(blocker.hint, "did you mean `key`?");
}
