//! Starts a private PostgreSQL server for whoever isn't Rust: prints the URL of its database `postgres` and goes on until
//! its standard input is closed, however that happens.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the URL is what it is for")]

use std::io::{Read, stdin};

use whimbrel_postgres_server::PostgresServer;

fn main() {
    let server = PostgresServer::start();
    println!("{}", server.url("postgres"));
    let mut rest = Vec::new();
    let _ = stdin().read_to_end(&mut rest);
}
