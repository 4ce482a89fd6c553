//! A step that imports every interface of every world, and calls the one that its configuration names.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package whimbrel:everything;
        world everything {
            import whimbrel:ambient/random@0.1.0;
            import whimbrel:ambient/environment@0.1.0;
            import whimbrel:ambient/files@0.1.0;
            import whimbrel:secrets/session@0.1.0;
            import whimbrel:secrets/verify@0.1.0;
            import whimbrel:resources/engine@0.1.0;
            export whimbrel:step/step@0.1.0;
        }
    ",
    generate_all,
});

use exports::whimbrel::step::step::{Fault, Guest, Outcome, Preview};
use whimbrel::ambient::{environment, files, random};
use whimbrel::resources::engine;
use whimbrel::secrets::{session, verify};

struct Everything;

fn call(name: &str) -> Result<String, Fault> {
    match name {
        "random" => Ok(format!("{:?}", random::bytes(8))),
        "environment" => Ok(format!("{:?}", environment::get("HOME"))),
        "files" => files::read("/etc/../etc/shadow").map(|bytes| format!("{bytes:?}")),
        "session.get" => Ok(format!("{:?}", session::get())),
        "session.put" => {
            session::put(b"login", &[], None);
            Ok(String::new())
        }
        "session.forget" => {
            session::forget();
            Ok(String::new())
        }
        "session.under" => {
            session::under("login", None);
            Ok(String::new())
        }
        "verify.hmac" => {
            let genuine = verify::hmac(verify::Key::Text, verify::Digest::Sha256, b"data", b"mac");
            Ok(format!("{genuine}"))
        }
        "verify.token" => Ok(format!("{}", verify::token(b"guess"))),
        "engine.plan" => engine::plan("{}"),
        "engine.apply" => engine::apply("{}"),
        "engine.revert" => engine::revert("{}"),
        "engine.status" => engine::status("{}"),
        _ => Ok(String::new()),
    }
}

impl Guest for Everything {
    fn describe() -> String {
        "{}".to_owned()
    }

    fn plan(config: String, _: String) -> Result<Preview, Fault> {
        let effect = call(config.trim_matches('"'))?;
        Ok(Preview {
            effects: vec![effect],
            reversible: false,
            details: String::new(),
        })
    }

    fn estimate(config: String) -> Result<String, Fault> {
        call(config.trim_matches('"'))
    }

    fn apply(config: String) -> Result<Outcome, Fault> {
        let summary = call(config.trim_matches('"'))?;
        Ok(Outcome {
            rows: 0,
            summary,
            undo: vec![],
            details: String::new(),
        })
    }

    fn revert(config: String, _: Vec<u8>) -> Result<Outcome, Fault> {
        Self::apply(config)
    }
}

export!(Everything);
