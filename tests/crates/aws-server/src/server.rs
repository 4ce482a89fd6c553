//! The server itself, and who may do everything there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value as Json, json};
use whimbrel_test_server::{Connection, Process, Request, free_port, program};

/// The region that everything is in.
pub const REGION: &str = "eu-central-1";

/// How many calls of the start go unchecked: those that make the first user.
const UNCHECKED: &str = "3";

/// Asks AWS as its own client does.
const CALL: &str = include_str!("call.py");

/// Who may do everything.
const ADMINISTRATOR: &str = "administrator";

/// Credentials of AWS.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The token that goes with temporary ones.
    pub session_token: Option<String>,
}

/// A running server.
#[derive(Debug)]
pub struct AwsServer {
    port: u16,
    caller: Mutex<Caller>,
    administrator: Credentials,
    _process: Process,
}

impl AwsServer {
    /// The server of this process, started by whoever asks first.
    ///
    /// # Panics
    ///
    /// No moto is installed, or it doesn't start.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<AwsServer> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// A server of one's own. It ends when the value is dropped.
    ///
    /// # Panics
    ///
    /// No moto is installed, or it doesn't start.
    #[must_use]
    pub fn start() -> Self {
        let moto = program("MOTO_SERVER", "moto_server");
        let moto = moto.canonicalize().expect("a program");
        // The interpreter beside it has boto3; not its canonical path, which would leave the environment.
        let python = moto.with_file_name("python");
        let port = free_port();
        let text = port.to_string();
        let arguments = ["-H", "127.0.0.1", "-p", &text];
        let variables = [("INITIAL_NO_AUTH_ACTION_COUNT", UNCHECKED)];
        let process = Process::start(Process::folder("moto"), &moto, &arguments, &variables);
        process.wait("moto answers", || answers(port));
        let mut server = Self {
            port,
            caller: Mutex::new(Caller::start(&python)),
            administrator: Credentials {
                access_key_id: "unchecked".to_owned(),
                secret_access_key: "unchecked".to_owned(),
                session_token: None,
            },
            _process: process,
        };
        server.administrator = server.user(ADMINISTRATOR, "*");
        server
    }

    /// Its URL, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Who may do everything.
    #[must_use]
    pub const fn administrator(&self) -> &Credentials {
        &self.administrator
    }

    /// Makes a user who may do this, such as `secretsmanager:GetSecretValue` or `*`, and gives an access key of theirs.
    ///
    /// # Panics
    ///
    /// The server refuses.
    #[must_use]
    pub fn user(&self, name: &str, action: &str) -> Credentials {
        let policy = policy(action);
        self.call("iam", "create_user", &json!({ "UserName": name }));
        self.call(
            "iam",
            "put_user_policy",
            &json!({ "UserName": name, "PolicyName": "all", "PolicyDocument": policy }),
        );
        let made = self.call("iam", "create_access_key", &json!({ "UserName": name }));
        let text = |name: &str| {
            let text = made
                .pointer(&format!("/AccessKey/{name}"))
                .and_then(Json::as_str);
            text.expect("a key").to_owned()
        };
        Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: None,
        }
    }

    /// Makes a role that anybody may assume and that may do this, and gives its ARN.
    ///
    /// # Panics
    ///
    /// The server refuses.
    #[must_use]
    pub fn role(&self, name: &str, action: &str) -> String {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Federated": "*", "AWS": "*" },
                "Action": ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"],
            }],
        });
        let made = self.call(
            "iam",
            "create_role",
            &json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() }),
        );
        self.call(
            "iam",
            "put_role_policy",
            &json!({ "RoleName": name, "PolicyName": "all", "PolicyDocument": policy(action) }),
        );
        let arn = made.pointer("/Role/Arn").and_then(Json::as_str);
        arn.expect("a role").to_owned()
    }

    /// Makes a role that may do this, assumes it, and gives its ARN and what a workload that has it is given.
    ///
    /// # Panics
    ///
    /// The server refuses.
    #[must_use]
    pub fn assumed(&self, name: &str, action: &str) -> (String, Credentials) {
        let role = self.role(name, action);
        let assume = json!({ "RoleArn": role, "RoleSessionName": "workload" });
        let assumed = self.call("sts", "assume_role", &assume);
        let text = |name: &str| {
            let text = assumed.pointer(&format!("/Credentials/{name}"));
            text.and_then(Json::as_str).expect("credentials").to_owned()
        };
        let credentials = Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: Some(text("SessionToken")),
        };
        (role, credentials)
    }

    /// Calls an operation as the administrator, by boto3's names; bytes are `{"base64": …}`. Gives the answer.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn call(&self, service: &str, operation: &str, parameters: &Json) -> Json {
        self.call_as(&self.administrator, service, operation, parameters)
            .unwrap_or_else(|error| panic!("{service}.{operation}: {error}"))
    }

    /// The same with other credentials.
    ///
    /// # Errors
    ///
    /// What the server refuses with: `Code` and `Message`.
    ///
    /// # Panics
    ///
    /// boto3 can't be run.
    pub fn call_as(
        &self,
        credentials: &Credentials,
        service: &str,
        operation: &str,
        parameters: &Json,
    ) -> Result<Json, Json> {
        let asked = json!({
            "endpoint": self.endpoint(),
            "region": REGION,
            "credentials": {
                "access_key_id": credentials.access_key_id,
                "secret_access_key": credentials.secret_access_key,
                "session_token": credentials.session_token,
            },
            "service": service,
            "operation": operation,
            "parameters": parameters,
        });
        let answer = self
            .caller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .call(&asked);
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer.get("answer").cloned().unwrap_or_default()),
        }
    }

    /// Lets so many calls from now on pass without a signature: moto wants one even of `AssumeRoleWithWebIdentity`, which
    /// has none. It counts everybody's calls, so only on a server of one's own.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn leave_unchecked(&self, calls: u32) {
        let request = Request {
            method: "POST".to_owned(),
            target: "/moto-api/reset-auth".to_owned(),
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: calls.to_string().into_bytes(),
        };
        let mut connection = Connection::call(self.port, None).expect("a connection");
        let answer = request.send(&mut connection, "localhost");
        assert_eq!(answer.expect("an answer").status, 200);
    }

    /// A name that nobody else uses on this server.
    #[must_use]
    pub fn unique(prefix: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// boto3, in a process that ends with its standard input.
#[derive(Debug)]
struct Caller {
    _process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Caller {
    fn start(python: &Path) -> Self {
        let mut child = Command::new(python)
            .args(["-c", CALL])
            .env_remove("AWS_PROFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        Self {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            _process: child,
        }
    }

    fn call(&mut self, asked: &Json) -> Json {
        writeln!(self.input, "{asked}").expect("a pipe");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("a pipe");
        serde_json::from_str(&answer).expect("boto3's answer")
    }
}

fn policy(action: &str) -> String {
    let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// Whether moto's own page is there; calls of AWS would be counted.
fn answers(port: u16) -> bool {
    let request = Request {
        method: "GET".to_owned(),
        target: "/moto-api/".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let Ok(mut connection) = Connection::call(port, None) else {
        return false;
    };
    let answer = request.send(&mut connection, "localhost");
    answer.is_ok_and(|answer| answer.status == 200)
}
