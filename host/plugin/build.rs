//! Embeds the components that are there. Never builds one: `cargo xtask plugins` does.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=WHIMBREL_COMPONENTS");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = components(&out);
    // Made when it isn't there, because cargo takes a path that doesn't exist for changed, and would build every time.
    let _ = fs::create_dir_all(&folder);
    println!("cargo:rerun-if-changed={}", folder.display());

    let mut found: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    found.sort();

    let mut text = String::from("static COMPONENTS: &[(&str, &[u8])] = &[\n");
    for path in &found {
        println!("cargo:rerun-if-changed={}", path.display());
        let (Some(stem), Some(file)) = (path.file_stem(), path.file_name()) else {
            continue;
        };
        // A copy of the build's own, so that the file can be replaced while the compiler reads.
        fs::copy(path, out.join(file))?;
        let (stem, file) = (stem.to_string_lossy(), file.to_string_lossy());
        text.push_str(&format!(
            "    ({stem:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))),\n",
            format!("/{file}")
        ));
    }
    text.push_str("];\n");
    fs::write(out.join("components.rs"), text)
}

/// The folder of components: as the environment says, or beside the profile's folder.
fn components(out: &Path) -> PathBuf {
    if let Some(folder) = env::var_os("WHIMBREL_COMPONENTS") {
        return PathBuf::from(folder);
    }
    // <target>/[<triple>/]<profile>/build/<package>/out
    let above = |steps: usize| out.ancestors().nth(steps).unwrap_or(out).join("components");
    let with_triple = above(5);
    if env::var_os("TARGET") != env::var_os("HOST") && with_triple.is_dir() {
        return with_triple;
    }
    above(4)
}
