//! Tells text that chance has written, as it writes keys and tokens, from text that means something.
//!
//! A word counts as random when it mixes cases and digits as only a generator does. Left alone are UUIDs, hexadecimal
//! digests (unless the key beside them speaks of a secret), whatever is called a checksum, paths and names, and base64
//! of readable text.

/// The shortest word that can be told to be random by itself; shorter ones are names as often as not.
const LENGTH: usize = 20;

/// The shortest word beside a key that speaks of a secret: what people take for a password that a machine made.
const LENGTH_OF_A_SECRET: usize = 12;

/// Bits for each character of a word that is random by itself. Random base64 of 20 characters has 4.0, words of
/// English in camel case have less than 3.5.
const ENTROPY: f64 = 3.6;

/// The same beside a key that speaks of a secret.
const ENTROPY_OF_A_SECRET: f64 = 3.0;

/// Keys whose value is a secret.
const SECRET: [&str; 12] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "private_key",
    "credential",
];

/// Keys whose value tells what something is, not who may.
const CHECKSUM: [&str; 9] = [
    "sha",
    "md5",
    "digest",
    "checksum",
    "hash",
    "etag",
    "fingerprint",
    "integrity",
    "revision",
];

/// How sure it is that a word is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// It looks random.
    Random,
    /// It looks random, and the key beside it speaks of a secret.
    Secret,
}

/// The gravest random word of a line; none when all mean something.
pub(crate) fn random(line: &str) -> Option<Certainty> {
    words(line)
        .filter_map(|(before, word)| judge(key(before), word))
        .max()
}

/// Runs of characters of base64, each with what stands before it.
fn words(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '=');
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = line.get(offset..)?;
        let start = offset + rest.find(is_part)?;
        let run = line.get(start..)?;
        let end = start + run.find(|c| !is_part(c)).unwrap_or(run.len());
        offset = end;
        Some((line.get(..start)?, line.get(start..end)?))
    })
}

/// The last name before a value: the key of YAML, the column or the other half of a pair of SQL.
fn key(before: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let named = before.trim_end_matches(|c: char| !is_part(c));
    let start = named.rfind(|c| !is_part(c)).map_or(0, |index| index + 1);
    named.get(start..).unwrap_or_default().to_ascii_lowercase()
}

fn judge(key: String, word: &str) -> Option<Certainty> {
    // `KEY=value` is one run.
    let (key, word) = match word.split_once('=') {
        Some((name, value)) if !value.trim_matches('=').is_empty() => {
            (name.to_ascii_lowercase(), value)
        }
        _ => (key, word),
    };
    let word = word.trim_matches(['=', '-', '_', '/', '+']);
    if CHECKSUM.iter().any(|name| key.contains(name)) || is_uuid(word) {
        return None;
    }
    let is_digest = ["sha256-", "sha384-", "sha512-"]
        .iter()
        .any(|mark| word.starts_with(mark));
    if is_digest || says_something(word) {
        return None;
    }
    let is_secret = SECRET.iter().any(|name| key.contains(name));
    let bits = entropy(word);
    if is_secret
        && word.len() >= LENGTH_OF_A_SECRET
        && bits >= ENTROPY_OF_A_SECRET
        && has_digits_and_letters(word)
    {
        return Some(Certainty::Secret);
    }
    let is_random = word.len() >= LENGTH && bits >= ENTROPY && is_mixed(word);
    is_random.then_some(Certainty::Random)
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && word
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn has_digits_and_letters(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        // Names with a number at the end, such as `orders_2026`, are no password of a machine.
        && changes(word) * 4 >= word.len()
}

/// Both cases and digits, changing as often as chance has it.
fn is_mixed(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().any(of);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && changes(word) * 20 >= word.len() * 7
}

/// How often the kind of character changes: words of any language keep to one kind for long.
fn changes(word: &str) -> usize {
    let kind = |byte: &u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let kinds: Vec<_> = word.as_bytes().iter().map(kind).collect();
    kinds
        .windows(2)
        .filter(|pair| pair.first() != pair.last())
        .count()
}

/// Shannon's entropy of the characters, in bits for each.
fn entropy(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Whether it is base64 of text that can be read.
fn says_something(word: &str) -> bool {
    decoded(word).is_some_and(|bytes| {
        std::str::from_utf8(&bytes).is_ok_and(|text| {
            !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
        })
    })
}

fn decoded(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(word.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in word.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).unwrap_or_default());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Certainty, random};

    #[test]
    fn finds_what_chance_has_written() {
        for (line, certainty) in [
            ("address: q7Zk2Lx9Vb4NwT8sYp3RmD6f", Certainty::Random),
            (
                "INSERT INTO settings VALUES ('mail', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYz8kQ2')",
                Certainty::Random,
            ),
            ("apiKey: q7Zk2Lx9Vb4N", Certainty::Secret),
            (
                "client_secret: 3f786850e387550fdab836ed7e6dc881de23001b",
                Certainty::Secret,
            ),
            (
                "VALUES ('stripe_token', 'Zk2Lx9Vb4NwT8s')",
                Certainty::Secret,
            ),
            ("dsn: host=db password=x7Kq2Lm9Zt4Wv", Certainty::Secret),
        ] {
            assert_eq!(random(line), Some(certainty), "{line}");
        }
    }

    #[test]
    fn leaves_alone_what_means_something() {
        for line in [
            "id: 123e4567-e89b-12d3-a456-426614174000",
            "token: 123e4567-e89b-12d3-a456-426614174000",
            "digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "checksum: 3f786850e387550fdab836ed7e6dc881de23001b",
            "UPDATE t SET commit = '3f786850e387550fdab836ed7e6dc881de23001b'",
            "integrity: sha384-oqVuAfXRKap7fdgcCY5uykM6ROpC9BEc8aKwZrQ0ZlqLx2kYCT0gC9c9JwKx",
            "greeting: SGVsbG8sIHdvcmxkIQ==",
            "VALUES ('SGVsbG8gV29ybGQsIGhvdyBhcmUgeW91IHRvZGF5Pw==')",
            "CREATE INDEX CONCURRENTLY orders_by_customer_and_day_2026 ON orders (customer, day)",
            "ALTER TABLE customerOrdersWithTotalsV2 RENAME TO customerOrdersWithTotalsV3",
            "path: migrations/0012-sales-settings/MigrationV2/Settings2026.sql",
            "secret: { secret: vault, path: database/creds/shop-owner, key: username }",
            "password: { secret: file, path: /run/secrets/shop_2026 }",
            "token_table: customer_tokens_2026",
            "url: postgres://shop-db:5432/shop?sslmode=verify-full",
            "at: 2026-11-28T13:45:32.123456Z, 01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        ] {
            assert_eq!(random(line), None, "{line}");
        }
    }
}
