//! The arguments of `whimbrel schema`.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The kind of document
    pub(crate) kind: SchemaKind,
}

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// whimbrel.yaml
    Project,
    /// An environment
    Environment,
    /// A migration
    Migration,
    /// A source of `whimbrel serve --config`
    #[value(name = "gitsource")]
    GitSource,
    /// An approval, for the operator
    Approval,
    /// The plugins of the provider of Terraform
    Provider,
}
