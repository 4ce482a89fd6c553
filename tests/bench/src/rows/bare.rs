//! A bare client: a process that connects, reads the history's rows and ends. Nothing that reads them can be quicker.

use rusqlite::{Connection, OpenFlags};
use tokio_postgres::{Config, NoTls};

use crate::failure::{Doing, Failure, Result};

/// The first argument that makes this program the bare client.
pub const WORD: &str = "read-history";

const COLUMNS: &str = "name, sequence, state, checksum, revision, started, finished";

/// Reads the rows of `postgres SOCKET DATABASE` or `sqlite FILE`.
pub fn read(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rows = match words.as_slice() {
        ["postgres", socket, database] => postgres(socket, database)?,
        ["sqlite", file] => sqlite(file)?,
        _ => {
            let usage = format!("usage: {WORD} postgres SOCKET DATABASE | sqlite FILE");
            return Err(Failure::new(usage));
        }
    };
    println!("{rows}");
    Ok(())
}

fn postgres(socket: &str, database: &str) -> Result<usize> {
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
            .simple_query(&format!("SELECT {COLUMNS} FROM whimbrel.migration"))
            .await
            .doing("reading the history")?;
        Ok(rows.len())
    })
}

fn sqlite(file: &str) -> Result<usize> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(file, flags).doing("opening the file")?;
    let sql = format!("SELECT {COLUMNS} FROM whimbrel_migration");
    let mut statement = connection.prepare(&sql).doing("reading the history")?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).doing("reading the history")?;
    let mut read = 0;
    while let Some(row) = rows.next().doing("reading the history")? {
        for column in 0..columns {
            row.get_ref(column).doing("reading a value")?;
        }
        read += 1;
    }
    Ok(read)
}
