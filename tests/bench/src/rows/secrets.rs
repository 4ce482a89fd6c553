//! What secrets cost: a hundred references, a log that is searched, and a store in the sandbox beside a native client.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use vaultrs::kv2;
use whimbrel_conformance::{Setup, component};
use whimbrel_core::environment::SecretReference;
use whimbrel_faulty_proxy::FaultyProxy;
use whimbrel_secrets::{Backend as _, Resolver};
use whimbrel_signal::Scrubber;
use whimbrel_vault_server::VaultServer;

use super::{Stage, ratio};
use crate::failure::{Doing, Failure, Result};
use crate::measure::{in_turns, of_thread};
use crate::report::Report;

/// References that are resolved at once, and the secrets that they are fields of.
const REFERENCES: usize = 100;
const SECRETS: usize = 10;
/// Readings by each side in a turn.
const READINGS: u32 = 200;
/// Turns of readings: a reading waits for threads of three programs on two processors, so that single turns tell little.
const READING_TURNS: usize = 21;
const TURNS: usize = 7;
/// Lines of a log, and secrets that it is searched for.
const LINES: usize = 50_000;
const LIVE: usize = 20;

/// Measures all three before a real OpenBao.
pub fn run(_: &Stage, report: &mut Report) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .doing("starting a runtime")?;
    report.suite("secrets");
    log(report)?;
    let kept = runtime.block_on(Kept::fill())?;
    runtime.block_on(references(&kept, report))?;
    let native = kept.server.client();
    let store = runtime.block_on(
        kept.setup(kept.server.address(), kept.server.certificate())
            .store("vault", component("vault")),
    );
    let one = kept.reference(0, 0)?;
    let (mut our_thread, mut their_thread) = (Duration::ZERO, Duration::ZERO);
    let (ours, theirs) = in_turns(
        || {
            let before = of_thread()?;
            let took = runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..READINGS {
                    store.read(&one).await.doing("reading by the plugin")?;
                }
                Ok(begun.elapsed())
            });
            our_thread += of_thread()?.saturating_sub(before);
            took
        },
        || {
            let before = of_thread()?;
            let took = runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..READINGS {
                    let read: HashMap<String, String> = kv2::read(&native, &kept.mount, "s0")
                        .await
                        .doing("reading natively")?;
                    if read.len() != REFERENCES / SECRETS {
                        return Err(Failure::new("the native client read something else"));
                    }
                }
                Ok(begun.elapsed())
            });
            their_thread += of_thread()?.saturating_sub(before);
            took
        },
        READING_TURNS,
    )?;
    let readings = f64::from(READINGS) * count(READING_TURNS);
    report.at_most(
        "read of a secret by the plugin `vault`",
        ratio(ours, theirs),
        "×",
        1.1,
        format!(
            "{:.0} µs against {:.0} µs of vaultrs in a native client, one after the other; {:.0} and {:.0} µs of it the processor \
             time of the thread that asks",
            micros(ours) / f64::from(READINGS),
            micros(theirs) / f64::from(READINGS),
            micros(our_thread) / readings,
            micros(their_thread) / readings
        ),
    );
    Ok(())
}

/// A server with secrets, and who may read them.
struct Kept {
    server: &'static VaultServer,
    mount: String,
    token: String,
}

impl Kept {
    async fn fill() -> Result<Self> {
        let server = VaultServer::shared().await;
        let mount = server.kv2().await;
        for secret in 0..SECRETS {
            let fields: HashMap<String, String> = (0..REFERENCES / SECRETS)
                .map(|field| {
                    (
                        format!("f{field}"),
                        format!("value {field} of secret {secret}"),
                    )
                })
                .collect();
            let name = format!("s{secret}");
            kv2::set(&server.client(), &mount, &name, &fields)
                .await
                .doing("keeping a secret")?;
        }
        Ok(Self {
            server,
            mount,
            token: server.root_token().to_owned(),
        })
    }

    fn reference(&self, secret: usize, field: usize) -> Result<SecretReference> {
        let text = format!("secret://vault/{}/s{secret}#f{field}", self.mount);
        text.parse().doing("a reference")
    }

    fn setup(&self, address: &str, certificate: Option<String>) -> Setup {
        Setup {
            with: json!({
                "address": address, "login": { "token": self.token },
                "mounts": { self.mount.clone(): "kv2" },
            }),
            grants: json!({
                "http": [{ "to": "config:/address", "ca": { "file": "ca" } }], "clock": true,
            }),
            files: BTreeMap::from([("ca".to_owned(), certificate.unwrap_or_default())]),
        }
    }
}

/// A hundred references at once: cold, each secret is read once for all; warm, nobody is asked.
async fn references(kept: &Kept, report: &mut Report) -> Result {
    let proxy = FaultyProxy::start(kept.server.address(), kept.server.certificate().as_deref());
    let setup = kept.setup(&proxy.address(), Some(proxy.certificate()));
    let store = setup.store("vault", component("vault")).await;
    let folder = std::env::temp_dir();
    let resolver =
        Resolver::new(&folder, Scrubber::default()).with_backend("vault", Arc::new(store));
    let reading = format!("/v1/{}/", kept.mount);
    for (name, most) in [("cold", SECRETS), ("warm", 0)] {
        proxy.forget();
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..REFERENCES {
            let reference = kept.reference(number % SECRETS, number / SECRETS)?;
            let resolver = resolver.clone();
            tasks.spawn(async move { resolver.resolve(&reference).await.map(|_| ()) });
        }
        while let Some(resolved) = tasks.join_next().await {
            resolved.doing("resolving")?.doing("resolving")?;
        }
        let took = begun.elapsed();
        let requests = proxy.requests_for(&reading);
        report.at_most(
            &format!("{REFERENCES} references to {SECRETS} secrets at once, {name}"),
            count(requests),
            "requests",
            count(most),
            format!("{:.1} ms", took.as_secs_f64() * 1e3),
        );
    }
    Ok(())
}

/// The same log, written as it is and through the scrubber.
fn log(report: &mut Report) -> Result {
    let scrubber = Scrubber::default();
    for number in 0..LIVE {
        scrubber.register(&format!("a live secret, number {number}, of 40 characters"));
    }
    let folder = tempfile::tempdir().doing("making a folder")?;
    let plain = folder.path().join("plain.log");
    let scrubbed = folder.path().join("scrubbed.log");
    let (ours, theirs) = in_turns(
        || {
            let file = File::create(&scrubbed).doing("making a log")?;
            write(scrubber.writer(file))
        },
        || write(File::create(&plain).doing("making a log")?),
        TURNS,
    )?;
    report.told(
        &format!("a log of {LINES} lines with {LIVE} live secrets"),
        ratio(ours, theirs),
        "×",
        format!(
            "{:.2} µs a line against {:.2} µs written as it is",
            micros(ours) / count(LINES),
            micros(theirs) / count(LINES)
        ),
    );
    Ok(())
}

/// Lines as a run says them.
fn write(mut log: impl Write) -> Result<Duration> {
    let begun = Instant::now();
    for number in 0..LINES {
        writeln!(
            log,
            "2026-07-01T12:00:00.{number:06}Z  INFO whimbrel_run::target: migration finished \
             target=shop migration=0042-orders direction=apply rows={number} milliseconds=17"
        )
        .doing("writing a log")?;
    }
    Ok(begun.elapsed())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Counts here are far below what a float can't hold.
#[allow(clippy::cast_precision_loss)]
const fn count(number: usize) -> f64 {
    number as f64
}
