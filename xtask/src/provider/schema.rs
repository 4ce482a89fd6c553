//! The part of a page that lists attributes and blocks, as registries show it.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

/// How attributes are grouped.
const GROUPS: [&str; 3] = ["Required", "Optional", "Read-Only"];

/// What is below an attribute or a block, to be listed after what names it: its anchor, its way, what it is.
type Nested<'a> = (String, String, &'a Json);

/// The attributes and blocks of a resource, a data source or the provider.
pub fn block(block: &Json) -> String {
    let mut page = "## Schema\n".to_owned();
    let mut nested = Vec::new();
    list(&mut page, block, "", &mut nested);
    while !nested.is_empty() {
        let mut below = Vec::new();
        for (anchor, way, block) in nested {
            let _ = write!(
                page,
                "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{way}`\n"
            );
            list(&mut page, block, &format!("{way}."), &mut below);
        }
        nested = below;
    }
    page
}

/// The signature and the arguments of a function.
pub fn function(name: &str, function: &Json) -> String {
    let parameters = function.get("parameters").and_then(Json::as_array);
    let parameters = parameters.map(Vec::as_slice).unwrap_or_default();
    let said = |parameter: &Json| {
        let kind = parameter.get("type").unwrap_or(&Json::Null);
        (text(parameter, "name").to_owned(), kind.clone())
    };
    let signature: Vec<_> = parameters.iter().map(said).collect();
    let arguments: Vec<_> = signature
        .iter()
        .map(|(name, kind)| format!("{name} {}", kind_of(kind).to_lowercase()))
        .collect();
    let returns = function.get("returns").unwrap_or(&Json::Null);
    let mut page = format!(
        "## Signature\n\n```text\n{name}({}) {}\n```\n\n## Arguments\n\n",
        arguments.join(", "),
        kind_of(returns).to_lowercase()
    );
    for (number, (parameter, (name, kind))) in parameters.iter().zip(&signature).enumerate() {
        let about = text(parameter, "description");
        let _ = writeln!(page, "{}. `{name}` ({}) {about}", number + 1, kind_of(kind));
    }
    page
}

/// A text of a document, or an empty one.
pub fn text<'a>(document: &'a Json, name: &str) -> &'a str {
    document
        .get(name)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

fn list<'a>(page: &mut String, block: &'a Json, way: &str, nested: &mut Vec<Nested<'a>>) {
    let lines = attributes(block, way, nested);
    for group in GROUPS {
        let mut lines = lines.iter().filter(|(of, _)| *of == group).peekable();
        if lines.peek().is_none() {
            continue;
        }
        let title = if way.is_empty() {
            format!("\n### {group}\n\n")
        } else {
            format!("\n{group}:\n\n")
        };
        page.push_str(&title);
        for (_, line) in lines {
            page.push_str(line);
        }
    }
}

fn attributes<'a>(
    block: &'a Json,
    way: &str,
    nested: &mut Vec<Nested<'a>>,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (name, attribute) in members(block, "attributes") {
        let below = attribute.get("nested");
        let kind = match below {
            Some(below) => format!("Attributes {}", capital(text(below, "nesting"))),
            None => kind_of(attribute.get("type").unwrap_or(&Json::Null)),
        };
        let flags = [("sensitive", ", Sensitive"), ("write_only", ", Write-only")];
        let flags = flags.iter().filter(|(flag, _)| is(attribute, flag));
        let flags: String = flags.map(|(_, word)| *word).collect();
        let group = match (is(attribute, "required"), is(attribute, "optional")) {
            (true, _) => "Required",
            (false, true) => "Optional",
            (false, false) => "Read-Only",
        };
        let about = text(attribute, "description");
        lines.push((
            group,
            line(name, &(kind + &flags), about, way, below, nested),
        ));
    }
    for (name, inner) in members(block, "blocks") {
        let nesting = text(inner, "nesting");
        let kind = match nesting {
            "single" => "Block".to_owned(),
            nesting => format!("Block {}", capital(nesting)),
        };
        let about = text(inner, "description");
        lines.push((
            "Optional",
            line(name, &kind, about, way, Some(inner), nested),
        ));
    }
    lines
}

fn line<'a>(
    name: &str,
    kind: &str,
    about: &str,
    way: &str,
    below: Option<&'a Json>,
    nested: &mut Vec<Nested<'a>>,
) -> String {
    let mut line = format!("- `{name}` ({kind})");
    if !about.is_empty() {
        line += &format!(" {about}");
    }
    if let Some(below) = below {
        let way = format!("{way}{name}");
        let anchor = format!("nested--{}", way.replace('.', "--"));
        line += &format!(" (see [below](#{anchor}))");
        nested.push((anchor, way, below));
    }
    line + "\n"
}

fn members<'a>(block: &'a Json, section: &str) -> impl Iterator<Item = (&'a String, &'a Json)> {
    let members = block.get(section).and_then(Json::as_object);
    members.into_iter().flat_map(Map::iter)
}

fn is(attribute: &Json, flag: &str) -> bool {
    attribute.get(flag) == Some(&Json::Bool(true))
}

/// A type as people read it.
fn kind_of(kind: &Json) -> String {
    match kind {
        Json::String(word) if word == "bool" => "Boolean".to_owned(),
        Json::String(word) => capital(word),
        Json::Array(parts) => match parts.as_slice() {
            [Json::String(word), ..] if word == "object" => "Object".to_owned(),
            [Json::String(word), inner] => format!("{} of {}", capital(word), kind_of(inner)),
            _ => "Dynamic".to_owned(),
        },
        _ => "Dynamic".to_owned(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
