//! The proxy for whoever isn't Rust. Arguments: the URL of the server behind, and the file with its authority, if any.
//!
//! Prints `{"address": …, "certificate": …}`. Then each line of standard input is a command, answered with a line: a rule
//! (see the library) injects it, `"mend"` forgets the rules, `"forget"` what was asked, `"seen"` says what was asked. Ends
//! when its standard input is closed, however that happens.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program of tests, whose answers are its output"
)]

use std::env::args;
use std::fs::read_to_string;
use std::io::stdin;

use serde_json::{Value as Json, json};
use whimbrel_faulty_proxy::FaultyProxy;

fn main() {
    let mut arguments = args().skip(1);
    let upstream = arguments.next().expect("the URL of the server behind");
    let trusted = arguments.next();
    let trusted = trusted.map(|file| read_to_string(file).expect("an authority"));
    let proxy = FaultyProxy::start(&upstream, trusted.as_deref());
    println!(
        "{}",
        json!({ "address": proxy.address(), "certificate": proxy.certificate() })
    );
    for line in stdin().lines().map_while(Result::ok) {
        println!("{}", obey(&proxy, &line));
    }
}

fn obey(proxy: &FaultyProxy, line: &str) -> Json {
    let command: Json = match serde_json::from_str(line) {
        Ok(command) => command,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    match command.as_str() {
        Some("mend") => proxy.mend(),
        Some("forget") => proxy.forget(),
        Some("seen") => return json!(proxy.seen()),
        Some(_) => return json!({ "error": "unknown command" }),
        None => match serde_json::from_value(command) {
            Ok(rule) => proxy.inject(rule),
            Err(error) => return json!({ "error": error.to_string() }),
        },
    }
    json!({})
}
