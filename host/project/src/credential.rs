//! Finds credentials that somebody wrote into a definition, by formats that are known.

/// Beginnings of tokens, each with the fewest characters that follow, and what they are.
const TOKENS: [(&str, usize, &str); 10] = [
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("hvs.", 20, "a Vault token"),
    ("sk_live_", 20, "a Stripe key"),
    ("xoxb-", 20, "a Slack token"),
];

/// Each line, from 1, that holds a credential, and what it is; never the credential itself.
pub(crate) fn credentials(text: &str) -> Vec<(u32, &'static str)> {
    (1..)
        .zip(text.lines())
        .filter_map(|(line, text)| Some((line, in_line(text)?)))
        .collect()
}

fn in_line(line: &str) -> Option<&'static str> {
    if line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let token = TOKENS
        .iter()
        .find(|(start, length, _)| has_token(line, start, *length));
    if let Some((_, _, what)) = token {
        return Some(what);
    }
    if has_userinfo(line) {
        return Some("a URL with a password");
    }
    has_password_clause(line).then_some("a password")
}

fn has_token(line: &str, start: &str, length: usize) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let (before, found) = line.split_at(at);
        let fresh = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let rest = found.get(start.len()..).unwrap_or_default();
        let run = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
            .count();
        fresh && run >= length
    })
}

/// `scheme://user:password@`, unless the password is a placeholder. People write `/` and `?` into passwords as they are, which
/// URLs don't allow; what follows the port of a host is a path all the same.
fn has_userinfo(line: &str) -> bool {
    line.match_indices("://").any(|(at, separator)| {
        let rest = line.get(at + separator.len()..).unwrap_or_default();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`'))
            .unwrap_or(rest.len());
        let userinfo = rest
            .get(..end)
            .and_then(|url| url.rsplit_once('@'))
            .and_then(|(userinfo, _)| userinfo.split_once(':'));
        userinfo.is_some_and(|(user, password)| {
            let is_plain = !password.contains(['/', '?', '#']);
            !user.contains(['/', '?', '#', '['])
                && (is_plain || !user.contains('@'))
                && !password.is_empty()
                && !password.starts_with("${")
                && !is_port(password)
        })
    })
}

/// Whether it is a port and what follows it.
fn is_port(text: &str) -> bool {
    let (port, _) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    !port.is_empty() && port.len() < text.len() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `PASSWORD 'text'` of CREATE or ALTER ROLE, unless the text is a placeholder.
fn has_password_clause(line: &str) -> bool {
    let lowered = line.to_ascii_lowercase();
    if lowered.trim_start().starts_with("--") {
        return false;
    }
    lowered.match_indices("password").any(|(at, word)| {
        let rest = lowered.get(at + word.len()..).unwrap_or_default();
        let value = rest.trim_start();
        value.len() < rest.len()
            && value
                .strip_prefix('\'')
                .is_some_and(|value| !value.starts_with(['\'', '$']))
    })
}

#[cfg(test)]
mod tests {
    use super::credentials;

    #[test]
    fn finds_known_formats() {
        for (text, what) in [
            ("key = 'AKIAIOSFODNN7EXAMPLE'", "an AWS access key"),
            ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", "a GitHub token"),
            ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
            (
                "dblink('postgres://ada:s3cret@db/shop')",
                "a URL with a password",
            ),
            ("CREATE ROLE ada LOGIN PASSWORD 's3cret'", "a password"),
            ("postgres://ada:s3/cr?et@db/shop", "a URL with a password"),
            (
                "url: postgres://ada:?s3cret@db/shop?a=b",
                "a URL with a password",
            ),
            ("postgres://ada:4711@db/shop", "a URL with a password"),
            (
                "postgres://ada@shop:s3cret@db/shop",
                "a URL with a password",
            ),
            ("redis://:s3cr@t/@cache", "a URL with a password"),
        ] {
            assert_eq!(credentials(text), [(1, what)], "{text}");
        }
        assert_eq!(
            credentials("SELECT 1;\nALTER ROLE x password  'y';"),
            [(2, "a password")]
        );
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        for text in [
            "ALTER TABLE users ADD COLUMN password text",
            "CREATE ROLE ada PASSWORD '${password}'",
            "-- the password 'secret' is an example",
            "UPDATE users SET password_hash = 'x'",
            "SELECT 'https://example.org/a:b@c'",
            "postgres://ada@db/shop",
            "postgres://ada:${password}@db/shop",
            "postgres://ada:${password}@db/shop?mail=ada@example.org",
            "https://example.org:8443/people/ada@example.org",
            "https://example.org:8443?mail=ada@example.org",
            "http://[::1]:8443/ada@example.org",
            "ssh://git@example.org:group/shop@2",
            "SELECT 'MAKIAIOSFODNN7EXAMPLE', 'AKIAshort'",
            "ALTER ROLE ada PASSWORD ''",
        ] {
            assert_eq!(credentials(text), [], "{text}");
        }
    }
}
