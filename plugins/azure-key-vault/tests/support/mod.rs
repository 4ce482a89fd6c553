//! The backend over scripted answers.

#![allow(dead_code, clippy::unwrap_used)]

pub use azure_key_vault::KeyVault;
pub use whimbrel_sdk::mock::call;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;

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

pub fn read(host: Host, config: Json) -> (Result<Secret, Fault>, Host) {
    call(host, config, |store: &KeyVault| {
        store.read(&Reference::new("db"))
    })
}

pub fn value(text: &str) -> Json {
    json!({ "value": text, "id": format!("https://shop.vault.azure.net/secrets/db/{ID}"),
        "attributes": { "enabled": true, "created": 1_493_938_410, "exp": 2_000_000_000_u64 } })
}
