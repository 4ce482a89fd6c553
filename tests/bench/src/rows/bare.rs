//! A bare client: a process that connects, reads the history's rows and ends. Nothing that reads them can be quicker.

use tokio_postgres::{Config, NoTls};

use crate::failure::{Doing, Failure, Result};

/// The first argument that makes this program the bare client.
pub const WORD: &str = "read-history";

/// Reads the rows of `SOCKET DATABASE`.
pub fn read(arguments: &[String]) -> Result {
    let [socket, database] = arguments else {
        return Err(Failure::new(format!("usage: {WORD} SOCKET DATABASE")));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing("starting a runtime")?;
    runtime.block_on(async {
        let mut config = Config::new();
        config.host_path(socket).user("postgres").dbname(database);
        let (client, connection) = config.connect(NoTls).await.doing("connecting")?;
        tokio::spawn(connection);
        let rows = client
            .simple_query("SELECT name, sequence, state, checksum, revision, started, finished FROM whimbrel.migration")
            .await
            .doing("reading the history")?;
        println!("{}", rows.len());
        Ok(())
    })
}
