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

/// What gRPC says at the end of a call: its status, and its message with what isn't a letter in percent.
struct Said {
    status: String,
    message: String,
}

async fn call(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: &'static [u8]) -> Said {
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(body)))
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
    }
}

/// Asks a provider that runs already.
async fn asked(address: &str) {
    let stream = tokio::net::UnixStream::connect(address).await.unwrap();
    let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = shaken.await.unwrap();
    let connection = tokio::spawn(connection);
    // A message of no bytes, which is one of every kind.
    let empty = &[0; 5];
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
        let said = call(&mut sender, &path, b"\0\0\0\0\x02\xff\xff").await;
        let is_refused = !["0", UNIMPLEMENTED, ""].contains(&said.status.as_str());
        assert!(is_refused, "{name}: {} {}", said.status, said.message);
    }
    connection.abort();
}

#[test]
fn what_the_provider_does_not_do_is_unimplemented_by_name() {
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
    runtime
        .unwrap()
        .block_on(asked(told["Addr"]["String"].as_str().unwrap()));
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
