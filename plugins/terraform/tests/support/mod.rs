//! The plugin over the SDK's mock host, driven as Terraform drives it.

#![allow(dead_code, clippy::unwrap_used)]

use terraform::Terraform;
use whimbrel_sdk::mock::Host;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, unknown};

/// What the engine was asked: the questions and their requests.
pub type Asked = Vec<(String, Json)>;

/// The provider with this configuration.
pub fn provider(config: Json) -> Terraform {
    Terraform::configure(config).unwrap()
}

/// The provider without any.
pub fn bare() -> Terraform {
    provider(json!({ "database": [] }))
}

/// An engine that answers everything alike.
pub fn answering(answer: Json) -> Host {
    Host::without_database().with_engine(move |_, _| Ok(answer.clone()))
}

/// An engine that refuses.
pub fn refusing(class: FaultClass) -> Host {
    let fault = Fault::new(class, "engine.test", "it can't be");
    Host::without_database().with_engine(move |_, _| Err(fault.clone()))
}

/// A configuration with more said, or less: null.
pub fn with(mut config: Json, more: Json) -> Json {
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// What Terraform proposes: of what the schema computes and the configuration leaves out, as it was, or unknown.
pub fn proposed(kind: &str, config: &Json, prior: Option<&Stored>) -> Json {
    let schema = Terraform::schema();
    let attributes = schema["resources"][kind]["attributes"].as_object().unwrap();
    let mut state = config.clone();
    for (name, attribute) in attributes {
        if state[name].is_null() {
            let is_computed = attribute["computed"] == true;
            let before = prior.map_or_else(unknown, |prior| prior.state[name].clone());
            state[name] = if is_computed { before } else { Json::Null };
        }
    }
    state
}

/// A plan, and what the engine was asked for it.
pub fn planned(
    kind: &str,
    prior: Option<&Stored>,
    config: &Json,
    host: Host,
) -> (Result<Planned, Vec<Fault>>, Asked) {
    let proposed = proposed(kind, config, prior);
    let (planned, host) = host.run(|| bare().plan(kind, prior, config, proposed));
    (planned, host.asked().to_vec())
}
