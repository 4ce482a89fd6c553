//! The arguments of `whimbrel serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use whimbrel_core::environment::SecretReferenceError;
use whimbrel_core::name::{NameError, ProjectName};
use whimbrel_core::suggestion::nearest;
use whimbrel_server::{Access, Grants, Listen, Token};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen, ADDRESS:PORT or unix:PATH; may be given again
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "127.0.0.1:8731",
        env = "WHIMBREL_LISTEN",
        value_delimiter = ','
    )]
    pub(crate) listen: Vec<Listen>,
    /// A project to keep, NAME=DIR[@REF] or NAME=GIT-URL[@REF], instead of the one that `--project` names; may be given again
    #[arg(long = "source", value_name = "NAME=PROJECT", value_parser = source)]
    pub(crate) sources: Vec<(String, String)>,
    /// A file with documents of the kind `GitSource`, besides or instead of the projects above; may be given again
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) configs: Vec<PathBuf>,
    /// The document of an environment of no source, [PROJECT=]FILE: clients write its migrations, which belong to this project,
    /// `terraform` if absent; may be given again
    #[arg(long = "written", value_name = "FILE", value_parser = written)]
    pub(crate) written: Vec<(ProjectName, PathBuf)>,
    /// Who may ask what: [NAME=]secret://BACKEND/PATH[#KEY], with `,read` at its end for who may only look, `,write` for who may
    /// write migrations as well, `,parameters` and `,databases` for who may say these in place of an environment; may be given
    /// again
    #[arg(long = "token", value_name = "TOKEN", value_parser = token)]
    pub(crate) tokens: Vec<Token>,
    /// The server's certificate with its chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Who signs the certificates of clients, in PEM: whoever shows one may do everything
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_client_authority: Option<PathBuf>,
    /// How often to look at the source when nothing rings before, such as `60s`
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) interval: Option<Duration>,
    /// How often databases are compared with what was applied to them and their checks run again, such as `10m`; `0s` for never
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) drift_interval: Option<Duration>,
    /// How long a statement in flight may go on after SIGTERM
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) grace: Option<Duration>,
}

fn source(text: &str) -> Result<(String, String), &'static str> {
    let is_named = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.bytes().all(is_plain)
    };
    match text.split_once('=') {
        Some((name, place)) if is_named(name) && !place.is_empty() => {
            Ok((name.to_owned(), place.to_owned()))
        }
        _ => Err("expected NAME=DIR or NAME=DIR@REF; a name has letters, digits, `-`, `_` and `.`"),
    }
}

/// What migrations belong to that clients write.
const WRITTEN: &str = "terraform";

fn written(text: &str) -> Result<(ProjectName, PathBuf), String> {
    let (project, file) = text.split_once('=').unwrap_or((WRITTEN, text));
    let project = project.parse();
    let project = project.map_err(|error: NameError| error.to_string())?;
    Ok((project, file.into()))
}

/// The name of whoever has a token without one.
const NAMELESS: &str = "token";

/// What may stand behind a token's reference, each after a comma.
const ENDS: [&str; 4] = [",read", ",write", ",parameters", ",databases"];

fn token(text: &str) -> Result<Token, String> {
    let (mut text, mut access, mut grants) = (text, None, Grants::default());
    while let Some((rest, end)) = ENDS
        .iter()
        .find_map(|end| Some((text.strip_suffix(end)?, *end)))
    {
        let is_new = match end {
            ",parameters" => !std::mem::replace(&mut grants.parameters, true),
            ",databases" => !std::mem::replace(&mut grants.databases, true),
            ",read" => access.replace(Access::Read).is_none(),
            _ => access.replace(Access::Write).is_none(),
        };
        if !is_new {
            return Err(format!("`{end}` says again what is said behind it"));
        }
        text = rest;
    }
    // A comma may be a part of a path, but what is nearly a right isn't: it would be granted to nobody, and nobody would know.
    let mistyped = text.rsplit_once(',').and_then(|(_, end)| {
        let rights = ENDS.iter().map(|right| right.trim_start_matches(','));
        Some((end, nearest(end, rights)?))
    });
    if let Some((end, meant)) = mistyped {
        return Err(format!(
            "there is nothing called `,{end}` to grant: did you mean `,{meant}`?"
        ));
    }
    let (name, reference) = match text.split_once("=secret://") {
        Some((name, _)) if !name.is_empty() => (name, text.get(name.len() + 1..)),
        _ => (NAMELESS, Some(text)),
    };
    let secret = reference.unwrap_or_default().parse();
    Ok(Token {
        name: name.to_owned(),
        secret: secret.map_err(|error: SecretReferenceError| error.to_string())?,
        access: access.unwrap_or(Access::Apply),
        grants,
    })
}

#[cfg(test)]
mod tests {
    use whimbrel_server::{Access, Grants};

    #[test]
    fn a_token_has_a_name_and_a_reference() {
        let named = super::token("ann=secret://env/TOKEN,read").unwrap();
        assert_eq!((named.name.as_str(), named.access), ("ann", Access::Read));
        assert_eq!(named.secret.to_string(), "secret://env/TOKEN");
        let nameless = super::token("secret://file/a=b").unwrap();
        assert_eq!(
            (nameless.name.as_str(), nameless.access),
            ("token", Access::Apply)
        );
        let writing = super::token("secret://env/TOKEN,write").unwrap();
        assert_eq!(writing.access, Access::Write);
        assert!(super::token("ann=plain-text").is_err());
        assert_eq!(writing.grants, Grants::default());
        let granted = super::token("secret://env/TOKEN,databases,read,parameters").unwrap();
        assert_eq!(granted.secret.to_string(), "secret://env/TOKEN");
        assert_eq!(granted.access, Access::Read);
        assert!(granted.grants.parameters && granted.grants.databases);
        let one = super::token("secret://env/TOKEN,parameters").unwrap();
        assert!(one.grants.parameters && !one.grants.databases);
        let mistyped = super::token("ann=secret://env/TOKEN,parametres,read").unwrap_err();
        assert!(mistyped.ends_with("did you mean `,parameters`?"));
        let comma = super::token("secret://file/a,b").unwrap();
        assert_eq!(comma.secret.to_string(), "secret://file/a,b");
        for twice in [",read,write", ",databases,databases"] {
            assert!(super::token(&format!("secret://env/TOKEN{twice}")).is_err());
        }
        let (project, file) = super::written("network=dev.yaml").unwrap();
        assert_eq!(
            (project.as_str(), file.to_str()),
            ("network", Some("dev.yaml"))
        );
        assert_eq!(super::written("dev.yaml").unwrap().0.as_str(), "terraform");
        assert!(super::written("No Name=dev.yaml").is_err());
    }
}
