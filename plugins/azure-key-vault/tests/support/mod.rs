//! The backend over scripted answers.

#![allow(dead_code, clippy::unwrap_used)]

use azure_key_vault::KeyVault;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

pub const NOW: u64 = 1_800_000_000_000;
pub const ID: &str = "4387e9f3d6e14c459867679a90fd0f79";

pub fn given() -> Json {
    with(json!({ "token": "t-1" }))
}

pub fn with(credentials: Json) -> Json {
    json!({ "vault": "shop", "credentials": credentials })
}

pub fn host(answers: Answers) -> Host {
    Host::without_database()
        .with_answers(answers)
        .with_clock(NOW)
}

pub fn call<T>(
    host: Host,
    config: Json,
    action: impl FnOnce(&KeyVault) -> Result<T, Fault>,
) -> (Result<T, Fault>, Host) {
    host.run(|| {
        action(&KeyVault::configure(
            serde_json::from_value(config).unwrap(),
        )?)
    })
}

pub fn read(host: Host, config: Json) -> (Result<Secret, Fault>, Host) {
    call(host, config, |store| store.read(&Reference::new("db")))
}

pub fn value(text: &str) -> Json {
    json!({ "value": text, "id": format!("https://shop.vault.azure.net/secrets/db/{ID}"),
        "attributes": { "enabled": true, "created": 1_493_938_410, "exp": 2_000_000_000_u64 } })
}
