//! `whimbrel serve`, started for a measurement, and the few requests that one needs.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::failure::{Doing, Failure, Result};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is asked while something is waited for: what is measured is no more exact than that.
const PAUSE: Duration = Duration::from_millis(1);

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts one that looks at its source only when somebody rings, and waits until it listens.
    pub fn start(program: &OsStr, folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--interval", "1h"])
            .args(arguments)
            .env("WHIMBREL_CACHE", folder.join("cache"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("starting whimbrel serve")?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .doing("reading where whimbrel serve listens")?;
        }
        let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let Some(address) = address else {
            // It is over already, or of no use.
            let _ = process.kill();
            return Err(Failure::new(
                "whimbrel serve doesn't say where it listens".to_owned(),
            ));
        };
        Ok(Self { process, address })
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

    /// Rings the bell of a source.
    pub fn ring(&self, source: &str) -> Result {
        let (status, body) = self.request("POST", &format!("/v1/sources/{source}/sync"))?;
        if status == 202 {
            return Ok(());
        }
        Err(Failure::new(format!("the bell: {status} {body}")))
    }

    /// Waits until the environment `dev` stands as asked.
    pub fn wait(&self, stands: impl Fn(&Json) -> bool) -> Result {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < PATIENCE {
            let (status, body) = self.request("GET", "/v1/environments/dev")?;
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
