//! `whimbrel schema`: JSON Schemas for editors.

use whimbrel_config::Kind;

use crate::arguments::{Schema, SchemaKind};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &Schema, output: &Output) -> Result<Exit, CliError> {
    let kind = match arguments.kind {
        SchemaKind::Project => Kind::Project,
        SchemaKind::Environment => Kind::Environment,
        SchemaKind::Migration => Kind::Migration,
        SchemaKind::GitSource => Kind::GitSource,
        SchemaKind::Approval => Kind::Approval,
        SchemaKind::Provider => Kind::Provider,
    };
    output.data(&format!("{:#}\n", whimbrel_config::schema(kind)));
    Ok(Exit::Success)
}
