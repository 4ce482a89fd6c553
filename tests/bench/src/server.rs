//! `whimbrel serve` or `whimbrel operator`, started for a measurement, and the few requests that one needs.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::failure::{Doing, Failure, Result};
use crate::measure::processor_seconds;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is asked while something is waited for: what is measured is no more exact than that.
const PAUSE: Duration = Duration::from_millis(1);

/// What its webhooks are about.
const REPOSITORY: &str = "acme/shop";

/// What they are let in with.
const SECRET: &str = "a secret of the benchmarks alone";

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts one that looks at a repository's `main` once an hour, and waits until it listens.
    pub fn follow(program: &OsStr, folder: &Path, source: &str, url: &str) -> Result<Self> {
        let source = format!("{source}={url}@main");
        let arguments = ["--interval", "1h", "--source", &source];
        Self::listening("serve", program, folder, &arguments, &[])
    }

    /// The same, but webhooks are let in as well.
    pub fn start(program: &OsStr, folder: &Path, source: &str, url: &str) -> Result<Self> {
        let config = folder.join("source.yaml");
        let text = format!(
            "apiVersion: whimbrel.dev/v1alpha1\nkind: GitSource\nmetadata: {{ name: {source} }}\nspec:\n  \
             url: {url}\n  ref: main\n  interval: 1h\n  webhook:\n    repository: {REPOSITORY}\n    \
             with: {{ host: gitlab }}\n    secrets: [\"secret://env/BENCH_SECRET\"]\n"
        );
        std::fs::write(&config, text).doing("writing the source's document")?;
        let config = config.display().to_string();
        let variables = [("BENCH_SECRET", OsStr::new(SECRET))];
        Self::listening("serve", program, folder, &["--config", &config], &variables)
    }

    /// Starts an operator of the namespace that a kubeconfig names, and waits until it listens.
    pub fn operator(program: &OsStr, folder: &Path, config: &Path) -> Result<Self> {
        let variables = [("KUBECONFIG", config.as_os_str())];
        Self::listening("operator", program, folder, &[], &variables)
    }

    fn listening(
        word: &str,
        program: &OsStr,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &OsStr)],
    ) -> Result<Self> {
        let doing = format!("starting whimbrel {word}");
        let mut process = Command::new(program)
            .args([word, "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().copied())
            .env("WHIMBREL_CACHE", folder.join("cache"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing(doing)?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .doing(format!("reading where whimbrel {word} listens"))?;
        }
        let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let Some(address) = address else {
            // It is over already, or of no use.
            let _ = process.kill();
            return Err(Failure::new(format!(
                "whimbrel {word} doesn't say where it listens"
            )));
        };
        Ok(Self { process, address })
    }

    /// Asks it to end, as a supervisor does, and waits until it has: it gives back what it holds.
    pub fn end(mut self) -> Result {
        let doing = "ending what was started";
        if let Some(id) = i32::try_from(self.process.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(id, rustix::process::Signal::TERM).doing(doing)?;
        }
        self.process.wait().map(drop).doing(doing)
    }

    /// Sends one request on a connection of its own; gives the status and the body.
    pub fn request(&self, method: &str, path: &str) -> Result<(u16, String)> {
        self.send(method, path, &[], b"")
    }

    /// The same with headers and a body.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(u16, String)> {
        let doing = || format!("{method} {path}");
        let mut stream = TcpStream::connect(&self.address).doing(doing())?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).doing(doing())?;
        stream.write_all(body).doing(doing())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).doing(doing())?;
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        match (status, body) {
            (Some(status), Some(body)) => Ok((status, body.to_owned())),
            _ => Err(Failure::new(format!("{} got no answer", doing()))),
        }
    }

    /// Delivers that a branch was pushed, as GitLab does; gives how long the answer took.
    pub fn deliver(&self, source: &str, id: &str, commit: &str) -> Result<Duration> {
        let body = json!({
            "object_kind": "push", "ref": "refs/heads/main", "before": "1".repeat(40), "after": commit,
            "project": { "path_with_namespace": REPOSITORY },
        });
        let headers = [
            ("content-type", "application/json"),
            ("x-gitlab-event", "Push Hook"),
            ("x-gitlab-token", SECRET),
            ("x-gitlab-event-uuid", id),
        ];
        let begun = Instant::now();
        let path = format!("/hooks/{source}");
        let (status, body) = self.send("POST", &path, &headers, body.to_string().as_bytes())?;
        if status == 202 {
            return Ok(begun.elapsed());
        }
        Err(Failure::new(format!("a delivery: {status} {body}")))
    }

    /// How much memory it has, in bytes.
    pub fn memory(&self) -> Result<f64> {
        let text = self.standing("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        let none = || Failure::new("the kernel tells no memory".to_owned());
        Ok(size.ok_or_else(none)? * 1_024.0)
    }

    /// The processor time that it has used, in seconds.
    pub fn processor(&self) -> Result<f64> {
        Ok(processor_seconds(&self.standing("stat")?))
    }

    fn standing(&self, file: &str) -> Result<String> {
        let file = format!("/proc/{}/{file}", self.process.id());
        std::fs::read_to_string(&file).doing(format!("reading {file}"))
    }

    /// The value of the first sample that begins so, if there is one.
    pub fn metric(&self, sample: &str) -> Result<Option<f64>> {
        let (_, text) = self.request("GET", "/metrics")?;
        Ok(text.lines().find_map(|line| {
            let value = line.strip_prefix(sample)?.rsplit(' ').next()?;
            value.parse::<f64>().ok()
        }))
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until its metrics are as asked.
    pub fn wait_for_metrics(&self, are: impl Fn(&str) -> bool) -> Result {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let (status, text) = self.request("GET", "/metrics")?;
            if status == 200 && are(&text) {
                return Ok(());
            }
            std::thread::sleep(PAUSE * 100);
        }
        Err(Failure::new("its metrics never were as asked"))
    }

    /// Waits until the environment `dev` stands as asked.
    pub fn wait(&self, stands: impl Fn(&Json) -> bool) -> Result {
        self.wait_for("dev", stands)
    }

    /// Waits until an environment stands as asked.
    pub fn wait_for(&self, environment: &str, stands: impl Fn(&Json) -> bool) -> Result {
        let path = format!("/v1/environments/{environment}");
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < PATIENCE {
            let (status, body) = self.request("GET", &path)?;
            if status == 200 && serde_json::from_str(&body).is_ok_and(|view| stands(&view)) {
                return Ok(());
            }
            last = body;
            std::thread::sleep(PAUSE);
        }
        Err(Failure::new(format!("it never stood as asked: {last}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
