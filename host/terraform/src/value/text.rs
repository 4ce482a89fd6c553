//! JSON text, read and written without loss: numbers keep their digits, and no name may be there twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Number, Place, Step, ValueError};

/// A JSON document.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Text {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Text>),
    Object(BTreeMap<String, Text>),
}

impl Text {
    /// For messages.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Reads a document.
    pub(super) fn read(text: &str) -> Result<Self, ValueError> {
        let mut reader = Reader { text, at: 0 };
        let mut place = Place::default();
        let read = reader.value(&mut place)?;
        reader.blanks();
        if reader.rest().is_empty() {
            Ok(read)
        } else {
            Err(place.wrong("there is something behind the JSON"))
        }
    }

    /// Writes the document into one line.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => {
                // Writing to a text can't fail.
                let _ = write!(out, "{number}");
            }
            Self::String(text) => quote(text, out),
            Self::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    element.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() && u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        let kept = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - kept.len();
    }

    /// Takes this text if it is next.
    fn takes(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        if is_next {
            self.at += expected.len();
        }
        is_next
    }

    fn broken(&self, place: &Place) -> ValueError {
        if self.rest().is_empty() {
            place.wrong("the JSON is cut off")
        } else {
            place.wrong(format!("it is no JSON from byte {} on", self.at))
        }
    }

    fn value(&mut self, place: &mut Place) -> Result<Text, ValueError> {
        self.blanks();
        match self.rest().bytes().next() {
            Some(b'n') if self.takes("null") => Ok(Text::Null),
            Some(b't') if self.takes("true") => Ok(Text::Bool(true)),
            Some(b'f') if self.takes("false") => Ok(Text::Bool(false)),
            Some(b'"') => self.string(place).map(Text::String),
            Some(b'[') => self.array(place),
            Some(b'{') => self.object(place),
            Some(b'-' | b'0'..=b'9') => self.number(place),
            _ => Err(self.broken(place)),
        }
    }

    fn array(&mut self, place: &mut Place) -> Result<Text, ValueError> {
        self.takes("[");
        let mut elements = Vec::new();
        self.blanks();
        if self.takes("]") {
            return Ok(Text::Array(elements));
        }
        loop {
            let step = Step::Index(elements.len());
            elements.push(place.within(step, |place| self.value(place))?);
            self.blanks();
            if self.takes("]") {
                return Ok(Text::Array(elements));
            }
            if !self.takes(",") {
                return Err(self.broken(place));
            }
        }
    }

    fn object(&mut self, place: &mut Place) -> Result<Text, ValueError> {
        self.takes("{");
        let mut members = BTreeMap::new();
        self.blanks();
        if self.takes("}") {
            return Ok(Text::Object(members));
        }
        loop {
            self.blanks();
            if !self.rest().starts_with('"') {
                return Err(self.broken(place));
            }
            let name = self.string(place)?;
            self.blanks();
            if !self.takes(":") {
                return Err(self.broken(place));
            }
            let step = Step::Name(name.clone());
            let member = place.within(step, |place| self.value(place))?;
            if members.insert(name.clone(), member).is_some() {
                return Err(place.wrong(format!("`{name}` is there twice")));
            }
            self.blanks();
            if self.takes("}") {
                return Ok(Text::Object(members));
            }
            if !self.takes(",") {
                return Err(self.broken(place));
            }
        }
    }

    fn number(&mut self, place: &Place) -> Result<Text, ValueError> {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let written = rest.get(..length).unwrap_or_default();
        let whole = written.strip_prefix('-').unwrap_or(written);
        let is_padded =
            whole.starts_with('0') && whole.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let has_bare_point = whole.starts_with('.')
            || whole.ends_with('.')
            || whole.contains(".e")
            || whole.contains(".E");
        match written.parse() {
            Ok(number) if !is_padded && !has_bare_point => {
                self.at += length;
                Ok(Text::Number(number))
            }
            _ => Err(self.broken(place)),
        }
    }

    fn string(&mut self, place: &Place) -> Result<String, ValueError> {
        self.takes("\"");
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest
                .find(|character: char| character == '"' || character == '\\' || character < ' ')
                .ok_or_else(|| place.wrong("the JSON is cut off"))?;
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            if self.takes("\"") {
                return Ok(text);
            }
            if !self.takes("\\") {
                return Err(self.broken(place));
            }
            text.push(self.escaped(place)?);
        }
    }

    fn escaped(&mut self, place: &Place) -> Result<char, ValueError> {
        let escapes = [
            ("\"", '"'),
            ("\\", '\\'),
            ("/", '/'),
            ("b", '\u{8}'),
            ("f", '\u{c}'),
            ("n", '\n'),
            ("r", '\r'),
            ("t", '\t'),
        ];
        for (written, character) in escapes {
            if self.takes(written) {
                return Ok(character);
            }
        }
        if !self.takes("u") {
            return Err(self.broken(place));
        }
        let first = self.unit(place)?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.takes("\\u") {
            units.push(self.unit(place)?);
        }
        let mut read = char::decode_utf16(units);
        match (read.next(), read.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(place.wrong("an escape in the JSON is half a character")),
        }
    }

    fn unit(&mut self, place: &Place) -> Result<u16, ValueError> {
        let digits = self.rest().get(..4).unwrap_or_default();
        let is_hexadecimal =
            digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u16::from_str_radix(digits, 16) {
            Ok(unit) if is_hexadecimal => {
                self.at += 4;
                Ok(unit)
            }
            _ => Err(self.broken(place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn written(text: &Text) -> String {
        let mut out = String::new();
        text.write(&mut out);
        out
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_as_another_reader_does(text in "[\\[\\]{}:,\"\\\\a-fu0-9.eE+\\- ntrl\u{e9}\u{1F600}]{0,40}") {
            let other: Result<Json, _> = serde_json::from_str(&text);
            let Ok(read) = Text::read(&text) else {
                // That one takes a name twice.
                prop_assert!(other.is_err() || text.contains(':'), "{text}");
                return Ok(());
            };
            // A double has ends, our numbers have others.
            if let Ok(other) = other {
                let again: Json = serde_json::from_str(&written(&read)).unwrap();
                prop_assert_eq!(again, other);
            } else {
                prop_assert!(text.contains(['e', 'E']), "{}", text);
            }
        }

        #[test]
        fn text_is_read_as_it_was_written(text: String) {
            let document = Text::String(text);
            prop_assert!(Text::read(&written(&document)) == Ok(document));
        }
    }

    #[test]
    fn a_document_without_end_is_refused() {
        for layer in ["[", "{\"a\":"] {
            let error = Text::read(&layer.repeat(100_000)).err().unwrap();
            assert!(error.why().contains("deeper"), "{error}");
        }
    }

    #[test]
    fn escapes_are_whole_characters() {
        let read = Text::read(r#""\u00e9\ud83d\ude00\/\b""#);
        assert!(read == Ok(Text::String("é😀/\u{8}".to_owned())));
        for broken in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dA""#,
            r#""\u00""#,
            r#""\x""#,
            "\"\n\"",
            "\"a",
        ] {
            assert!(Text::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        let error = Text::read(r#"{"a": {"b": 1, "b": 2}}"#).err().unwrap();
        assert_eq!(error.to_string(), "`b` is there twice (at /a)");
    }
}
