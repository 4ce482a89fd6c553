//! The backend `vault` before a real OpenBao that makes real PostgreSQL users.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use vaultrs::kv2;
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound, Unavailable};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_postgres_server::PostgresServer;
use whimbrel_vault_server::VaultServer;

#[tokio::test(flavor = "multi_thread")]
async fn vault_is_a_secret_backend() {
    let server = VaultServer::shared().await;
    let mount = server.kv2().await;
    for password in ["the first password", "the second password"] {
        let fields = HashMap::from([("password", password)]);
        kv2::set(&server.client(), &mount, "shop", &fields)
            .await
            .unwrap();
    }
    let postgres = PostgresServer::start_with_passwords();
    postgres.psql("postgres", "CREATE ROLE shop_owner");
    let database = server.database(&postgres, "postgres").await;
    database
        .dynamic_role("migrator", "shop_owner", "30s", "60s")
        .await;
    let lender = database.mount.clone();
    let policy = server
        .policy(&format!(
            "path \"{mount}/*\" {{ capabilities = [\"read\"] }}\n\
             path \"{lender}/creds/migrator\" {{ capabilities = [\"read\"] }}\n\
             path \"{lender}/roles/migrator\" {{ capabilities = [\"read\"] }}\n\
             path \"sys/leases/revoke\" {{ capabilities = [\"update\"] }}"
        ))
        .await;
    let role = server.app_role(&policy, "1h").await;
    let proxy = FaultyProxy::start(server.address(), server.certificate().as_deref());
    let setup = Setup {
        with: json!({
            "address": proxy.address(),
            "login": { "appRole": { "roleId": role.role_id, "secretId": role.secret_id, "mount": role.mount } },
            "mounts": { mount.clone(): "kv2", lender.clone(): "database" },
        }),
        grants: json!({ "http": [{ "to": "config:/address", "ca": { "file": "ca" } }], "clock": true }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let kept = |version: &str, value: &str| {
        Kept::new(
            &format!("secret://vault/{mount}/shop{version}"),
            "password",
            value,
        )
    };
    let subject = Subject {
        store: setup.store("vault", component("vault")).await,
        proxy: Some(&proxy),
        kept: kept("", "the second password"),
        earlier: Some(kept("?version=1", "the first password")),
        missing: format!("secret://vault/{mount}/nobody").parse().unwrap(),
        lent: Some(
            format!("secret://vault/{lender}/creds/migrator")
                .parse()
                .unwrap(),
        ),
        steps: vec![
            Step::new(
                Doing::Read,
                Rule::on(format!("/v1/{mount}/data/shop")),
                &[
                    (403, Denied),
                    (404, NotFound),
                    (412, Unavailable),
                    (472, Unavailable),
                    (473, Unavailable),
                ],
            ),
            Step::new(
                Doing::LogIn,
                Rule::on(format!("/v1/auth/{}/login", role.mount)),
                &[
                    (400, Denied),
                    (403, Denied),
                    (404, Denied),
                    (412, Unavailable),
                    (472, Unavailable),
                    (473, Unavailable),
                ],
            ),
            Step::new(
                Doing::Lend,
                Rule::on(format!("/v1/{lender}/creds/migrator")),
                &[
                    (403, Denied),
                    (404, NotFound),
                    (412, Unavailable),
                    (472, Unavailable),
                    (473, Unavailable),
                ],
            ),
            Step::new(
                Doing::Renew,
                Rule::on("/v1/sys/leases/renew"),
                &[
                    (403, Denied),
                    (404, NotFound),
                    (412, Unavailable),
                    (472, Unavailable),
                    (473, Unavailable),
                ],
            ),
            Step::new(
                Doing::Revoke,
                Rule::on("/v1/sys/leases/revoke"),
                &[
                    (403, Denied),
                    (404, NotFound),
                    (412, Unavailable),
                    (472, Unavailable),
                    (473, Unavailable),
                ],
            ),
        ],
    };
    subject.conforms().await;
    // What was lent is gone from the database, too.
    let left = postgres.psql(
        "postgres",
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'lent-%'",
    );
    assert_eq!(left.trim(), "0");
}
