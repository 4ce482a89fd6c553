//! What the scrubber finds: every usual form of every value, however it is cut, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may panic

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use whimbrel_core::statement::Dialect;
use whimbrel_signal::metric::StepKind;
use whimbrel_signal::{Bus, Progress, Scrubber, Signal, Sink};

const SECRET: &str = "kA\"n'är y/7+~<3&";

fn knowing(value: &str) -> Scrubber {
    let scrubber = Scrubber::default();
    scrubber.register(value);
    scrubber
}

#[test]
fn what_postgresql_quotes_with_backslashes_is_found() {
    let scrubber = knowing("it's \\mine");
    let said = scrubber.scrub(r"ALTER ROLE ada PASSWORD E'it''s \\mine'");
    assert_eq!(said, "ALTER ROLE ada PASSWORD E'[redacted]'");
}

#[test]
fn every_usual_form_is_found() {
    let scrubber = knowing(SECRET);
    let percent = |upper: bool, keeps: &str, space: &str| -> String {
        SECRET
            .bytes()
            .map(|byte| match byte {
                b' ' => space.to_owned(),
                _ if byte.is_ascii_alphanumeric() || keeps.contains(char::from(byte)) => {
                    char::from(byte).to_string()
                }
                _ if upper => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            })
            .collect()
    };
    let forms = [
        SECRET.to_owned(),
        serde_json::json!({ "password": SECRET }).to_string(),
        "kA\\\"n'\\u00e4r y/7+~<3&".to_owned(),
        "kA\\\"n'är y\\/7+~<3&".to_owned(),
        percent(true, "-._~", "%20"),
        percent(false, "-._~", "%20"),
        percent(true, "-._~", "+"),
        percent(true, "-._*", "+"),
        percent(true, "-._~!*'()", "%20"),
        format!("{SECRET:?}"),
        SECRET.replace('\'', "''"),
        "kA&quot;n'är y/7+~&lt;3&amp;".to_owned(),
        hex::encode(SECRET),
        hex::encode_upper(SECRET),
    ];
    for form in forms {
        let clean = scrubber.scrub(&format!("before {form} after"));
        let start = clean.find("[redacted]").unwrap_or_else(|| {
            panic!("{form} was left");
        });
        assert!(
            clean.starts_with("before ") && clean.ends_with(" after"),
            "{clean}"
        );
        assert!(start < 24 && clean.len() < 48, "{form}: {clean}");
    }
}

#[test]
fn base64_is_found_wherever_it_begins() {
    let scrubber = knowing(SECRET);
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "@", "@d", "@db/shop"] {
                let text = engine.encode(format!("{before}{SECRET}{after}"));
                let clean = scrubber.scrub(&text);
                assert!(clean.contains("[redacted]"), "{text}");
                // At most a character on either side says a part of a byte of it.
                let whole = before.len() + after.len();
                assert!(clean.len() <= "[redacted]".len() + whole * 2 + 8, "{clean}");
            }
        }
    }
}

#[test]
fn short_values_and_ordinary_text_stay() {
    let scrubber = knowing("abc");
    assert_eq!(scrubber.scrub("abcabc"), "abcabc");
    scrubber.register("");
    scrubber.register("four");
    assert_eq!(scrubber.scrub("fou r and four."), "fou r and [redacted].");
    assert_eq!(scrubber.scrub(""), "");
}

#[test]
fn values_inside_and_over_each_other_leave_nothing() {
    let scrubber = knowing("abcdef");
    scrubber.register("defghi");
    scrubber.register("abcdefghijkl");
    assert_eq!(scrubber.scrub("-abcdefghi-"), "-[redacted]-");
    assert_eq!(
        scrubber.scrub("-abcdefghijkl-abcdefdefghi-"),
        "-[redacted]-[redacted]-"
    );
}

#[test]
fn lines_of_a_key_are_found_and_its_frame_stays() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n";
    let scrubber = knowing(key);
    assert_eq!(
        scrubber.scrub("line 2: kqhkiG9w0BAQEF, -----BEGIN KEY-----"),
        "line 2: [redacted], -----BEGIN KEY-----"
    );
    let escaped = serde_json::json!(key).to_string();
    assert_eq!(scrubber.scrub(&escaped), "\"[redacted]\"");
    // The newline at the end of a file belongs to no password.
    assert_eq!(knowing("staple\n").scrub("staple!"), "[redacted]!");
}

#[test]
fn long_values_are_found_whole_and_in_part() {
    let long: String = (0..3000).map(|n| format!("{n:x}é")).collect();
    let scrubber = knowing(&long);
    assert_eq!(scrubber.scrub(&format!("<{long}>")), "<[redacted]>");
    let cut: String = long.chars().take(1500).collect();
    let clean = scrubber.scrub(&cut);
    assert!(clean.starts_with("[redacted]"), "{clean}");
    assert!(scrubber.scrub(&STANDARD.encode(&long)).len() < 200);
}

#[test]
fn bytes_that_are_no_text_are_found() {
    let value = [0x00, 0xff, 0xfe, 0x80, 0x41, 0x42];
    let scrubber = Scrubber::default();
    scrubber.register_bytes(&value);
    let text = [b"<".as_slice(), &value, b">"].concat();
    assert_eq!(&*scrubber.scrub_bytes(&text), b"<[redacted]>");
    assert_eq!(scrubber.scrub(&hex::encode(value)), "[redacted]");
    let shown = String::from_utf8_lossy(&value).into_owned();
    assert_eq!(scrubber.scrub(&shown), "[redacted]");
}

#[test]
fn what_is_held_for_a_while_is_forgotten_again() {
    let scrubber = Scrubber::default();
    let first = scrubber.conceal(b"for a while");
    let second = scrubber.conceal(b"for a while");
    drop(first);
    assert_eq!(scrubber.scrub("for a while"), "[redacted]");
    drop(second);
    assert_eq!(scrubber.scrub("for a while"), "for a while");
    let held = scrubber.conceal(b"for good");
    scrubber.register("for good");
    drop(held);
    assert_eq!(scrubber.scrub("for good"), "[redacted]");
    drop(scrubber.conceal(b"abc"));
}

#[test]
fn what_was_told_first_is_forgotten_first_and_what_is_used_stays() {
    let scrubber = knowing("the very first");
    scrubber.register("still in use");
    for number in 0..4_095 {
        scrubber.register(&format!("value {number:05}"));
        scrubber.register("still in use");
    }
    assert_eq!(scrubber.scrub("the very first"), "the very first");
    assert_eq!(scrubber.scrub("still in use"), "[redacted]");
    assert_eq!(scrubber.scrub("value 00000"), "[redacted]");
}

#[test]
fn streams_hold_back_what_may_be_a_beginning() {
    let scrubber = knowing("correct horse");
    let mut out = Vec::new();
    {
        let mut stream = scrubber.writer(&mut out);
        stream.write_all(b"it is corr").unwrap();
        stream.write_all(b"ect hor").unwrap();
        stream.write_all(b"se, or corr").unwrap();
        stream.flush().unwrap();
        stream.write_all(b"ectly co").unwrap();
    }
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "it is [redacted], or correctly co"
    );
}

/// Values that touch are one where they are seen together.
fn merged(mut text: String) -> String {
    while text.contains("[redacted][redacted]") {
        text = text.replace("[redacted][redacted]", "[redacted]");
    }
    text
}

#[test]
fn the_end_of_one_value_may_be_the_beginning_of_another() {
    let scrubber = knowing("abcdef");
    scrubber.register("defghi");
    let mut out = Vec::new();
    {
        let mut stream = scrubber.writer(&mut out);
        for piece in ["-abcdef", "ghi-abc", "def-"] {
            stream.write_all(piece.as_bytes()).unwrap();
        }
    }
    assert_eq!(String::from_utf8(out).unwrap(), "-[redacted]-[redacted]-");
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_no_value_passes(
        value in "[ -~\\n]{4,40}",
        around in "[a-z ]{0,20}",
        cuts in prop::collection::vec(1_usize..12, 1..40),
    ) {
        let scrubber = knowing(&value);
        let text = format!("{around}{value}{around}{}{around}", STANDARD.encode(&value));
        let mut out = Vec::new();
        {
            let mut stream = scrubber.writer(&mut out);
            let mut rest = text.as_bytes();
            for cut in cuts.into_iter().cycle() {
                let (piece, others) = rest.split_at(cut.min(rest.len()));
                stream.write_all(piece).unwrap();
                rest = others;
                if rest.is_empty() {
                    break;
                }
            }
        }
        let out = String::from_utf8(out).unwrap();
        prop_assert!(!out.contains(&value), "{out}");
        prop_assert!(!out.contains(STANDARD.encode(&value).trim_end_matches('=')), "{out}");
        prop_assert_eq!(merged(out), merged(scrubber.scrub(&text)));
    }
}

struct Ear(std::sync::mpsc::Sender<String>);

impl Sink for Ear {
    fn emit(&self, signal: &Signal) {
        let _ = self.0.send(serde_json::to_string(signal).unwrap());
    }
}

#[test]
fn every_text_of_an_event_is_scrubbed() {
    let (send, receive) = std::sync::mpsc::channel();
    let bus = Bus::new(vec![Box::new(Ear(send))], knowing("staple"));
    let target: whimbrel_core::name::TargetName =
        whimbrel_core::name::TargetName::single("main".parse().unwrap());
    let migration: whimbrel_core::name::MigrationName = "0001-x".parse().unwrap();
    let text = || "the staple is".to_owned();
    for signal in [
        Signal::LockWaiting {
            target: target.clone(),
            holder: text(),
        },
        Signal::StepStarted {
            target: target.clone(),
            migration: migration.clone(),
            title: text(),
        },
        Signal::StepProgress {
            target: target.clone(),
            migration: migration.clone(),
            title: text(),
            progress: Progress {
                done: 1,
                total: None,
            },
            rows: 1,
        },
        Signal::StepFinished {
            target: target.clone(),
            migration: migration.clone(),
            title: text(),
            kind: StepKind::Sql,
            dialect: Dialect::Sqlite,
            took: Duration::from_millis(1),
            rows: 1,
            rest: 0,
        },
        Signal::Retrying {
            target: target.clone(),
            migration: migration.clone(),
            attempt: 1,
            reason: text(),
        },
        Signal::MigrationFailed {
            target: target.clone(),
            migration: migration.clone(),
            direction: whimbrel_core::history::Direction::Apply,
            error: text(),
            committed: text(),
        },
        Signal::PluginLog {
            target: target.clone(),
            plugin: "p".to_owned(),
            level: text(),
            message: text(),
        },
        Signal::Metric {
            target: target.clone(),
            migration,
            name: text(),
            r#type: "gauge".to_owned(),
            value: 1.0,
        },
        Signal::TargetFinished {
            target,
            result: text(),
            class: None,
        },
    ] {
        bus.emit(signal);
        let heard = receive.recv().unwrap();
        assert!(
            heard.contains("[redacted]") && !heard.contains("staple"),
            "{heard}"
        );
    }
}
