//! A secret store that does whatever a secret store must not do, as the path that is asked for says; what it works with
//! stands in the reference's options.

mod deeds;
mod stain;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "whimbrel:plugin/secret-store",
    generate_all,
});

use std::cell::RefCell;

use exports::whimbrel::secrets::backend::{Fault, Guest, Lease, Reference, Renewal, Secret, Shape};
use serde_json::Value as Json;
use whimbrel::observe::log;
use whimbrel::types::types::{FaultClass, Retry};

thread_local! {
    static CONFIG: RefCell<Option<Json>> = const { RefCell::new(None) };
    static READS: RefCell<u32> = const { RefCell::new(0) };
}

struct Store;

/// What `configure` was given.
fn config() -> Json {
    CONFIG.with_borrow(|config| config.clone().expect("configure runs first"))
}

fn fault(class: FaultClass, code: &str, message: &str) -> Fault {
    Fault {
        class,
        code: code.to_owned(),
        message: message.to_owned(),
        pointer: None,
        hint: None,
        retry: Retry::Never,
    }
}

/// A secret with one field.
fn secret(value: impl Into<Vec<u8>>) -> Secret {
    Secret {
        fields: vec![("value".to_owned(), value.into())],
        version: None,
        expires: None,
        lease: None,
        details: String::new(),
    }
}

impl Guest for Store {
    fn schema() -> String {
        r#"{"type":"object","properties":{"address":{"type":"string"}}}"#.to_owned()
    }

    fn configure(config: String) -> Result<(), Fault> {
        std::panic::set_hook(Box::new(|information| {
            log::write(log::Level::Error, &information.to_string(), &[]);
        }));
        let config: Json = serde_json::from_str(&config).expect("JSON");
        if let Some(refusal) = config["refuse"].as_str() {
            return Err(fault(FaultClass::Invalid, "store.refused", refusal));
        }
        if config["loop"] == true {
            loop {
                std::hint::black_box(());
            }
        }
        let ask = config["ask"].clone();
        CONFIG.with_borrow_mut(|kept| *kept = Some(config));
        if ask.is_object() {
            // Whatever it hears, it takes the configuration.
            let heard = deeds::send(&ask).map_or(Json::Null, |response| response.status.into());
            CONFIG.with_borrow_mut(|kept| {
                if let Some(config) = kept {
                    config["heard"] = heard;
                }
            });
        }
        Ok(())
    }

    fn read(reference: Reference) -> Result<Secret, Fault> {
        READS.with_borrow_mut(|reads| *reads += 1);
        let options = serde_json::from_str(&reference.options).expect("options are JSON");
        deeds::read(&reference, &options)
    }

    fn describe(reference: Reference) -> Result<Shape, Fault> {
        let options: Json = serde_json::from_str(&reference.options).expect("options are JSON");
        let many = options["fields"].as_u64().unwrap_or(1);
        Ok(Shape {
            fields: (0..many).map(|index| format!("field{index}")).collect(),
            version: options["version"].as_str().map(str::to_owned),
            next_rotation: options["next"].as_u64(),
            ttl: options["ttl"].as_u64(),
            details: options["details"].as_str().unwrap_or_default().to_owned(),
        })
    }

    fn renew(lease: String, want: u64) -> Result<Renewal, Fault> {
        let renewed = |ttl| Lease {
            id: lease.clone(),
            renewable: true,
            ttl,
        };
        Ok(match lease.as_str() {
            "gone" => Renewal::Gone,
            "short" => Renewal::Truncated(renewed(want / 2)),
            "liar" => Renewal::Renewed(renewed(u64::MAX)),
            "nameless" => Renewal::Renewed(Lease {
                id: String::new(),
                ..renewed(1)
            }),
            _ => Renewal::Renewed(renewed(want)),
        })
    }

    fn revoke(lease: String) -> Result<(), Fault> {
        match lease.as_str() {
            "stuck" => Err(fault(FaultClass::Unavailable, "store.stuck", "not now")),
            _ => Ok(()),
        }
    }

    fn close() -> Result<(), Fault> {
        Ok(())
    }
}

export!(Store);
