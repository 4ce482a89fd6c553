//! The backend over states as Terraform writes them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use terraform_state::TerraformState;
use whimbrel_sdk::mock::{self, Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

/// What only Terraform's own part of a state knows.
const OF_A_RESOURCE: &str = "the password of a resource";
const PLACE: &str = "https://gitlab.example/api/v4/projects/shop%2Finfra/terraform/state/shop";

const STATE: &str = r#"{
  "version": 4,
  "terraform_version": "1.15.0",
  "serial": 7,
  "lineage": "9c1f4d6e-0000-0000-0000-000000000001",
  "outputs": {
    "account": { "value": 123456789012345678901234567890, "type": "number" },
    "database_host": { "value": "db.example.org", "type": "string" },
    "database_url": { "value": "postgres://db.example.org/shop", "type": "string", "sensitive": true },
    "hosts": { "value": ["one", "two"], "type": ["tuple", ["string", "string"]] },
    "is_public": { "value": false, "type": "bool" },
    "nothing": { "value": null, "type": "dynamic" },
    "server": {
      "value": { "host": "db", "port": 5432, "login": { "user": "ada" }, "note": null, "quoted": "a \"b\" \u00e9" },
      "type": ["object", { "host": "string", "port": "number" }]
    }
  },
  "resources": [
    { "mode": "managed", "type": "random_password", "name": "shop",
      "instances": [ { "attributes": { "result": "the password of a resource" } } ] }
  ],
  "check_results": null
}
"#;

fn local() -> Json {
    json!({ "from": { "local": { "path": "infra/terraform.tfstate" } } })
}

fn http() -> Json {
    json!({ "from": { "http": { "address": PLACE } } })
}

fn with_file(text: &str) -> Host {
    Host::without_database().with_file("infra/terraform.tfstate", text)
}

fn read(text: &str, name: &str) -> Result<Secret, Fault> {
    read_as(text, &Reference::new(name))
}

fn read_as(text: &str, reference: &Reference) -> Result<Secret, Fault> {
    mock::call(with_file(text), local(), |store: &TerraformState| {
        store.read(reference)
    })
    .0
}

fn served(status: u16, body: impl Into<String>, with: Json) -> (Result<Secret, Fault>, Host) {
    let answers = Answers::new().on("GET", PLACE, status, body.into());
    let host = Host::without_database().with_answers(answers);
    mock::call(host, with, |store: &TerraformState| {
        store.read(&Reference::new("database_host"))
    })
}

fn text(secret: &Secret, name: &str) -> String {
    String::from_utf8(secret.field(name).unwrap().to_vec()).unwrap()
}

/// The fault, after making sure that it says nothing of what is in the state.
fn fault<T>(answer: Result<T, Fault>) -> Fault {
    let fault = answer.err().unwrap();
    let said = format!("{fault:?}");
    for secret in [OF_A_RESOURCE, "db.example.org", "9c1f4d6e"] {
        assert!(!said.contains(secret), "{said}");
    }
    fault
}

#[test]
fn scalars_are_one_value_as_terraform_wrote_it() {
    for (name, written) in [
        ("database_host", "db.example.org"),
        ("account", "123456789012345678901234567890"),
        ("is_public", "false"),
    ] {
        let secret = read(STATE, name).unwrap();
        assert_eq!(text(&secret, "value"), written);
        assert_eq!(secret.fields.len(), 1);
        assert_eq!(
            secret.version.as_deref(),
            Some("7@9c1f4d6e-0000-0000-0000-000000000001")
        );
    }
}

#[test]
fn objects_and_lists_have_their_parts_as_fields() {
    let server = read(STATE, "server").unwrap();
    assert_eq!(text(&server, "host"), "db");
    assert_eq!(text(&server, "port"), "5432");
    assert_eq!(text(&server, "note"), "");
    assert_eq!(text(&server, "quoted"), "a \"b\" é");
    let login: Json = serde_json::from_str(&text(&server, "login")).unwrap();
    assert_eq!(login["user"], "ada");
    let hosts = read(STATE, "hosts").unwrap();
    assert_eq!(
        (text(&hosts, "0"), text(&hosts, "1")),
        ("one".into(), "two".into())
    );
    let raw = Reference::new("hosts").with_options(json!({ "raw": true }));
    let raw = read_as(STATE, &raw).unwrap();
    assert_eq!(text(&raw, "value"), r#"["one", "two"]"#);
}

#[test]
fn only_what_terraform_calls_sensitive_is() {
    let sensitive = |name: &str| read(STATE, name).unwrap().details["sensitive"].clone();
    assert_eq!(sensitive("database_host"), json!(false));
    assert_eq!(sensitive("database_url"), json!(true));
    let (shape, _) = mock::call(with_file(STATE), local(), |store: &TerraformState| {
        store.describe(&Reference::new("server"))
    });
    let shape = shape.unwrap();
    assert_eq!(shape.fields, ["host", "login", "note", "port", "quoted"]);
    assert_eq!(shape.details["type"], "object");
    assert_eq!(shape.details["terraformVersion"], "1.15.0");
}

#[test]
fn a_name_that_is_not_there_leads_to_one_that_is() {
    for (name, hint) in [
        ("databse_host", "did you mean `database_host`?"),
        ("server.login.user", "`path: server`, `key: login/user`"),
        ("hosts[0]", "`path: hosts`, `key: 0`"),
        ("elsewhere", "its outputs are `account`, `database_host`"),
    ] {
        let fault = fault(read(STATE, name));
        assert_eq!(fault.code, "terraform.no-output");
        assert_eq!(fault.class, FaultClass::NotFound);
        assert!(fault.hint.as_ref().unwrap().contains(hint), "{fault:?}");
    }
    let empty = r#"{ "version": 4, "serial": 1, "outputs": {}, "resources": [] }"#;
    let none = fault(read(empty, "host"));
    assert!(none.hint.unwrap().contains("no outputs"));
    assert_eq!(fault(read(STATE, "nothing")).code, "terraform.no-value");
    let versioned = Reference::new("account").with_version("6");
    assert_eq!(
        fault(read_as(STATE, &versioned)).code,
        "terraform.no-versions"
    );
}

#[test]
fn a_state_that_is_being_written_is_asked_for_again() {
    for end in [0, 1, STATE.len() / 3, STATE.len() / 2, STATE.len() - 3] {
        let fault = fault(read(&STATE[..end], "database_host"));
        assert_eq!(fault.code, "terraform.half-written", "{end}");
        assert_eq!(
            (fault.class, fault.retry),
            (FaultClass::Unavailable, Retry::Backoff)
        );
    }
}

#[test]
fn what_is_no_state_of_this_format_is_told_apart() {
    let third =
        r#"{ "version": 3, "modules": [{ "outputs": { "database_host": { "value": "db" } } }] }"#;
    let encrypted = r#"{ "serial": 1, "lineage": "x", "meta": {}, "encrypted_data": "eyJ", "encryption_version": "v0" }"#;
    for (body, code) in [
        (third, "terraform.format-version"),
        (r#"{ "version": 5 }"#, "terraform.format-version"),
        (encrypted, "terraform.encrypted"),
        (r#"{ "version": "4" }"#, "terraform.not-a-state"),
        (r#"{ "name": "package" }"#, "terraform.not-a-state"),
        (
            r#"{ "version": 4, "outputs": [] }"#,
            "terraform.not-a-state",
        ),
        ("<!DOCTYPE html>", "terraform.not-a-state"),
        ("[]", "terraform.not-a-state"),
    ] {
        let fault = fault(read(body, "database_host"));
        assert_eq!(fault.code, code, "{body}");
        assert_eq!(fault.retry, Retry::Never);
    }
    let (answer, _) = mock::call(
        Host::without_database(),
        local(),
        |store: &TerraformState| store.read(&Reference::new("database_host")),
    );
    assert_eq!(fault(answer).code, "terraform.no-state");
}

#[test]
fn a_server_is_asked_as_terraform_asks_it() {
    let (secret, mut host) = served(200, STATE, http());
    assert_eq!(text(&secret.unwrap(), "value"), "db.example.org");
    assert_eq!(host.requests(), [format!("GET {PLACE}")]);
    assert!(host.take_requests()[0].header("authorization").is_none());
    let with =
        json!({ "from": { "http": { "address": PLACE, "username": "ada", "password": "päss" } } });
    let (secret, mut host) = served(200, STATE, with);
    secret.unwrap();
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Basic YWRhOnDDpHNz")
    );
}

#[test]
fn refusals_of_a_server_are_told_apart() {
    use FaultClass::{Denied, Internal, NotFound, Unavailable};
    for (status, code, class, retry) in [
        (204, "terraform.no-state", NotFound, Retry::Never),
        (404, "terraform.no-state", NotFound, Retry::Never),
        (401, "terraform.unauthenticated", Denied, Retry::Never),
        (403, "terraform.denied", Denied, Retry::Never),
        (429, "terraform.busy", Unavailable, Retry::Backoff),
        (500, "terraform.unavailable", Unavailable, Retry::Backoff),
        (302, "terraform.unexpected", Internal, Retry::Never),
    ] {
        // Whatever the body is, it isn't shown: it may be the state.
        let fault = fault(served(status, STATE, http()).0);
        assert_eq!(
            (fault.code.as_str(), fault.class, fault.retry),
            (code, class, retry),
            "{status}"
        );
        assert!(fault.message.contains(PLACE), "{fault:?}");
    }
    assert_eq!(fault(served(200, "", http()).0).code, "terraform.no-state");
}

#[test]
fn what_makes_no_sense_is_refused_where_it_stands() {
    for (from, pointer) in [
        (json!({ "local": { "path": "infra/" } }), "/from/local/path"),
        (
            json!({ "http": { "address": "gitlab.example" } }),
            "/from/http/address",
        ),
        (
            json!({ "http": { "address": "https://ada:x@gitlab.example/" } }),
            "/from/http/address",
        ),
        (
            json!({ "http": { "address": PLACE, "password": "x" } }),
            "/from/http/password",
        ),
        (
            json!({ "http": { "address": PLACE, "username": "a:b" } }),
            "/from/http/username",
        ),
    ] {
        let (answer, _) = mock::call(
            Host::without_database(),
            json!({ "from": from }),
            |_: &TerraformState| Ok(()),
        );
        assert_eq!(answer.unwrap_err().pointer.as_deref(), Some(pointer));
    }
}

#[test]
fn what_only_the_server_should_read_of_an_address_is_not_shown() {
    let address = format!("{PLACE}?token=of-the-server");
    let answers = Answers::new().on("GET", &address, 404, "");
    let (answer, _) = mock::call(
        Host::without_database().with_answers(answers),
        json!({ "from": { "http": { "address": address } } }),
        |store: &TerraformState| store.read(&Reference::new("database_host")),
    );
    let fault = fault(answer);
    assert_eq!(fault.code, "terraform.no-state");
    assert!(!format!("{fault:?}").contains("of-the-server"), "{fault:?}");
}
