//! The product, shown: examples/shop as a Git repository, brought to SQLite files by the real binary.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::command::Call;
use crate::failure::{Doing, Result};
use crate::plugins;
use crate::requirement;
use crate::scene::Scene;
use crate::workspace::Workspace;

/// The migration that is added last and taken back by `git revert`.
const LAST: &str = "0014-loyalty-points";

/// Builds what is needed, then shows plan, apply, promotion, revert and history.
pub fn run(workspace: &Workspace) -> Result {
    requirement::programs(&[("git", "git")])?;
    let programs = build(workspace)?;
    let scene = Scene::new(stage(workspace)?, programs);
    develop(&scene)?;
    promote(&scene)?;
    take_back(&scene)?;
    farewell(&scene);
    Ok(())
}

/// The profile that compiles soonest from nothing.
const PROFILE: &str = "demo";

/// Builds components and binary.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    println!("building the components and the binary");
    plugins::build(workspace)?;
    let mut build = Call::cargo()
        .args(["build", "--profile", PROFILE, "-p", "whimbrel"])
        .within(workspace.root());
    if has_openssl() {
        build = build.env("OPENSSL_NO_VENDOR", "1");
    }
    build.show_and_run()?;
    Ok(workspace.target().join(PROFILE))
}

/// Whether the machine has OpenSSL's headers, which Debian installs in seconds: compiling it takes minutes. What is shipped
/// has its own, and so has the demo's where nobody may install without being asked.
fn has_openssl() -> bool {
    let is_there = || {
        Call::new("pkg-config")
            .args(["--exists", "openssl"])
            .works()
    };
    is_there()
        || (requirement::may_install()
            && requirement::install(&["pkg-config", "libssl-dev"]).is_ok()
            && is_there())
}

/// A fresh copy of the example, in a folder that the next demo replaces.
fn stage(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("shop");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).doing("clearing the last demo")?;
    }
    copy(&workspace.root().join("examples/shop"), &folder)?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result {
    std::fs::create_dir_all(to).doing(format!("making {}", to.display()))?;
    let entries = std::fs::read_dir(from).doing(format!("reading {}", from.display()))?;
    for entry in entries {
        let path = entry.doing("reading the example")?.path();
        let name = path.file_name().doing("an entry without a name")?;
        if name == "var" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name)).doing(format!("copying {}", path.display()))?;
        }
    }
    Ok(())
}

fn develop(scene: &Scene) -> Result {
    scene.title("A project in Git");
    scene.ask("git init --quiet --initial-branch=main", 0)?;
    scene.ask(
        &format!("git add . && git rm --quiet --cached migrations/{LAST}.sql"),
        0,
    )?;
    scene.ask(
        "git commit --quiet --message 'The shop, thirteen migrations'",
        0,
    )?;
    scene.ask(&format!("mv migrations/{LAST}.sql .git/"), 0)?;
    scene.run("git log --oneline && ls migrations environments", 0)?;

    scene.title("What would run? Nothing is written");
    scene.run("whimbrel lint", 0)?;
    scene.run("whimbrel plan --environment dev", 0)?;

    scene.title("Apply it: thirteen migrations, one fills 240,000 rows in batches");
    scene.run("whimbrel apply --environment dev", 0)?;
    scene.run("whimbrel status --environment dev", 0)?;
    scene.run("whimbrel apply --environment dev", 0)
}

fn promote(scene: &Scene) -> Result {
    scene.title("Production takes only what staging has applied");
    scene.run("whimbrel apply --environment production", 6)?;
    scene.run("whimbrel apply --environment staging", 0)?;
    scene.run("whimbrel promote staging production", 0)?;

    scene.title("Production wants its plan approved, by somebody else than the commit's author");
    scene.run("whimbrel plan --environment production | tail -n 16", 0)?;
    let digest = digest(scene, "production")?;
    scene.run(
        &format!("whimbrel apply --environment production --plan {digest}"),
        6,
    )?;
    scene.run(
        &format!("whimbrel approve {digest} --environment production --as grace@example.com"),
        0,
    )?;
    scene.run(
        &format!("whimbrel apply --environment production --plan {digest}"),
        0,
    )?;
    scene.run("whimbrel status --environment production", 0)
}

fn take_back(scene: &Scene) -> Result {
    scene.title("One more migration, and a change of mind");
    scene.ask(&format!("mv .git/{LAST}.sql migrations/"), 0)?;
    scene.run(&format!("cat migrations/{LAST}.sql"), 0)?;
    scene.run(
        "git add migrations && git commit --quiet --message 'Loyalty points' && git log --oneline",
        0,
    )?;
    scene.run("whimbrel apply --environment dev", 0)?;
    let applied = scene.ask("whimbrel status --environment dev --format json", 0)?;
    scene.expect("the new migration is applied", applied.contains(LAST))?;

    scene.run("git revert --no-edit HEAD", 0)?;
    scene.run("whimbrel plan --environment dev", 0)?;
    scene.run("whimbrel apply --environment dev", 0)?;
    let left = scene.ask("whimbrel status --environment dev --format json", 0)?;
    scene.expect("the revert took it back", !left.contains(LAST))?;
    scene.run("whimbrel history --environment dev | head -n 8", 0)
}

fn digest(scene: &Scene, environment: &str) -> Result<String> {
    let plan = scene.ask(
        &format!("whimbrel plan --environment {environment} --format json"),
        0,
    )?;
    let plan: Json = serde_json::from_str(&plan).doing("reading the plan's JSON")?;
    let digest = plan.get("digest").and_then(Json::as_str);
    Ok(digest.doing("the plan has no digest")?.to_owned())
}

fn farewell(scene: &Scene) {
    scene.title("Now you");
    println!(
        "
The repository and its databases stay where they are. Try:

  cd {}
  export PATH={}:$PATH
  whimbrel new add-wishlists          # then edit what it wrote
  whimbrel plan --environment dev
  whimbrel apply --environment dev
  whimbrel revert --environment dev add-wishlists

README.md has a ten-minute tour; `whimbrel help` knows the rest.",
        scene.folder().display(),
        scene.programs().display(),
    );
}
