//! A secret store that misbehaves: nothing of it lasts, nothing of what it reveals is repeated, and nothing that it says
//! is believed.
//!
//! tidy: long because every misdeed is tried against one rig.

use std::time::Duration;

use crate::support::store::{Setup, Store, reference, value};
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_plugin::{Limits, SecretStore, StoreSettings, World};
use whimbrel_secrets::{Backend, LeaseId, Renewal};

fn lease(id: &str) -> LeaseId {
    LeaseId(id.to_owned())
}

async fn plain() -> Store {
    Setup::new().store().await
}

async fn refused(deed: &str, options: Json) -> Fault {
    match plain().await.read(deed, options).await {
        Ok(_) => panic!("{deed} was believed"),
        Err(fault) => fault,
    }
}

#[tokio::test]
async fn a_store_is_configured_first_in_every_call() {
    let mut setup = Setup::new().with(json!({ "a": "secret://file/x", "b": 1 }));
    setup.materials.set("secret://file/x", "resolved-value");
    let store = setup.clone().store().await;
    let config = store.value("config", Json::Null).await.unwrap();
    assert_eq!(config, r#"{"a":"resolved-value","b":1}"#);
    for _ in 0..2 {
        let reads = store.value("reads", Json::Null).await.unwrap();
        assert_eq!(reads, "1", "memory outlived a call");
    }
    // What was rotated is seen by the next call.
    setup.materials.set("secret://file/x", "rotated-value");
    let config = store.value("config", Json::Null).await.unwrap();
    assert!(config.contains("rotated-value"), "{config}");
    setup.with = json!({ "refuse": "not like this" });
    let fault = setup.store().await.read("value", Json::Null).await;
    let fault = fault.err().unwrap();
    assert_eq!(
        (fault.class, fault.code.as_str()),
        (FaultClass::Invalid, "store.refused")
    );
}

#[tokio::test]
async fn no_call_finds_what_another_one_wrote_anywhere() {
    let store = plain().await;
    for _ in 0..3 {
        // Within one call the second look finds what the first one wrote.
        let found = store.value("stain", json!({ "n": 2 })).await.unwrap();
        assert_eq!(found, "[0,131072]");
    }
}

#[tokio::test]
async fn what_can_not_be_resolved_says_where() {
    let setup = Setup::new().with(json!({ "deep": [{ "x": "secret://file/none" }] }));
    let fault = setup
        .store()
        .await
        .read("value", Json::Null)
        .await
        .err()
        .unwrap();
    assert_eq!(fault.pointer.as_deref(), Some("/deep/0/x"));
}

#[tokio::test]
async fn values_are_known_to_the_scrubber_before_anybody_gets_them() {
    let store = plain().await;
    let secret = store
        .read("value", json!({ "value": "p4ssw0rd-x" }))
        .await
        .unwrap();
    assert_eq!(value(&secret), "p4ssw0rd-x");
    assert_eq!(store.scrubber.scrub("a p4ssw0rd-x b"), "a [redacted] b");
    let secret = store.read("bytes", Json::Null).await.unwrap();
    assert_eq!(
        secret.fields["value"].expose_secret(),
        [0xff, 0xfe, 0xfd, 0xfc, 0xfb]
    );
    for form in ["fffefdfcfb", "//79/Ps="] {
        let clean = store.scrubber.scrub(form);
        assert!(clean.starts_with("[redacted]"), "{clean}");
    }
    // Also of answers that can't be used.
    let options = json!({ "value": "slipped-out", "details": "{" });
    assert!(store.read("details", options).await.is_err());
    assert_eq!(store.scrubber.scrub("slipped-out"), "[redacted]");
    let options = json!({ "value": "slipped-in", "details": r#"{"a":["is slipped-in"]}"# });
    let secret = store.read("details", options).await.unwrap();
    assert_eq!(secret.details["a"][0], "is [redacted]");
}

#[tokio::test]
async fn only_what_is_said_to_be_no_secret_is_shown() {
    let store = plain().await;
    for (details, is_sensitive) in [
        (r#"{"sensitive":false}"#, false),
        (r#"{"sensitive":true}"#, true),
        (r#"{"sensitive":0}"#, true),
        (r#"{"sensitive":"false"}"#, true),
        (r#"{"inner":{"sensitive":false}}"#, true),
        ("null", true),
    ] {
        let value = format!("value-{}", details.len());
        let options = json!({ "value": value, "details": details });
        let secret = store.read("details", options).await.unwrap();
        assert_eq!(secret.is_sensitive(), is_sensitive, "{details}");
        let shown = store.scrubber.scrub(&value);
        assert_eq!(shown != value, is_sensitive, "{details}: {shown}");
    }
}

#[tokio::test]
async fn versions_leases_and_expiry_come_through() {
    let store = plain().await;
    let mut asked = reference("version", Json::Null);
    asked.version = Some("AWSPREVIOUS".to_owned());
    let secret = store.store.read(&asked).await.unwrap();
    assert_eq!(secret.version.as_deref(), Some("AWSPREVIOUS"));
    let secret = store
        .read("lease", json!({ "ttl": 30, "expires": 5 }))
        .await
        .unwrap();
    let lent = secret.lease.unwrap();
    assert_eq!((lent.id.0.as_str(), lent.renewable), ("lease-1", true));
    assert_eq!(
        (lent.time_to_live, secret.expires),
        (Duration::from_secs(30), Some(5))
    );
}

#[tokio::test]
async fn lies_about_time_stop_nobody() {
    let store = plain().await;
    let options = json!({ "ttl": u64::MAX, "expires": u64::MAX });
    let secret = store.read("lease", options).await.unwrap();
    let longest = Limits::default().longest_lease;
    assert_eq!(secret.lease.unwrap().time_to_live, longest);
    assert!(std::time::Instant::now().checked_add(longest).is_some());
    assert!(secret.expires.unwrap() < 253_402_300_800_000);
    let renewal = store
        .store
        .renew(&lease("liar"), Duration::from_secs(1))
        .await;
    assert!(matches!(renewal.unwrap(), Renewal::Renewed(lent) if lent.time_to_live == longest));
    let options = json!({ "ttl": u64::MAX, "next": u64::MAX });
    let shape = store.store.shape(&reference("x", options)).await.unwrap();
    assert_eq!(shape.time_to_live, Some(longest));
    assert!(shape.next_rotation.unwrap() < 253_402_300_800_000);
}

#[tokio::test]
async fn leases_are_renewed_and_revoked() {
    let store = plain().await.store;
    let want = Duration::from_secs(60);
    let renewed = store.renew(&lease("a"), want).await.unwrap();
    assert!(matches!(renewed, Renewal::Renewed(lent) if lent.time_to_live == want));
    let short = store.renew(&lease("short"), want).await.unwrap();
    assert!(matches!(short, Renewal::Truncated(lent) if lent.time_to_live == want / 2));
    assert_eq!(
        store.renew(&lease("gone"), want).await.unwrap(),
        Renewal::Gone
    );
    assert!(store.renew(&lease("nameless"), want).await.is_err());
    for _ in 0..2 {
        store.revoke(&lease("a")).await.unwrap();
        store.close().await.unwrap();
    }
    let stuck = store.revoke(&lease("stuck")).await.unwrap_err();
    assert_eq!(stuck.class, FaultClass::Unavailable);
}

#[tokio::test]
async fn shapes_are_checked() {
    let store = plain().await.store;
    let options = json!({ "fields": 2, "version": "7", "details": r#"{"a":1}"# });
    let shape = store.shape(&reference("x", options)).await.unwrap();
    assert_eq!(shape.fields, ["field0", "field1"]);
    assert_eq!(
        (shape.version.as_deref(), &shape.details["a"]),
        (Some("7"), &json!(1))
    );
    for options in [
        json!({ "fields": 1001 }),
        json!({ "version": "" }),
        json!({ "version": "x".repeat(5000) }),
        json!({ "details": "{" }),
    ] {
        let fault = store.shape(&reference("x", options)).await.unwrap_err();
        assert_eq!(fault.code, "plugin.answer");
    }
}

#[tokio::test]
async fn answers_are_bounded() {
    for (deed, options) in [
        ("large", json!({ "n": (1 << 20) + 1 })),
        ("fields", json!({ "n": 1001 })),
        ("field", json!({ "name": "" })),
        ("field", json!({ "name": "a\nb" })),
        ("field", json!({ "name": "x".repeat(5000) })),
        ("twice", Json::Null),
        ("lease", json!({ "id": "" })),
        ("lease", json!({ "id": "x".repeat(5000) })),
        ("details", json!({ "details": "{" })),
    ] {
        let fault = refused(deed, options).await;
        assert_eq!(fault.code, "plugin.answer", "{deed}: {fault}");
        assert_eq!(fault.retry, Retry::Never);
    }
    let all = plain()
        .await
        .read("fields", json!({ "n": 1000 }))
        .await
        .unwrap();
    assert_eq!(all.fields.len(), 1000);
}

#[tokio::test]
async fn whoever_does_not_end_is_ended() {
    let limits = Limits {
        compute: Duration::from_millis(200),
        store_timeout: Duration::from_millis(400),
        ..Limits::default()
    };
    let store = Setup::new().limits(limits.clone()).store().await;
    let fault = store.read("loop", Json::Null).await.err().unwrap();
    assert!(
        fault.code == "plugin.trap" || fault.code == "plugin.timeout",
        "{fault}"
    );
    let fault = store
        .read("sleep", json!({ "n": 60_000 }))
        .await
        .err()
        .unwrap();
    assert_eq!(
        (fault.code.as_str(), fault.retry),
        ("plugin.timeout", Retry::Backoff)
    );
    assert_eq!(fault.class, FaultClass::Unavailable);
    for deed in ["memory", "recursion", "bad-text", "panic"] {
        let fault = store.read(deed, Json::Null).await.err().unwrap();
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Internal, "plugin.trap")
        );
    }
    // None of it hurts the next call.
    assert!(
        store
            .read("value", json!({ "value": "alive" }))
            .await
            .is_ok()
    );
    let stuck = Setup::new()
        .limits(limits)
        .with(json!({ "loop": true }))
        .store()
        .await;
    assert!(stuck.read("value", Json::Null).await.is_err());
}

#[tokio::test]
async fn an_unknown_import_and_another_world_are_refused() {
    let plugin = Setup::new().plugin().await;
    assert_eq!(plugin.worlds(), [World::SecretStore]);
    assert!(plugin.describe().await.is_err(), "a store is no step");
    let step = crate::support::plugin(Limits::default()).await;
    let settings = StoreSettings {
        name: "x".to_owned(),
        with: Json::Null,
        materials: std::sync::Arc::new(whimbrel_plugin::NoMaterials),
        scrubber: whimbrel_signal::Scrubber::default(),
        log: None,
    };
    let fault = SecretStore::new(step, settings).err().unwrap();
    assert_eq!(fault.code, "plugin.world");
}

#[tokio::test]
async fn the_schema_is_read_and_the_store_describes_itself() {
    let store = plain().await.store;
    assert_eq!(store.schema().await.unwrap()["type"], "object");
    assert_eq!(store.describe(), "plugin hostile-store as `bad`");
    let called = plain().await.value("call", Json::Null).await.unwrap();
    assert_eq!(called, "|secrets/bad/read|1|false");
}

#[tokio::test]
async fn words_are_scrubbed_wherever_they_come_out() {
    let setup = Setup::new().with(json!({ "token": "secret://file/token" }));
    setup.materials.set("secret://file/token", "known-value");
    let store = setup.store().await;
    store.scrubber.register("known-value");
    let words = json!({ "text": "it is known-value" });
    let fault = store.read("fault", words.clone()).await.err().unwrap();
    assert_eq!(fault.message, "it is [redacted]");
    let fault = store.read("panic", words.clone()).await.err().unwrap();
    assert!(fault.message.contains("it is [redacted]"), "{fault}");
    store.read("log", words).await.unwrap();
    assert!(store.log().contains("it is [redacted]"), "{}", store.log());
    assert!(!store.log().contains("known-value"));
}

#[tokio::test]
async fn what_is_wrong_before_the_guest_is_asked_is_scrubbed_too() {
    let with = json!({ "known-value": "secret://file/known-value" });
    let store = Setup::new().with(with).store().await;
    store.scrubber.register("known-value");
    let fault = store.read("fault", Json::Null).await.err().unwrap();
    assert_eq!(fault.pointer.as_deref(), Some("/[redacted]"), "{fault:?}");
    assert!(!format!("{fault:?}").contains("known-value"), "{fault:?}");
}

#[tokio::test]
async fn a_line_that_is_cut_off_shows_no_part_of_a_secret() {
    let limits = Limits {
        log_bytes: 16,
        ..Limits::default()
    };
    let store = Setup::new().limits(limits).store().await;
    store.scrubber.register("known-value");
    let words = json!({ "text": "0123456789known-value" });
    store.read("log", words).await.unwrap();
    assert!(store.log().contains("0123456789[redac"), "{}", store.log());
    assert!(!store.log().contains("known"), "{}", store.log());
}

#[tokio::test]
async fn a_login_outlives_calls_traps_and_nothing_else() {
    let store = plain().await;
    assert_eq!(store.value("session", Json::Null).await.unwrap(), "none");
    let login = json!({ "token": "hvs.login-token" });
    store.read("login", login).await.unwrap();
    assert_eq!(
        store.value("session", Json::Null).await.unwrap(),
        "hvs.login-token"
    );
    assert_eq!(store.scrubber.scrub("hvs.login-token"), "[redacted]");
    assert!(store.read("panic", Json::Null).await.is_err());
    assert_eq!(
        store.value("session", Json::Null).await.unwrap(),
        "hvs.login-token"
    );
    assert!(
        store
            .read("login-panic", json!({ "token": "put-before-panic" }))
            .await
            .is_err()
    );
    assert_eq!(
        store.value("session", Json::Null).await.unwrap(),
        "put-before-panic"
    );
    store.read("forget", Json::Null).await.unwrap();
    assert_eq!(store.value("session", Json::Null).await.unwrap(), "none");
    store
        .read("login", json!({ "token": "expired-login", "expires": 1 }))
        .await
        .unwrap();
    assert_eq!(store.value("session", Json::Null).await.unwrap(), "none");
    let forever = json!({ "token": "for-ever-login", "expires": u64::MAX });
    store.read("login", forever).await.unwrap();
    assert_eq!(
        store.value("session", Json::Null).await.unwrap(),
        "for-ever-login"
    );
    store.store.close().await.unwrap();
    assert_eq!(store.value("session", Json::Null).await.unwrap(), "none");
}

#[tokio::test]
async fn a_login_is_never_anothers() {
    let setup = Setup::new();
    let plugin = setup.plugin().await;
    let one = Store::of(plugin.clone(), setup.clone());
    let other = Store::of(plugin, setup);
    one.read("login", json!({ "token": "poisoned-login" }))
        .await
        .unwrap();
    assert_eq!(other.value("session", Json::Null).await.unwrap(), "none");
}

#[tokio::test]
async fn a_login_is_bounded() {
    let store = plain().await;
    let fault = store
        .read("login-large", json!({ "n": 70_000 }))
        .await
        .err()
        .unwrap();
    assert!(fault.message.contains("a login of more than"), "{fault}");
    assert_eq!(store.value("session", Json::Null).await.unwrap(), "none");
}

#[tokio::test]
async fn many_calls_at_once_log_in_once() {
    let mut setup = Setup::new();
    setup.grants.random = true;
    let store = setup.store().await;
    let all = (0..8).map(|_| store.value("login-slowly", json!({ "n": 50 })));
    let all = futures::future::join_all(all).await;
    let first = all[0].as_ref().unwrap();
    assert!(all.iter().all(|login| login.as_ref().unwrap() == first));
}

#[tokio::test]
async fn who_keeps_no_login_is_not_kept_waiting() {
    let store = plain().await;
    assert!(
        store
            .read("value", json!({ "value": "first" }))
            .await
            .is_ok()
    );
    let begun = std::time::Instant::now();
    let all = (0..6).map(|_| store.read("sleep", json!({ "n": 400 })));
    let all = futures::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(
        begun.elapsed() < Duration::from_millis(1600),
        "one after the other"
    );
}

#[tokio::test]
async fn without_grants_the_surroundings_refuse_and_name_the_grant() {
    let store = plain().await;
    for (deed, grant) in [
        ("clock", "clock"),
        ("random", "random"),
        ("environment", "environment"),
    ] {
        let fault = store
            .read(deed, json!({ "name": "HOME" }))
            .await
            .err()
            .unwrap();
        assert!(
            fault.message.contains(&format!("no grant `{grant}`")),
            "{fault}"
        );
    }
    for (deed, code) in [("file", "files.denied"), ("http", "http.denied")] {
        let fault = store
            .read(deed, json!({ "file": "/etc/passwd" }))
            .await
            .err()
            .unwrap();
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Denied, code)
        );
        assert!(fault.hint.unwrap().contains("whimbrel.yaml"));
    }
}

#[tokio::test]
async fn granted_time_and_randomness_are_real() {
    let mut setup = Setup::new();
    setup.grants.clock = true;
    setup.grants.random = true;
    let store = setup.store().await;
    let now: u64 = store
        .value("clock", Json::Null)
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert!(now > 1_600_000_000_000);
    let bytes = async |n| store.read("random", json!({ "n": n })).await;
    let one = bytes(32).await.unwrap();
    let other = bytes(32).await.unwrap();
    let (one, other) = (
        one.fields["value"].expose_secret(),
        other.fields["value"].expose_secret(),
    );
    assert_eq!(one.len(), 32);
    assert_ne!(one, other);
    let fault = bytes(1 << 20).await.err().unwrap();
    assert!(fault.message.contains("random bytes"), "{fault}");
}

#[tokio::test]
async fn only_named_variables_are_there() {
    let mut setup = Setup::new();
    setup.grants.environment = vec!["CARGO_PKG_NAME".to_owned(), "NOBODY_SETS_THIS".to_owned()];
    let store = setup.store().await;
    let get = async |name: &str| {
        store
            .value("environment", json!({ "name": name }))
            .await
            .unwrap()
    };
    assert_eq!(get("CARGO_PKG_NAME").await, "whimbrel-plugin");
    assert_eq!(get("NOBODY_SETS_THIS").await, "not-there");
    assert_eq!(get("PATH").await, "not-there");
    assert!(store.log().contains("isn't granted"), "{}", store.log());
    store
        .read("environment-log", json!({ "name": "CARGO_PKG_NAME" }))
        .await
        .unwrap();
    assert!(!store.log().contains("whimbrel-plugin"), "{}", store.log());
}

#[tokio::test]
async fn files_stay_in_their_folder() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    std::fs::create_dir_all(inside.join("data-1")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(inside.join("data-1/token"), "file-token-1\n").unwrap();
    std::fs::write(outside.join("secret"), "out-of-reach").unwrap();
    std::fs::write(inside.join("big"), vec![b'x'; (4 << 20) + 1]).unwrap();
    symlink("data-1", inside.join("data")).unwrap();
    symlink("data/token", inside.join("token")).unwrap();
    symlink("../outside/secret", inside.join("climbs")).unwrap();
    symlink(outside.join("secret"), inside.join("absolute")).unwrap();
    symlink("/", inside.join("root")).unwrap();
    let pipe = inside.join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());

    let mut setup = Setup::new();
    setup.grants.files = vec![inside.clone().into()];
    let store = setup.store().await;
    let at = |path: &str| format!("{}/{path}", inside.display());
    let read = async |path: &str| store.value("file", json!({ "file": path })).await;
    // As Kubernetes mounts: links that stay inside, and that change.
    assert_eq!(read(&at("token")).await.unwrap(), "file-token-1\n");
    assert_eq!(store.scrubber.scrub("file-token-1"), "[redacted]");
    std::fs::create_dir(inside.join("data-2")).unwrap();
    std::fs::write(inside.join("data-2/token"), "file-token-2\n").unwrap();
    std::fs::remove_file(inside.join("data")).unwrap();
    symlink("data-2", inside.join("data")).unwrap();
    assert_eq!(read(&at("token")).await.unwrap(), "file-token-2\n");
    for path in [
        at("climbs"),
        at("absolute"),
        at("root/etc/passwd"),
        at("../outside/secret"),
        at("data-2/../../outside/secret"),
        outside.join("secret").display().to_string(),
        format!("{}x/secret", inside.display()),
        "token".to_owned(),
        "/etc/passwd".to_owned(),
        at("token\0"),
        String::new(),
    ] {
        let fault = read(&path).await.unwrap_err();
        assert!(!fault.message.contains("out-of-reach"));
        assert_ne!(fault.class, FaultClass::NotFound, "{path}: {fault}");
    }
    assert_eq!(
        read(&at("none")).await.unwrap_err().class,
        FaultClass::NotFound
    );
    for path in [
        at("big"),
        at("pipe"),
        at("data-2"),
        inside.display().to_string(),
    ] {
        let fault = read(&path).await.unwrap_err();
        assert_eq!(fault.code, "files.unusable", "{path}: {fault}");
    }
}
