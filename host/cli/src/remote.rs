//! What opens a repository elsewhere, as the surroundings of the program say it.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use whimbrel_git::{
    Access, HttpCredential, KnownHosts, Limits, Signers, SigningKey, SigningKeyError, SshKey,
    Verify,
};
use whimbrel_project::{Remote, RemoteLocation, Verification};
use whimbrel_signal::Scrubber;

use crate::arguments::{Signatures, VerifyCommits};
use crate::error::CliError;
use crate::exit::Exit;

/// A token for HTTPS.
const TOKEN: &str = "WHIMBREL_GIT_TOKEN";
/// A user's name for HTTPS, where the server wants a certain one with the password or token.
const USERNAME: &str = "WHIMBREL_GIT_USERNAME";
/// The password that belongs to it.
const PASSWORD: &str = "WHIMBREL_GIT_PASSWORD";
/// The file of a private key for SSH.
const KEY: &str = "WHIMBREL_GIT_SSH_KEY";
/// What the key is encrypted with.
const PASSPHRASE: &str = "WHIMBREL_GIT_SSH_PASSPHRASE";
/// The file of known hosts.
const KNOWN_HOSTS: &str = "WHIMBREL_GIT_KNOWN_HOSTS";
/// The file with certificates of authorities, in the place of this machine's.
const AUTHORITIES: &str = "WHIMBREL_GIT_CA_FILE";

/// A private key that promotion records are signed with.
const SIGNING_KEY: &str = "WHIMBREL_SIGNING_KEY";
/// What that key is encrypted with.
const SIGNING_PASSPHRASE: &str = "WHIMBREL_SIGNING_PASSPHRASE";

/// The largest file of a credential, in bytes: a bundle of all public authorities has a quarter of it.
const LARGEST: u64 = 1 << 20;

/// A repository elsewhere with its mirror in the user's cache.
pub(crate) fn remote(location: &RemoteLocation, scrubber: &Scrubber) -> Result<Remote, CliError> {
    let access = access(scrubber)?;
    Ok(mirrored(location, "", Limits::default())?.with_access(access))
}

/// The same without anything that opens it. Mirrors of different uses are kept apart.
pub(crate) fn mirrored(
    location: &RemoteLocation,
    used_for: &str,
    limits: Limits,
) -> Result<Remote, CliError> {
    let here = std::env::current_dir()
        .map_err(|error| CliError::failed(format!("the current folder is gone: {error}")))?;
    let cache = repositories().ok_or_else(|| {
        CliError::failed("there is no place to keep a mirror of the repository")
            .hint("set HOME, XDG_CACHE_HOME or WHIMBREL_CACHE to a folder that can be written")
    })?;
    let cache = cache.join(used_for);
    Ok(Remote::new(
        &cache,
        location,
        Access::default(),
        limits,
        here,
    ))
}

/// Which commits must be signed, and by whom.
pub(crate) fn verification(said: &Signatures) -> Result<Verification, CliError> {
    let file = |name: &str, file: Option<&PathBuf>| {
        file.map_or_else(|| Ok(String::new()), |file| read(name, file))
    };
    let signers = |ssh: &str, openpgp: &str| {
        Signers::parse(ssh, openpgp).map_err(|error| CliError::new(Exit::Usage, error))
    };
    let promotions = said
        .promotion_signers
        .as_ref()
        .map(|path| signers(&read("--promotion-signers", path)?, ""))
        .transpose()?;
    let policy = match said.which {
        VerifyCommits::None => {
            return Ok(Verification {
                promotions,
                ..Verification::default()
            });
        }
        VerifyCommits::Head => Verify::Head,
        VerifyCommits::EveryMigrationCommit => Verify::EveryMigrationCommit,
    };
    let ssh = file("--allowed-signers", said.allowed_signers.as_ref())?;
    let openpgp = file("--openpgp-keys", said.openpgp_keys.as_ref())?;
    if said.allowed_signers.is_none() && said.openpgp_keys.is_none() {
        return Err(
            CliError::usage("commits must be signed, and nobody's signature counts")
                .hint("`--allowed-signers FILE` or `--openpgp-keys FILE` says whose does"),
        );
    }
    Ok(Verification {
        policy,
        signers: signers(&ssh, &openpgp)?,
        since: said.verify_since.clone(),
        promotions,
    })
}

/// What signs promotion records; none where none is configured.
pub(crate) fn signing_key(scrubber: &Scrubber) -> Result<Option<SigningKey>, CliError> {
    let Some(key) = secret(SIGNING_KEY, scrubber)? else {
        return Ok(None);
    };
    let passphrase = secret(SIGNING_PASSPHRASE, scrubber)?;
    let read = SigningKey::parse(&key, passphrase.as_ref()).map_err(|error| {
        let hint = match &error {
            SigningKeyError::Encrypted | SigningKeyError::Passphrase => {
                format!("{SIGNING_PASSPHRASE} or {SIGNING_PASSPHRASE}_FILE gives it")
            }
            _ => format!(
                "`ssh-keygen -t ed25519` makes one; {SIGNING_KEY}_FILE names the file, {SIGNING_KEY} is the key itself"
            ),
        };
        CliError::usage(format!("{SIGNING_KEY}: {error}")).hint(hint)
    })?;
    Ok(Some(read))
}

/// Where mirrors are kept.
fn repositories() -> Option<PathBuf> {
    Some(cache_folder()?.join("repositories"))
}

/// Where what can be made again is kept.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("WHIMBREL_CACHE").or_else(|| {
        let cache =
            variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
        Some(cache.join("whimbrel"))
    })
}

/// What proves who asks. Each variable also exists with `_FILE` at its end, for what is mounted as a file.
fn access(scrubber: &Scrubber) -> Result<Access, CliError> {
    let username = variable(USERNAME)?;
    let http = match (
        secret(TOKEN, scrubber)?,
        secret(PASSWORD, scrubber)?,
        username,
    ) {
        (Some(_), Some(_), _) => {
            return Err(
                CliError::usage(format!("{TOKEN} and {PASSWORD} say two things"))
                    .hint("set one of them"),
            );
        }
        (Some(password), None, Some(username)) | (None, Some(password), Some(username)) => {
            Some(HttpCredential::Basic { username, password })
        }
        (Some(token), None, None) => Some(HttpCredential::Token(token)),
        (None, Some(_), None) => {
            return Err(CliError::usage(format!(
                "{PASSWORD} is set and {USERNAME} is not"
            )));
        }
        (None, None, _) => None,
    };
    let key = variable(KEY)?.map(|file| {
        let private = read(KEY, Path::new(&file))?;
        scrubber.register(&private);
        Ok::<_, CliError>(SshKey {
            private: private.into(),
            passphrase: secret(PASSPHRASE, scrubber)?,
        })
    });
    let authorities = variable(AUTHORITIES)?.map(|file| read(AUTHORITIES, Path::new(&file)));
    Ok(Access {
        http,
        key: key.transpose()?,
        authorities: authorities.transpose()?,
        known_hosts: variable(KNOWN_HOSTS)?
            .map_or(KnownHosts::Usual, |file| KnownHosts::File(file.into())),
    })
}

fn secret(name: &str, scrubber: &Scrubber) -> Result<Option<SecretString>, CliError> {
    let file = format!("{name}_FILE");
    let value = match (variable(name)?, variable(&file)?) {
        (Some(_), Some(_)) => {
            return Err(CliError::usage(format!("{name} and {file} say two things"))
                .hint("set one of them"));
        }
        (Some(value), None) => value,
        (None, Some(path)) => read(&file, Path::new(&path))?.trim_end().to_owned(),
        (None, None) => return Ok(None),
    };
    scrubber.register(&value);
    Ok(Some(value.into()))
}

fn variable(name: &str) -> Result<Option<String>, CliError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(CliError::usage(format!("the value of {name} is not UTF-8")))
        }
    }
}

fn read(name: &str, file: &Path) -> Result<String, CliError> {
    let wrong = |problem: String| {
        CliError::usage(format!(
            "{name} names {}, which can't be read: {problem}",
            file.display()
        ))
    };
    let size = std::fs::metadata(file)
        .map_err(|error| wrong(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(wrong("it is too large".to_owned()));
    }
    std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))
}
