//! A real API server of Kubernetes over its store, both on this machine, and requests to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::config::AuthInfo;
use kube::core::params::ListParams;
use kube::{Api, Client, Config};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::failure::{Doing, Failure, Result};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// What it lets people in by. Of one word: whatever comes after a space is no part of it.
const TOKEN: &str = "a-token-of-the-benchmarks-alone";

/// What it lets the operator in by, whom it writes down.
const OPERATORS_TOKEN: &str = "a-token-of-the-operator-alone";

/// What the API server writes down: each request of the operator, once, when it comes.
const AUDIT: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
  - level: Metadata
    users: [operator]
  - level: None
";

/// A running API server with the product's kinds, and one namespace of it; both it and its store end when this is dropped.
pub struct Cluster {
    folder: TempDir,
    store: Child,
    server: Child,
    port: u16,
    namespace: String,
    client: Client,
    runtime: Runtime,
}

impl Cluster {
    /// Starts both, and defines the kinds as the product says.
    pub fn start(whimbrel: &OsStr) -> Result<Self> {
        let folder = tempfile::tempdir().doing("making a folder for the API server")?;
        let runtime = Runtime::new().doing("starting a runtime")?;
        let (store_port, peer_port, port) = (free_port()?, free_port()?, free_port()?);
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let accounts = rcgen::KeyPair::generate().doing("making a key")?;
        let files = [
            (
                "tokens.csv",
                format!(
                    "{TOKEN},admin,admin,system:masters\n{OPERATORS_TOKEN},operator,operator,system:masters\n"
                ),
            ),
            ("audit.yaml", AUDIT.to_owned()),
            ("accounts.key", accounts.serialize_pem()),
            ("accounts.pub", accounts.public_key_pem()),
        ];
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).doing(format!("writing {name}"))?;
        }
        let store = begin(
            "etcd",
            folder.path(),
            &[
                "--data-dir",
                &path("store"),
                "--log-level",
                "error",
                "--unsafe-no-fsync",
                "--listen-client-urls",
                &at(store_port),
                "--advertise-client-urls",
                &at(store_port),
                "--listen-peer-urls",
                &at(peer_port),
            ],
        )?;
        let server = begin(
            "kube-apiserver",
            folder.path(),
            &[
                "--etcd-servers",
                &at(store_port),
                "--bind-address",
                "127.0.0.1",
                "--secure-port",
                &port.to_string(),
                "--cert-dir",
                &path("tls"),
                "--token-auth-file",
                &path("tokens.csv"),
                "--authorization-mode",
                "RBAC",
                "--service-account-issuer",
                "https://kubernetes.default.svc",
                "--service-account-key-file",
                &path("accounts.pub"),
                "--service-account-signing-key-file",
                &path("accounts.key"),
                "--service-cluster-ip-range",
                "10.0.0.0/24",
                "--disable-admission-plugins",
                "ServiceAccount",
                "--endpoint-reconciler-type",
                "none",
                "--audit-policy-file",
                &path("audit.yaml"),
                "--audit-log-path",
                &path("audit.log"),
            ],
        )?;
        let client = runtime.block_on(async { client(port) })?;
        let cluster = Self {
            folder,
            store,
            server,
            port,
            namespace: "default".to_owned(),
            client,
            runtime,
        };
        cluster.wait("the API server starts", PATIENCE, |cluster| {
            Ok(cluster.read("/readyz").is_ok_and(|text| text == "ok"))
        })?;
        cluster.define(whimbrel)?;
        Ok(cluster)
    }

    fn define(&self, whimbrel: &OsStr) -> Result {
        let said = Command::new(whimbrel)
            .arg("crds")
            .output()
            .doing("running whimbrel crds")?;
        let said = String::from_utf8_lossy(&said.stdout);
        let definitions = said.split("---\n").filter(|text| !text.trim().is_empty());
        let of = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
        ));
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &of);
        for definition in definitions {
            let object: DynamicObject =
                serde_json::from_str(definition).doing("reading whimbrel crds")?;
            let name = object.metadata.name.clone().unwrap_or_default();
            let (how, change) = (parameters(), Patch::Apply(&object));
            self.runtime
                .block_on(api.patch(&name, &how, &change))
                .doing(format!("defining {name}"))?;
        }
        self.wait("the kinds are known", PATIENCE, |cluster| {
            Ok(["Environment", "Migration", "GitSource", "Approval"]
                .iter()
                .all(|kind| cluster.list(kind).is_ok()))
        })
    }

    /// Makes a namespace, and speaks of it from now on.
    pub fn enter(&mut self, name: &str) -> Result {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        let (how, change) = (parameters(), Patch::Apply(object));
        let made = self.runtime.block_on(api.patch(name, &how, &change));
        made.doing("making a namespace")?;
        name.clone_into(&mut self.namespace);
        Ok(())
    }

    /// A kubeconfig of the operator's, in a folder that goes with it.
    pub fn kubeconfig(&self) -> Result<PathBuf> {
        let file = self.folder.path().join(format!("{}.json", self.namespace));
        let server = format!("https://127.0.0.1:{}", self.port);
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{ "name": "bench", "cluster": { "server": server, "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "operator", "user": { "token": OPERATORS_TOKEN } }],
            "contexts": [{ "name": "bench",
                "context": { "cluster": "bench", "user": "operator", "namespace": self.namespace } }],
        });
        std::fs::write(&file, text.to_string()).doing("writing a kubeconfig")?;
        Ok(file)
    }

    /// Applies an object.
    pub fn apply(&self, kind: &str, name: &str, spec: &Json) -> Result {
        self.apply_all(kind, [(name.to_owned(), spec.clone())])
    }

    /// Applies objects, some at once.
    pub fn apply_all(
        &self,
        kind: &str,
        objects: impl IntoIterator<Item = (String, Json)>,
    ) -> Result {
        let api = self.of(kind);
        self.runtime.block_on(async {
            let requests = objects.into_iter().map(|(name, spec)| {
                let api = api.clone();
                async move {
                    let object = json!({ "apiVersion": "whimbrel.dev/v1alpha1", "kind": kind,
                        "metadata": { "name": name }, "spec": spec });
                    let applied = api
                        .patch(&name, &parameters(), &Patch::Apply(&object))
                        .await;
                    applied.map(|_| ()).doing(format!("applying {kind} {name}"))
                }
            });
            let mut done = futures::stream::iter(requests).buffer_unordered(AT_ONCE);
            while let Some(one) = done.next().await {
                one?;
            }
            Ok(())
        })
    }

    /// Asks for a look at an environment.
    pub fn request(&self, name: &str, at: &str) -> Result {
        let change = json!({ "metadata": { "annotations": { "whimbrel.dev/requestedAt": at } } });
        let api = self.of("Environment");
        let how = PatchParams::default();
        self.runtime
            .block_on(api.patch(name, &how, &Patch::Merge(&change)))
            .map(|_| ())
            .doing("asking for a look")
    }

    /// The status of an object.
    pub fn status(&self, kind: &str, name: &str) -> Result<Json> {
        let object = self
            .runtime
            .block_on(self.of(kind).get(name))
            .doing(format!("reading {kind} {name}"))?;
        Ok(object.data.get("status").cloned().unwrap_or_default())
    }

    /// All objects of a kind.
    pub fn list(&self, kind: &str) -> Result<Vec<DynamicObject>> {
        let listed = self
            .runtime
            .block_on(self.of(kind).list(&ListParams::default()));
        Ok(listed.doing(format!("listing {kind}"))?.items)
    }

    /// How many requests of the operator have come so far, of every kind.
    pub fn requests(&self) -> Result<usize> {
        let file = self.folder.path().join("audit.log");
        let text = std::fs::read_to_string(file).doing("reading what was asked")?;
        Ok(text.lines().count())
    }

    /// Waits until something holds.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        holds: impl Fn(&Self) -> Result<bool>,
    ) -> Result {
        let begun = Instant::now();
        while !holds(self)? {
            if begun.elapsed() > within {
                return Err(Failure::new(format!("still waiting for: {what}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn read(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path)
            .body(Vec::new())
            .doing("asking the API server")?;
        self.runtime
            .block_on(self.client.request_text(request))
            .doing(format!("reading {path}"))
    }

    fn of(&self, kind: &str) -> Api<DynamicObject> {
        let of = ApiResource::from_gvk(&GroupVersionKind::gvk("whimbrel.dev", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &of)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in [&mut self.server, &mut self.store] {
            // It may be over already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn parameters() -> PatchParams {
    PatchParams::apply("bench").force()
}

fn client(port: u16) -> Result<Client> {
    let address = format!("https://127.0.0.1:{port}")
        .parse()
        .doing("the API server's address")?;
    let mut config = Config::new(address);
    // It has made its certificate for itself a moment ago.
    config.accept_invalid_certs = true;
    config.auth_info = AuthInfo {
        token: Some(TOKEN.to_owned().into()),
        ..AuthInfo::default()
    };
    Client::try_from(config).doing("making a client of the API server")
}

fn begin(name: &str, folder: &Path, arguments: &[&str]) -> Result<Child> {
    let programs = std::env::var_os("KUBEBUILDER_ASSETS")
        .map(PathBuf::from)
        .unwrap_or_default();
    let log = std::fs::File::create(folder.join(format!("{name}.log"))).doing("making a log")?;
    Command::new(programs.join(name))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .doing(format!("starting {name}; `cargo xtask tools` installs it"))
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).doing("looking for a port")?;
    Ok(listener.local_addr().doing("looking for a port")?.port())
}
