//! From definitions to the operations of a plan.

use std::collections::BTreeMap;

use crate::support::{DEV, Shop, applied, planner, plugins, shop, targets};
use whimbrel_core::history::History;
use whimbrel_core::plan::{BlockerCode, Goal, OperationAction, TargetPlan, Work};
use whimbrel_project::{Planner, survey};

/// The environment `dev` with parameters.
fn with_parameters(parameters: &str) -> String {
    DEV.replace("spec:\n", &format!("spec:\n  parameters: {parameters}\n"))
}

async fn plan(shop_: &Shop) -> TargetPlan {
    let project = shop_.open();
    let planner = planner(&project, Goal::Apply).await;
    planner.plan(&shop(), &History::default()).await.unwrap()
}

/// The text of every operation, in order.
fn statements(plan: &TargetPlan) -> Vec<String> {
    plan.work
        .iter()
        .filter_map(Work::change)
        .flat_map(|change| &change.operations)
        .map(|planned| match &planned.operation.action {
            OperationAction::Statement(statement) => statement.text.clone(),
            OperationAction::Plugin { uses, .. } => format!("plugin {uses}"),
        })
        .collect()
}

#[tokio::test]
async fn statements_are_split_filled_in_and_ordered() {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &with_parameters("{ prefix: \"my shop\", unused: x }"),
    );
    shop.migration(
        "10-last",
        "  steps:\n    - sql: CREATE TABLE last (id integer)\n      revert: DROP TABLE last\n",
    );
    shop.migration(
        "9-first",
        "  steps:\n    - sql: |\n        CREATE TABLE ${prefix} (id integer);\n        INSERT INTO ${prefix} VALUES (1);\n      revert: DROP TABLE ${prefix}\n    - sql: SELECT ${prefix:literal}\n      revert: \"\"\n",
    );
    let plan = plan(&shop).await;
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    assert_eq!(
        statements(&plan),
        [
            "CREATE TABLE \"my shop\" (id integer)",
            "INSERT INTO \"my shop\" VALUES (1)",
            "SELECT 'my shop'",
            "CREATE TABLE last (id integer)",
        ]
    );
    let prepared = &plan.applies().next().unwrap().prepared;
    let parameters: Vec<_> = prepared.parameters.iter().collect();
    assert_eq!(parameters.len(), 1, "{parameters:?}");
    assert!(prepared.irreversible.is_empty());
    assert!(prepared.definition.to_string().contains("${prefix}"));
}

#[tokio::test]
async fn the_journals_hash_does_not_depend_on_parameters() {
    let shop = Shop::new();
    shop.migration(
        "1-orders",
        "  steps:\n    - sql: CREATE TABLE ${prefix} (id integer)\n",
    );
    let mut hashes = Vec::new();
    for parameters in ["{ prefix: a }", "{ prefix: \"b; DROP\" }"] {
        shop.write("environments/dev.yaml", &with_parameters(parameters));
        let plan = plan(&shop).await;
        let change = plan.applies().next().unwrap();
        hashes.push(change.operations[0].operation.hash);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn downs_go_backwards_and_what_has_none_is_named() {
    let shop_ = Shop::new();
    shop_.migration(
        "1-orders",
        "  steps:\n    - sql: CREATE TABLE a (id integer)\n      revert: DROP TABLE a\n    - sql: CREATE TABLE b (id integer)\n      revert: DROP TABLE b\n",
    );
    shop_.migration(
        "2-data",
        "  steps:\n    - name: fill it\n      sql: INSERT INTO a VALUES (1)\n",
    );
    let revision = shop_.commit("first");
    let project = shop_.open();
    let history = applied(&project, Some(&revision));
    let goal = Goal::Revert(vec!["1-orders".parse().unwrap(), "2-data".parse().unwrap()]);
    let planner = planner(&project, goal.clone()).await;
    assert_eq!(planner.goal(), &goal);
    assert!(planner.needs_definitions(&shop(), &history).await.unwrap());
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert_eq!(statements(&plan), ["DROP TABLE b", "DROP TABLE a"]);
    assert_eq!(plan.blockers.len(), 1);
    assert!(
        plan.blockers[0].message.contains("fill it"),
        "{:?}",
        plan.blockers
    );
}

#[tokio::test]
async fn a_stored_definition_that_can_not_be_read_blocks() {
    let shop_ = Shop::new();
    shop_.table("1-orders", "orders");
    let project = shop_.open();
    let mut history = applied(&project, None);
    history.records[0].definition = serde_json::json!({"from": "the future"});
    let goal = Goal::Revert(vec!["1-orders".parse().unwrap()]);
    let planner = planner(&project, goal).await;
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert!(
        plan.blockers[0].message.contains("can't be read"),
        "{:?}",
        plan.blockers
    );
}

#[tokio::test]
async fn checks_and_metrics_are_filled_in() {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &with_parameters("{ table: orders }"),
    );
    shop.migration(
        "1-orders",
        "  steps:\n    - sql: CREATE TABLE orders (id integer)\n  checks:\n    before:\n      - { name: fresh, query: SELECT 1, equals: 1 }\n    after:\n      - { name: empty, query: \"SELECT count(*) FROM ${table}\", equals: 0 }\n  metrics:\n    - { name: orders, query: \"SELECT count(*) FROM ${table}\", type: gauge }\n",
    );
    let plan = plan(&shop).await;
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    let prepared = &plan.applies().next().unwrap().prepared;
    assert_eq!(prepared.before.len(), 1);
    assert_eq!(prepared.after[0].query, "SELECT count(*) FROM \"orders\"");
    assert_eq!(prepared.metrics[0].query, "SELECT count(*) FROM \"orders\"");
}

#[tokio::test]
async fn what_can_not_be_run_blocks_with_its_place() {
    let shop = Shop::new();
    shop.migration("1-transaction", "  steps:\n    - sqlFile: 1.txt.sql\n");
    shop.remove("migrations/1-transaction.yaml");
    shop.write(
        "migrations/1-transaction/migration.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 1-transaction }\nspec:\n  database: shop\n  steps:\n    - sqlFile: up.sql\n",
    );
    shop.write(
        "migrations/1-transaction/up.sql",
        "CREATE TABLE a (id integer);\nCOMMIT;\n",
    );
    shop.migration(
        "2-two-queries",
        "  steps:\n    - sql: SELECT 1\n  checks:\n    after:\n      - { name: two, query: SELECT 1; SELECT 2, equals: 1 }\n",
    );
    let plan = plan(&shop).await;
    let messages: Vec<_> = plan.blockers.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].starts_with("migrations/1-transaction/up.sql:2:1: "),
        "{messages:?}"
    );
    assert!(
        messages[1].contains("check `two`: expected one query, found 2"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn the_same_inputs_give_the_same_digest_and_are_read_from_the_target() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let revision = shop.commit("first");
    let project = shop.open();
    let targets = targets(&project, "dev").await;
    let mut digests = Vec::new();
    for _ in 0..2 {
        let planner = Planner::new(&project, targets.clone(), plugins(&project), Goal::Apply);
        let survey = survey(&planner, &targets, project.revision()).await;
        assert!(survey.failures.is_empty(), "{:?}", survey.failures);
        assert_eq!(survey.plan.revision.as_ref(), Some(&revision));
        assert_eq!(survey.histories.len(), 1);
        digests.push(survey.plan.digest());
    }
    assert_eq!(digests[0], digests[1]);
    assert!(
        !shop.path().join("shop.db").exists(),
        "planning writes nothing"
    );
}

#[tokio::test]
async fn an_unknown_target_is_an_error() {
    let shop = Shop::new();
    let project = shop.open();
    let planner = planner(&project, Goal::Apply).await;
    let target = whimbrel_core::name::TargetName::single("other".parse().unwrap());
    let error = planner
        .plan(&target, &History::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the environment `dev` has no target other"
    );
    assert_eq!(planner.owner().project.as_str(), "shop");
}

#[tokio::test]
async fn a_revert_touches_what_a_target_has_and_blocks_when_none_has_it() {
    let shop_ = Shop::new();
    shop_.table("1-orders", "orders");
    let project = shop_.open();
    let goal = Goal::Revert(vec!["1-orders".parse().unwrap()]);
    let targets = targets(&project, "dev").await;
    let planner = Planner::new(&project, targets.clone(), plugins(&project), goal);
    let plan = planner.plan(&shop(), &History::default()).await.unwrap();
    assert!(plan.work.is_empty() && plan.blockers.is_empty());
    let survey = survey(&planner, &targets, None).await;
    let blockers: Vec<_> = survey
        .plan
        .blockers()
        .map(|(_, blocker)| blocker.code)
        .collect();
    assert_eq!(blockers, [BlockerCode::NotApplied]);
}

/// What a value brings into a text moves nothing: places are those of what is written.
#[tokio::test]
async fn every_mistake_of_a_text_is_told_where_it_is_written() {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &with_parameters("{ prefix: \"a\\nlong name\", own: whimbrel_event }"),
    );
    shop.migration(
        "1-orders",
        "  steps:\n    - sql: |\n        CREATE TABLE ${prefix} (id integer); COMMIT;\n        DELETE FROM ${own};\n    - sql: SELECT 'open\n  checks:\n    after:\n      - { name: own, query: \"SELECT ${prefix:literal}, ${none}, ${nothing}\", equals: 1 }\n      - { name: late, query: \"/* ${own} */ SELECT ${prefix:literal} FROM (DELETE FROM a)\", equals: 1 }\n",
    );
    let plan = plan(&shop).await;
    let found: Vec<_> = plan
        .blockers
        .iter()
        .map(|blocker| (blocker.to_string(), blocker.excerpt().unwrap()))
        .collect();
    let begin: Vec<_> = found
        .iter()
        .map(|(said, excerpt)| {
            let (source, carets) = excerpt.split_once('\n').unwrap();
            let at = carets.chars().position(|c| c == '^').unwrap();
            let length = carets.matches('^').count();
            let word: String = source.chars().skip(at).take(length).collect();
            (said.split(": ").next().unwrap().to_owned(), word)
        })
        .collect();
    let begin: Vec<_> = begin
        .iter()
        .map(|(at, word)| (at.as_str(), word.as_str()))
        .collect();
    assert_eq!(
        begin,
        [
            ("migrations/1-orders.yaml:8:46", "COMMIT"),
            ("migrations/1-orders.yaml:9:21", "${own}"),
            ("migrations/1-orders.yaml:10:19", "'"),
            ("migrations/1-orders.yaml:13:56", "${none}"),
            ("migrations/1-orders.yaml:13:65", "${nothing}"),
            ("migrations/1-orders.yaml:14:75", "DELETE"),
        ],
        "{found:#?}"
    );
}

/// Stored definitions keep the placeholders that they were applied with, and a value may be missing by now.
#[tokio::test]
async fn a_placeholder_that_can_not_be_filled_in_blocks_with_its_line() {
    let shop_ = Shop::new();
    shop_.write("environments/dev.yaml", &with_parameters("{ prefix: a }"));
    shop_.migration(
        "1-orders",
        "  steps:\n    - sql: CREATE TABLE ${prefix} (id integer)\n      revert: |\n        SELECT 1;\n        DROP TABLE ${prefix};\n",
    );
    let project = shop_.open();
    let mut history = applied(&project, None);
    let goal = Goal::Revert(vec!["1-orders".parse().unwrap()]);
    let planner = planner(&project, goal).await;
    let prefix = |value: &str| BTreeMap::from([("prefix".to_owned(), value.to_owned())]);
    history.records[0].parameters = prefix("b");
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert_eq!(statements(&plan), ["SELECT 1", "DROP TABLE \"b\""]);
    history.records[0].parameters = BTreeMap::from([("prefx".to_owned(), String::new())]);
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert_eq!(plan.blockers[0].hint, "did you mean `prefx`?");
    history.records[0].parameters = prefix("");
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert!(
        plan.blockers[0].message.contains("the value of `prefix`"),
        "{:?}",
        plan.blockers
    );
    history.records[0].parameters = BTreeMap::new();
    let plan = planner.plan(&shop(), &history).await.unwrap();
    assert!(plan.blockers[0].hint.contains("under `parameters:`"));
    let told: Vec<_> = plan.blockers.iter().map(ToString::to_string).collect();
    let missing = "there is no parameter `prefix`";
    assert_eq!(
        told,
        [
            format!("step 1, line 1: {missing}"),
            format!("step 1, line 2: {missing}"),
        ],
        "the history has no file"
    );
}
