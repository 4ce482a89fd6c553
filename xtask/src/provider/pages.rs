//! The pages of a registry, in its layout: made of the provider's schema and of the examples, which a test runs.

use std::path::Path;

use serde_json::Value as Json;

use super::schema::{self, text};
use crate::failure::{Doing, Failure, Result};

const SCHEMA: &str = "plugins/terraform/provider.schema.json";
const PAGES: &str = "deploy/terraform/docs";
const EXAMPLES: &str = "deploy/terraform/examples";

/// The sections of a schema with a page for each member: name there, folder, what it is called, its example's file.
const SECTIONS: [(&str, &str, &str, &str); 3] = [
    ("resources", "resources", "Resource", "resource.tf"),
    (
        "data_sources",
        "data-sources",
        "Data Source",
        "data-source.tf",
    ),
    ("functions", "functions", "function", "function.tf"),
];

/// A page: where it belongs below the folder of pages, and its text.
type Page = (String, String);

/// Writes all pages.
pub fn write(root: &Path) -> Result {
    for (path, text) in all(root)? {
        let file = root.join(PAGES).join(&path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).doing("making a folder of pages")?;
        }
        std::fs::write(&file, text).doing(format!("writing {}", file.display()))?;
        println!("{PAGES}/{path}");
    }
    Ok(())
}

fn all(root: &Path) -> Result<Vec<Page>> {
    let schema = std::fs::read_to_string(root.join(SCHEMA)).doing(format!("reading {SCHEMA}"))?;
    let schema: Json = serde_json::from_str(&schema).doing(format!("reading {SCHEMA}"))?;
    let provider = schema.get("provider").cloned().unwrap_or_default();
    let mut pages = vec![("index.md".to_owned(), index(root, &provider)?)];
    for (section, folder, called, file) in SECTIONS {
        let members = schema.get(section).and_then(Json::as_object);
        for (name, member) in members.into_iter().flatten() {
            let short = name.strip_prefix("whimbrel_").unwrap_or(name);
            let example = example(root, &format!("{folder}/{name}/{file}"))?
                .ok_or_else(|| Failure::new(format!("{EXAMPLES}/{folder}/{name} has no {file}")))?;
            let mut page = head(
                &format!("{name} {called} - whimbrel"),
                text(member, "description"),
            );
            page += &format!("# {name} ({called})\n\n{}\n\n", text(member, "description"));
            page += &format!("## Example Usage\n\n```terraform\n{example}```\n\n");
            page += &if section == "functions" {
                schema::function(name, member)
            } else {
                schema::block(member)
            };
            if let Some(import) = self::example(root, &format!("{folder}/{name}/import.sh"))? {
                page += &format!("\n## Import\n\n```shell\n{import}```\n");
            }
            pages.push((format!("{folder}/{short}.md"), page));
        }
    }
    Ok(pages)
}

fn index(root: &Path, provider: &Json) -> Result<String> {
    let path = "provider/provider.tf";
    let example = example(root, path)?.doing(format!("{EXAMPLES} has no {path}"))?;
    let about = text(provider, "description");
    let mut page = head("Provider: Whimbrel", about);
    page += &format!("# Whimbrel Provider\n\n{about}\n\n");
    page += &format!("## Example Usage\n\n```terraform\n{example}```\n\n");
    page += &schema::block(provider);
    Ok(page)
}

fn head(title: &str, about: &str) -> String {
    format!("---\npage_title: \"{title}\"\nsubcategory: \"\"\ndescription: |-\n  {about}\n---\n\n")
}

/// The text of an example; none if there is no such file.
fn example(root: &Path, path: &str) -> Result<Option<String>> {
    let file = root.join(EXAMPLES).join(path);
    if !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PAGES, all};

    #[test]
    fn the_pages_are_those_of_the_schema() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut pages = all(root).unwrap();
        let mut found = Vec::new();
        let mut folders = vec![root.join(PAGES)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root.join(PAGES)).unwrap();
                    let name = name.to_string_lossy().into_owned();
                    found.push((name, std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        pages.sort();
        found.sort();
        let names = |pages: &[(String, String)]| {
            pages.iter().map(|page| page.0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&found), names(&pages));
        for ((name, found), (_, page)) in found.iter().zip(&pages) {
            assert_eq!(
                found, page,
                "{name} is old: `cargo xtask provider pages` writes it"
            );
        }
    }
}
