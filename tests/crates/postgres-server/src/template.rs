//! A data folder as `initdb` leaves it, made once per machine and copied for each server.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::programs::Programs;

/// A new folder with a `data` folder inside, both the owner's.
pub(crate) fn copy(programs: &Programs) -> PathBuf {
    let template = template(programs);
    let folder = fresh("whimbrel-pg");
    make(programs, &folder);
    let copied = run(
        programs,
        "cp",
        &[
            "-a",
            "--reflink=auto",
            &text(&template),
            &text(&folder.join("data")),
        ],
    );
    assert!(copied, "the template can't be copied");
    folder
}

/// The template's folder; made beside its place and then moved, so that a half-made one is never seen.
fn template(programs: &Programs) -> PathBuf {
    let version = Command::new(&programs.postgres)
        .arg("--version")
        .output()
        .expect("postgres --version");
    let version = String::from_utf8_lossy(&version.stdout)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>();
    let user = programs
        .owner
        .map_or_else(|| env::var("USER").unwrap_or_default(), str::to_owned);
    let place = env::temp_dir().join(format!("whimbrel-pg-template-{version}-{user}"));
    if place.join("PG_VERSION").is_file() {
        return place;
    }
    let folder = fresh("whimbrel-pg-initdb");
    make(programs, &folder);
    let data = text(&folder.join("data"));
    let options = [
        "--no-sync",
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "-D",
        &data,
    ];
    let made = run(programs, &text(&programs.initdb), &options);
    assert!(made, "initdb failed");
    // Somebody else may have been faster; theirs is as good.
    let _ = run(programs, "mv", &["-T", "-n", &data, &text(&place)]);
    let _ = fs::remove_dir_all(&folder);
    place
}

/// Writes a file that only the server's owner can read.
pub(crate) fn place(programs: &Programs, file: &Path, content: &str) {
    let line = programs.as_owner(Path::new("sh"));
    let (first, rest) = line.split_first().expect("a program");
    let mut shell = Command::new(first)
        .args(rest)
        .args(["-c", "umask 077; cat >\"$0\""])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let written = shell
        .stdin
        .take()
        .is_some_and(|mut pipe| pipe.write_all(content.as_bytes()).is_ok());
    assert!(
        shell.wait().is_ok_and(|status| status.success() && written),
        "{} can't be written",
        file.display()
    );
}

fn fresh(prefix: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("{prefix}-{}-{count}", process::id()))
}

fn make(programs: &Programs, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    assert!(
        run(programs, "mkdir", &["-m", "755", &text(folder)]),
        "{} can't be made",
        folder.display()
    );
}

fn run(programs: &Programs, program: &str, arguments: &[&str]) -> bool {
    let line = programs.as_owner(Path::new(program));
    let Some((first, rest)) = line.split_first() else {
        return false;
    };
    let output = Command::new(first)
        .args(rest)
        .args(arguments)
        .current_dir(env::temp_dir())
        .output();
    output.is_ok_and(|output| output.status.success())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
