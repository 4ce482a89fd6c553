//! What is asked of the engine, made of a resource's attributes and the provider's configuration.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Stored, is_unknown, unknown};
use whimbrel_sdk::serde_json::Map;

use crate::target;

/// Says of a migration that a server was told how to reach its database.
const TO_SERVER: &[u8] = b"said to a server";

/// What may be said of a database.
const PARTS: [&str; 3] = ["url", "username", "password"];

/// How databases are reached, as the provider's configuration says it.
#[derive(Debug, Default)]
pub struct Reached {
    blocks: Vec<Json>,
    /// Whether a server reaches them: in its own way, unless it is said.
    by_server: bool,
}

impl Reached {
    /// Reads the provider's `database` blocks.
    pub fn new(config: &Json) -> Self {
        let blocks = config.get("database").and_then(Json::as_array);
        Self {
            blocks: blocks.cloned().unwrap_or_default(),
            by_server: config.get("endpoint").is_some_and(|it| !it.is_null()),
        }
    }

    /// Whether what is said now may be another database than what was kept. Where a server knows it, nothing is said.
    pub fn has_moved(&self, before: &Json, now: &Json) -> bool {
        let is_unsaid = now.is_null() || now.as_object().is_some_and(Map::is_empty);
        !(self.by_server && is_unsaid) && target::has_moved(before, now)
    }

    /// Whether another `url` makes it another database: not where a server knows it now, and nobody says it.
    pub fn has_other_url(&self, before: &Json, now: &Json) -> bool {
        let now = part(now, "url");
        part(before, "url") != now && !(self.by_server && now.is_null())
    }

    /// A request about a migration as its state has it. What that says of a database isn't for a server, which is to say it
    /// since, unless it was said to one.
    pub fn recorded(&self, stored: &Stored) -> Map<String, Json> {
        let mut state = stored.state.clone();
        let is_for_it = stored.private == TO_SERVER;
        if let Some(fields) = state
            .as_object_mut()
            .filter(|_| self.by_server && !is_for_it)
        {
            fields.retain(|name, _| !PARTS.contains(&name.as_str()));
        }
        self.migration(&state)
    }

    /// What is kept with a migration beside its state: whether what it says of its database was said to a server.
    pub fn mark(&self, state: &Json) -> Vec<u8> {
        let says = PARTS.iter().any(|name| !part(state, name).is_null());
        if self.by_server && says {
            TO_SERVER.to_vec()
        } else {
            Vec::new()
        }
    }

    /// A server's refusal of what the provider says names that, and not an attribute that the resource leaves out.
    pub fn named(&self, fault: Fault, attributes: &Json) -> Fault {
        let pointer = fault.pointer.as_deref().unwrap_or_default();
        let attribute = pointer.trim_start_matches('/').to_owned();
        let is_of_a_database = attribute == "databases" || PARTS.contains(&attribute.as_str());
        let is_left_out = is_of_a_database && part(attributes, &attribute).is_null();
        if self.blocks.is_empty() || !is_left_out || fault.code != "serve.ungranted" {
            return fault;
        }
        let refused = format!("`{attribute}` can't be said to a server");
        let ours = "`database` can't be said to the server";
        Fault {
            message: fault.message.replace(&refused, ours),
            pointer: None,
            ..fault
        }
    }

    /// What is said of the databases of an environment: by the provider, and before it by the resource.
    fn databases(&self, environment: &Json, own: &Json) -> Map<String, Json> {
        let mut databases = Map::new();
        for block in &self.blocks {
            if block.get("environment") == Some(environment)
                && let Some(name) = text(block, "name")
            {
                databases.insert(name.to_owned(), parts(block));
            }
        }
        for (name, database) in own.as_object().into_iter().flatten() {
            let said = databases
                .entry(name.clone())
                .or_insert_with(|| Json::Object(Map::new()));
            merge(said, parts(database));
        }
        databases
    }

    /// A request about an environment of a project.
    pub fn environment(&self, attributes: &Json) -> Map<String, Json> {
        let environment = attributes.get("environment").cloned().unwrap_or_default();
        let own = attributes.get("databases").unwrap_or(&Json::Null);
        let mut request = Map::new();
        let mut project = json!({});
        put(&mut project, "source", attributes.get("source"));
        put(&mut project, "ref", attributes.get("ref"));
        request.insert("project".into(), project);
        let databases = self.databases(&environment, own);
        if is_unknown(own) {
            request.insert("databases".into(), unknown());
        } else if !databases.is_empty() {
            request.insert("databases".into(), Json::Object(databases));
        }
        request.insert("environment".into(), environment);
        shared(&mut request, attributes);
        request
    }

    /// Where the databases of an environment are that Terraform says it of, by their names.
    pub fn targets(&self, attributes: &Json) -> Json {
        let environment = attributes.get("environment").unwrap_or(&Json::Null);
        let own = attributes.get("databases").unwrap_or(&Json::Null);
        if is_unknown(environment) || is_unknown(own) {
            return unknown();
        }
        let databases = self.databases(environment, own).into_iter();
        let targets =
            databases.filter_map(|(name, said)| Some((name, target::kept(said.get("url")?))));
        Json::Object(targets.collect())
    }

    /// Where the database of a migration is; null if nobody says it.
    pub fn target(&self, attributes: &Json) -> Json {
        let environment = attributes.get("environment").unwrap_or(&Json::Null);
        if is_unknown(environment) || attributes.get("database").is_some_and(is_unknown) {
            return unknown();
        }
        let database = text(attributes, "database").unwrap_or("main");
        let databases = self.databases(environment, &json!({ database: parts(attributes) }));
        let url = databases.get(database).and_then(|said| said.get("url"));
        url.map_or(Json::Null, target::kept)
    }

    /// A request about one migration that is written in Terraform.
    pub fn migration(&self, attributes: &Json) -> Map<String, Json> {
        let environment = attributes.get("environment").cloned().unwrap_or_default();
        let database = text(attributes, "database").unwrap_or("main");
        let own = json!({ database: parts(attributes) });
        let databases = self.databases(&environment, &own);
        let mut migration = json!({
            "name": attributes.get("name"), "database": database, "up": attributes.get("up"),
        });
        put(&mut migration, "down", attributes.get("down"));
        let mut request = Map::new();
        request.insert("migration".into(), migration);
        request.insert("databases".into(), Json::Object(databases));
        request.insert("environment".into(), environment);
        shared(&mut request, attributes);
        request
    }
}

/// Has a request ask the databases where a resource is, and not those that are said now.
pub fn stay(request: &mut Map<String, Json>, targets: &Json) {
    let said = request
        .entry("databases")
        .or_insert_with(|| Json::Object(Map::new()));
    let Some(said) = said.as_object_mut() else {
        return;
    };
    for parts in said.values_mut().filter_map(Json::as_object_mut) {
        parts.remove("url");
    }
    for (name, url) in targets.as_object().into_iter().flatten() {
        let parts = said.entry(name.clone()).or_insert_with(|| json!({}));
        put(parts, "url", Some(url));
    }
}

fn shared(request: &mut Map<String, Json>, attributes: &Json) {
    if let Some(parameters) = attributes.get("parameters").filter(|it| !it.is_null()) {
        request.insert("parameters".into(), parameters.clone());
    }
    if attributes.get("allow_destructive") == Some(&Json::Bool(true)) {
        request.insert("allowDestructive".into(), Json::Bool(true));
    }
}

/// What is said of one database. A password that is only written goes before a reference.
fn parts(said: &Json) -> Json {
    let mut parts = json!({});
    for part in PARTS {
        put(&mut parts, part, said.get(part));
    }
    put(&mut parts, "password", said.get("password_wo"));
    parts
}

fn put(object: &mut Json, name: &str, value: Option<&Json>) {
    if let (Some(fields), Some(value)) = (
        object.as_object_mut(),
        value.filter(|value| !value.is_null()),
    ) {
        fields.insert(name.to_owned(), value.clone());
    }
}

fn merge(into: &mut Json, from: Json) {
    if let (Some(into), Json::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

/// A part of a document; null if it isn't there.
pub fn part<'a>(document: &'a Json, name: &str) -> &'a Json {
    document.get(name).unwrap_or(&Json::Null)
}

/// A text of a document.
pub fn text<'a>(document: &'a Json, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Json::as_str)
}

#[cfg(test)]
mod tests {
    use super::Reached;
    use whimbrel_sdk::prelude::*;
    use whimbrel_sdk::resource::Stored;

    #[test]
    fn a_resource_counts_before_the_provider() {
        let blocks = json!([
            { "environment": "dev", "name": "shop", "url": "sqlite:a", "password": { "$sealed": "1" } },
            { "environment": "prod", "name": "shop", "url": "sqlite:b" },
        ]);
        let reached = Reached::new(&json!({ "database": blocks, "endpoint": null }));
        let request = reached.environment(&json!({
            "source": "/shop", "ref": null, "environment": "dev", "parameters": { "a": "b" },
            "databases": { "shop": { "url": "sqlite:c", "password": null, "password_wo": null } },
        }));
        let expected = json!({
            "project": { "source": "/shop" }, "environment": "dev", "parameters": { "a": "b" },
            "databases": { "shop": { "url": "sqlite:c", "password": { "$sealed": "1" } } },
        });
        assert_eq!(Json::Object(request), expected);
    }

    #[test]
    fn a_server_is_told_what_it_was_told_before() {
        let state =
            json!({ "environment": "dev", "name": "0001-a", "up": "SELECT 1", "url": "sqlite:a" });
        let told = |reached: &Reached, private: &[u8]| {
            let private = private.to_vec();
            let request = reached.recorded(&Stored {
                state: state.clone(),
                private,
            });
            request["databases"]["main"].get("url").is_some()
        };
        let there = Reached::new(&json!({ "endpoint": "unix:/s" }));
        let mark = there.mark(&state);
        assert!(told(&there, &mark) && !told(&there, b""));
        let here = Reached::default();
        assert!(told(&here, &mark) && told(&here, b"") && here.mark(&state).is_empty());
        // Another address is another database, also to a server; none is what it knows.
        let (one, other) = (json!({ "a": "sqlite:a" }), json!({ "a": "sqlite:b" }));
        assert!(there.has_moved(&one, &other) && !there.has_moved(&one, &json!({})));
        assert!(here.has_moved(&one, &json!({})));
    }

    #[test]
    fn a_migration_says_its_own_database() {
        let request = Reached::default().migration(&json!({
            "environment": "dev", "name": "0001-a", "up": "SELECT 1", "down": null, "url": "sqlite:a",
            "password": "secret://env/A", "password_wo": { "$sealed": "0" }, "allow_destructive": true,
        }));
        let expected = json!({
            "migration": { "name": "0001-a", "database": "main", "up": "SELECT 1" }, "environment": "dev",
            "databases": { "main": { "url": "sqlite:a", "password": { "$sealed": "0" } } },
            "allowDestructive": true,
        });
        assert_eq!(Json::Object(request), expected);
    }
}
