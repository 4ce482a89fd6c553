//! The cache of compiled code.

use std::fs;
use std::path::Path;

use crate::support::{apply, does, hostile};
use whimbrel_plugin::{Compiler, Grants, Limits, Plugin, Sandbox, Settings, compile};

async fn admit(folder: &Path) -> Plugin {
    admit_with(folder, None).await
}

async fn admit_with(folder: &Path, compiler: Option<Compiler>) -> Plugin {
    let sandbox = Sandbox::new(Settings {
        cache_dir: Some(folder.to_owned()),
        compiler,
        limits: Limits::default(),
        ..Settings::default()
    })
    .unwrap();
    let name = "bad".parse().unwrap();
    sandbox
        .admit(&name, hostile(), Grants::default())
        .await
        .unwrap()
}

fn entry(folder: &Path, extension: &str) -> std::path::PathBuf {
    let mut paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension));
    let path = paths.next().unwrap();
    assert!(paths.next().is_none(), "one entry, and nothing left aside");
    path
}

#[tokio::test]
async fn compiled_once_and_mapped_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("code");
    admit(&folder).await;
    let code = entry(&folder, "cwasm");
    let written = fs::metadata(&code).unwrap().modified().unwrap();
    let plugin = admit(&folder).await;
    assert_eq!(fs::metadata(&code).unwrap().modified().unwrap(), written);
    assert!(apply(&plugin, does("nothing")).await.is_ok());
}

#[tokio::test]
async fn a_bad_entry_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("code");
    admit(&folder).await;
    let (code, sum) = (entry(&folder, "cwasm"), entry(&folder, "sum"));
    let good = fs::read(&code).unwrap();

    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    for bad in [&flipped[..], &good[..100], b""] {
        fs::remove_file(&code).unwrap();
        fs::write(&code, bad).unwrap();
        let plugin = admit(&folder).await;
        assert!(apply(&plugin, does("nothing")).await.is_ok());
        assert_ne!(fs::read(&code).unwrap(), bad);
    }
    // Code that isn't wasmtime's, with a sum that fits.
    fs::remove_file(&code).unwrap();
    fs::write(&code, b"not code").unwrap();
    let digest = whimbrel_core::digest::Digest::of(b"not code");
    fs::write(&sum, digest.to_string()).unwrap();
    let plugin = admit(&folder).await;
    assert!(apply(&plugin, does("nothing")).await.is_ok());
    // Half an entry.
    fs::remove_file(&code).unwrap();
    admit(&folder).await;
    assert!(code.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_compiler_that_is_no_use_costs_nothing_but_its_use() {
    // Isn't there, fails, and does nothing without reading what it is given.
    for program in ["/nowhere/compiler", "/bin/false", "/bin/true"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("code");
        let plugin = admit_with(&folder, Some(Compiler::new(program.into(), &[]))).await;
        assert!(apply(&plugin, does("nothing")).await.is_ok(), "{program}");
        assert!(entry(&folder, "cwasm").exists(), "it is kept");
    }
}

#[test]
fn what_is_compiled_apart_is_what_this_process_looks_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("code");
    for wrong in [
        compile("cellar", &folder, &hostile()[..]),
        compile("pooled", &folder, &b"no component"[..]),
    ] {
        assert!(wrong.is_err());
    }
    compile("pooled", &folder, &hostile()[..]).unwrap();
    let code = entry(&folder, "cwasm");
    let written = fs::metadata(&code).unwrap().modified().unwrap();
    let admitted = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(admit(&folder));
    assert_eq!(admitted.name().as_str(), "bad");
    assert_eq!(fs::metadata(&code).unwrap().modified().unwrap(), written);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let plugin = admit(folder.path()).await;
    assert!(apply(&plugin, does("nothing")).await.is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
