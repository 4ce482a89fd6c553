//! The interfaces that this host knows: everything else is refused at load.

use std::fmt;

use serde::Serialize;

/// A world, known by what a component of it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Steps of migrations.
    MigrationStep,
    /// Secret stores.
    SecretStore,
    /// Webhooks of Git hosts.
    GitWebhook,
    /// Results on Git hosts.
    GitReporter,
    /// Rules over plans.
    PlanPolicy,
    /// Other tools' migrations.
    MigrationLayout,
    /// Resources for Terraform.
    ResourceProvider,
}

impl fmt::Display for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::MigrationStep => "migration-step",
            Self::SecretStore => "secret-store",
            Self::GitWebhook => "git-webhook",
            Self::GitReporter => "git-reporter",
            Self::PlanPolicy => "plan-policy",
            Self::MigrationLayout => "migration-layout",
            Self::ResourceProvider => "resource-provider",
        })
    }
}

/// The version of our packages that this host links.
const OURS: &str = "0.1";

/// The version of WASI that this host links.
const WASI: &str = "0.2";

/// What a plugin may import, by package: version, interfaces (all of them when none is named).
const IMPORTS: [(&str, &str, &[&str]); 13] = [
    ("whimbrel:types", OURS, &["types"]),
    ("whimbrel:observe", OURS, &["log", "metrics", "call"]),
    ("whimbrel:sql", OURS, &["database", "sources"]),
    (
        "whimbrel:ambient",
        OURS,
        &["clock", "random", "environment", "files"],
    ),
    ("whimbrel:http", OURS, &["client"]),
    ("whimbrel:secrets", OURS, &["session", "verify"]),
    ("whimbrel:resources", OURS, &["engine"]),
    ("wasi:io", WASI, &[]),
    ("wasi:cli", WASI, &[]),
    ("wasi:clocks", WASI, &[]),
    ("wasi:filesystem", WASI, &[]),
    ("wasi:random", WASI, &[]),
    ("wasi:sockets", WASI, &[]),
];

/// What a plugin may export.
const EXPORTS: [(&str, &str, World); 7] = [
    ("whimbrel:step", "step", World::MigrationStep),
    ("whimbrel:secrets", "backend", World::SecretStore),
    ("whimbrel:git", "webhook", World::GitWebhook),
    ("whimbrel:git", "reporter", World::GitReporter),
    ("whimbrel:policy", "policy", World::PlanPolicy),
    ("whimbrel:layout", "layout", World::MigrationLayout),
    ("whimbrel:resources", "provider", World::ResourceProvider),
];

/// Why an interface can't be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nobody knows it.
    Interface,
    /// It is known in another version only.
    Version {
        /// The one that the component was built for.
        built_for: String,
        /// The one that this host has.
        offered: &'static str,
    },
}

/// `package:name/interface@version` in its three parts.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (package, rest) = name.split_once('/')?;
    let (interface, version) = rest.split_once('@')?;
    Some((package, interface, version))
}

/// Whether a version is of a line: `0.1` has `0.1.0` and `0.1.7`.
fn is_of(version: &str, line: &str) -> bool {
    version
        .strip_prefix(line)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// Checks one import.
///
/// # Errors
/// It can't be linked.
pub fn check_import(name: &str) -> Result<(), Unknown> {
    let (package, interface, version) = parts(name).ok_or(Unknown::Interface)?;
    let (_, line, _) = IMPORTS
        .iter()
        .find(|(known, _, interfaces)| {
            *known == package && (interfaces.is_empty() || interfaces.contains(&interface))
        })
        .ok_or(Unknown::Interface)?;
    if is_of(version, line) {
        return Ok(());
    }
    Err(Unknown::Version {
        built_for: version.to_owned(),
        offered: line,
    })
}

/// The world that an export belongs to; none when it is none of ours.
///
/// # Errors
/// It is ours in another version.
pub fn world_of(name: &str) -> Result<Option<World>, Unknown> {
    let Some((package, interface, version)) = parts(name) else {
        return Ok(None);
    };
    let Some((_, _, world)) = EXPORTS
        .iter()
        .find(|(known, exported, _)| *known == package && *exported == interface)
    else {
        return Ok(None);
    };
    if is_of(version, OURS) {
        return Ok(Some(*world));
    }
    Err(Unknown::Version {
        built_for: version.to_owned(),
        offered: OURS,
    })
}

#[cfg(test)]
mod tests {
    use super::{Unknown, World, check_import, world_of};

    #[test]
    fn knows_its_own_and_wasi() {
        for name in [
            "whimbrel:sql/database@0.1.0",
            "whimbrel:observe/log@0.1.9",
            "wasi:io/streams@0.2.6",
        ] {
            assert_eq!(check_import(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for name in [
            "wasi:http/outgoing-handler@0.2.0",
            "whimbrel:sql/everything@0.1.0",
            "evil:raw/files@1.0.0",
            "plain",
            "whimbrel:sql/database",
        ] {
            assert_eq!(check_import(name), Err(Unknown::Interface), "{name}");
        }
        assert_eq!(
            check_import("whimbrel:sql/database@0.10.0"),
            Err(Unknown::Version {
                built_for: "0.10.0".to_owned(),
                offered: "0.1"
            })
        );
    }

    #[test]
    fn finds_the_world() {
        assert_eq!(
            world_of("whimbrel:step/step@0.1.0"),
            Ok(Some(World::MigrationStep))
        );
        assert_eq!(world_of("cabi_realloc"), Ok(None));
        assert_eq!(world_of("wasi:cli/run@0.2.0"), Ok(None));
        assert!(world_of("whimbrel:step/step@1.0.0").is_err());
        assert_eq!(World::PlanPolicy.to_string(), "plan-policy");
    }
}
