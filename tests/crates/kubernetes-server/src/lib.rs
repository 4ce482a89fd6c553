//! A real kube-apiserver over a real etcd on loopback, for tests. Nothing else of a cluster runs.
//!
//! ```no_run
//! let server = whimbrel_kubernetes_server::KubernetesServer::shared();
//! let namespace = server.namespace();
//! let token = server.account(&namespace, "migrator", &serde_json::json!([]));
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value as Json, json};
use whimbrel_test_server::{Authority, Connection, Process, Request, free_port, program};

/// The token of somebody who may do everything.
const ADMINISTRATOR: &str = "token-of-who-may-do-everything";

/// A running API server. It ends when the value is dropped, or when the tests do.
#[derive(Debug)]
pub struct KubernetesServer {
    port: u16,
    certificate: String,
    _store: Process,
    _server: Process,
}

impl KubernetesServer {
    /// The one of this process.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<KubernetesServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own.
    ///
    /// # Panics
    ///
    /// There is no kube-apiserver or no etcd, or they don't start.
    #[must_use]
    pub fn start() -> Self {
        let (store_port, store) = store();
        let (port, authority) = (free_port(), Authority::default());
        let folder = Process::folder("kubernetes");
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text).expect("room for a file");
            file.display().to_string()
        };
        let identity = authority.identity();
        let accounts = authority.identity();
        let tokens = format!("{ADMINISTRATOR},admin,admin,\"system:masters\"\n");
        let arguments = [
            format!("--etcd-servers=http://127.0.0.1:{store_port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!(
                "--tls-cert-file={}",
                write("chain.pem", &identity.certificate)
            ),
            format!("--tls-private-key-file={}", write("key.pem", &identity.key)),
            format!("--cert-dir={}", folder.display()),
            format!("--token-auth-file={}", write("tokens.csv", &tokens)),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!(
                "--service-account-key-file={}",
                write("accounts.pem", &accounts.certificate)
            ),
            format!(
                "--service-account-signing-key-file={}",
                write("accounts.key", &accounts.key)
            ),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        let process = Process::start(folder, &assets("kube-apiserver"), &arguments, &[]);
        let server = Self {
            port,
            certificate: authority.certificate(),
            _store: store,
            _server: process,
        };
        server._server.wait("the API server is ready", || {
            matches!(server.ask("GET", "/readyz", None), Ok((200, _)))
        });
        server
    }

    /// Its URL.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The authority of its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The token of somebody who may do everything.
    #[must_use]
    pub const fn token(&self) -> &'static str {
        ADMINISTRATOR
    }

    /// A call that must be answered well; a body is posted.
    ///
    /// # Panics
    ///
    /// It isn't.
    pub fn call(&self, path: &str, body: Option<&Json>) -> Json {
        let method = if body.is_some() { "POST" } else { "GET" };
        let (status, text) = self.ask(method, path, body).expect("an answer");
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {text}"
        );
        serde_json::from_str(&text).expect("JSON")
    }

    /// The status that a reading of this path is answered with.
    ///
    /// # Panics
    ///
    /// It isn't answered.
    pub fn status(&self, path: &str) -> u16 {
        self.ask("GET", path, None).expect("an answer").0
    }

    /// A new namespace; gives its name.
    pub fn namespace(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.call("/api/v1/namespaces", Some(&object));
        name
    }

    /// A new Secret.
    pub fn secret(&self, namespace: &str, name: &str, fields: &Json) {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": fields,
        });
        self.call(
            &format!("/api/v1/namespaces/{namespace}/secrets"),
            Some(&object),
        );
    }

    /// A new service account that these rules of a Role let do something in its namespace; gives a token of it.
    ///
    /// # Panics
    ///
    /// It isn't made.
    #[must_use]
    pub fn account(&self, namespace: &str, name: &str, rules: &Json) -> String {
        let place = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let object =
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        self.call(&place, Some(&object));
        let group = "rbac.authorization.k8s.io";
        let rights = format!("/apis/{group}/v1/namespaces/{namespace}");
        let role = json!({
            "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": { "name": name }, "rules": rules,
        });
        self.call(&format!("{rights}/roles"), Some(&role));
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": group, "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        });
        self.call(&format!("{rights}/rolebindings"), Some(&binding));
        let request =
            json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
        let answer = self.call(&format!("{place}/{name}/token"), Some(&request));
        let token = answer.pointer("/status/token").and_then(Json::as_str);
        token.expect("a token").to_owned()
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> std::io::Result<(u16, String)> {
        let mut connection = Connection::call(self.port, Some(&self.certificate))?;
        let request = Request {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: vec![
                (
                    "authorization".to_owned(),
                    format!("Bearer {ADMINISTRATOR}"),
                ),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: body
                .map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
        };
        let response = request.send(&mut connection, "127.0.0.1")?;
        Ok((
            response.status,
            String::from_utf8_lossy(&response.body).into_owned(),
        ))
    }
}

/// The store behind it, and its port.
fn store() -> (u16, Process) {
    let (port, peers) = (free_port(), free_port());
    let folder = Process::folder("etcd");
    let arguments = [
        format!("--data-dir={}", folder.join("data").display()),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=error".to_owned(),
        format!("--listen-client-urls=http://127.0.0.1:{port}"),
        format!("--advertise-client-urls=http://127.0.0.1:{port}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
    ];
    (
        port,
        Process::start(folder, &assets("etcd"), &arguments, &[]),
    )
}

/// The program in the folder that KUBEBUILDER_ASSETS names, else the one that `cargo xtask tools` made.
fn assets(name: &str) -> PathBuf {
    std::env::var_os("KUBEBUILDER_ASSETS").map_or_else(
        || program(&name.to_uppercase().replace('-', "_"), name),
        |folder| Path::new(&folder).join(name),
    )
}
