//! Leases of other engines than `database`, of a real OpenBao: certificates of `pki`, and service accounts that `kubernetes`
//! makes in a real API server. Each is lent until it is given back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use whimbrel_conformance::{Setup, component, value};
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::FaultClass::{Denied, Unsupported};
use whimbrel_kubernetes_server::KubernetesServer;
use whimbrel_plugin::SecretStore;
use whimbrel_postgres_server::PostgresServer;
use whimbrel_secrets::{Backend as _, LeaseId, Renewal, Resolver};
use whimbrel_signal::Scrubber;
use whimbrel_vault_server::VaultServer;

/// When a certificate was revoked, in seconds since the Unix epoch; 0 if it wasn't.
async fn revoked(server: &VaultServer, mount: &str, serial: &str) -> u64 {
    let found = server.call(&format!("{mount}/cert/{serial}"), None).await;
    let found = found.unwrap();
    found
        .pointer("/data/revocation_time")
        .and_then(Json::as_u64)
        .unwrap()
}

/// The backend, logged in like this.
async fn logged_in(server: &VaultServer, login: &Json) -> SecretStore {
    let setup = Setup {
        with: json!({ "address": server.address(), "login": login }),
        grants: json!({ "http": [{ "to": "config:/address", "ca": { "file": "ca" } }], "clock": true }),
        files: BTreeMap::from([("ca".to_owned(), server.certificate().unwrap())]),
    };
    setup.store("vault", component("vault")).await
}

/// The backend, logged in as somebody who may write to one path and give back what is lent.
async fn store(server: &VaultServer, path: &str) -> SecretStore {
    let policy = server
        .policy(&format!(
            "path \"{path}\" {{ capabilities = [\"update\"] }}\n\
             path \"sys/leases/revoke\" {{ capabilities = [\"update\"] }}"
        ))
        .await;
    let role = server.app_role(&policy, "1h").await;
    let login = json!({ "roleId": role.role_id, "secretId": role.secret_id, "mount": role.mount });
    logged_in(server, &json!({ "appRole": login })).await
}

fn with_parameters(path: &str, parameters: &Json) -> SecretReference {
    let reference =
        json!({ "secret": "vault", "path": path, "options": { "parameters": parameters } });
    serde_json::from_value(reference).unwrap()
}

/// A mount that issues certificates, each with a lease.
async fn certificates(server: &VaultServer) -> String {
    let mount = VaultServer::unique("pki");
    for (path, body) in [
        (
            format!("sys/mounts/{mount}"),
            json!({ "type": "pki", "config": { "max_lease_ttl": "48h" } }),
        ),
        (
            format!("{mount}/root/generate/internal"),
            json!({ "common_name": "The shop", "ttl": "48h" }),
        ),
        (
            format!("{mount}/roles/migrator"),
            json!({ "allow_any_name": true, "generate_lease": true, "key_type": "ec", "key_bits": 256, "ttl": "1h" }),
        ),
    ] {
        server.call(&path, Some(&body)).await.unwrap();
    }
    mount
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_rotated_is_never_given_again() {
    let server = VaultServer::shared().await;
    let postgres = PostgresServer::start_with_passwords();
    postgres.psql("postgres", "CREATE ROLE owner LOGIN PASSWORD 'first'");
    let database = server.database(&postgres, "postgres").await;
    database.static_role("owner", "owner", "1h").await;
    let path = format!("{}/static-creds/owner", database.mount);
    let token = json!({ "token": server.root_token() });
    let store = logged_in(server, &token).await;
    let resolver = Resolver::new(Path::new("/"), Scrubber::default());
    let resolver = resolver.with_backend("vault", Arc::new(store));
    let reference: SecretReference = format!("secret://vault/{path}#password").parse().unwrap();
    let mut known = BTreeSet::new();
    for _ in 0..3 {
        let password = resolver.resolve(&reference).await.unwrap();
        let answer = server.call(&path, None).await.unwrap();
        let now = answer.pointer("/data/password").and_then(Json::as_str);
        assert_eq!(Some(password.expose_secret()), now);
        known.insert(password.expose_secret().to_owned());
        let rotate = format!("{}/rotate-role/owner", database.mount);
        server.call(&rotate, Some(&json!({}))).await.unwrap();
    }
    assert_eq!(known.len(), 3, "each rotation makes another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_lent_and_given_back() {
    let server = VaultServer::shared().await;
    let mount = certificates(server).await;
    let store = store(server, &format!("{mount}/issue/migrator")).await;
    let wanted = json!({ "common_name": "migrator.shop.example" });
    let reference = with_parameters(&format!("{mount}/issue/migrator"), &wanted);
    let mut lent = Vec::new();
    for _ in 0..2 {
        let secret = store.read(&reference).await.unwrap();
        assert!(value(&secret, "private_key").starts_with("-----BEGIN"));
        let serial = value(&secret, "serial_number");
        assert_eq!(revoked(server, &mount, &serial).await, 0);
        let lease = secret.lease.unwrap();
        assert!(lease.time_to_live > Duration::from_secs(3_000));
        lent.push((lease.id, serial));
    }
    assert_ne!(lent[0], lent[1], "a reading is a loan of its own");
    // A certificate holds until its end: nobody can lengthen it.
    let wanted = Duration::from_secs(60);
    let told = store.renew(&lent[0].0, wanted).await.err().unwrap();
    assert_eq!(
        (told.class, told.code.as_str()),
        (Unsupported, "vault.lease-not-renewable")
    );
    for _ in 0..2 {
        store.revoke(&lent[0].0).await.unwrap();
    }
    assert!(revoked(server, &mount, &lent[0].1).await > 0);
    assert_eq!(revoked(server, &mount, &lent[1].1).await, 0);
    // What isn't given back by itself ends with the login.
    store.close().await.unwrap();
    assert!(revoked(server, &mount, &lent[1].1).await > 0);
    // Without parameters it is a reading, which `pki/issue` doesn't know.
    let plain: SecretReference = format!("secret://vault/{mount}/issue/migrator")
        .parse()
        .unwrap();
    let told = store.read(&plain).await.err().unwrap();
    assert_eq!(told.class, Denied, "{told:?}");
}

/// What somebody may not ask about, Vault says nothing of: it isn't gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_given_back_is_still_lent() {
    let server = VaultServer::shared().await;
    let mount = certificates(server).await;
    let path = format!("{mount}/issue/migrator");
    let policy = server
        .policy(&format!(
            "path \"{path}\" {{ capabilities = [\"update\"] }}\n\
             path \"auth/token/lookup-self\" {{ capabilities = [\"read\"] }}"
        ))
        .await;
    // The default policy would allow to renew.
    let token = json!({ "policies": [policy], "no_default_policy": true, "ttl": "1h" });
    let token = server
        .call("auth/token/create", Some(&token))
        .await
        .unwrap();
    let token = token.pointer("/auth/client_token").unwrap();
    let barred = logged_in(server, &json!({ "token": token })).await;
    let wanted = json!({ "common_name": "migrator.shop.example" });
    let secret = barred.read(&with_parameters(&path, &wanted)).await.unwrap();
    let serial = value(&secret, "serial_number");
    let lease = secret.lease.unwrap().id;
    let unknown = LeaseId(format!("{path}/nobody-lent-this"));
    for lease in [&lease, &unknown] {
        let renewal = barred.renew(lease, Duration::from_secs(60)).await;
        let told = renewal.err().unwrap();
        assert_eq!((told.class, told.code.as_str()), (Denied, "vault.denied"));
        let told = barred.revoke(lease).await.err().unwrap();
        assert_eq!((told.class, told.code.as_str()), (Denied, "vault.denied"));
    }
    assert_eq!(revoked(server, &mount, &serial).await, 0);
    // Somebody else may, and is told that there is no other one.
    let store = store(server, &path).await;
    let renewal = store.renew(&unknown, Duration::from_secs(60)).await;
    assert!(matches!(renewal, Ok(Renewal::Gone)));
    store.revoke(&unknown).await.unwrap();
    store.revoke(&lease).await.unwrap();
    assert!(revoked(server, &mount, &serial).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_is_lent_and_given_back() {
    let server = VaultServer::shared().await;
    let kubernetes = KubernetesServer::shared();
    let namespace = kubernetes.namespace();
    let mount = VaultServer::unique("kubernetes");
    let rules =
        json!({ "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }] });
    for (path, body) in [
        (
            format!("sys/mounts/{mount}"),
            json!({ "type": "kubernetes" }),
        ),
        (
            format!("{mount}/config"),
            json!({
                "kubernetes_host": kubernetes.address(), "kubernetes_ca_cert": kubernetes.certificate(),
                "service_account_jwt": kubernetes.token(), "disable_local_ca_jwt": true,
            }),
        ),
        (
            format!("{mount}/roles/migrator"),
            json!({
                "allowed_kubernetes_namespaces": [namespace], "generated_role_rules": rules.to_string(),
                "token_default_ttl": "15m",
            }),
        ),
    ] {
        server.call(&path, Some(&body)).await.unwrap();
    }
    let path = format!("{mount}/creds/migrator");
    let store = store(server, &path).await;
    let reference = with_parameters(&path, &json!({ "kubernetes_namespace": namespace }));
    let secret = store.read(&reference).await.unwrap();
    let account = value(&secret, "service_account_name");
    assert_eq!(
        value(&secret, "service_account_token").split('.').count(),
        3
    );
    let lease = secret.lease.unwrap();
    assert!(lease.time_to_live > Duration::from_secs(600));
    let place = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
    assert_eq!(kubernetes.status(&place), 200);
    for _ in 0..2 {
        store.revoke(&lease.id).await.unwrap();
    }
    assert_eq!(kubernetes.status(&place), 404);
    let renewal = store.renew(&lease.id, Duration::from_secs(60)).await;
    assert!(matches!(renewal, Ok(Renewal::Gone)));
}
