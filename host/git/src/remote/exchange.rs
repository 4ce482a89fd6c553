//! The one request of a fetch or a push, and its answer. Source: gitprotocol-pack(5).

use std::io::Write;
use std::time::Instant;

use git2::Oid;

use super::advertisement::Advertisement;
use super::connection::{Connection, Service};
use super::error::readable;
use super::pkt::{self, Line};
use super::watched::Watched;
use super::{Address, Limits, RemoteError};

const AGENT: &str = concat!("agent=whimbrel/", env!("CARGO_PKG_VERSION"));

/// Asks for objects, and writes the pack that comes.
///
/// Everything that is known is said at once and nothing is negotiated: a mirror has what the server had, so that the
/// server knows nearly all of it.
pub(super) fn fetch(
    connection: &mut dyn Connection,
    advertised: &Advertisement,
    wants: &[Oid],
    haves: &[Oid],
    limits: &Limits,
    until: Instant,
    pack: &mut dyn Write,
) -> Result<(), RemoteError> {
    if !advertised.can("side-band-64k") {
        return Err(RemoteError::protocol(
            "it is older than 2006 (no side-band-64k)",
        ));
    }
    let mut request = Vec::new();
    let mut capabilities = vec![" side-band-64k"];
    for capability in [" ofs-delta", " no-progress"] {
        if advertised.can(capability.trim()) {
            capabilities.push(capability);
        }
    }
    let mut first = format!("{} {AGENT}", capabilities.concat());
    for want in wants {
        pkt::write(&mut request, &format!("want {want}{first}\n"));
        first.clear();
    }
    pkt::flush(&mut request);
    for have in haves {
        pkt::write(&mut request, &format!("have {have}\n"));
    }
    pkt::write(&mut request, "done\n");
    let answer = connection.finish(Service::Fetch, request)?;
    let mut answer = Watched::new(answer, "the repository's pack", limits.pack, until);
    let mut any = false;
    loop {
        let data = match pkt::read(&mut answer)? {
            Some(Line::Data(data)) => data,
            Some(Line::Flush) if any => return Ok(()),
            Some(Line::Flush) => return Err(RemoteError::protocol("no pack came")),
            None => return Err(RemoteError::protocol("the pack is cut off")),
        };
        match data.split_first() {
            Some((1, bytes)) => {
                any = true;
                pack.write_all(bytes).map_err(|_| {
                    RemoteError::protocol("what it sent is no pack, or can't be kept")
                })?;
            }
            Some((2, _)) => {}
            Some((3, message)) => {
                return Err(RemoteError::said(&String::from_utf8_lossy(message)));
            }
            _ if data.starts_with(b"ACK ") || data.starts_with(b"NAK") => {}
            _ => {
                let text = String::from_utf8_lossy(&data);
                let message = text.strip_prefix("ERR ");
                return Err(message.map_or_else(
                    || RemoteError::protocol("the answer is no pack"),
                    RemoteError::said,
                ));
            }
        }
    }
}

/// Moves one ref at the server, if it is where it is expected.
pub(super) fn push(
    connection: &mut dyn Connection,
    advertised: &Advertisement,
    address: &Address,
    change: &Change<'_>,
    limits: &Limits,
    until: Instant,
) -> Result<(), RemoteError> {
    let rejected = |problem: &str| RemoteError::Rejected {
        address: address.clone(),
        reference: change.reference.to_owned(),
        problem: readable(problem),
    };
    if !advertised.can("report-status") {
        return Err(RemoteError::protocol(
            "it doesn't say whether it took a ref",
        ));
    }
    let Change {
        reference,
        before,
        after,
        pack,
    } = change;
    let before = before.unwrap_or(Oid::ZERO_SHA1);
    let mut request = Vec::new();
    pkt::write(
        &mut request,
        &format!("{before} {after} {reference}\0 report-status {AGENT}"),
    );
    pkt::flush(&mut request);
    request.extend_from_slice(pack);
    let answer = connection.finish(Service::Push, request)?;
    let mut answer = Watched::new(answer, "the answer to a push", limits.advertisement, until);
    let mut taken = false;
    while let Some(Line::Data(data)) = pkt::read(&mut answer)? {
        let text = String::from_utf8_lossy(&data);
        let text = text.trim_end();
        if let Some(problem) = text.strip_prefix("unpack ").filter(|said| *said != "ok") {
            return Err(rejected(problem));
        }
        if let Some(problem) = text
            .strip_prefix("ng ")
            .and_then(|said| said.strip_prefix(reference))
        {
            return Err(rejected(problem));
        }
        taken |= text.strip_prefix("ok ") == Some(reference);
    }
    if taken {
        Ok(())
    } else {
        Err(rejected("it doesn't say that it took it"))
    }
}

/// What is to happen to a ref at the server.
pub(super) struct Change<'a> {
    pub(super) reference: &'a str,
    pub(super) before: Option<Oid>,
    pub(super) after: Oid,
    /// The objects that the server may lack.
    pub(super) pack: Vec<u8>,
}
