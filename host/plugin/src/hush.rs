//! What a call of a secret store has heard and must not repeat: taken out of its log, its faults and its last words
//! before they leave the call, and forgotten with it.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use serde_json::Value as Json;
use whimbrel_core::fault::Fault;
use whimbrel_signal::Scrubber;
use zeroize::{Zeroize, Zeroizing};

use crate::limits::Limits;

/// Strings shorter than this aren't looked for.
const SHORTEST: usize = 4;

/// In answers that are errors, only what looks like a token: the rest is what a person must read.
const SHORTEST_TOKEN: usize = 8;

/// How many bytes beyond those that are kept of a text are looked at, so that the cut parts no secret that would be found whole.
pub const BEYOND: usize = 64 << 10;

/// What stands for words when more was heard than can be looked for.
const WITHHELD: &str = "[withheld: the call has heard too much to tell secrets from words]";

/// How much a call may hear.
struct Heard {
    /// Strings for whoever writes log lines.
    strings: usize,
    /// Strings for a fault, of which a call has only one.
    strings_of_fault: usize,
    bytes: usize,
}

/// What one call has heard.
pub struct Hush {
    /// What is secret for longer than a call; none for calls that reveal nothing.
    lasting: Option<Scrubber>,
    heard: Vec<Zeroizing<String>>,
    /// The same by their hashes: documents say many things many times.
    known: HashSet<u64>,
    hasher: RandomState,
    bytes: usize,
    /// Answers that weren't listened to yet, and whether they succeeded: most calls say nothing, and then nobody needs to.
    unheard: Vec<(bool, Zeroizing<Vec<u8>>)>,
    unheard_bytes: usize,
    /// Whether something was heard that isn't kept.
    is_full: bool,
    /// Made when something is said: most calls hear much and say little.
    scrubber: Option<Scrubber>,
    limits: Heard,
    /// What the call is about: whoever asked knows it, and must be able to read it again.
    about: String,
}

impl Hush {
    /// A call that has heard nothing.
    pub fn new(lasting: Option<Scrubber>, limits: &Limits) -> Self {
        Self {
            lasting,
            heard: Vec::new(),
            known: HashSet::new(),
            hasher: RandomState::new(),
            bytes: 0,
            unheard: Vec::new(),
            unheard_bytes: 0,
            is_full: false,
            scrubber: None,
            limits: Heard {
                strings: limits.heard_strings,
                strings_of_fault: limits.heard_strings_of_fault,
                bytes: limits.heard_bytes,
            },
            about: String::new(),
        }
    }

    /// The same for a call about something that is no secret.
    pub fn about(mut self, about: String) -> Self {
        self.about = about;
        self
    }

    /// Whether the call is one that reveals.
    pub const fn is_on(&self) -> bool {
        self.lasting.is_some()
    }

    /// Remembers a value beyond the call.
    pub fn keep(&self, value: &[u8]) {
        if let Some(lasting) = &self.lasting {
            lasting.register_bytes(value.trim_ascii());
        }
    }

    /// Remembers a value until the call ends.
    pub fn hear(&mut self, text: &str) {
        let text = text.trim();
        if text.len() < SHORTEST || self.is_full || self.about.contains(text) {
            return;
        }
        if !self.known.insert(self.hasher.hash_one(text)) {
            return;
        }
        self.bytes += text.len();
        let most = self.limits.strings_of_fault.max(self.limits.strings);
        if self.heard.len() >= most || self.bytes > self.limits.bytes {
            self.is_full = true;
            return;
        }
        self.heard.push(Zeroizing::new(text.to_owned()));
        self.scrubber = None;
    }

    /// Remembers the strings of an HTTP answer: of JSON each of them, else the whole body.
    pub fn hear_answer(&mut self, status: u16, body: &[u8]) {
        if !self.is_on() {
            return;
        }
        let succeeded = (200..300).contains(&status);
        if self.unheard_bytes + body.len() > self.limits.bytes {
            self.listen();
        }
        self.unheard_bytes += body.len();
        self.unheard
            .push((succeeded, Zeroizing::new(body.to_vec())));
    }

    /// Takes in what was heard since it was last done.
    fn listen(&mut self) {
        self.unheard_bytes = 0;
        for (succeeded, body) in std::mem::take(&mut self.unheard) {
            self.listen_to(succeeded, &body);
        }
    }

    fn listen_to(&mut self, succeeded: bool, body: &[u8]) {
        match serde_json::from_slice::<Json>(body) {
            Ok(mut document) => self.hear_json(&mut document, succeeded),
            Err(_) => {
                if let Ok(text) = std::str::from_utf8(body)
                    && (succeeded || is_token(text.trim()))
                {
                    self.hear(text);
                }
            }
        }
    }

    fn hear_json(&mut self, document: &mut Json, succeeded: bool) {
        match document {
            Json::String(text) => {
                if succeeded || is_token(text) {
                    self.hear(text);
                }
                text.zeroize();
            }
            Json::Array(items) => items
                .iter_mut()
                .for_each(|item| self.hear_json(item, succeeded)),
            Json::Object(fields) => fields
                .values_mut()
                .for_each(|field| self.hear_json(field, succeeded)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// The text without what was heard.
    pub fn clean(&mut self, text: &str) -> String {
        self.listen();
        let Some(lasting) = &self.lasting else {
            return text.to_owned();
        };
        if self.heard_too_much() && !text.is_empty() {
            return WITHHELD.to_owned();
        }
        let heard = &self.heard;
        let scrubber = self.scrubber.get_or_insert_with(|| {
            let scrubber = Scrubber::default();
            for text in heard {
                scrubber.register(text);
            }
            scrubber
        });
        scrubber.scrub(&lasting.scrub(text))
    }

    /// Whether more was heard than is looked for in everything that is said.
    const fn heard_too_much(&self) -> bool {
        self.is_full || self.heard.len() > self.limits.strings
    }

    /// The fault without what was heard.
    pub fn clean_fault(&mut self, mut fault: Fault) -> Fault {
        self.listen();
        if self.is_on() && self.heard_too_much() && !self.is_full {
            return self.clean_long(fault);
        }
        if self.is_on() {
            fault.code = self.clean(&fault.code);
            fault.message = self.clean(&fault.message);
            fault.hint = fault.hint.map(|hint| self.clean(&hint));
            fault.pointer = fault.pointer.map(|pointer| self.clean(&pointer));
        }
        fault
    }
}

impl Hush {
    /// The same after much was heard: a part of it at a time, because all of its forms at once would take too much memory.
    fn clean_long(&self, mut fault: Fault) -> Fault {
        let mut texts = vec![&mut fault.code, &mut fault.message];
        texts.extend(fault.hint.as_mut());
        texts.extend(fault.pointer.as_mut());
        for text in &mut texts {
            if let Some(lasting) = &self.lasting {
                **text = lasting.scrub(text);
            }
        }
        for part in self.heard.chunks(self.limits.strings.max(1)) {
            let scrubber = Scrubber::default();
            part.iter().for_each(|text| scrubber.register(text));
            for text in &mut texts {
                **text = scrubber.scrub(text);
            }
        }
        fault
    }
}

/// No spaces, long, and with a digit: words for people are otherwise.
fn is_token(text: &str) -> bool {
    text.len() >= SHORTEST_TOKEN
        && !text.contains(char::is_whitespace)
        && text.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Hush, WITHHELD};
    use crate::limits::Limits;
    use whimbrel_core::fault::{Fault, FaultClass};
    use whimbrel_signal::Scrubber;

    fn hush() -> Hush {
        Hush::new(Some(Scrubber::default()), &Limits::default())
    }

    #[test]
    fn what_an_answer_revealed_is_taken_out() {
        let mut hush = hush();
        hush.hear_answer(
            200,
            br#"{"data":{"password":"hunter2!","list":["other-one"]},"n":12345}"#,
        );
        hush.hear_answer(200, b"plain-body\n");
        let text = hush.clean("hunter2! other-one plain-body 12345");
        assert_eq!(text, "[redacted] [redacted] [redacted] 12345");
    }

    #[test]
    fn what_the_call_is_about_stays_readable() {
        let mut hush = hush().about("database/creds/shop".to_owned());
        hush.hear_answer(200, br#"["database/", "hunter2!"]"#);
        let text = hush.clean("database/creds/shop: hunter2!");
        assert_eq!(text, "database/creds/shop: [redacted]");
    }

    #[test]
    fn of_an_error_words_stay_and_tokens_go() {
        let mut hush = hush();
        hush.hear_answer(
            403,
            br#"{"errors":["permission denied"],"token":"hvs.CAES12"}"#,
        );
        hush.hear_answer(500, b"the server is ill");
        let text = hush.clean("permission denied, the server is ill, hvs.CAES12");
        assert_eq!(text, "permission denied, the server is ill, [redacted]");
    }

    #[test]
    fn who_heard_too_much_says_nothing() {
        let limits = Limits {
            heard_strings: 1,
            ..Limits::default()
        };
        let mut hush = Hush::new(Some(Scrubber::default()), &limits);
        hush.hear("first");
        assert_eq!(hush.clean("first"), "[redacted]");
        hush.hear("second");
        assert_eq!(hush.clean("third"), WITHHELD);
        assert_eq!(hush.clean(""), "");
    }

    #[test]
    fn a_fault_may_be_about_a_long_answer() {
        let limits = Limits {
            heard_strings: 10,
            heard_strings_of_fault: 50,
            ..Limits::default()
        };
        let scrubber = Scrubber::default();
        scrubber.register("lasting-value");
        let mut hush = Hush::new(Some(scrubber), &limits);
        let many: Vec<String> = (0..50).map(|number| format!("value-{number:03}")).collect();
        // Said twice, it counts once.
        for text in many.iter().chain(&many) {
            hush.hear(text);
        }
        assert_eq!(hush.clean("a word"), WITHHELD);
        let fault = |text: &str| Fault {
            hint: Some(text.to_owned()),
            pointer: Some(text.to_owned()),
            ..Fault::new(FaultClass::NotFound, text, text)
        };
        let clean = hush.clean_fault(fault("no value-000, value-049 and lasting-value here"));
        let expected = "no [redacted], [redacted] and [redacted] here";
        assert_eq!(
            (clean.message.as_str(), clean.code.as_str()),
            (expected, expected)
        );
        assert_eq!(
            (clean.hint.as_deref(), clean.pointer.as_deref()),
            (Some(expected), Some(expected))
        );
        hush.hear("one more");
        assert_eq!(hush.clean_fault(fault("a word")).message, WITHHELD);
    }

    #[test]
    fn what_lasts_is_known_outside_and_faults_are_cleaned_whole() {
        let scrubber = Scrubber::default();
        let mut hush = Hush::new(Some(scrubber.clone()), &Limits::default());
        hush.keep(b"lasting-value\n");
        hush.keep(&[0xff, 0xfe]);
        assert_eq!(scrubber.scrub("lasting-value"), "[redacted]");
        let mut fault = Fault::new(FaultClass::Internal, "x.lasting-value", "lasting-value");
        fault.hint = Some("lasting-value".to_owned());
        fault.pointer = Some("/lasting-value".to_owned());
        let clean = format!("{:?}", hush.clean_fault(fault));
        assert!(!clean.contains("lasting"), "{clean}");
    }

    #[test]
    fn answers_that_nobody_asked_about_are_bounded_and_not_forgotten() {
        let limits = Limits {
            heard_bytes: 50,
            ..Limits::default()
        };
        let mut hush = Hush::new(Some(Scrubber::default()), &limits);
        for word in ["first-one", "second-one", "third-one"] {
            let body = format!(r#"{{"a long name":"{word}"}}"#);
            hush.hear_answer(200, body.as_bytes());
            assert!(hush.unheard_bytes <= limits.heard_bytes);
        }
        let text = hush.clean("first-one second-one third-one");
        assert_eq!(text, "[redacted] [redacted] [redacted]");
    }

    #[test]
    fn calls_that_reveal_nothing_are_left_alone() {
        let mut hush = Hush::new(None, &Limits::default());
        hush.hear_answer(200, br#"["word"]"#);
        assert_eq!(hush.clean("word"), "word");
    }
}
