//! Metrics as a file that node_exporter's textfile collector reads: whole or not at all.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use whimbrel_report::metrics::Metrics;
use whimbrel_signal::metric::NAMESPACE;

use super::limits::FORMER;

/// What a later run that fails can't tell anew.
const LAST_SUCCESS: &str = "whimbrel_last_success_timestamp_seconds";

/// Whether the file may still be written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Last,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Now,
    /// It isn't yet: it is no file that could be replaced, so it is written once, when everything is known.
    Later,
}

/// Writes all metrics; what is there is replaced in one step.
pub(super) fn write(
    file: &Path,
    metrics: &Metrics,
    environment: &str,
    turn: Turn,
) -> io::Result<Written> {
    let is_special = file
        .metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir());
    if is_special && turn == Turn::First {
        return Ok(Written::Later);
    }
    let mut text = metrics.render().to_string();
    if !text.contains(LAST_SUCCESS)
        && let Some(line) = former(file, environment, metrics.meter().namespace())
    {
        text.push_str(&format!(
            "# HELP {LAST_SUCCESS} When every database of the environment was last brought, or found, to be as defined.\n\
             # TYPE {LAST_SUCCESS} gauge\n{line}\n"
        ));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if is_special {
        // A pipe or a device can't be replaced.
        let mut file = File::options().write(true).open(file)?;
        file.write_all(text.as_bytes())?;
        return Ok(Written::Now);
    }
    // The collector reads only names that end in `.prom`, so never the half of one.
    let mut new = tempfile::Builder::new()
        .prefix(".whimbrel-metrics-")
        .suffix(".tmp")
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    readable(new.as_file())?;
    new.as_file().sync_data()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(Written::Now)
}

/// The collector runs as another user. Metrics hold no secret.
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// When the environment was last up to date, as the file of the run before says.
fn former(file: &Path, environment: &str, namespace: Option<&str>) -> Option<String> {
    let found = File::open(file).ok()?;
    if !found.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    found.take(FORMER).read_to_string(&mut text).ok()?;
    let of = namespace.map_or_else(String::new, |name| format!(",{NAMESPACE}=\"{name}\""));
    let start = format!("{LAST_SUCCESS}{{environment=\"{environment}\"{of}}} ");
    let line = text.lines().find(|line| line.starts_with(&start))?;
    let value: f64 = line.strip_prefix(&start)?.trim().parse().ok()?;
    value.is_finite().then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use whimbrel_report::metrics::Metrics;

    use super::{LAST_SUCCESS, Turn, write};

    #[test]
    fn a_run_that_fails_keeps_when_all_was_well() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("whimbrel.prom");
        let well = Metrics::new();
        well.meter().up_to_date("dev");
        write(&file, &well, "dev", Turn::First).unwrap();
        let first = std::fs::read_to_string(&file).unwrap();
        let line = first.lines().find(|line| line.starts_with(LAST_SUCCESS));
        write(&file, &Metrics::new(), "dev", Turn::First).unwrap();
        let second = std::fs::read_to_string(&file).unwrap();
        assert_eq!(second.lines().last(), line);
        write(&file, &Metrics::new(), "prod", Turn::Last).unwrap();
        let third = std::fs::read_to_string(&file).unwrap();
        assert!(!third.contains(LAST_SUCCESS), "{third}");
        // Of a cluster's environment it is another line.
        let of_a_cluster = || {
            let metrics = Metrics::new();
            metrics.meter().of_namespace("team-a");
            metrics
        };
        write(&file, &well, "dev", Turn::First).unwrap();
        write(&file, &of_a_cluster(), "dev", Turn::First).unwrap();
        let fourth = std::fs::read_to_string(&file).unwrap();
        assert!(!fourth.contains(LAST_SUCCESS), "{fourth}");
        let well = of_a_cluster();
        well.meter().up_to_date("dev");
        write(&file, &well, "dev", Turn::First).unwrap();
        write(&file, &of_a_cluster(), "dev", Turn::First).unwrap();
        let fifth = std::fs::read_to_string(&file).unwrap();
        let line = r#"{environment="dev",environment_namespace="team-a"} "#;
        assert!(fifth.lines().last().unwrap().contains(line), "{fifth}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "nothing half-written is left");
    }
}
