//! Every way in which the first-party backends log in, as components in the sandbox, against servers that check it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Duration;

use serde_json::{Value as Json, json};
use vaultrs::kv2;
use whimbrel_aws_server::{AwsServer, Metadata, REGION};
use whimbrel_conformance::{Setup, component, value};
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::FaultClass;
use whimbrel_plugin::SecretStore;
use whimbrel_secrets::Backend as _;
use whimbrel_vault_server::{ServiceAccount, TokenReviewer, VaultServer};

const PASSWORD: &str = "the password that is kept";

/// A secret of an OpenBao, and how a backend is set up to read it.
struct Vault {
    server: &'static VaultServer,
    mount: String,
    policy: String,
    reference: SecretReference,
}

impl Vault {
    async fn fill() -> Self {
        let server = VaultServer::shared().await;
        let mount = server.kv2().await;
        let fields = HashMap::from([("password", PASSWORD)]);
        kv2::set(&server.client(), &mount, "shop", &fields)
            .await
            .unwrap();
        let rules = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
        Self {
            policy: server.policy(&rules).await,
            reference: format!("secret://vault/{mount}/shop").parse().unwrap(),
            server,
            mount,
        }
    }

    async fn store(&self, login: Json, folder: &str) -> SecretStore {
        let certificate = self.server.certificate();
        let address = match certificate {
            Some(_) => json!({ "to": "config:/address", "ca": { "file": "ca" } }),
            None => json!({ "to": "config:/address" }),
        };
        let setup = Setup {
            with: json!({
                "address": self.server.address(), "login": login,
                "mounts": { self.mount.clone(): "kv2" },
            }),
            grants: json!({
                "http": [address],
                "clock": true, "files": [folder],
            }),
            files: certificate
                .map(|text| ("ca".to_owned(), text))
                .into_iter()
                .collect(),
        };
        setup.store("vault", component("vault")).await
    }

    async fn reads(&self, login: Json, folder: &str) -> SecretStore {
        let store = self.store(login, folder).await;
        for _ in 0..2 {
            let secret = store.read(&self.reference).await;
            let secret = secret.unwrap_or_else(|fault| panic!("{fault:?}"));
            assert_eq!(value(&secret, "password"), PASSWORD);
        }
        store
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_lets_in_whoever_it_knows() {
    let vault = Vault::fill().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();

    let role = vault.server.app_role(&vault.policy, "1h").await;
    let wrapped = vault.server.wrapped_secret_id(&role).await;
    let login = json!({ "appRole": {
        "roleId": role.role_id, "mount": role.mount, "wrappedSecretId": wrapped,
    } });
    vault.reads(login.clone(), place).await;
    // What wraps a secret id is used up by whoever opens it first.
    let again = vault.store(login, place).await;
    let fault = again.read(&vault.reference).await.err().unwrap();
    assert_eq!(fault.code, "vault.wrapping-used", "{fault:?}");

    let account = ServiceAccount::new("shop", "migrator");
    let jwt = vault.server.jwt(&account, &vault.policy, "1h").await;
    let login = json!({ "jwt": { "role": jwt.role, "mount": jwt.mount, "token": jwt.jwt } });
    vault.reads(login, place).await;

    let reviewer = TokenReviewer::default();
    let token = vault
        .server
        .kubernetes(&reviewer, &account, &vault.policy, "1h")
        .await;
    fs::write(folder.path().join("token"), &token.jwt).unwrap();
    let login = json!({ "kubernetes": {
        "role": token.role, "mount": token.mount, "tokenFile": format!("{place}/token"),
    } });
    let store = vault.reads(login.clone(), place).await;
    store.close().await.unwrap();
    // A token that the cluster no longer vouches for opens nothing.
    reviewer.forget(&token.jwt);
    let fault = store.read(&vault.reference).await.err().unwrap();
    assert_eq!(fault.code, "vault.login", "{fault:?}");
    assert!(!format!("{fault:?}").contains(&token.jwt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_vault_is_renewed_and_replaced_when_it_is_gone() {
    let vault = Vault::fill().await;
    let role = vault.server.app_role(&vault.policy, "3s").await;
    let login = json!({ "appRole": {
        "roleId": role.role_id, "mount": role.mount, "secretId": role.secret_id,
    } });
    let store = vault.reads(login, "/nowhere").await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        let secret = store.read(&vault.reference).await.unwrap();
        assert_eq!(value(&secret, "password"), PASSWORD);
    }
    // Over, and nobody renewed it: the next reading logs in anew.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let secret = store.read(&vault.reference).await.unwrap();
    assert_eq!(value(&secret, "password"), PASSWORD);
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_lets_in_workloads_of_every_kind() {
    // Of its own: one call goes unsigned, and moto counts everybody's.
    let server = AwsServer::start();
    let secret =
        json!({ "Name": "shop", "SecretString": json!({ "password": PASSWORD }).to_string() });
    server.call("secretsmanager", "create_secret", &secret);
    let (role, credentials) = server.assumed("shop", "secretsmanager:*");
    let metadata = Metadata::start(credentials);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    fs::write(folder.path().join("pod"), &metadata.pod_token).unwrap();
    fs::write(folder.path().join("web"), "a.token.of-elsewhere").unwrap();
    let reference: SecretReference = "secret://aws/shop".parse().unwrap();
    let kinds = [
        json!({ "podIdentity": { "uri": metadata.pod_identity(), "tokenFile": format!("{place}/pod") } }),
        json!({ "instance": { "endpoint": metadata.endpoint() } }),
        json!({ "webIdentity": {
            "roleArn": role, "tokenFile": format!("{place}/web"), "endpoint": server.endpoint(),
        } }),
    ];
    for credentials in kinds {
        let setup = Setup {
            with: json!({
                "region": REGION, "endpoint": server.endpoint(), "credentials": credentials,
            }),
            grants: json!({
                "http": [{ "to": format!("{}/*", server.endpoint()) }, { "to": format!("{}/*", metadata.endpoint()) }],
                "clock": true, "files": [place],
            }),
            files: BTreeMap::new(),
        };
        let component = component("aws-secrets-manager");
        let store = setup.store("aws-secrets-manager", component).await;
        if credentials.get("webIdentity").is_some() {
            server.leave_unchecked(1);
        }
        for _ in 0..2 {
            let secret = store.read(&reference).await;
            let secret = secret.unwrap_or_else(|fault| panic!("{credentials}: {fault:?}"));
            assert_eq!(value(&secret, "password"), PASSWORD);
        }
    }
    // An address that isn't granted literally is not asked, cloud metadata least of all.
    let setup = Setup {
        with: json!({
            "region": REGION, "endpoint": server.endpoint(), "credentials": { "instance": {} },
        }),
        grants: json!({ "http": [{ "to": format!("{}/*", server.endpoint()) }], "clock": true }),
        files: BTreeMap::new(),
    };
    let component = component("aws-secrets-manager");
    let store = setup.store("aws-secrets-manager", component).await;
    let fault = store.read(&reference).await.err().unwrap();
    assert_eq!(fault.class, FaultClass::Denied, "{fault:?}");
}
