//! An OpenAPI document out of the source of GitLab's Go client: routes, methods, and the options that it sends as a query or,
//! unless it only asks, as JSON. It is formatted by `gofmt`, so that lines can be relied on.

use std::collections::BTreeMap;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json::Map;

pub fn document(text: &str) -> Json {
    let source = Source::of(text);
    let mut paths = BTreeMap::<String, Map<String, Json>>::new();
    for function in text.split("\nfunc (").skip(1) {
        let function = function.split("\n}\n").next().unwrap();
        let Some(route) = after(function, "withPath(").and_then(|name| source.routes.get(name))
        else {
            continue;
        };
        let method = after(function, "withMethod(http.Method").unwrap_or("Get");
        let options = after(function, "opt *").map(|name| source.options(name, method == "Get"));
        let operation = match (options, method) {
            (None, _) => json!({}),
            (Some(options), "Get") => {
                let properties = options["properties"].as_object().unwrap();
                let parameters = properties
                    .iter()
                    .map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema }));
                json!({ "parameters": parameters.collect::<Vec<_>>() })
            }
            (Some(options), _) => {
                json!({ "requestBody": { "content": { "application/json": { "schema": options } } } })
            }
        };
        let operations = paths.entry(route.clone()).or_default();
        operations.insert(method.to_ascii_lowercase(), operation);
    }
    json!({ "paths": paths })
}

/// The word after the first of these.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

struct Source<'a> {
    /// Paths, by the names of routes.
    routes: BTreeMap<&'a str, String>,
    /// The lines of structures.
    structures: BTreeMap<&'a str, Vec<&'a str>>,
    /// The values of types that are texts.
    values: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Source<'a> {
    fn of(text: &'a str) -> Self {
        let mut source = Self {
            routes: BTreeMap::new(),
            structures: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["type", name, "struct", "{"] => {
                    let inner = lines.by_ref().take_while(|line| *line != "}");
                    source.structures.insert(name, inner.collect());
                }
                [name, "=", route] if route.starts_with("route(") => {
                    let path = route.split('"').nth(1).unwrap();
                    let path = path.replace("%s", "{}").replace("%d", "{}");
                    source.routes.insert(name, format!("/{path}"));
                }
                [_, kind, "=", value] if value.starts_with('"') => {
                    let values = source.values.entry(kind).or_default();
                    values.push(value.trim_matches('"'));
                }
                _ => {}
            }
        }
        source
    }

    /// The schema of options, as they are named in a query or else in JSON.
    fn options(&self, name: &str, in_query: bool) -> Json {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let lines = self.structures.get(name);
        for line in lines.unwrap_or_else(|| panic!("no `{name}`")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (kind, tags) = match words.as_slice() {
                [] | ["//", ..] => continue,
                // All of another one's.
                [other] => {
                    let other = self.options(other, in_query);
                    properties.extend(other["properties"].as_object().unwrap().clone());
                    continue;
                }
                [_, kind, tags @ ..] => (kind, tags.join(" ")),
            };
            let tag = if in_query { "url:\"" } else { "json:\"" };
            let (_, tag) = tags.split_once(tag).unwrap_or_else(|| panic!("{line}"));
            let (name, is_left_out) = match tag.split('"').next().unwrap().split_once(',') {
                Some((name, how)) => (name, how.contains("omitempty")),
                None => (tag.split('"').next().unwrap(), false),
            };
            if !is_left_out {
                required.push(name.to_owned());
            }
            properties.insert(name.to_owned(), self.schema(kind));
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    fn schema(&self, kind: &str) -> Json {
        match kind.trim_start_matches('*') {
            "string" | "time.Time" => json!({ "type": "string" }),
            "int64" => json!({ "type": "integer" }),
            "float64" => json!({ "type": "number" }),
            "bool" => json!({ "type": "boolean" }),
            other => match self.values.get(other) {
                Some(values) => json!({ "type": "string", "enum": values }),
                None => json!({}),
            },
        }
    }
}
