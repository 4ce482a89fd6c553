//! Listing and reaching targets.

use crate::support::{DEV, Shop, plugins, targets};
use whimbrel_core::name::{DatabaseName, TargetName};
use whimbrel_core::plan::Goal;
use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_project::{Planner, ProjectError, Targets, survey};
use whimbrel_secrets::Resolver;
use whimbrel_signal::Scrubber;

const FLEET: &str = "
apiVersion: whimbrel.dev/v1alpha1
kind: Environment
metadata: { name: dev }
spec:
  parameters: { folder: data }
  databases:
    control: { url: \"sqlite:control.db\" }
    tenants:
      forEach: { query: \"SELECT name, file FROM tenants ORDER BY name DESC\", of: control }
      url: \"sqlite:${folder}/${file}.db\"
  policy: { apply: Auto, concurrency: 3, perServer: 1 }
";

fn fleet(rows: &str) -> Shop {
    let shop = Shop::new();
    shop.write("environments/dev.yaml", FLEET);
    shop.write("data/.keep", "");
    let control = rusqlite::Connection::open(shop.path().join("control.db")).unwrap();
    control
        .execute_batch(&format!(
            "CREATE TABLE tenants (name text, file text); INSERT INTO tenants VALUES {rows};"
        ))
        .unwrap();
    shop
}

async fn list(shop: &Shop, only: &[&str]) -> Result<Targets, ProjectError> {
    let project = shop.open();
    let only: Vec<DatabaseName> = only.iter().map(|name| name.parse().unwrap()).collect();
    let resolver = Resolver::new(project.folder(), Scrubber::default());
    let environment = project.environment("dev").unwrap();
    Targets::list(environment, project.folder(), resolver, &only).await
}

#[tokio::test]
async fn for_each_gives_one_target_per_row() {
    let shop = fleet("('b', 'b'), ('a', 'a b')");
    let targets = list(&shop, &[]).await.unwrap();
    let names: Vec<_> = targets
        .iter()
        .map(|target| target.name.to_string())
        .collect();
    assert_eq!(names, ["control", "tenants[a]", "tenants[b]"]);
    assert_eq!((targets.len(), targets.is_empty()), (3, false));
    assert!(targets.is_complete());
    assert!(
        targets
            .iter()
            .all(|target| target.dialect == Dialect::Sqlite)
    );
    let a = TargetName {
        database: "tenants".parse().unwrap(),
        instance: Some("a".to_owned()),
    };
    assert!(targets.get(&a).unwrap().address.contains("data/a"));
    assert!(format!("{targets:?}").contains("tenants"));
    let only = list(&shop, &["control"]).await.unwrap();
    assert_eq!((only.len(), only.is_complete()), (1, false));
}

#[tokio::test]
async fn a_fleet_is_surveyed_each_target_for_itself() {
    let shop = fleet("('a', 'a'), ('b', 'b'), ('c', 'broken')");
    shop.write("data/broken.db", &"this is no database".repeat(100));
    shop.write(
        "migrations/1-orders.sql",
        "-- whimbrel:database tenants\n-- whimbrel:up\nCREATE TABLE orders (id integer);\n",
    );
    let project = shop.open();
    let targets = targets(&project, "dev").await;
    let planner = Planner::new(&project, targets.clone(), plugins(&project), Goal::Apply);
    let survey = survey(&planner, &targets, None).await;
    let planned: Vec<_> = survey
        .plan
        .targets
        .iter()
        .map(|plan| (plan.target.to_string(), plan.work.len()))
        .collect();
    assert_eq!(
        planned,
        [
            ("control".to_owned(), 0),
            ("tenants[a]".to_owned(), 1),
            ("tenants[b]".to_owned(), 1),
        ]
    );
    let failed: Vec<_> = survey.failures.keys().map(ToString::to_string).collect();
    assert_eq!(failed, ["tenants[c]"]);
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused() {
    for (rows, problem) in [
        ("('a', 'x'), ('a', 'y')", "gives `a` twice"),
        ("('a', NULL)", "no value in the column `file`"),
        ("('', 'x')", "nothing in its first column"),
    ] {
        let error = list(&fleet(rows), &[]).await.unwrap_err();
        assert!(matches!(error, ProjectError::ForEach { .. }), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
    let shop = Shop::new();
    shop.write("environments/dev.yaml", FLEET);
    let error = list(&shop, &[]).await.unwrap_err();
    assert!(error.to_string().contains("tenants"), "{error}");
    assert!(!shop.path().join("control.db").exists());
}

#[tokio::test]
async fn an_unknown_database_is_suggested() {
    let shop = Shop::new();
    let error = list(&shop, &["shpo"]).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `shop`?");
    let error = list(&shop, &["stock"]).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "there is `shop`");
}

#[tokio::test]
async fn connections_are_read_only_or_not_as_asked() {
    let shop = Shop::new();
    let targets = list(&shop, &[]).await.unwrap();
    let name = crate::support::shop();
    let (endpoint, mut session) = targets.connect(&name).await.unwrap();
    assert!(endpoint.sqlite_path().unwrap().ends_with("shop.db"));
    let create = [Command::text("CREATE TABLE a (id integer)")];
    session.run(&create).await.unwrap();
    let (_, mut session) = targets.connect_read_only(&name).await.unwrap();
    assert!(session.run(&[Command::text("DROP TABLE a")]).await.is_err());
}

#[tokio::test]
async fn a_url_may_be_a_secret() {
    let shop = Shop::new();
    shop.write("url", "sqlite:hidden.db\n");
    shop.write(
        "environments/dev.yaml",
        &DEV.replace("\"sqlite:shop.db\"", "{ secret: file, path: url }"),
    );
    let targets = list(&shop, &[]).await.unwrap();
    assert!(targets.iter().next().unwrap().address.contains("hidden.db"));
    shop.remove("url");
    let error = targets
        .connect(&crate::support::shop())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("there is no file"), "{error}");
    assert!(!error.is_temporary());
    let error = list(&shop, &[]).await.unwrap_err();
    assert!(matches!(error, ProjectError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_retrying() {
    let shop = Shop::new();
    shop.write("password", "canary-4711");
    shop.write(
        "environments/dev.yaml",
        &DEV.replace(
            "{ url: \"sqlite:shop.db\" }",
            "{ url: \"postgres://127.0.0.1:1/shop?sslmode=disable\", username: ada, password: { secret: file, path: password }, role: shop_owner }",
        ),
    );
    let targets = list(&shop, &[]).await.unwrap();
    let target = targets.iter().next().unwrap();
    assert_eq!(target.dialect, Dialect::Postgres);
    let error = targets.connect(&target.name).await.err().unwrap();
    assert!(error.is_temporary(), "{error}");
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("canary"));
}

#[tokio::test]
async fn the_rows_of_for_each_are_read_and_no_more() {
    let shop = fleet("('a', 'one')");
    let query = "DELETE FROM tenants RETURNING name, file";
    shop.write(
        "environments/dev.yaml",
        &FLEET.replace("SELECT name, file FROM tenants ORDER BY name DESC", query),
    );
    let error = list(&shop, &[]).await.unwrap_err().to_string();
    assert!(
        error.contains("expected a query that only reads, found DELETE; write one SELECT"),
        "{error}"
    );
    let control = rusqlite::Connection::open(shop.path().join("control.db")).unwrap();
    let left: i64 = control
        .query_row("SELECT count(*) FROM tenants", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
}
