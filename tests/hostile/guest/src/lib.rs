//! A step that does whatever a step must not do, as its configuration `{"do": …}` says.
//!
//! It exports the world without the SDK's help, and carries no manifest: the tests add the ones that they need.

mod misdeeds;

use whimbrel_sdk::bindings::exports::whimbrel::step::step::{Guest, Outcome, Preview};
use whimbrel_sdk::prelude::{Json, json};
use whimbrel_sdk::{Fault, serde_json};

struct Hostile;

impl Guest for Hostile {
    fn describe() -> String {
        json!({ "summary": "Misbehaves", "dialects": [], "sources": false, "with": { "type": "object" } }).to_string()
    }

    fn plan(config: String, _: String) -> Result<Preview, Fault> {
        let outcome = misdeeds::commit(&serde_json::from_str(&config).unwrap())?;
        Ok(Preview {
            effects: vec![outcome.summary],
            reversible: false,
            details: outcome.details,
        })
    }

    fn estimate(config: String) -> Result<String, Fault> {
        misdeeds::commit(&serde_json::from_str(&config).unwrap()).map(|outcome| outcome.details)
    }

    fn apply(config: String) -> Result<Outcome, Fault> {
        std::panic::set_hook(Box::new(|information| {
            whimbrel_sdk::log::error(&information.to_string());
        }));
        let config: Json = serde_json::from_str(&config).unwrap();
        if let Some(query) = config["tell"].as_str() {
            misdeeds::tell(query)?;
        }
        // What a plan, which does the deeds too, may not do.
        if let Some(count) = config["measure"].as_u64() {
            misdeeds::measure(count);
        }
        if let Some(word) = config["flood"].as_str() {
            misdeeds::flood(word);
        }
        misdeeds::commit(&config)
    }

    fn revert(config: String, undo: Vec<u8>) -> Result<Outcome, Fault> {
        let mut outcome = misdeeds::commit(&serde_json::from_str::<Json>(&config).unwrap())?;
        outcome.undo = undo;
        Ok(outcome)
    }
}

whimbrel_sdk::bindings::export!(Hostile with_types_in whimbrel_sdk::bindings);
