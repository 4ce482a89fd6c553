//! The provider as whoever speaks Terraform's protocol meets it, call by call, without Terraform.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value as Json;

use crate::support::Project;

/// The calls of the protocol that are answered.
const ANSWERED: [&str; 15] = [
    "GetMetadata",
    "GetProviderSchema",
    "GetFunctions",
    "ValidateProviderConfig",
    "ConfigureProvider",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "UpgradeResourceState",
    "ReadResource",
    "PlanResourceChange",
    "ApplyResourceChange",
    "ImportResourceState",
    "ReadDataSource",
    "CallFunction",
    "StopProvider",
];

/// Those that aren't: of 6.8, of later minors, and one that there never was.
const UNKNOWN: [&str; 16] = [
    "MoveResourceState",
    "ValidateEphemeralResourceConfig",
    "OpenEphemeralResource",
    "RenewEphemeralResource",
    "CloseEphemeralResource",
    "GetResourceIdentitySchemas",
    "UpgradeResourceIdentity",
    "GenerateResourceConfig",
    "ValidateListResourceConfig",
    "ListResource",
    "ValidateActionConfig",
    "PlanAction",
    "InvokeAction",
    "ValidateStateStoreConfig",
    "ConfigureStateStore",
    "MakeCoffee",
];

const UNIMPLEMENTED: &str = "12";

/// What gRPC says at the end of a call: its status, its message with what isn't a letter in percent, and before that the answer.
struct Said {
    status: String,
    message: String,
    answer: Bytes,
}

type Sender = SendRequest<Full<Bytes>>;

async fn call(sender: &mut Sender, path: &str, body: impl Into<Bytes>) -> Said {
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body.into()))
        .unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    let first = response.headers().clone();
    let collected = response.into_body().collect().await.unwrap();
    let last = collected.trailers().cloned().unwrap_or_default();
    let said = |name: &str| {
        let of = |headers: &HeaderMap| Some(headers.get(name)?.to_str().unwrap().to_owned());
        of(&last).or_else(|| of(&first)).unwrap_or_default()
    };
    Said {
        status: said("grpc-status"),
        message: said("grpc-message"),
        answer: collected.to_bytes(),
    }
}

/// Asks a provider that runs already for every call.
async fn every_call(mut sender: Sender) {
    // A message of no bytes, which is one of every kind.
    let empty: &[u8] = &[0; 5];
    for name in UNKNOWN {
        let path = format!("/tfplugin6.Provider/{name}");
        let said = call(&mut sender, &path, empty).await;
        assert_eq!(said.status, UNIMPLEMENTED, "{name}");
        assert!(said.message.contains(name), "{name}: {}", said.message);
    }
    for path in [
        "/tfplugin5.Provider/GetSchema",
        "/plugin.GRPCController/Restart",
        "/",
    ] {
        assert_eq!(
            call(&mut sender, path, empty).await.status,
            UNIMPLEMENTED,
            "{path}"
        );
    }
    for name in ANSWERED {
        let path = format!("/tfplugin6.Provider/{name}");
        let said = call(&mut sender, &path, empty).await;
        assert_eq!(said.status, "0", "{name}: {}", said.message);
        // What is no message is refused, and nothing else happens to the connection or the process.
        let said = call(&mut sender, &path, &b"\0\0\0\0\x02\xff\xff"[..]).await;
        let is_refused = !["0", UNIMPLEMENTED, ""].contains(&said.status.as_str());
        assert!(is_refused, "{name}: {} {}", said.status, said.message);
    }
}

/// A field of a message: texts, bytes and messages alike.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let (low, high) = (length % 128, length / 128);
    let length = if high == 0 {
        vec![low as u8]
    } else {
        vec![low as u8 | 0x80, u8::try_from(high).unwrap()]
    };
    [vec![number << 3 | 2], length, content.to_vec()].concat()
}

/// Has a state of the present version read, as whoever knows it by its file alone does. Terraform leaves out itself what the
/// schema hasn't got.
async fn a_state_with_more(mut sender: Sender) {
    let state = br#"{"id":"a,dev","source":"a","environment":"dev","former":{"a":["gone"]}}"#;
    let request = [
        field(1, b"whimbrel_environment"),
        field(3, &field(1, state)),
    ]
    .concat();
    let length = u32::try_from(request.len()).unwrap().to_be_bytes();
    let request = [&[0][..], &length, &request].concat();
    let path = "/tfplugin6.Provider/UpgradeResourceState";
    let said = call(&mut sender, path, request).await;
    assert_eq!(said.status, "0", "{}", said.message);
    // Without a diagnostic, which would be another field behind the state.
    let shown = String::from_utf8_lossy(&said.answer);
    let (head, rest) = said.answer[5..].split_at(3);
    let length = usize::from(head[1] & 0x7f) + usize::from(head[2]) * 128;
    assert_eq!((head[0], length), (field(1, b"")[0], rest.len()), "{shown}");
    assert!(
        shown.contains("environment") && shown.contains("a,dev"),
        "{shown}"
    );
    assert!(
        !shown.contains("former") && !shown.contains("gone"),
        "{shown}"
    );
}

#[test]
fn what_the_provider_does_not_do_is_unimplemented_by_name() {
    with_a_provider(every_call);
}

#[test]
fn a_state_with_attributes_that_the_schema_lost_is_read_without_them() {
    with_a_provider(a_state_with_more);
}

/// Speaks to a provider that runs already, and ends it.
fn with_a_provider<F: Future<Output = ()>>(speaking: impl FnOnce(Sender) -> F) {
    let project = Project::empty();
    let address = "registry.terraform.io/whimbrel/whimbrel";
    let mut provider = project
        .command(&["terraform-provider", "--reattach", address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(provider.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let told: Json = serde_json::from_str(&line).unwrap();
    let told = &told[address];
    assert_eq!(
        (&told["Protocol"], &told["ProtocolVersion"]),
        (&"grpc".into(), &6.into())
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let address = told["Addr"]["String"].as_str().unwrap();
        let stream = tokio::net::UnixStream::connect(address).await.unwrap();
        let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = shaken.await.unwrap();
        let connection = tokio::spawn(connection);
        speaking(sender).await;
        connection.abort();
    });
    assert!(provider.try_wait().unwrap().is_none(), "it ended by itself");
    let pid = provider.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success() && provider.wait().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}
