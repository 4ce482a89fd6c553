//! Git over HTTP: Git's own server program behind as much HTTP as it and its clients need.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Doing, Failure, Result};

/// The most bytes of a request: what is pushed here is small.
const MOST: u64 = 64 << 20;

/// A server of what is in a folder; it ends when this is dropped.
#[derive(Debug)]
pub struct GitServer {
    address: String,
    is_over: Arc<AtomicBool>,
}

/// A request as it came.
struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl GitServer {
    /// Serves the bare repositories of a folder to whoever asks, and takes pushes.
    pub fn start(root: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").doing("listening for Git")?;
        let address = listener
            .local_addr()
            .doing("listening for Git")?
            .to_string();
        let is_over = Arc::new(AtomicBool::new(false));
        let (root, over) = (root.to_owned(), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let root = root.clone();
                // Whoever asked sees that there is no answer.
                std::thread::spawn(move || answer(&stream, &root));
            }
        });
        Ok(Self { address, is_over })
    }

    /// The URL of a repository by its folder's name.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        let _ = TcpStream::connect(&self.address);
    }
}

/// Answers the requests of one connection until its client has none left.
fn answer(stream: &TcpStream, root: &Path) -> Result {
    let doing = "answering Git";
    stream.set_nodelay(true).doing(doing)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader, stream)? {
        let said = request.backend(root)?;
        let (head, body) = parted(&said).ok_or_else(|| Failure::new(doing))?;
        let mut status = "200 OK".to_owned();
        let mut lines = String::new();
        for line in head.lines() {
            match line.strip_prefix("Status: ") {
                Some(other) => other.clone_into(&mut status),
                None => lines.push_str(&format!("{line}\r\n")),
            }
        }
        let length = body.len();
        let mut out = stream;
        let head = format!("HTTP/1.1 {status}\r\n{lines}content-length: {length}\r\n\r\n");
        out.write_all(&[head.as_bytes(), body].concat())
            .doing(doing)?;
    }
    Ok(())
}

/// What a program of this kind says: a head and a body.
fn parted(said: &[u8]) -> Option<(&str, &[u8])> {
    let end = said.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = said.split_at_checked(end)?;
    Some((std::str::from_utf8(head).ok()?, body.get(4..)?))
}

impl Request {
    fn read(reader: &mut impl BufRead, mut stream: &TcpStream) -> Result<Option<Self>> {
        let doing = "reading a request of Git's";
        let Some(first) = line(reader)? else {
            return Ok(None);
        };
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next(), words.next());
        let mut headers = BTreeMap::new();
        while let Some(line) = line(reader)?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        if headers.contains_key("expect") {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            stream.write_all(go_on).doing(doing)?;
        }
        let mut body = Vec::new();
        if let Some(length) = headers.get("content-length") {
            let length: u64 = length.parse().doing(doing)?;
            let mut rest = reader.by_ref().take(length.min(MOST));
            rest.read_to_end(&mut body).doing(doing)?;
        } else if headers.contains_key("transfer-encoding") {
            chunks(reader, &mut body)?;
        }
        let none = || Failure::new(doing);
        Ok(Some(Self {
            method: method.ok_or_else(none)?,
            target: target.ok_or_else(none)?,
            headers,
            body,
        }))
    }

    /// What Git's own program answers.
    fn backend(&self, root: &Path) -> Result<Vec<u8>> {
        let doing = "running git http-backend";
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let header = |name: &str| self.headers.get(name).map_or("", String::as_str);
        let root: PathBuf = root.to_owned();
        let mut child = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", &self.method)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", self.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("REMOTE_USER", "bench")
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing(doing)?;
        if let Some(mut input) = child.stdin.take() {
            // It reads all of it before it says anything.
            input.write_all(&self.body).doing(doing)?;
        }
        Ok(child.wait_with_output().doing(doing)?.stdout)
    }
}

/// A line without its end; none where there is none.
fn line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut text = String::new();
    let read = reader.by_ref().take(MOST).read_line(&mut text);
    let count = read.doing("reading a request of Git's")?;
    Ok((count > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A body in chunks: what is pushed is more than Git keeps in memory.
fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result {
    let doing = "reading a chunk of Git's";
    while let Some(size) = line(reader)? {
        let size = u64::from_str_radix(&size, 16).doing(doing)?;
        if size > MOST {
            return Err(Failure::new(doing));
        }
        reader.by_ref().take(size).read_to_end(body).doing(doing)?;
        line(reader)?;
        if size == 0 {
            break;
        }
    }
    Ok(())
}
