//! Where databases are, as a state keeps it: whether what is said now still is the same database.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::is_unknown;

/// What else of a PostgreSQL URL says which database it is; the rest says how one connects.
const OPTIONS: [&str; 3] = ["host", "port", "dbname"];

/// The port that is meant where none is said.
const PORT: &str = "5432";

/// An address as it may be kept. One with a password is refused where one connects, and never kept.
pub fn kept(address: &Json) -> Json {
    address
        .as_str()
        .map_or_else(|| address.clone(), |text| json!(without_password(text)))
}

/// Whether what is said now may be another database, or others, than what was kept. Nothing is known of a state that was
/// written before this was kept.
pub fn has_moved(before: &Json, now: &Json) -> bool {
    match (before, now) {
        (Json::Null, _) => false,
        (_, now) if is_unknown(now) => true,
        (Json::Object(before), Json::Object(now)) => {
            before.len() != now.len()
                || before
                    .iter()
                    .any(|(name, address)| now.get(name).is_none_or(|now| has_moved(address, now)))
        }
        (Json::String(before), Json::String(now)) => identity(before) != identity(now),
        (before, now) => before != now,
    }
}

fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{name}@{host}")
        }
        None => authority.to_owned(),
    };
    let options = options.split('&');
    let options: Vec<_> = options
        .filter(|option| !option.is_empty() && !option.starts_with("password="))
        .collect();
    let mark = if options.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}{path}{mark}{}", options.join("&"))
}

/// The same text for the same database, however one connects.
fn identity(address: &str) -> String {
    if let Some(file) = address.strip_prefix("sqlite:") {
        return format!("sqlite:{}", file.strip_prefix("//").unwrap_or(file));
    }
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    if scheme == "secret" {
        // A newer version of what a backend keeps is that backend's to say.
        let key = options.split_once('#').map(|(_, key)| format!("#{key}"));
        return format!("{scheme}://{rest}{}", key.unwrap_or_default());
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        // Not the inside of an address of IPv6.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (place, PORT),
    };
    let mut parts = [host, port, path.trim_start_matches('/')];
    for option in options.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let known = OPTIONS.iter().position(|known| *known == name);
        if let Some(part) = known.and_then(|at| parts.get_mut(at)) {
            *part = value;
        }
    }
    format!("postgres://{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{has_moved, kept};
    use whimbrel_sdk::prelude::*;
    use whimbrel_sdk::resource::unknown;

    #[test]
    fn a_password_is_never_kept() {
        for (said, expected) in [
            ("postgres://ada:hunter2@db/shop", "postgres://ada@db/shop"),
            ("postgres://ada:p@ss@db:6000", "postgres://ada@db:6000"),
            (
                "postgres://db/shop?password=hunter2&sslmode=require",
                "postgres://db/shop?sslmode=require",
            ),
            ("postgres://db/shop?password=hunter2", "postgres://db/shop"),
            ("sqlite:a.db", "sqlite:a.db"),
            ("secret://env/URL", "secret://env/URL"),
        ] {
            assert_eq!(kept(&json!(said)), json!(expected));
        }
        assert_eq!(kept(&unknown()), unknown());
    }

    #[test]
    fn how_one_connects_makes_no_other_database() {
        for (before, now) in [
            (
                "postgres://ada@db/shop",
                "postgres://bob@db:5432/shop?sslmode=require",
            ),
            ("postgresql://db/shop", "postgres://db/shop"),
            (
                "postgres:///shop?host=/run/pg",
                "postgres://x/?dbname=shop&host=/run/pg",
            ),
            ("postgres://[::1]/shop", "postgres://[::1]:5432/shop"),
            ("sqlite:///srv/a.db", "sqlite:/srv/a.db"),
            (
                "secret://vault/a?version=1#url",
                "secret://vault/a?version=2#url",
            ),
        ] {
            assert!(!has_moved(&json!(before), &json!(now)), "{before} {now}");
        }
    }

    #[test]
    fn another_place_is_another_database() {
        for (before, now) in [
            ("postgres://db/shop", "postgres://db/stock"),
            ("postgres://db/shop", "postgres://other/shop"),
            ("postgres://db/shop", "postgres://db:6000/shop"),
            ("postgres:///shop?host=/a", "postgres:///shop?host=/b"),
            ("sqlite:a.db", "sqlite:b.db"),
            ("secret://vault/a#url", "secret://vault/a#other"),
            ("postgres://db/shop", "secret://env/URL"),
        ] {
            assert!(has_moved(&json!(before), &json!(now)), "{before} {now}");
        }
        assert!(has_moved(&json!("sqlite:a.db"), &unknown()));
        assert!(!has_moved(&Json::Null, &json!("sqlite:a.db")));
        let of = |names: &[&str]| -> Json {
            let all = names
                .iter()
                .map(|name| ((*name).to_owned(), json!("sqlite:a.db")));
            Json::Object(all.collect())
        };
        assert!(!has_moved(&of(&["a", "b"]), &of(&["b", "a"])));
        assert!(has_moved(&of(&["a"]), &of(&["b"])));
        assert!(has_moved(&of(&["a"]), &of(&["a", "b"])));
        assert!(has_moved(&of(&["a"]), &json!({ "a": unknown() })));
    }
}
