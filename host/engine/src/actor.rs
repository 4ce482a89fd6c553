//! Who does it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Names the actor when the one who starts the program knows better, such as a pipeline.
const VARIABLE: &str = "WHIMBREL_ACTOR";

/// Who runs this, for the history: `user@host`. Asked once, because where no variable says it another program is started.
pub fn actor() -> String {
    static ACTOR: OnceLock<String> = OnceLock::new();
    ACTOR.get_or_init(found).clone()
}

fn found() -> String {
    if let Some(given) = variable(VARIABLE) {
        return given;
    }
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .or_else(|| answer("id", &["-un"], None))
        .unwrap_or_else(|| "unknown".to_owned());
    format!("{user}@{}", host())
}

/// Who approves: what was said, else Git's `user.email`, else who runs this. Groups of the operating system that the
/// policy lists are recorded beside the name, because they can't be looked up later.
pub fn approver(said: Option<&str>, folder: &Path, listed: &[String]) -> String {
    if let Some(said) = said {
        return said.to_owned();
    }
    let name = answer("git", &["config", "user.email"], Some(folder)).unwrap_or_else(actor);
    let groups = answer("id", &["-Gn"], None).unwrap_or_default();
    with_groups(name, &groups, listed)
}

fn with_groups(name: String, groups: &str, listed: &[String]) -> String {
    groups
        .split_whitespace()
        .map(|group| format!("group:{group}"))
        .filter(|group| listed.contains(group))
        .fold(name, |name, group| format!("{name} ({group})"))
}

fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| variable("HOSTNAME"))
        .or_else(|| answer("hostname", &[], None))
        .unwrap_or_else(|| "localhost".to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// What a program says on its first line; none when it isn't there or fails.
fn answer(program: &str, arguments: &[&str], folder: Option<&Path>) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let done = command.output().ok().filter(|done| done.status.success())?;
    let text = String::from_utf8(done.stdout).ok()?;
    let text = text.lines().next()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{actor, answer, approver, host, with_groups};

    #[test]
    fn somebody_somewhere_runs_this() {
        assert!(actor().contains('@'));
        assert!(!host().is_empty());
        assert_eq!(answer("no-such-program", &[], None), None);
        assert_eq!(answer("false", &[], None), None);
    }

    #[test]
    fn groups_stand_beside_the_name_when_the_policy_knows_them() {
        let listed = ["group:dba".to_owned(), "ann".to_owned()];
        let name = with_groups("ann".to_owned(), "staff dba\n", &listed);
        assert_eq!(name, "ann (group:dba)");
        assert_eq!(approver(Some("bob"), Path::new("."), &listed), "bob");
    }
}
