//! The backend over files that the real `sops` made, whole and changed. See `files/README.md`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sops::Sops;
use whimbrel_sdk::mock::{self, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

const YAML: &str = include_str!("files/shop.yaml");
const JSON: &str = include_str!("files/shop.json");
const ONLY: &str = include_str!("files/only.yaml");
const IDENTITY: &str = include_str!("files/identity.txt");
const OTHER: &str = include_str!("files/other.txt");

fn call<T>(
    text: &str,
    with: Json,
    action: impl FnOnce(&Sops) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let host = Host::without_database().with_file("secrets/shop", text);
    mock::call(host, with, action).0
}

fn with(identity: &str) -> Json {
    json!({ "identity": identity, "folder": "secrets/" })
}

fn read(text: &str) -> Result<Secret, Fault> {
    call(text, with(IDENTITY), |store| {
        store.read(&Reference::new("shop"))
    })
}

fn describe(text: &str) -> Result<Shape, Fault> {
    // An identity that decrypts none of the files.
    call(text, with(OTHER), |store| {
        store.describe(&Reference::new("shop"))
    })
}

fn field(secret: &Secret, name: &str) -> String {
    String::from_utf8(secret.field(name).unwrap().to_vec()).unwrap()
}

/// The code, after making sure that the fault says nothing of what is in the file.
fn code(result: Result<Secret, Fault>) -> String {
    let fault = result.unwrap_err();
    let text = format!("{fault:?}");
    for secret in [
        "ENC[",
        "the password",
        "AGE-SECRET",
        "AGE ENCRYPTED",
        "data:",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("secrets/shop"), "{text}");
    fault.code
}

#[test]
fn a_yaml_file_is_read_with_its_types() {
    let secret = read(YAML).unwrap();
    assert_eq!(field(&secret, "host"), "db.example.org");
    assert_eq!(field(&secret, "port"), "5432");
    assert_eq!(field(&secret, "weight"), "1.5");
    assert_eq!(field(&secret, "tls"), "true");
    assert_eq!(field(&secret, "empty"), "");
    assert_eq!(field(&secret, "nothing"), "");
    assert_eq!(field(&secret, "note_unencrypted"), "in plain text");
    let nested: Json = serde_json::from_str(&field(&secret, "db")).unwrap();
    assert_eq!(nested["password"], "péché & 100% = \"sure\"");
    assert_eq!(nested["replicas"], json!(["one", "two"]));
    assert_eq!(nested["nested"]["deep"]["key"], "inside");
    assert_eq!(secret.version.as_deref(), Some("2026-11-28T15:48:10Z"));
    assert_eq!(secret.details["ageRecipients"], 2);
    assert!(secret.field("sops").is_none());
}

#[test]
fn a_json_file_is_read_with_its_types() {
    let secret = read(JSON).unwrap();
    assert_eq!(field(&secret, "password"), "the password in the file");
    assert_eq!(field(&secret, "large"), "9007199254740993");
    assert_eq!(field(&secret, "ratio"), "0.25");
    assert_eq!(field(&secret, "tls"), "false");
    assert_eq!(field(&secret, "hosts"), r#"["a","b"]"#);
    let nested: Json = serde_json::from_str(&field(&secret, "db")).unwrap();
    assert_eq!(
        nested,
        json!({ "password": "the nested one", "note_unencrypted": 7 })
    );
}

#[test]
fn a_binary_file_is_one_field() {
    let secret = read(include_str!("files/binary.json")).unwrap();
    assert_eq!(secret.field("data"), Some(&b"binary \xff\x00 bytes"[..]));
}

#[test]
fn keys_are_described_without_decrypting() {
    let shape = describe(YAML).unwrap();
    let fields = [
        "host",
        "port",
        "weight",
        "tls",
        "empty",
        "nothing",
        "note_unencrypted",
        "db",
    ];
    assert_eq!(shape.fields, fields);
    assert_eq!(shape.version, read(YAML).unwrap().version);
}

#[test]
fn what_no_mac_covers_is_not_given() {
    let secret = read(ONLY).unwrap();
    assert_eq!(field(&secret, "password"), "the password");
    assert_eq!(secret.fields.len(), 1);
    assert_eq!(describe(ONLY).unwrap().fields, ["password"]);
    let added = format!("password_of_mine: mine\n{ONLY}");
    assert_eq!(read(&added).unwrap(), secret);
    // Who takes the mark away can't have the rest believed.
    let unmarked = ONLY.replace("    mac_only_encrypted: true\n", "");
    assert_ne!(unmarked, ONLY);
    assert_eq!(code(read(&unmarked)), "sops.mac");
}

#[test]
fn a_changed_file_is_refused() {
    let line = |start: &str| YAML.lines().find(|line| line.starts_with(start)).unwrap();
    let (host, port) = (line("host: "), line("port: "));
    let plain = YAML.replace(host, "host: mine.example.org");
    let moved = YAML.replace(host, &port.replace("port: ", "host: "));
    let typed = YAML.replace(port, &port.replace("type:int", "type:str"));
    let cut = YAML.replace(host, "host: ENC[AES256_GCM,data:AA==]");
    let kind = YAML.replace(host, &host.replace("type:str", "type:other"));
    let without = YAML.replace(&format!("{host}\n"), "");
    let unencrypted = YAML.replace("in plain text", "in other text");
    let later = YAML.replace("2026-11-28T15:48:10Z", "2026-11-28T15:48:11Z");
    for (text, expected) in [
        (plain, "sops.mac"),
        (without, "sops.mac"),
        (unencrypted, "sops.mac"),
        (later, "sops.mac"),
        (moved, "sops.value"),
        (cut, "sops.value"),
        (kind, "sops.value"),
    ] {
        assert_ne!(text, YAML);
        assert_eq!(code(read(&text)), expected);
    }
    // A type is nothing that SOPS protects; both read the same.
    assert_eq!(field(&read(&typed).unwrap(), "port"), "5432");
}

#[test]
fn a_file_that_stays_closed_says_why() {
    assert_eq!(
        code(read(include_str!("files/other.json"))),
        "sops.wrong-identity"
    );
    assert_eq!(
        code(read(include_str!("files/groups.yaml"))),
        "sops.key-groups"
    );
    let none = JSON.replace("\"age\"", "\"pgp\"");
    assert_eq!(code(read(&none)), "sops.no-age-recipient");
    let header = JSON.replace(
        "YWdlLWVuY3J5cHRpb24ub3JnL3Yx",
        "YWdlLWVuY3J5cHRpb24ub3JnL3Yy",
    );
    let armor = JSON.replace("BEGIN AGE", "BEGIN EGA");
    for text in [header, armor] {
        assert_ne!(text, JSON);
        assert_eq!(code(read(&text)), "sops.data-key");
    }
}

/// `shop.json`, with what age encrypted for its recipient changed below the armour.
fn with_age_file(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (before, rest) = JSON.split_once("FILE-----\\n").unwrap();
    let (body, after) = rest.split_once("\\n-----END").unwrap();
    let mut file = STANDARD.decode(body.replace("\\n", "")).unwrap();
    change(&mut file);
    let body = STANDARD.encode(file);
    format!("{before}FILE-----\\n{body}\\n-----END{after}")
}

#[test]
fn every_byte_of_the_data_key_is_covered() {
    let mut length = 0;
    let whole = with_age_file(|file| length = file.len());
    read(&whole).unwrap();
    for at in 0..length {
        // A letter stays one of base64's, so that what it says is what is wrong.
        let text = with_age_file(|file| {
            file[at] = if file[at] == b'B' { b'C' } else { b'B' };
        });
        let code = code(read(&text));
        assert!(
            ["sops.data-key", "sops.wrong-identity"].contains(&code.as_str()),
            "{at}: {code}"
        );
    }
    let cut = with_age_file(|file| file.truncate(length - 1));
    assert_eq!(code(read(&cut)), "sops.data-key");
    let longer = with_age_file(|file| file.push(0));
    assert_eq!(code(read(&longer)), "sops.data-key");
}

#[test]
fn another_file_is_no_sops_file() {
    let twice = JSON.replacen("\"username\"", "\"password\"", 1);
    for text in [
        "",
        "password: the password",
        "{\"password\": \"the password\"}",
        "[1]",
        "{",
        "a: b\nsops: {}",
        "\u{0}",
        "password=the password\nsops_mac=x",
        &format!("{YAML}---\npassword: the password\n"),
        &twice,
    ] {
        assert_eq!(code(read(text)), "sops.not-encrypted", "{text}");
    }
}

#[test]
fn references_that_make_no_sense() {
    let version = Reference::new("shop").with_version("1");
    let fault = call(YAML, with(IDENTITY), |store| store.read(&version)).unwrap_err();
    assert_eq!(fault.code, "sops.no-versions");
    let missing = Reference::new("nobody");
    let fault = call(YAML, with(IDENTITY), |store| store.read(&missing)).unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    // Without a folder a path is as the reference has it.
    let config = json!({ "identity": IDENTITY });
    let whole = Reference::new("secrets/shop");
    call(YAML, config, |store| store.read(&whole)).unwrap();
}

#[test]
fn the_identity_is_an_age_identity() {
    let line = IDENTITY.lines().last().unwrap();
    let both = format!("{OTHER}\n{IDENTITY}");
    for identity in [line, &format!("\n {line} \r\n"), &both] {
        call(YAML, with(identity), |store| {
            store.read(&Reference::new("shop"))
        })
        .unwrap();
    }
    let recipient = IDENTITY
        .split_whitespace()
        .find(|word| word.starts_with("age1"))
        .unwrap();
    let swapped = line.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1Q");
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----";
    for identity in ["", "# only a comment", recipient, &swapped, ssh] {
        let fault = call(YAML, with(identity), |_| Ok(())).unwrap_err();
        assert_eq!(fault.pointer.as_deref(), Some("/identity"));
        assert!(!fault.message.contains("KEY-1Q"));
    }
}
