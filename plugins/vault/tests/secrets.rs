//! What is read and described of KV, database and other engines.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::prelude::*;

#[test]
fn kv_2_gives_fields_and_version_with_the_headers_that_vault_wants() {
    let mut config = with_token();
    config["namespace"] = json!("team/payments");
    let answers = answers().on(
        "GET",
        "/v1/secret/data/app/db",
        200,
        kv2(json!({ "user": "ada", "port": 5432 }), 7),
    );
    let (secret, mut host) = read(host(answers), config, "secret/app/db");
    let secret = secret.unwrap();
    assert_eq!(secret.field("user"), Some(&b"ada"[..]));
    assert_eq!(secret.field("port"), Some(&b"5432"[..]));
    assert_eq!(secret.version.as_deref(), Some("7"));
    assert!(secret.lease.is_none() && secret.expires.is_none());
    for request in host.take_requests() {
        assert_eq!(request.header("x-vault-request"), Some("true"));
        assert_eq!(request.header("x-vault-namespace"), Some("team/payments"));
        assert_eq!(request.header("x-vault-token"), Some("t-configured"));
    }
}

#[test]
fn kv_2_gives_a_fixed_version_and_tells_deleted_from_destroyed() {
    let gone = |destroyed| {
        envelope(
            json!({ "data": { "data": null, "metadata": metadata(2, "2026-02-01T00:00:00Z", destroyed) } }),
        )
    };
    let answers = answers()
        .on(
            "GET",
            "/v1/secret/data/a?version=3",
            200,
            kv2(json!({ "x": "1" }), 3),
        )
        .on("GET", "/v1/secret/data/a?version=2", 404, gone(false))
        .on("GET", "/v1/secret/data/a?version=1", 404, gone(true))
        .on("GET", "/v1/secret/data/a?version=9", 404, errors(&[]));
    let (answer, _) = call(host(answers), with_token(), |vault: &Vault| {
        let read = |version: &str| vault.read(&Reference::new("secret/a").with_version(version));
        assert_eq!(read("3")?.version.as_deref(), Some("3"));
        assert_eq!(read("2").unwrap_err().code, "vault.version-deleted");
        assert_eq!(read("1").unwrap_err().code, "vault.version-destroyed");
        assert_eq!(read("9").unwrap_err().code, "vault.not-found");
        for text in ["0", "-1", "AWSCURRENT", ""] {
            assert_eq!(read(text).unwrap_err().code, "vault.version");
        }
        Ok(())
    });
    answer.unwrap();
}

#[test]
fn kv_2_is_described_without_reading_it() {
    let keys = envelope(
        json!({ "data": { "subkeys": { "password": null, "user": null }, "metadata": metadata(4, "", false) } }),
    );
    let answers = answers().on("GET", "/v1/secret/subkeys/a", 200, keys);
    let (shape, mut host) = call(host(answers), with_token(), |vault: &Vault| {
        vault.describe(&Reference::new("secret/a"))
    });
    let shape = shape.unwrap();
    assert_eq!(shape.fields, ["password", "user"]);
    assert_eq!(shape.version.as_deref(), Some("4"));
    assert!(
        seen(&mut host)
            .iter()
            .all(|request| !request.contains("/data/"))
    );
}

#[test]
fn a_policy_that_hides_keys_leaves_metadata_or_the_capability() {
    let denied = errors(&["permission denied"]);
    let versions = json!({ "1": { "created_time": "2026-01-01T00:00:00Z", "deletion_time": "2026-02-01T00:00:00Z", "destroyed": false },
        "2": { "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": true },
        "3": { "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false } });
    let metadata = envelope(json!({ "data": {
        "cas_required": false, "created_time": "2026-01-01T00:00:00Z", "current_version": 3, "delete_version_after": "0s",
        "max_versions": 0, "oldest_version": 0, "updated_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "versions": versions,
    } }));
    let refused = || {
        let mut answers = answers();
        for version in ["", "?version=1", "?version=2", "?version=3", "?version=4"] {
            answers = answers.on(
                "GET",
                &format!("/v1/secret/subkeys/a{version}"),
                403,
                denied.clone(),
            );
        }
        answers
    };
    let (answer, _) = call(
        host(refused().on("GET", "/v1/secret/metadata/a", 200, metadata)),
        with_token(),
        |vault: &Vault| {
            let of =
                |version: &str| vault.describe(&Reference::new("secret/a").with_version(version));
            assert_eq!(
                vault
                    .describe(&Reference::new("secret/a"))?
                    .version
                    .as_deref(),
                Some("3")
            );
            assert_eq!(of("1").unwrap_err().code, "vault.version-deleted");
            assert_eq!(of("2").unwrap_err().code, "vault.version-destroyed");
            assert_eq!(of("4").unwrap_err().code, "vault.version-unknown");
            Ok(())
        },
    );
    answer.unwrap();
    let capable = |capability: &str| {
        let data = envelope(
            json!({ "data": { "secret/data/a": [capability], "capabilities": [capability] } }),
        );
        refused()
            .on("GET", "/v1/secret/metadata/a", 403, denied.clone())
            .on("POST", "/v1/sys/capabilities-self", 200, data)
    };
    let describe = |vault: &vault::Vault| vault.describe(&Reference::new("secret/a"));
    let (shape, _) = call(host(capable("read")), with_token(), describe);
    assert!(shape.unwrap().fields.is_empty());
    let (shape, _) = call(host(capable("deny")), with_token(), describe);
    assert_eq!(shape.unwrap_err().code, "vault.denied");
}

#[test]
fn kv_1_has_no_versions_and_no_lease() {
    let answers = answers().on(
        "GET",
        "/v1/old/a",
        200,
        envelope(json!({ "data": { "x": "1" }, "lease_duration": 2_764_800 })),
    );
    let (answer, _) = call(host(answers), with_token(), |vault: &Vault| {
        let secret = vault.read(&Reference::new("old/a"))?;
        assert_eq!(secret.field("x"), Some(&b"1"[..]));
        assert!(secret.lease.is_none());
        assert_eq!(vault.describe(&Reference::new("old/a"))?.fields, ["x"]);
        vault.read(&Reference::new("old/a").with_version("1"))
    });
    assert_eq!(answer.unwrap_err().code, "vault.no-versions");
}

#[test]
fn dynamic_credentials_come_with_their_lease() {
    let creds = envelope(json!({
        "data": { "username": "v-1", "password": "p" }, "lease_id": "database/creds/app/1", "renewable": true, "lease_duration": 30,
    }));
    let (secret, _) = read(
        host(answers().on("GET", "/v1/database/creds/app", 200, creds)),
        with_token(),
        "database/creds/app",
    );
    let lease = secret.unwrap().lease.unwrap();
    assert_eq!(
        (
            lease.id.as_str(),
            lease.is_renewable,
            lease.time_to_live.as_secs()
        ),
        ("database/creds/app/1", true, 30)
    );
}

#[test]
fn dynamic_credentials_are_described_without_making_any() {
    let may = envelope(json!({ "data": { "database/creds/app": ["read"] } }));
    let role =
        envelope(json!({ "data": { "default_ttl": 3600, "max_ttl": 86400, "db_name": "shop" } }));
    let answers = answers()
        .on("POST", "/v1/sys/capabilities-self", 200, may)
        .on("GET", "/v1/database/roles/app", 200, role);
    let (shape, mut host) = call(host(answers), with_token(), |vault: &Vault| {
        vault.describe(&Reference::new("database/creds/app"))
    });
    let shape = shape.unwrap();
    assert_eq!(shape.fields, ["password", "username"]);
    assert_eq!(shape.time_to_live, Some(Duration::from_secs(3_600)));
    assert!(
        seen(&mut host)
            .iter()
            .all(|request| !request.contains("/creds/"))
    );
}

#[test]
fn a_static_role_tells_when_its_password_changes() {
    let creds = envelope(
        json!({ "data": { "username": "app", "password": "p", "ttl": 60, "rotation_period": 300 } }),
    );
    let answers = answers().on("GET", "/v1/database/static-creds/app", 200, creds);
    let (answer, _) = call(host(answers), with_token(), |vault: &Vault| {
        let secret = vault.read(&Reference::new("database/static-creds/app"))?;
        assert!(secret.lease.is_none());
        assert_eq!(secret.expires, Some(NOW + 60_000));
        vault.describe(&Reference::new("database/static-creds/app"))
    });
    let shape = answer.unwrap();
    assert_eq!(shape.next_rotation, Some(NOW + 60_000));
    assert!(shape.fields.contains(&"password".to_owned()));
}

#[test]
fn an_unknown_mount_is_asked_for_once() {
    let mount = envelope(
        json!({ "data": { "path": "team/kv/", "type": "kv", "options": { "version": "2" } } }),
    );
    let answers = answers()
        .on("GET", "/v1/sys/internal/ui/mounts/team/kv/a", 200, mount)
        .on(
            "GET",
            "/v1/team/kv/data/a",
            200,
            kv2(json!({ "x": "1" }), 1),
        )
        .on(
            "GET",
            "/v1/team/kv/data/b",
            200,
            kv2(json!({ "x": "2" }), 1),
        )
        .on(
            "GET",
            "/v1/sys/internal/ui/mounts/nowhere/b",
            403,
            errors(&["preflight capability check returned 403"]),
        );
    let (secret, host) = read(host(answers), with_token(), "team/kv/a");
    secret.unwrap();
    let (secret, mut host) = read(host, with_token(), "team/kv/b");
    assert_eq!(secret.unwrap().field("x"), Some(&b"2"[..]));
    let asked = seen(&mut host)
        .iter()
        .filter(|request| request.contains("/mounts/"))
        .count();
    assert_eq!(asked, 1);
    let (answer, _) = read(host, with_token(), "nowhere/b");
    let fault = answer.unwrap_err();
    assert_eq!(
        (fault.class, fault.code.as_str()),
        (FaultClass::NotFound, "vault.not-found")
    );
}

#[test]
fn parameters_are_written_to_a_path_that_issues() {
    let mount = envelope(json!({ "data": { "path": "pki/", "type": "pki" } }));
    let answers = answers()
        .on(
            "GET",
            "/v1/sys/internal/ui/mounts/pki/issue/app",
            200,
            mount,
        )
        .on(
            "POST",
            "/v1/pki/issue/app",
            200,
            envelope(json!({ "data": { "private_key": "k" }, "warnings": ["short"] })),
        );
    let reference = Reference::new("pki/issue/app")
        .with_options(json!({ "parameters": { "common_name": "app" } }));
    let (secret, mut host) = call(host(answers), with_token(), |vault: &Vault| {
        vault.read(&reference)
    });
    assert_eq!(secret.unwrap().field("private_key"), Some(&b"k"[..]));
    assert_eq!(
        body(host.take_requests().last().unwrap()),
        json!({ "common_name": "app" })
    );
    assert_eq!(host.logs().len(), 1);
}

#[test]
fn paths_that_mean_another_path_are_refused() {
    for path in [
        "",
        "/secret/a",
        "secret//a",
        "secret/a/",
        "secret/../sys/seal",
        "secret/./a",
        "secret/a.",
        "secret/a\n",
    ] {
        let (answer, mut host) = read(host(answers()), with_token(), path);
        assert_eq!(answer.unwrap_err().code, "vault.path", "{path}");
        assert!(
            seen(&mut host)
                .iter()
                .all(|request| request.contains("lookup-self")),
            "{path}"
        );
    }
    let (answer, _) = read(host(answers()), with_token(), "secret");
    assert!(answer.unwrap_err().message.contains("is a mount"));
    // What a URL gives a meaning is part of the name.
    let answers = answers().on(
        "GET",
        "/v1/secret/data/a%3Fb%23c",
        200,
        kv2(json!({ "x": "1" }), 1),
    );
    let (answer, _) = read(host(answers), with_token(), "secret/a?b#c");
    answer.unwrap();
}
