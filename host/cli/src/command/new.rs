//! `whimbrel new`: a migration with the next number.

use std::path::{Path, PathBuf};

use whimbrel_core::name::MigrationName;

use crate::arguments::{Global, New};
use crate::command::init::write_new;
use crate::engine::project;
use crate::error::CliError;
use crate::exit::Exit;
use crate::folder::{Place, locate};
use crate::output::Output;

/// How wide the number of the first migration is.
const WIDTH: usize = 4;

pub(crate) fn run(arguments: &New, global: &Global, output: &Output) -> Result<Exit, CliError> {
    output.words_only()?;
    let location = match locate(global.project.as_deref())? {
        Place::Here(location) if location.reference.is_none() => location,
        Place::Here(_) => {
            return Err(CliError::usage("a revision can't get a new migration")
                .hint("leave `@REF` out of `--project`"));
        }
        Place::Elsewhere(remote) => {
            let address = &remote.address;
            return Err(
                CliError::usage("a repository elsewhere can't get a new migration")
                    .hint(format!("`git clone {address}`, and make it there")),
            );
        }
    };
    let opened = project(global, output)?;
    let folder = location.folder.join(&opened.project().migrations);
    let taken = opened.definitions().migrations.iter();
    let names: Vec<&str> = taken.map(|migration| migration.name.as_str()).collect();
    let name = next_name(&arguments.name, &names)?;
    let database = match global.databases.as_slice() {
        [] => None,
        [one] => Some(one.as_str()),
        _ => return Err(CliError::usage("a migration changes one database")),
    };
    let files = if arguments.folder {
        as_folder(&name, database)
    } else if arguments.yaml {
        vec![(PathBuf::from(format!("{name}.yaml")), yaml(&name, database))]
    } else {
        vec![(PathBuf::from(format!("{name}.sql")), sql(database))]
    };
    for (path, text) in files {
        let path = folder.join(path);
        write_new(&path, &text)?;
        output.answer(&format!("{}\n", shown(&path)));
    }
    Ok(Exit::Success)
}

/// A path as short as it can be said from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The name with the next number before it, as wide as those that are there.
fn next_name(text: &str, names: &[&str]) -> Result<MigrationName, CliError> {
    if !text.starts_with(|character: char| character.is_ascii_alphanumeric()) {
        return Err(CliError::usage(format!(
            "`{text}` doesn't say what the migration does: begin with a letter or a digit"
        )));
    }
    let numbered = text.starts_with(|character: char| character.is_ascii_digit());
    let name = if numbered {
        text.to_owned()
    } else {
        let numbers = names.iter().filter_map(|name| {
            let end = name.find(|character: char| !character.is_ascii_digit());
            let digits = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
            Some((digits.parse::<u64>().ok()?, digits.len()))
        });
        let (last, width) = numbers.max().unwrap_or((0, WIDTH));
        let next = last.saturating_add(1);
        format!("{next:0width$}-{text}")
    };
    let name: MigrationName = name.parse().map_err(|error| {
        CliError::usage(format!(
            "`{text}` can't be part of a migration's name: {error}"
        ))
    })?;
    if names.contains(&name.as_str()) {
        return Err(CliError::failed(format!(
            "there is a migration `{name}` already"
        )));
    }
    Ok(name)
}

fn sql(database: Option<&str>) -> String {
    let database =
        database.map_or_else(String::new, |name| format!("-- whimbrel:database {name}\n"));
    format!(
        "{database}-- whimbrel:up\n-- what this migration does\nSELECT 1;\n\n-- whimbrel:down\n-- what undoes it\nSELECT 1;\n"
    )
}

fn head(name: &MigrationName, database: Option<&str>) -> String {
    let database = database.map_or_else(String::new, |name| format!("  database: {name}\n"));
    format!(
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata:\n  name: {name}\nspec:\n{database}  steps:\n"
    )
}

fn yaml(name: &MigrationName, database: Option<&str>) -> String {
    format!(
        "{}    - name: what this step does\n      sql: SELECT 1\n      revert: SELECT 1\n",
        head(name, database)
    )
}

fn as_folder(name: &MigrationName, database: Option<&str>) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(name.as_str());
    let steps =
        "    - name: what this step does\n      sqlFile: up.sql\n      revertFile: down.sql\n";
    vec![
        (
            folder.join("migration.yaml"),
            format!("{}{steps}", head(name, database)),
        ),
        (folder.join("up.sql"), "SELECT 1;\n".to_owned()),
        (folder.join("down.sql"), "SELECT 1;\n".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::next_name;

    #[test]
    fn numbers_go_on_as_wide_as_they_were() {
        let next = |text: &str, names: &[&str]| next_name(text, names).map(|name| name.to_string());
        assert_eq!(next("add-email", &[]).unwrap(), "0001-add-email");
        assert_eq!(next("b", &["0009-a", "0041-x", "other"]).unwrap(), "0042-b");
        assert_eq!(next("b", &["1-a", "9-x"]).unwrap(), "10-b");
        assert_eq!(next("0100-b", &["0001-a"]).unwrap(), "0100-b");
        assert!(next("0001-a", &["0001-a"]).is_err());
        for wrong in ["no spaces", "", "-", ".."] {
            assert!(next(wrong, &[]).is_err(), "{wrong}");
        }
    }
}
