//! What lies between a run and its server: a wire on which a COMMIT can be late, or its answer lost.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use whimbrel_database::Endpoint;

/// How PostgreSQL names its socket in a folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The codes of requests for encryption, which stand where a session's greeting stands.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// What happens, once, to a session that said a certain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next COMMIT reaches the server, whose answer is lost together with the connection.
    AnswerLost,
    /// The connection is lost before the next COMMIT, which reaches the server when it is let through.
    CommitLate,
    /// The same of everything that comes after the text, to the COMMIT.
    RestLate,
}

/// A wire that leads to a server.
pub struct Wire {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    text: String,
    fault: Fault,
    struck: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    let_through: bool,
    /// What the server said to the COMMIT.
    answer: Option<String>,
    /// The code of the first error that it said before that.
    refusal: Option<String>,
}

impl Wire {
    /// Leads to the server with its socket in a folder.
    pub fn to(server: &Path, text: &str, fault: Fault) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let shared = Arc::new(Shared {
            text: text.to_owned(),
            fault,
            struck: AtomicBool::default(),
            state: Mutex::default(),
            changed: Condvar::default(),
        });
        let (server, all) = (server.join(SOCKET), Arc::clone(&shared));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&server).unwrap());
                let shared = Arc::clone(&all);
                thread::spawn(move || shared.carry(client, server));
            }
        });
        Self { folder, shared }
    }

    /// The same database over this wire.
    pub fn lead(&self, endpoint: &Endpoint) -> Endpoint {
        let (database, folder) = (endpoint.database(), self.folder.path().display());
        let url = format!("postgres:///{database}?host={folder}&user=postgres");
        Endpoint::parse(&url, Path::new("/")).unwrap()
    }

    /// Lets through what was held back.
    pub fn let_through(&self) {
        self.shared.change(|state| state.let_through = true);
    }

    /// What lets through, for whoever can't have the wire.
    pub fn opener(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.change(|state| state.let_through = true)
    }

    /// What the server said to the COMMIT whose session was cut, once it said it.
    pub fn answer(&self) -> String {
        self.shared.wait(|state| state.answer.is_some());
        self.shared.state.lock().unwrap().answer.clone().unwrap()
    }

    /// The SQLSTATE with which the server refused what came before that COMMIT; none if it refused nothing.
    pub fn refusal(&self) -> Option<String> {
        self.answer();
        self.shared.state.lock().unwrap().refusal.clone()
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !until(state));
        assert!(!waited.unwrap().1.timed_out(), "it never came about");
    }

    /// Carries one session's messages both ways.
    fn carry(self: &Arc<Self>, mut client: UnixStream, mut server: UnixStream) {
        if greet(&mut client, &mut server).is_none() {
            return;
        }
        let cut = Arc::new(AtomicBool::default());
        let back = {
            let (shared, cut) = (Arc::clone(self), Arc::clone(&cut));
            let (server, client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || shared.carry_back(server, client, &cut))
        };
        let mut said = false;
        while let Some(message) = message(&mut client) {
            let says = contains(&message, self.text.as_bytes());
            let due = match self.fault {
                Fault::RestLate => said,
                _ => said && is_commit(&message),
            };
            said |= says;
            if !due || self.struck.swap(true, Ordering::SeqCst) {
                if server.write_all(&message).is_err() {
                    break;
                }
                continue;
            }
            cut.store(true, Ordering::SeqCst);
            self.strike(message, &mut client, &mut server);
            break;
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        back.join().unwrap();
    }

    fn strike(&self, first: Vec<u8>, client: &mut UnixStream, server: &mut UnixStream) {
        let mut rest = first.clone();
        let mut last = first;
        while !is_commit(&last) {
            last = message(client).expect("a COMMIT");
            rest.extend_from_slice(&last);
        }
        if self.fault != Fault::AnswerLost {
            client.shutdown(Shutdown::Both).unwrap();
            self.wait(|state| state.let_through);
        }
        // A session that was ended in the meantime takes nothing more.
        let _ = server.write_all(&rest);
        self.wait(|state| state.answer.is_some());
    }

    fn carry_back(&self, mut server: UnixStream, mut client: UnixStream, cut: &AtomicBool) {
        while let Some(message) = message(&mut server) {
            if !cut.load(Ordering::SeqCst) {
                // Who left hears nothing.
                let _ = client.write_all(&message);
                continue;
            }
            if let Some(code) = sqlstate(&message) {
                self.change(|state| {
                    state.refusal.get_or_insert(code);
                });
            }
            let answer = ["COMMIT", "ROLLBACK"]
                .into_iter()
                .find(|tag| message.first() == Some(&b'C') && contains(&message, tag.as_bytes()));
            if let Some(answer) = answer {
                self.change(|state| state.answer = Some(answer.to_owned()));
            }
        }
        if cut.load(Ordering::SeqCst) {
            self.change(|state| {
                state.answer.get_or_insert("nothing".to_owned());
            });
        }
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// Carries what a session begins with; encryption is declined.
fn greet(client: &mut UnixStream, server: &mut UnixStream) -> Option<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()? - 4];
        client.read_exact(&mut body).ok()?;
        let code = u32::from_be_bytes(body.get(..4)?.try_into().ok()?);
        if ENCRYPTION.contains(&code) {
            client.write_all(b"N").ok()?;
            continue;
        }
        server.write_all(&[&length[..], &body].concat()).ok()?;
        return Some(());
    }
}

/// The next message: its kind, its length, its body.
fn message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes(head.get(1..)?.try_into().ok()?);
    let mut whole = head.to_vec();
    whole.resize(usize::try_from(length).ok()? + 1, 0);
    stream.read_exact(whole.get_mut(5..)?).ok()?;
    Some(whole)
}

fn is_commit(message: &[u8]) -> bool {
    message.first() == Some(&b'Q') && contains(message, b"COMMIT\0")
}

/// The code of an error: its fields stand one after the other, each with a letter before it.
fn sqlstate(message: &[u8]) -> Option<String> {
    let fields = message
        .strip_prefix(b"E")?
        .get(4..)?
        .split(|byte| *byte == 0);
    let mut codes = fields.filter_map(|field| field.strip_prefix(b"C"));
    codes
        .next()
        .map(|code| String::from_utf8_lossy(code).into_owned())
}

fn contains(message: &[u8], text: &[u8]) -> bool {
    message.windows(text.len()).any(|window| window == text)
}
