//! The forms in which a value turns up: as it is, and as formats and protocols write it.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use zeroize::Zeroizing;

use crate::limits::{LINES, PIECE, SHORTEST_VALUE, VALUE_SIZE};

/// One form.
pub(super) type Form = Zeroizing<Vec<u8>>;

/// Every form of a value, each once; none of a value that is too short to look for.
pub(super) fn forms(value: &[u8]) -> Vec<Form> {
    let value = value.get(..VALUE_SIZE).unwrap_or(value);
    let mut all = Vec::new();
    for piece in pieces(value) {
        bytes(piece, &mut all);
        match std::str::from_utf8(piece) {
            Ok(text) => texts(text, &mut all),
            // What shows bytes as text puts a sign where they are none.
            Err(_) => all.push(form(String::from_utf8_lossy(piece).as_bytes())),
        }
    }
    all.retain(|form| form.len() >= SHORTEST_VALUE);
    all.sort_unstable_by(|one, other| one.as_slice().cmp(other.as_slice()));
    all.dedup();
    all
}

/// The whole value, or its blocks when it is long; and each of its lines.
fn pieces(value: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    blocks(value, &mut pieces);
    if value.contains(&b'\n') {
        for line in value.split(|byte| *byte == b'\n').take(LINES) {
            let line = line.trim_ascii();
            // The frame of a key is no secret.
            if !line.starts_with(b"-----") {
                blocks(line, &mut pieces);
            }
        }
    }
    pieces.retain(|piece| piece.len() >= SHORTEST_VALUE);
    pieces
}

fn blocks<'a>(value: &'a [u8], pieces: &mut Vec<&'a [u8]>) {
    let mut rest = value;
    while rest.len() > PIECE {
        let (block, others) = rest.split_at(boundary(rest, PIECE));
        pieces.push(block);
        rest = others;
    }
    if rest.len() == value.len() {
        pieces.push(value);
    } else if let Some(last) = value.get(boundary(value, value.len().saturating_sub(PIECE))..) {
        // As long as the others, because the end of a value may be too short to be looked for.
        pieces.push(last);
    }
}

/// The nearest place at or before `at` where no character is cut.
fn boundary(bytes: &[u8], at: usize) -> usize {
    let starts = |at: usize| bytes.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|at| *at > 0 && starts(*at))
        .unwrap_or(at)
}

fn form(bytes: &[u8]) -> Form {
    Zeroizing::new(bytes.to_vec())
}

fn bytes(value: &[u8], all: &mut Vec<Form>) {
    all.push(form(value));
    all.push(form(hex::encode(value).as_bytes()));
    all.push(form(hex::encode_upper(value).as_bytes()));
    for alphabet in [&STANDARD, &URL_SAFE] {
        for before in 0..3 {
            all.push(base64(value, alphabet, before));
        }
    }
    for (keeps, space) in URL_FORMS {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            all.push(url(value, keeps, space, digits));
        }
    }
}

/// The characters that say the value and nothing of what stands around it, so that they are the same whatever that is:
/// `before` says how many bytes of a group of three come before the value.
fn base64(value: &[u8], alphabet: &Alphabet, before: usize) -> Form {
    let mut padded = Zeroizing::new(vec![0; before]);
    padded.extend_from_slice(value);
    let text = GeneralPurpose::new(alphabet, NO_PAD).encode(padded.as_slice());
    let text = Zeroizing::new(text);
    let start = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    form(text.as_bytes().get(start..end).unwrap_or_default())
}

/// What is left as it is besides letters, digits, `-`, `_` and `.`, and how a space is written.
const URL_FORMS: &[(&[u8], &[u8])] = &[
    // Everything that RFC 3986 lets one encode; once with the space of forms.
    (b"~", b"%20"),
    (b"~", b"+"),
    // Forms, as browsers write them.
    (b"*", b"+"),
    // `encodeURIComponent`.
    (b"~!*'()", b"%20"),
    // A path or the user's part of an address.
    (b"~!$&'()*+,;=", b"%20"),
    (b"~!$&'()*+,;=:@", b"%20"),
    (b"~!$&'()*+,;=:@/?", b"%20"),
];

fn url(value: &[u8], keeps: &[u8], space: &[u8], digits: &[u8; 16]) -> Form {
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 3));
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(byte) || keeps.contains(byte) {
            text.push(*byte);
        } else if *byte == b' ' {
            text.extend_from_slice(space);
        } else {
            text.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    text
}

/// Each way to write the text; and the same in a document of JSON, because what goes wrong is often told in one.
fn texts(value: &str, all: &mut Vec<Form>) {
    let first = all.len();
    written(value, all);
    let again: Vec<_> = all.iter().skip(first).filter_map(in_json).collect();
    all.extend(again);
}

fn in_json(form: &Form) -> Option<Form> {
    std::str::from_utf8(form)
        .ok()
        .map(|text| self::form(json(text).as_bytes()))
}

/// As JSON writes it between the quotes.
fn json(value: &str) -> Zeroizing<String> {
    let json = Zeroizing::new(serde_json::Value::from(value).to_string());
    let inner = json.get(1..json.len() - 1).unwrap_or_default();
    Zeroizing::new(inner.to_owned())
}

fn written(value: &str, all: &mut Vec<Form>) {
    let json = json(value);
    all.push(form(json.as_bytes()));
    all.push(form(json.replace('/', "\\/").as_bytes()));
    all.push(form(ascii_json(&json, false).as_bytes()));
    all.push(form(ascii_json(&json, true).as_bytes()));
    // As Rust shows a text, as SQL quotes it, and as XML writes it.
    all.push(form(value.escape_debug().to_string().as_bytes()));
    all.push(form(value.replace('\'', "''").as_bytes()));
    // PostgreSQL quotes one with backslashes as `E'…'`.
    let escaped = value.replace('\\', "\\\\").replace('\'', "''");
    all.push(form(escaped.as_bytes()));
    let xml = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    all.push(form(xml.replace('"', "&quot;").as_bytes()));
    all.push(form(
        xml.replace('"', "&quot;")
            .replace('\'', "&apos;")
            .as_bytes(),
    ));
    all.push(form(xml.as_bytes()));
}

/// JSON as those write it who keep to ASCII; `html` also escapes what would mean something in a page.
fn ascii_json(json: &str, html: bool) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(json.len()));
    let mut units = [0; 2];
    for character in json.chars() {
        if character.is_ascii() && !(html && "<>&'".contains(character)) {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}
