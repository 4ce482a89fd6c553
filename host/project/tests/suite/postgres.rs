//! Reaching targets of a real PostgreSQL server.

use crate::support::{Shop, targets};
use whimbrel_core::name::TargetName;
use whimbrel_core::value::Value;
use whimbrel_database::{Command, Session};
use whimbrel_postgres_server::PostgresServer;
use whimbrel_project::{Sessions, histories};

/// The name and the query of a database's URL.
fn parts(url: &str) -> (String, String) {
    let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
    let query = url.split_once('?').unwrap().1.to_owned();
    (name, query)
}

fn environment(databases: &str) -> String {
    format!(
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{ name: dev }}\nspec:\n  databases:\n{databases}"
    )
}

async fn ask(session: &mut dyn Session, query: &str) -> Value {
    let done = session.run(&[Command::with(query, Vec::new())]).await;
    done.unwrap()[0].rows.single().unwrap().clone()
}

#[tokio::test]
async fn user_and_role_are_those_of_the_environment() {
    let server = PostgresServer::shared();
    let (name, query) = parts(&server.database("reach"));
    server.psql(
        &name,
        "CREATE ROLE reach_owner; CREATE ROLE reach_user LOGIN; GRANT reach_owner TO reach_user",
    );
    let shop = Shop::new();
    shop.write("user", "reach_user\n");
    shop.write(
        "environments/dev.yaml",
        &environment(&format!(
            "    shop:\n      url: \"postgres:///{name}?{query}\"\n      username: {{ secret: file, path: user }}\n      role: reach_owner\n"
        )),
    );
    let targets = targets(&shop.open(), "dev").await;
    let (_, mut session) = targets.connect(&crate::support::shop()).await.unwrap();
    let who = ask(
        session.as_mut(),
        "SELECT session_user || '/' || current_user",
    )
    .await;
    assert_eq!(who, Value::Text("reach_user/reach_owner".to_owned()));
    let timeout = ask(session.as_mut(), "SHOW lock_timeout").await;
    assert_eq!(timeout, Value::Text("5s".to_owned()));
}

#[tokio::test]
async fn for_each_reads_the_list_from_a_database_of_the_server() {
    let server = PostgresServer::shared();
    let (control, query) = parts(&server.database("control"));
    let (tenant, _) = parts(&server.database("tenant"));
    server.psql(
        &control,
        &format!("CREATE TABLE tenants (name text, base text); INSERT INTO tenants VALUES ('one', '{tenant}')"),
    );
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &environment(&format!(
            "    control:\n      url: \"postgres:///{control}?{query}\"\n    tenants:\n      forEach: {{ query: \"SELECT name, base FROM tenants\", of: control }}\n      url: \"postgres:///${{base}}?{query}\"\n"
        )),
    );
    let targets = targets(&shop.open(), "dev").await;
    let one = targets
        .iter()
        .find(|target| target.name.instance.is_some())
        .unwrap();
    assert_eq!(one.name.to_string(), "tenants[one]");
    let (_, mut session) = targets.connect_read_only(&one.name).await.unwrap();
    let database = ask(session.as_mut(), "SELECT current_database()::text").await;
    assert_eq!(database, Value::Text(tenant));
    let servers: Vec<_> = targets.iter().map(|target| target.server.clone()).collect();
    assert_eq!(servers[0], servers[1], "perServer counts both");
}

#[tokio::test]
async fn credentials_that_were_refused_are_read_once_more() {
    let server = PostgresServer::shared();
    let (name, query) = parts(&server.database("rotated"));
    server.psql(&name, "CREATE ROLE rotated_user LOGIN");
    let shop = Shop::new();
    shop.write("user", "nobody_yet");
    shop.write(
        "environments/dev.yaml",
        &environment(&format!(
            "    shop:\n      url: \"postgres:///{name}?{query}\"\n      username: {{ secret: file, path: user }}\n"
        )),
    );
    let targets = targets(&shop.open(), "dev").await;
    let file = shop.path().join("user");
    let rotation = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        std::fs::write(file, "rotated_user").unwrap();
    });
    let connected = targets.connect(&crate::support::shop()).await;
    rotation.await.unwrap();
    assert!(connected.is_ok(), "{:?}", connected.err());
    shop.write("user", "nobody_at_all");
    let error = targets
        .connect(&crate::support::shop())
        .await
        .err()
        .unwrap();
    assert!(!error.is_temporary(), "{error}");
}

#[tokio::test]
async fn connections_that_read_go_on_to_write_and_are_never_more_than_the_policy_allows() {
    let server = PostgresServer::shared();
    let (one, query) = parts(&server.database("kept_one"));
    let (two, _) = parts(&server.database("kept_two"));
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &environment(&format!(
            "    one: {{ url: \"postgres:///{one}?{query}\" }}\n    two: {{ url: \"postgres:///{two}?{query}\" }}\n  policy: {{ concurrency: 1 }}\n"
        )),
    );
    let targets = targets(&shop.open(), "dev").await;
    let target = |name: &str| TargetName::single(name.parse().unwrap());
    let (one, two) = (target("one"), target("two"));
    let read = async || {
        let sessions = Sessions::new(&targets);
        let histories = histories(&targets, Some(&sessions)).await;
        assert!(histories.len() == 2 && histories.values().all(Result::is_ok));
        sessions
    };

    let sessions = read().await;
    let mut kept = sessions.take(&one).unwrap();
    let session = &mut kept.session;
    ask(session.as_mut(), "SELECT count(*) FROM pg_class").await;
    let write = [Command::text("CREATE TABLE kept (id integer)")];
    session.run(&write).await.unwrap();
    assert!(sessions.take(&two).is_none(), "only one may be kept");

    // Whoever connects anew ends one that is kept, and what has no work is ended at once.
    let sessions = read().await;
    assert!(sessions.take(&two).is_none() && sessions.take(&one).is_none());
    let sessions = read().await;
    sessions.retain(&[&two]);
    assert!(sessions.take(&one).is_none());

    // One that the server has ended is none.
    let sessions = read().await;
    server.psql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'whimbrel' AND datname LIKE '%kept_one%'",
    );
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(sessions.take(&one).is_none());
}
