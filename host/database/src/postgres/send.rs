//! One command and its answer, by the protocol that it asks for.

use futures::{StreamExt, TryStreamExt};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, SimpleQueryMessage, Statement};
use whimbrel_core::value::{RowSet, Value};

use super::parameter::Parameter;
use super::value::Column;
use crate::session::{Command, Done};

/// SQL as it stands; rows come back as text.
pub(super) async fn simple(client: &Client, sql: &str) -> Result<Done, Error> {
    let mut done = Done::default();
    let mut messages = std::pin::pin!(client.simple_query_raw(sql).await?);
    while let Some(message) = messages.next().await {
        match message? {
            SimpleQueryMessage::RowDescription(columns) => {
                done.rows = RowSet {
                    columns: columns
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect(),
                    rows: Vec::new(),
                };
            }
            SimpleQueryMessage::Row(row) => {
                let value = |index| {
                    Ok::<_, Error>(
                        row.try_get(index)?
                            .map_or(Value::Null, |text: &str| Value::Text(text.to_owned())),
                    )
                };
                done.rows
                    .rows
                    .push((0..row.len()).map(value).collect::<Result<_, _>>()?);
            }
            SimpleQueryMessage::CommandComplete(rows) => done.rows_affected = rows,
            _ => {}
        }
    }
    Ok(done)
}

/// One statement with parameters, prepared or not; rows come back typed.
pub(super) async fn typed(
    client: &Client,
    command: &Command,
    prepared: Option<&Statement>,
) -> Result<Done, Error> {
    let parameters: Vec<_> = command.parameters().iter().map(Parameter).collect();
    let stream = if let Some(statement) = prepared {
        client.query_raw(statement, &parameters).await?
    } else {
        let typed = parameters
            .iter()
            .map(|parameter| (parameter, Type::UNKNOWN));
        client.query_typed_raw(command.sql(), typed).await?
    };
    let mut stream = std::pin::pin!(stream);
    let mut rows = RowSet::default();
    while let Some(row) = stream.try_next().await? {
        if rows.columns.is_empty() {
            rows.columns = row
                .columns()
                .iter()
                .map(|column| column.name().to_owned())
                .collect();
        }
        let value = |index| Ok::<_, Error>(row.try_get::<_, Column>(index)?.0);
        rows.rows
            .push((0..row.len()).map(value).collect::<Result<_, _>>()?);
    }
    Ok(Done {
        rows_affected: stream.rows_affected().unwrap_or_default(),
        rows,
    })
}
