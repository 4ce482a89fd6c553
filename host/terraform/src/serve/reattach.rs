//! What tells Terraform of a provider that runs already.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::ServeError;
use super::handshake::PROTOCOL;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Running<'a> {
    protocol: &'a str,
    protocol_version: u32,
    pid: u32,
    /// Terraform doesn't end it.
    test: bool,
    addr: Address<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Address<'a> {
    network: &'a str,
    string: &'a str,
}

/// Writes the value of `TF_REATTACH_PROVIDERS`.
pub(super) fn announce(
    mut out: impl Write,
    address: &str,
    socket: &Path,
) -> Result<(), ServeError> {
    let running = Running {
        protocol: "grpc",
        protocol_version: PROTOCOL,
        pid: std::process::id(),
        test: true,
        addr: Address {
            network: "unix",
            string: &socket.to_string_lossy(),
        },
    };
    let all = BTreeMap::from([(address, running)]);
    serde_json::to_writer(&mut out, &all)
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush())
        .map_err(ServeError::Announce)
}
