//! Keeps passwords that someone wrote in plain text out of the source lines that problems show.

/// Keys whose plain values are never shown.
const KEYS: [&str; 5] = ["password", "token", "bearer", "secretkey", "privatekey"];

/// A line of a document with plain passwords, and passwords in URLs, replaced by as many asterisks.
pub fn line(line: &str) -> String {
    let mut out: Vec<char> = line.chars().collect();
    let lowered: Vec<char> = out.iter().map(char::to_ascii_lowercase).collect();
    for key in KEYS {
        let key: Vec<char> = key.chars().collect();
        for start in 0..lowered.len() {
            if lowered
                .get(start..)
                .is_some_and(|rest| rest.starts_with(&key))
            {
                mask_value(&mut out, start + key.len());
            }
        }
    }
    mask_urls(&mut out);
    out.into_iter().collect()
}

/// Masks what stands after the key's end and its colon.
fn mask_value(line: &mut [char], key_end: usize) {
    let mut at = key_end;
    while line.get(at).is_some_and(|c| matches!(c, '"' | '\'' | ' ')) {
        at += 1;
    }
    if line.get(at) != Some(&':') {
        return;
    }
    at += 1;
    while line.get(at) == Some(&' ') {
        at += 1;
    }
    let quote = line.get(at).copied().filter(|c| matches!(c, '"' | '\''));
    if quote.is_some() {
        at += 1;
    }
    let rest: String = line.get(at..).unwrap_or_default().iter().collect();
    // A reference is shown: it is what should be there. So is the beginning of a map or a block.
    let plain = rest.starts_with(['{', '[', '|', '>', '~']) && quote.is_none();
    if plain || rest.starts_with("secret://") || rest.starts_with("ref+") {
        return;
    }
    for character in line.iter_mut().skip(at) {
        let end = match quote {
            Some(quote) => *character == quote,
            None => matches!(character, ',' | '}'),
        };
        if end {
            break;
        }
        *character = '*';
    }
}

/// Masks `PASSWORD` of `scheme://user:PASSWORD@host`.
fn mask_urls(line: &mut [char]) {
    let text: String = line.iter().collect();
    let characters: Vec<char> = text.chars().collect();
    for start in 0..characters.len() {
        let Some(rest) = characters.get(start..) else {
            return;
        };
        if !rest.starts_with(&[':', '/', '/']) {
            continue;
        }
        let authority = rest.iter().skip(3);
        let length = authority
            .clone()
            .take_while(|c| !matches!(c, '/' | '?' | '#' | ' ' | '"' | '\''))
            .count();
        let inside: Vec<char> = authority.take(length).copied().collect();
        let (Some(colon), Some(at)) = (
            inside.iter().position(|c| *c == ':'),
            inside.iter().rposition(|c| *c == '@'),
        ) else {
            continue;
        };
        for character in line.iter_mut().take(start + 3 + at).skip(start + 4 + colon) {
            *character = '*';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn hides_values_and_nothing_else() {
        for (text, shown) in [
            ("password: hunter2", "password: *******"),
            (
                "  \"password\": \"a b\", \"x\": 1",
                "  \"password\": \"***\", \"x\": 1",
            ),
            (
                "{ password: hunter2, rol: x }",
                "{ password: *******, rol: x }",
            ),
            ("password: secret://vault/x", "password: secret://vault/x"),
            ("password: { secret: vault }", "password: { secret: vault }"),
            (
                "url: postgres://me:pw@host/db",
                "url: postgres://me:**@host/db",
            ),
            (
                "url: postgres://me@host:5432/db",
                "url: postgres://me@host:5432/db",
            ),
            (
                "sql: SELECT password FROM users",
                "sql: SELECT password FROM users",
            ),
            ("  apiToken: x", "  apiToken: *"),
        ] {
            assert_eq!(line(text), shown);
        }
    }
}
