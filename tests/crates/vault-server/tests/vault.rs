//! The server is real: what is refused, what is lent, and for how long.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use vaultrs::auth::{approle, kubernetes, oidc};
use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;
use vaultrs::{kv1, kv2};
use whimbrel_postgres_server::PostgresServer;
use whimbrel_vault_server::{ServiceAccount, TokenReviewer, VaultServer};

type Fields = HashMap<String, String>;

fn fields(password: &str) -> Fields {
    HashMap::from([("password".to_owned(), password.to_owned())])
}

/// A mount with one secret, and a policy that reads it.
async fn shop(vault: &VaultServer) -> (String, String) {
    let mount = vault.kv2().await;
    kv2::set(&vault.client(), &mount, "shop", &fields("one"))
        .await
        .unwrap();
    let rules = format!("path \"{mount}/data/shop\" {{ capabilities = [\"read\"] }}");
    (mount, vault.policy(&rules).await)
}

async fn reads(client: &VaultClient, mount: &str) -> Result<Fields, ClientError> {
    kv2::read(client, mount, "shop").await
}

fn status(error: &ClientError) -> u16 {
    match error {
        ClientError::APIError { code, .. } => *code,
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn both_versions_of_kv() {
    let vault = VaultServer::shared().await;
    let (first, second) = (vault.kv1().await, vault.kv2().await);
    let client = vault.client();
    kv1::set(
        &client,
        &first,
        "shop",
        &HashMap::from([("password", "old")]),
    )
    .await
    .unwrap();
    assert_eq!(
        kv1::get::<Fields>(&client, &first, "shop").await.unwrap(),
        fields("old")
    );
    kv2::set(&client, &second, "shop", &fields("one"))
        .await
        .unwrap();
    kv2::set(&client, &second, "shop", &fields("two"))
        .await
        .unwrap();
    assert_eq!(reads(&client, &second).await.unwrap(), fields("two"));
    let one: Fields = kv2::read_version(&client, &second, "shop", 1)
        .await
        .unwrap();
    assert_eq!(one, fields("one"));
    let missing = kv2::read::<Fields>(&client, &second, "bank")
        .await
        .unwrap_err();
    assert_eq!(status(&missing), 404);
}

#[tokio::test]
async fn every_login_gives_a_token_of_its_policy() {
    let vault = VaultServer::shared().await;
    let (mount, policy) = shop(vault).await;
    let client = vault.client();

    let role = vault.app_role(&policy, "1h").await;
    let auth = approle::login(&client, &role.mount, &role.role_id, &role.secret_id).await;
    let by_role = auth.unwrap().client_token;

    let account = ServiceAccount::new("shop", "migrator");
    let login = vault.jwt(&account, &policy, "1h").await;
    let auth = oidc::login(&client, &login.mount, &login.jwt, Some(login.role)).await;
    let by_signature = auth.unwrap().client_token;

    let reviewer = TokenReviewer::default();
    let login = vault.kubernetes(&reviewer, &account, &policy, "1h").await;
    let auth = kubernetes::login(&client, &login.mount, &login.role, &login.jwt).await;
    let by_review = auth.unwrap().client_token;
    reviewer.forget(&login.jwt);
    let refused = kubernetes::login(&client, &login.mount, &login.role, &login.jwt).await;
    assert_eq!(status(&refused.unwrap_err()), 403);

    for token in [by_role, by_signature, by_review] {
        let reader = vault.client_as(&token, None);
        assert_eq!(reads(&reader, &mount).await.unwrap(), fields("one"));
        let refused = kv2::read::<Fields>(&reader, &mount, "bank")
            .await
            .unwrap_err();
        assert_eq!(status(&refused), 403);
    }
}

#[tokio::test]
async fn a_wrapped_secret_id_unwraps_once() {
    let vault = VaultServer::shared().await;
    let (_, policy) = shop(vault).await;
    let role = vault.app_role(&policy, "1h").await;
    let token = vault.wrapped_secret_id(&role).await;
    let unwrapped: HashMap<String, serde_json::Value> =
        vaultrs::sys::wrapping::unwrap(&vault.client_as(&token, None), None)
            .await
            .unwrap();
    let secret_id = unwrapped["secret_id"].as_str().unwrap();
    let login = approle::login(&vault.client(), &role.mount, &role.role_id, secret_id).await;
    assert!(login.is_ok());
    let again = vault
        .call("sys/wrapping/lookup", Some(&json!({ "token": token })))
        .await;
    assert_eq!(again.unwrap_err().0, 400);
}

#[tokio::test]
async fn namespaces_keep_secrets_apart() {
    let vault = VaultServer::shared().await;
    let Some(namespace) = vault.namespace().await else {
        return assert!(
            std::env::var_os("VAULT_ADDR").is_some(),
            "OpenBao has namespaces"
        );
    };
    let inside = vault.client_as(vault.root_token(), Some(&namespace));
    vaultrs::sys::mount::enable(&inside, "plain", "kv", None)
        .await
        .unwrap();
    kv1::set(
        &inside,
        "plain",
        "shop",
        &HashMap::from([("password", "inside")]),
    )
    .await
    .unwrap();
    assert!(kv1::get::<Fields>(&inside, "plain", "shop").await.is_ok());
    assert!(
        kv1::get::<Fields>(&vault.client(), "plain", "shop")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_lent_is_a_user_of_postgresql() {
    let vault = VaultServer::shared().await;
    let postgres = PostgresServer::start_with_passwords();
    postgres.psql(
        "postgres",
        "CREATE ROLE writers; CREATE ROLE fixed LOGIN PASSWORD 'first'",
    );
    let database = vault.database(&postgres, "postgres").await;
    let known = |user: &str| {
        postgres.psql(
            "postgres",
            &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{user}'"),
        ) == "1"
    };

    database
        .dynamic_role("migrator", "writers", "2s", "1h")
        .await;
    let lent = database.lend("migrator").await;
    assert_eq!(lent.time_to_live, Duration::from_secs(2));
    assert!(known(&lent.username) && !lent.password.is_empty());
    assert_eq!(database.leases("migrator").await, [lent.lease]);
    while known(&lent.username) {
        sleep(Duration::from_millis(100)).await;
    }

    database.dynamic_role("reader", "writers", "1h", "1h").await;
    let lent = database.lend("reader").await;
    database.revoke(&lent.lease).await;
    assert!(!known(&lent.username));

    let hash = || {
        postgres.psql(
            "postgres",
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'fixed'",
        )
    };
    let before = hash();
    database.static_role("fixed", "fixed", "5s").await;
    assert_ne!(hash(), before);
}

#[tokio::test]
async fn a_sealed_server_says_503_until_it_is_unsealed() {
    let vault = VaultServer::start().await;
    let (mount, _) = shop(&vault).await;
    vault.seal().await;
    let sealed = reads(&vault.client(), &mount).await.unwrap_err();
    assert_eq!(status(&sealed), 503);
    vault.unseal().await;
    assert_eq!(reads(&vault.client(), &mount).await.unwrap(), fields("one"));
    assert!(vault.call("sys/health", None).await.is_ok());
}
