//! A thousand migrations as resources of Terraform, beside a thousand resources of a provider that does nothing.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P521_SHA512};
use tempfile::TempDir;

use super::{Stage, note, ratio};
use crate::failure::{Doing, Failure, Result};
use crate::measure::{in_turns, timed};
use crate::project::{Project, Shape, table};
use crate::report::Report;

const RESOURCES: usize = 1000;
/// Each turn takes seconds.
const TURNS: usize = 3;
/// What go-plugin asks a provider with.
const COOKIE: (&str, &str) = (
    "TF_PLUGIN_MAGIC_COOKIE",
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
);

/// A folder with a configuration, and how terraform is run there.
struct Configuration {
    folder: TempDir,
}

/// Measures it.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("terraform");
    handshake(stage, report)?;
    let idle_program = std::env::var_os("IDLE_PROVIDER_BIN").map_or_else(
        || Path::new(&stage.whimbrel).with_file_name("terraform-provider-idle"),
        PathBuf::from,
    );
    let idle = Configuration::new("terraform.example/whimbrel/idle", &idle_program)?;
    let things = idle.path().join("things");
    idle.write(
        "idle",
        &format!("folder = \"{}\"", things.display()),
        |number| {
            let text = table(number);
            format!("resource \"idle_thing\" \"t{number}\" {{\n  name = \"{number:05}-t{number}\"\n  text = \"{text}\"\n}}\n")
        },
    )?;
    for dialect in ["sqlite", "postgres"] {
        let ours = Configuration::new(
            "registry.terraform.io/whimbrel/whimbrel",
            Path::new(&stage.whimbrel),
        )?;
        let file = ours.path().join("shop.db");
        let url = if dialect == "sqlite" {
            format!("sqlite://{}", file.display())
        } else {
            stage.cluster.create("terraform_ours")?;
            stage.cluster.url("terraform_ours")
        };
        ours.write("whimbrel", "", |number| {
            let (up, down) = (table(number), format!("DROP TABLE t{number}"));
            format!(
                "resource \"whimbrel_migration\" \"t{number}\" {{\n  environment = \"dev\"\n  url = \"{url}\"\n  \
                 name = \"{number:05}-t{number}\"\n  up = \"{up}\"\n  down = \"{down}\"\n}}\n"
            )
        })?;
        idle.forget(&things)?;
        let (created, nothing) = in_turns(|| ours.run("plan"), || idle.run("plan"), TURNS)?;
        report.at_most(
            &format!("terraform plan of 1,000 new migrations, {dialect}"),
            ratio(created, nothing),
            "×",
            1.5,
            note(created, nothing, "a provider that does nothing"),
        );
        let (applied, nothing) = (ours.run("apply")?, idle.run("apply")?);
        let same = whimbrel_apply(stage, dialect)?;
        report.at_most(
            &format!("terraform apply of 1,000 migrations, {dialect}"),
            ratio(applied, nothing + same),
            "×",
            1.5,
            format!(
                "{}, and {:.0} ms of whimbrel apply",
                note(applied, nothing, "a provider that does nothing"),
                same.as_secs_f64() * 1e3
            ),
        );
        let (refreshed, nothing) = in_turns(|| ours.run("plan"), || idle.run("plan"), TURNS)?;
        report.at_most(
            &format!("terraform plan of 1,000 applied migrations, {dialect}"),
            ratio(refreshed, nothing),
            "×",
            1.5,
            note(refreshed, nothing, "a provider that does nothing"),
        );
        report.at_most(
            &format!("the slower of these plans, {dialect}"),
            created.max(refreshed).as_secs_f64(),
            "s",
            30.0,
            String::new(),
        );
    }
    Ok(())
}

/// The same migrations by the command line.
fn whimbrel_apply(stage: &Stage, dialect: &str) -> Result<Duration> {
    let url = if dialect == "sqlite" {
        "sqlite:db.sqlite".to_owned()
    } else {
        stage.cluster.create("terraform_theirs")?;
        stage.cluster.url("terraform_theirs")
    };
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
    for number in 1..=RESOURCES {
        project.table(number, "db", Shape::Yaml)?;
    }
    project.run("apply")
}

/// From the start of the process to the line that Terraform waits for, with a certificate as Terraform has one.
fn handshake(stage: &Stage, report: &mut Report) -> Result {
    let client = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)
        .and_then(|key| CertificateParams::new(["localhost".to_owned()])?.self_signed(&key))
        .doing("making a certificate")?
        .pem();
    let once = || {
        let begun = Instant::now();
        let mut provider = Command::new(&stage.whimbrel)
            .arg("terraform-provider")
            .env(COOKIE.0, COOKIE.1)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6")
            .env("PLUGIN_CLIENT_CERT", &client)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("starting the provider")?;
        let mut line = String::new();
        if let Some(out) = provider.stdout.take() {
            let mut out = BufReader::new(out);
            out.read_line(&mut line).doing("reading the handshake")?;
        }
        let took = begun.elapsed();
        // What refuses is quick, too.
        let is_ready =
            line.starts_with("1|6|unix|") && line.trim_end().rsplit('|').next() != Some("");
        provider.kill().doing("ending the provider")?;
        provider.wait().doing("ending the provider")?;
        if !is_ready {
            return Err(Failure::new(format!(
                "the provider isn't ready: `{}`",
                line.trim_end()
            )));
        }
        Ok(took)
    };
    let mut times = (0..11).map(|_| once()).collect::<Result<Vec<_>>>()?;
    times.sort_unstable();
    let middle = times.get(5).copied().unwrap_or_default();
    report.at_most(
        "provider start to handshake",
        middle.as_secs_f64() * 1e3,
        "ms",
        100.0,
        String::new(),
    );
    Ok(())
}

impl Configuration {
    fn new(address: &str, provider: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().doing("making a folder")?;
        let place = folder.path().join("provider");
        fs::create_dir(&place).doing("making a folder")?;
        let name = address.rsplit('/').next().unwrap_or_default();
        let link = place.join(format!("terraform-provider-{name}"));
        std::os::unix::fs::symlink(provider, link).doing("linking the provider")?;
        let settings = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"{address}\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            place.display()
        );
        fs::write(folder.path().join("settings.tfrc"), settings).doing("writing settings")?;
        let required = format!(
            "terraform {{\n  required_providers {{\n    {name} = {{ source = \"{address}\" }}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("versions.tf"), required).doing("writing a configuration")?;
        Ok(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, provider: &str, resource: impl Fn(usize) -> String) -> Result {
        let mut text = format!("provider \"{name}\" {{\n{provider}\n}}\n");
        for number in 1..=RESOURCES {
            // Writing to a string can't fail.
            let _ = write!(text, "{}", resource(number));
        }
        fs::write(self.path().join("main.tf"), text).doing("writing a configuration")
    }

    /// As if nothing had been applied.
    fn forget(&self, things: &Path) -> Result {
        for state in ["terraform.tfstate", "terraform.tfstate.backup"] {
            match fs::remove_file(self.path().join(state)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).doing("removing a state");
                }
                _ => {}
            }
        }
        if things.exists() {
            fs::remove_dir_all(things).doing("removing things")?;
        }
        fs::create_dir_all(things).doing("making a folder")
    }

    fn run(&self, command: &str) -> Result<Duration> {
        let program = std::env::var_os("TERRAFORM_BIN").unwrap_or_else(|| "terraform".into());
        let mut terraform = Command::new(program);
        terraform
            .args([command, "-no-color", "-input=false"])
            .current_dir(self.path())
            .env("TF_CLI_CONFIG_FILE", self.path().join("settings.tfrc"))
            .env("CHECKPOINT_DISABLE", "1");
        if command == "apply" {
            terraform.arg("-auto-approve");
        }
        timed(&mut terraform)
    }
}
