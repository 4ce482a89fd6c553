//! Which lines of the host's code the tests reach, and which of them the acceptance suite reaches alone.
//!
//! Lines of `#[cfg(test)]` modules, of `tests/` folders and of dependencies count neither way: only code that ships.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};
use crate::requirement;
use crate::sources;
use crate::workspace::Workspace;

/// Whose runs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Rust tests, and what they start.
    Rust,
    /// The acceptance suite.
    Acceptance,
}

/// LLVM's tools for profiles.
#[derive(Debug)]
pub struct Tools {
    merge: PathBuf,
    export: PathBuf,
}

impl Tools {
    /// Finds them, or adds the toolchain's component, or installs Debian's.
    pub fn present() -> Result<Self> {
        if let Some(tools) = Self::of_the_toolchain()? {
            return Ok(tools);
        }
        let component = Call::new("rustup").args(["component", "add", "llvm-tools"]);
        println!("$ {component}");
        if component.run().is_ok()
            && let Some(tools) = Self::of_the_toolchain()?
        {
            return Ok(tools);
        }
        let folder = Path::new("/usr/lib/llvm-22/bin");
        if !folder.join("llvm-cov").is_file() {
            requirement::install(&["llvm-22"])?;
        }
        Ok(Self::within(folder))
    }

    fn of_the_toolchain() -> Result<Option<Self>> {
        let libraries = Call::new("rustc")
            .args(["--print", "target-libdir"])
            .text()?;
        let folder = Path::new(libraries.trim())
            .parent()
            .doing("rustc's library folder has no folder above it")?
            .join("bin");
        Ok(folder
            .join("llvm-cov")
            .is_file()
            .then(|| Self::within(&folder)))
    }

    fn within(folder: &Path) -> Self {
        Self {
            merge: folder.join("llvm-profdata"),
            export: folder.join("llvm-cov"),
        }
    }
}

/// Where the profiles of a test run lie.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("coverage")
}

/// What `LLVM_PROFILE_FILE` must say: processes of one program merge into at most four files.
pub fn profile(workspace: &Workspace, reach: Reach) -> PathBuf {
    profiles(workspace, reach).join("%4m.profraw")
}

fn profiles(workspace: &Workspace, reach: Reach) -> PathBuf {
    folder(workspace).join(match reach {
        Reach::Rust => "rust",
        Reach::Acceptance => "acceptance",
    })
}

/// Drops the profiles of earlier runs.
pub fn begin(workspace: &Workspace) -> Result {
    for reach in [Reach::Rust, Reach::Acceptance] {
        let folder = profiles(workspace, reach);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).doing("dropping old profiles")?;
        }
        std::fs::create_dir_all(&folder).doing("making the folder for profiles")?;
    }
    Ok(())
}

/// How many lines of one file there are, and how many were reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lines {
    all: usize,
    reached: usize,
    by_acceptance: usize,
}

/// Coverage of the host's code, file by file.
#[derive(Debug)]
pub struct Report {
    files: BTreeMap<String, Lines>,
}

/// Reads the profiles of the last run.
pub fn measure(workspace: &Workspace, tools: &Tools, programs: &[PathBuf]) -> Result<Report> {
    let programs_file = folder(workspace).join("programs.txt");
    let names: Vec<String> = programs.iter().map(|p| p.display().to_string()).collect();
    std::fs::write(&programs_file, names.join("\n")).doing("noting the programs")?;
    let in_all = lines(
        workspace,
        tools,
        programs,
        &[Reach::Rust, Reach::Acceptance],
    )?;
    let in_acceptance = lines(workspace, tools, programs, &[Reach::Acceptance])?;
    let mut files = BTreeMap::new();
    for (file, counts) in in_all {
        let ships = sources::shipped_lines(&workspace.root().join(&file))?;
        let acceptance = in_acceptance.get(&file);
        let mut lines = Lines::default();
        for (line, count) in counts.into_iter().filter(|(line, _)| *line <= ships) {
            lines.all += 1;
            lines.reached += usize::from(count > 0);
            let alone = acceptance.and_then(|counts| counts.get(&line));
            lines.by_acceptance += usize::from(alone.is_some_and(|count| *count > 0));
        }
        files.insert(file, lines);
    }
    Ok(Report { files })
}

/// Prints the last run's coverage file by file.
pub fn print_again(workspace: &Workspace) -> Result {
    let programs = std::fs::read_to_string(folder(workspace).join("programs.txt"))
        .doing("no coverage yet; run `cargo xtask test` first")?;
    let programs: Vec<PathBuf> = programs.lines().map(PathBuf::from).collect();
    let report = measure(workspace, &Tools::present()?, &programs)?;
    for (file, lines) in &report.files {
        println!("{}", row(file, *lines));
    }
    report.print();
    Ok(())
}

type Counts = BTreeMap<u32, u64>;

/// Execution counts of the lines of host files.
fn lines(
    workspace: &Workspace,
    tools: &Tools,
    programs: &[PathBuf],
    reaches: &[Reach],
) -> Result<BTreeMap<String, Counts>> {
    // A name of its own, so that two reports made at once don't read each other's half-written file.
    let merged = folder(workspace).join(format!("merged-{}.profdata", std::process::id()));
    let mut raw = Vec::new();
    for reach in reaches {
        let entries = std::fs::read_dir(profiles(workspace, *reach)).doing("reading profiles")?;
        raw.extend(
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|e| e == "profraw")),
        );
    }
    if raw.is_empty() {
        return Ok(BTreeMap::new());
    }
    Call::new(&tools.merge)
        .args(["merge", "-sparse", "--failure-mode=all", "-o"])
        .arg(&merged)
        .args(raw)
        .run()?;
    let mut export = Call::new(&tools.export)
        .args(["export", "--format=lcov", "--instr-profile"])
        .arg(&merged);
    for (index, program) in programs.iter().enumerate() {
        if index > 0 {
            export = export.arg("--object");
        }
        export = export.arg(program);
    }
    export = export.arg("--sources").arg(workspace.root().join("host"));
    let text = export.text();
    let _ = std::fs::remove_file(&merged);
    Ok(read_lcov(&text?, workspace.root()))
}

/// Reads `SF:` and `DA:` records of files under `host/`, without test folders.
fn read_lcov(text: &str, root: &Path) -> BTreeMap<String, Counts> {
    let mut files: BTreeMap<String, Counts> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            current = Path::new(path)
                .strip_prefix(root)
                .ok()
                .map(|path| path.to_string_lossy().into_owned())
                .filter(|path| path.starts_with("host/") && !sources::is_for_tests(path));
        } else if let (Some(file), Some(record)) = (&current, line.strip_prefix("DA:")) {
            let mut fields = record.split(',');
            let number: Option<u32> = fields.next().and_then(|field| field.parse().ok());
            let count: Option<u64> = fields.next().and_then(|field| field.parse().ok());
            if let (Some(number), Some(count)) = (number, count) {
                *files
                    .entry(file.clone())
                    .or_default()
                    .entry(number)
                    .or_insert(0) += count;
            }
        }
    }
    files
}

impl Report {
    fn total(&self) -> Lines {
        self.files.values().fold(Lines::default(), add)
    }

    /// Prints a line for each crate and the total, with the acceptance suite's own reach beside it.
    pub fn print(&self) {
        let mut crates: BTreeMap<String, Lines> = BTreeMap::new();
        for (file, lines) in &self.files {
            let name = file.split('/').take(2).collect::<Vec<_>>().join("/");
            let sum = crates.entry(name).or_default();
            *sum = add(*sum, lines);
        }
        println!(
            "{:<44}{:>8}{:>10}{:>14}",
            "", "lines", "all tests", "pytest alone"
        );
        for (name, lines) in &crates {
            println!("{}", row(name, *lines));
        }
        println!("{}", row("host code in total", self.total()));
    }

    /// A failure when the share of reached lines is under `floor` percent.
    pub fn hold(&self, floor: f64) -> Result {
        let total = self.total();
        let reached = percent(total.reached, total.all);
        if reached < floor {
            return Err(Failure::new(format!(
                "the tests reach {reached:.1} % of the host's lines; the floor is {floor:.0} %"
            )));
        }
        Ok(())
    }
}

fn add(sum: Lines, lines: &Lines) -> Lines {
    Lines {
        all: sum.all + lines.all,
        reached: sum.reached + lines.reached,
        by_acceptance: sum.by_acceptance + lines.by_acceptance,
    }
}

fn row(name: &str, lines: Lines) -> String {
    format!(
        "{name:<44}{:>8}{:>8.1} %{:>12.1} %",
        lines.all,
        percent(lines.reached, lines.all),
        percent(lines.by_acceptance, lines.all)
    )
}

#[allow(clippy::cast_precision_loss, reason = "line counts are far below 2^52")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 * 100.0 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LCOV: &str = "SF:/clone/host/core/src/name.rs\nDA:1,3\nDA:2,0\nend_of_record\n\
        SF:/clone/host/core/tests/name.rs\nDA:1,1\nend_of_record\n\
        SF:/clone/xtask/src/main.rs\nDA:1,1\nend_of_record\n";

    #[test]
    fn only_lines_of_shipped_host_code_are_read() {
        let files = read_lcov(LCOV, Path::new("/clone"));
        assert_eq!(files.keys().collect::<Vec<_>>(), ["host/core/src/name.rs"]);
        assert_eq!(
            files["host/core/src/name.rs"],
            BTreeMap::from([(1, 3), (2, 0)])
        );
    }

    #[test]
    fn a_share_below_the_floor_is_a_failure() {
        let lines = Lines {
            all: 10,
            reached: 8,
            by_acceptance: 1,
        };
        let report = Report {
            files: BTreeMap::from([("host/core/src/name.rs".to_owned(), lines)]),
        };
        assert!(report.hold(80.0).is_ok());
        let failure = report.hold(90.0).unwrap_err().to_string();
        assert_eq!(
            failure,
            "the tests reach 80.0 % of the host's lines; the floor is 90 %"
        );
    }
}
