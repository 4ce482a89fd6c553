//! What the sandbox's tests share: components, grants, and a database that does as it is told.

pub mod fake;
pub mod server;
pub mod sqlite;
pub mod store;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use whimbrel_plugin::{
    Call, Grants, Level, Limits, Outcome, Plugin, PluginError, Sandbox, Settings, TrapReport,
};

use fake::Fake;

/// The folder of built components: `components`, or `test-components` for the tests' own.
pub fn built(folder: &str, name: &str) -> Vec<u8> {
    let variable = match folder {
        "components" => "WHIMBREL_COMPONENTS",
        _ => "WHIMBREL_TEST_COMPONENTS",
    };
    let folder = std::env::var_os(variable).map_or_else(
        || {
            PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
                .join("..")
                .join(folder)
        },
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build the components with `cargo xtask plugins`, or plugins/build.sh",
            path.display()
        )
    })
}

/// The guest that does whatever its configuration says.
pub fn hostile() -> Vec<u8> {
    built("test-components", "hostile")
}

/// A component written as text under `tests/hostile/`.
pub fn text(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/hostile")
        .join(name);
    wat::parse_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same component with a manifest appended.
pub fn with_manifest(mut component: Vec<u8>, manifest: &str) -> Vec<u8> {
    let name = "whimbrel:manifest";
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(manifest.as_bytes());
    component.push(0);
    let mut size = section.len();
    loop {
        let low = u8::try_from(size & 0x7f).unwrap();
        size >>= 7;
        component.push(if size > 0 { low | 0x80 } else { low });
        if size == 0 {
            break;
        }
    }
    component.extend(section);
    component
}

/// One folder of compiled code for all tests: the cache is part of what is tested.
pub fn cache_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

pub fn sandbox_with(limits: Limits) -> Sandbox {
    Sandbox::new(Settings {
        cache_dir: Some(cache_dir()),
        limits,
        ..Settings::default()
    })
    .unwrap()
}

pub async fn admit(bytes: Vec<u8>, grants: Grants, limits: Limits) -> Result<Plugin, PluginError> {
    sandbox_with(limits)
        .admit(&"bad".parse().unwrap(), bytes, grants)
        .await
}

/// The hostile guest under these limits.
pub async fn plugin(limits: Limits) -> Plugin {
    admit(hostile(), Grants::default(), limits).await.unwrap()
}

pub async fn apply(plugin: &Plugin, config: Json) -> Result<Outcome, PluginError> {
    plugin.apply(&config, call(), Fake::new().boxed()).await
}

/// One misdeed under the default limits.
pub async fn deed(config: Json) -> Result<Outcome, PluginError> {
    apply(&plugin(Limits::default()).await, config).await
}

pub fn call() -> Call {
    Call::new("run-1", "shop/0001/apply/0")
}

/// Log lines as they came.
pub type Heard = Arc<Mutex<Vec<(Level, String)>>>;

/// A call whose log lines can be read.
pub fn listening() -> (Call, Heard) {
    let lines = Heard::default();
    let heard = Arc::clone(&lines);
    let mut call = call();
    call.log = Arc::new(move |level, message, _| {
        heard.lock().unwrap().push((level, message.to_owned()));
    });
    (call, lines)
}

pub fn trap(error: PluginError) -> TrapReport {
    match error {
        PluginError::Trap(report) => *report,
        other => panic!("expected a trap, got {other:?}"),
    }
}

pub fn quick() -> Limits {
    Limits {
        compute: Duration::from_millis(200),
        pure_timeout: Duration::from_secs(5),
        ..Limits::default()
    }
}

pub fn does(what: &str) -> Json {
    json!({ "do": what })
}
