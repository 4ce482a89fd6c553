//! The server itself: started, initialized, unsealed, sealed.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use vaultrs::api::sys::requests::EnableEngineRequest;
use vaultrs::client::{Client as _, VaultClient, VaultClientSettingsBuilder};
use vaultrs::sys;
use whimbrel_test_server::{Authority, Process, free_port, program};

/// How long an unsealed server may take until it is active.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server, and who may do everything there.
#[derive(Debug)]
pub struct VaultServer {
    address: String,
    certificate: Option<PathBuf>,
    root_token: String,
    unseal_key: Option<String>,
    _process: Option<Process>,
}

impl VaultServer {
    /// The server of this process: the one of `VAULT_ADDR`, else one that whoever asks first starts.
    ///
    /// # Panics
    ///
    /// None can be had.
    pub async fn shared() -> &'static Self {
        static SERVER: OnceCell<VaultServer> = OnceCell::const_new();
        SERVER
            .get_or_init(|| async {
                match given() {
                    Some(server) => server,
                    None => Self::start().await,
                }
            })
            .await
    }

    /// An OpenBao of one's own, for tests that seal it or end it. It ends when the value is dropped.
    ///
    /// # Panics
    ///
    /// No OpenBao is installed, or it doesn't start.
    pub async fn start() -> Self {
        let folder = Process::folder("bao");
        let authority = Authority::default();
        let identity = authority.identity();
        let certificate = folder.join("ca.pem");
        let port = free_port();
        let configuration = format!(
            "storage \"inmem\" {{}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_cert_file = \"server.pem\"\n  \
             tls_key_file = \"server.key\"\n}}\n\
             api_addr = \"https://127.0.0.1:{port}\"\n\
             default_lease_ttl = \"1h\"\nmax_lease_ttl = \"24h\"\nlog_level = \"warn\"\n"
        );
        for (name, text) in [
            ("ca.pem", authority.certificate()),
            ("server.pem", identity.certificate),
            ("server.key", identity.key),
            ("configuration.hcl", configuration),
        ] {
            fs::write(folder.join(name), text).expect("a file");
        }
        let program = program("BAO_BIN", "bao");
        let arguments = ["server", "-config=configuration.hcl"];
        let process = Process::start(folder, &program, &arguments, &[]);
        process.wait("OpenBao listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let mut server = Self {
            address: format!("https://127.0.0.1:{port}"),
            certificate: Some(certificate),
            root_token: String::new(),
            unseal_key: None,
            _process: Some(process),
        };
        let begun = sys::start_initialization(&server.client(), 1, 1, None).await;
        let begun = begun.expect("initialization");
        server.root_token = begun.root_token;
        server.unseal_key = begun.keys.into_iter().next();
        server.unseal().await;
        server
    }

    /// Its URL, such as `https://127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The file with the authority that signed its certificate; none when the system's are to be trusted.
    #[must_use]
    pub fn certificate_file(&self) -> Option<&std::path::Path> {
        self.certificate.as_deref()
    }

    /// The authority that signed its certificate, in PEM.
    ///
    /// # Panics
    ///
    /// The file can't be read.
    #[must_use]
    pub fn certificate(&self) -> Option<String> {
        let file = self.certificate.as_ref()?;
        Some(fs::read_to_string(file).expect("a certificate"))
    }

    /// A token that may do everything.
    #[must_use]
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// An independent client that may do everything.
    #[must_use]
    pub fn client(&self) -> VaultClient {
        self.client_as(&self.root_token, None)
    }

    /// An independent client with another token, in a namespace if there is one.
    ///
    /// # Panics
    ///
    /// The client doesn't like the address.
    #[must_use]
    pub fn client_as(&self, token: &str, namespace: Option<&str>) -> VaultClient {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificates = self.certificate.iter();
        let mut settings = VaultClientSettingsBuilder::default();
        settings
            .address(&self.address)
            .ca_certs(
                certificates
                    .map(|file| file.display().to_string())
                    .collect(),
            )
            .token(token)
            .verify(true)
            .namespace(namespace.map(str::to_owned));
        VaultClient::new(settings.build().expect("settings")).expect("a client")
    }

    /// Any call that `vaultrs` has no function for: `POST` of a body, else `GET`. Gives the answer whole.
    ///
    /// # Errors
    ///
    /// The status code and the body of a refusal.
    ///
    /// # Panics
    ///
    /// No answer came.
    pub async fn call(&self, path: &str, body: Option<&Json>) -> Result<Json, (u16, String)> {
        let client = self.client();
        let http = &client.http().http;
        let url = format!("{}/v1/{path}", self.address);
        let request = match body {
            Some(body) => http.post(url).body(body.to_string()),
            None => http.get(url),
        };
        let answer = request.header("x-vault-token", &self.root_token).send();
        let answer = answer.await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        if status.is_success() {
            return Ok(serde_json::from_str(&text).unwrap_or_default());
        }
        Err((status.as_u16(), text))
    }

    /// A name that nobody else uses on this server.
    #[must_use]
    pub fn unique(prefix: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}-{}-{count}", std::process::id())
    }

    /// Mounts a new KV engine of version 1, and gives the mount's path.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn kv1(&self) -> String {
        self.kv("1").await
    }

    /// Mounts a new KV engine of version 2, and gives the mount's path.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn kv2(&self) -> String {
        let mount = self.kv("2").await;
        // It answers 400 for a moment, until it has made its own tables.
        let begun = Instant::now();
        while let Err((400, text)) = self.call(&format!("{mount}/config"), None).await {
            assert!(begun.elapsed() < ACTIVE_TIMEOUT, "{text}");
            sleep(Duration::from_millis(20)).await;
        }
        mount
    }

    async fn kv(&self, version: &str) -> String {
        let mount = Self::unique(&format!("kv{version}"));
        let options = HashMap::from([("version".to_owned(), version.to_owned())]);
        let mut request = EnableEngineRequest::builder();
        request.options(options);
        sys::mount::enable(&self.client(), &mount, "kv", Some(&mut request))
            .await
            .expect("a mount");
        mount
    }

    /// Makes a new namespace and gives its path; none on a Vault of the community edition, which has none.
    pub async fn namespace(&self) -> Option<String> {
        let name = Self::unique("team");
        let made = self
            .call(&format!("sys/namespaces/{name}"), Some(&Json::Null))
            .await;
        made.ok().map(|_| name)
    }

    /// Makes a policy of these rules in HCL, and gives its name.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn policy(&self, rules: &str) -> String {
        let name = Self::unique("policy");
        sys::policy::set(&self.client(), &name, rules)
            .await
            .expect("a policy");
        name
    }

    /// Seals it: from now on it answers 503.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn seal(&self) {
        sys::seal(&self.client()).await.expect("sealed");
    }

    /// Unseals it, and waits until it is active again.
    ///
    /// # Panics
    ///
    /// It isn't this process's own server, or refuses.
    pub async fn unseal(&self) {
        let key = self.unseal_key.clone().expect("a server of one's own");
        sys::unseal(&self.client(), Some(key), None, None)
            .await
            .expect("unsealed");
        let begun = Instant::now();
        while self.call("sys/health", None).await.is_err() {
            assert!(begun.elapsed() < ACTIVE_TIMEOUT, "it stays a standby");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The server that the tester names.
fn given() -> Option<VaultServer> {
    let address = env::var("VAULT_ADDR").ok()?;
    let certificate = env::var_os("VAULT_CACERT").map(PathBuf::from);
    assert!(
        certificate.is_some() || address.starts_with("http://"),
        "VAULT_CACERT beside VAULT_ADDR: the file with the authority of its certificate"
    );
    Some(VaultServer {
        address: address.trim_end_matches('/').to_owned(),
        certificate,
        root_token: env::var("VAULT_TOKEN").expect("VAULT_TOKEN beside VAULT_ADDR"),
        unseal_key: None,
        _process: None,
    })
}
