//! What makes a component unfit, and what is said of it.

use crate::support::{admit, hostile, text, with_manifest};
use whimbrel_core::digest::Digest;
use whimbrel_plugin::{Grants, HttpGrant, Limits, Need, PluginError, Sandbox, Settings, World};

async fn refused(bytes: Vec<u8>, grants: Grants) -> PluginError {
    admit(bytes, grants, Limits::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_fit_component_says_what_it_is() {
    let manifest = r#"{"id":"hostile","version":"1.2.3","needs":["clock"],"memory":100000000}"#;
    let bytes = with_manifest(hostile(), manifest);
    let grants = Grants {
        clock: true,
        metrics: true,
        ..Grants::default()
    };
    let plugin = admit(bytes.clone(), grants, Limits::default())
        .await
        .unwrap();
    assert_eq!(plugin.name().as_str(), "bad");
    assert_eq!(
        (plugin.digest(), plugin.size()),
        (Digest::of(&bytes), bytes.len())
    );
    assert_eq!(plugin.manifest().unwrap().version, "1.2.3");
    assert_eq!(plugin.worlds(), [World::MigrationStep]);
    assert!(
        plugin
            .imports()
            .contains(&"whimbrel:sql/database@0.1.0".to_owned())
    );
    assert!(
        plugin
            .imports()
            .iter()
            .all(|name| name.starts_with("whimbrel:"))
    );
    assert_eq!(plugin.exports(), ["whimbrel:step/step@0.1.0"]);
    // Granted, but not needed: not given.
    assert_eq!(plugin.grants().names(), [Need::Clock]);
    assert_eq!(plugin.memory(), 100_000_000);
    assert!(format!("{plugin:?}").contains("bad"));
}

#[tokio::test]
async fn only_components_are_admitted() {
    let error = refused(b"\0asm\x01\0\0\0".to_vec(), Grants::default()).await;
    assert!(error.to_string().contains("a core module"), "{error}");
    let error = refused(b"(component)".to_vec(), Grants::default()).await;
    assert!(error.to_string().contains("no WebAssembly"), "{error}");
    let mut broken = hostile();
    broken.truncate(broken.len() / 2);
    let error = refused(broken, Grants::default()).await;
    assert!(error.to_string().starts_with("plugin bad: "), "{error}");
    let tiny = Limits {
        component_bytes: 10,
        ..Limits::default()
    };
    let error = admit(hostile(), Grants::default(), tiny).await.unwrap_err();
    assert!(error.to_string().contains("at most 10 are read"), "{error}");
}

#[tokio::test]
async fn imports_must_be_known() {
    let error = refused(text("undeclared-import.wat"), Grants::default()).await;
    assert_eq!(
        error.to_string(),
        "plugin bad imports evil:raw/files@1.0.0, wasi:http/outgoing-handler@0.2.0, which no plugin can have"
    );
}

#[tokio::test]
async fn another_version_names_both() {
    let error = refused(text("import-of-tomorrow.wat"), Grants::default()).await;
    assert!(
        error.to_string().contains(
            "was built for whimbrel:sql/database@0.2.0, this whimbrel has whimbrel:sql/database@0.1"
        ),
        "{error}"
    );
    let error = refused(text("export-of-tomorrow.wat"), Grants::default()).await;
    assert!(
        error.to_string().contains("whimbrel:step/step@1.0.0"),
        "{error}"
    );
}

#[tokio::test]
async fn the_same_name_in_another_shape_is_refused() {
    for name in ["other-shape.wat", "extra-function.wat", "empty-step.wat"] {
        let error = refused(text(name), Grants::default()).await;
        assert!(
            matches!(error, PluginError::Mismatch { .. }),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn a_component_without_a_world_is_of_no_use() {
    let error = refused(text("no-world.wat"), Grants::default()).await;
    assert!(matches!(error, PluginError::NoWorld { .. }), "{error}");
    // It is of a world, but not of this one.
    let plugin = admit(
        text("other-world.wat"),
        Grants::default(),
        Limits::default(),
    )
    .await
    .unwrap();
    assert_eq!(plugin.worlds(), [World::PlanPolicy]);
    let error = plugin.describe().await.unwrap_err();
    assert_eq!(error.to_string(), "plugin bad exports no migration-step");
}

#[tokio::test]
async fn a_need_without_its_grant_is_refused_by_name() {
    let manifest = r#"{"id":"x","version":"1","needs":["clock","metrics"]}"#;
    let grants = Grants {
        clock: true,
        ..Grants::default()
    };
    let error = refused(with_manifest(hostile(), manifest), grants).await;
    assert_eq!(
        error.to_string(),
        "plugin bad needs metrics, which isn't granted: say so under its `grants:` in whimbrel.yaml"
    );
}

#[tokio::test]
async fn every_need_can_be_granted() {
    let grants = Grants {
        http: vec![HttpGrant::to("https://example.org/*")],
        environment: vec!["HOME".to_owned()],
        files: vec!["/etc".into()],
        clock: true,
        random: true,
        metrics: true,
    };
    let manifest = r#"{"id":"x","version":"1","needs":["http","environment","files","clock","random","metrics"]}"#;
    let bytes = with_manifest(hostile(), manifest);
    let plugin = crate::support::admit(bytes, grants.clone(), Limits::default()).await;
    assert_eq!(plugin.unwrap().grants(), &grants);
}

#[tokio::test]
async fn forged_manifests_gain_nothing() {
    let one = r#"{"id":"x","version":"1","needs":[]}"#;
    let huge = format!(r#"{{"id":"{}","version":"1"}}"#, "x".repeat(70_000));
    let greedy = r#"{"id":"x","version":"1","memory":99999999999}"#;
    for (bytes, text) in [
        (
            with_manifest(with_manifest(hostile(), one), one),
            "more than one manifest",
        ),
        (with_manifest(hostile(), "{"), "can't be read"),
        (
            with_manifest(hostile(), r#"{"id":"x","version":"1","needs":["root"]}"#),
            "root",
        ),
        (with_manifest(hostile(), &huge), "at most 65536 are read"),
        (
            with_manifest(hostile(), greedy),
            "99999999999 bytes of memory",
        ),
    ] {
        let error = refused(bytes, Grants::default()).await;
        assert!(matches!(error, PluginError::Manifest { .. }), "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn senseless_limits_are_refused() {
    let limits = Limits {
        stack_bytes: 1,
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    assert!(matches!(
        Sandbox::new(settings),
        Err(PluginError::Engine(_))
    ));
}
