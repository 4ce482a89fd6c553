//! Which commits must be signed, as clap reads it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which commits must be signed, and by whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signatures {
    /// Which commits must be signed: None, Head, EveryMigrationCommit
    #[arg(
        long = "verify-commits",
        global = true,
        value_name = "WHICH",
        value_enum,
        ignore_case = true,
        default_value = "None",
        env = "WHIMBREL_VERIFY_COMMITS"
    )]
    pub(crate) which: VerifyCommits,
    /// Whose SSH signatures count: a file as `gpg.ssh.allowedSignersFile`
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WHIMBREL_ALLOWED_SIGNERS"
    )]
    pub(crate) allowed_signers: Option<PathBuf>,
    /// Whose OpenPGP signatures count: a file of armoured public keys
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WHIMBREL_OPENPGP_KEYS"
    )]
    pub(crate) openpgp_keys: Option<PathBuf>,
    /// A revision that is trusted as it is, with all before it
    #[arg(long, global = true, value_name = "REV", env = "WHIMBREL_VERIFY_SINCE")]
    pub(crate) verify_since: Option<String>,
    /// Whose promotion records count: a file as `gpg.ssh.allowedSignersFile`; where commits are verified, those whose
    /// commits count if absent
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WHIMBREL_PROMOTION_SIGNERS"
    )]
    pub(crate) promotion_signers: Option<PathBuf>,
}

/// Which commits must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum VerifyCommits {
    /// None
    None,
    /// The commit at hand
    Head,
    /// The commit at hand, and every one that changed a migration
    EveryMigrationCommit,
}
