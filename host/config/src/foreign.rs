//! References as other tools write them, `ref+vault://PATH#/KEY`: read as references to the backend of the environment
//! that speaks to the same kind of store.
//!
//! Where the store is and who asks is what the environment says of its backend. A reference that says so itself is
//! refused: it would lead out of the environment.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::environment_checks::Inherited;
use crate::node::{Part, Way, way};
use crate::problem::Problem;
use crate::shape::Refusal;

/// How such a reference begins.
pub const BEGINNING: &str = "ref+";

/// One kind of store.
struct Scheme {
    name: &'static str,
    keeper: Keeper,
    /// How a reference is written.
    form: &'static str,
    /// Options that are passed on to the plugin.
    options: &'static [&'static str],
    /// Options that say a version.
    versions: &'static [&'static str],
}

/// Who keeps a store's secrets here.
#[derive(Clone, Copy)]
enum Keeper {
    /// A backend that is always there.
    Builtin(&'static str),
    /// The backend of the environment with this plugin.
    Plugin(&'static str),
}

const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "vault",
        keeper: Keeper::Plugin("vault"),
        form: "ref+vault://PATH#/KEY",
        options: &[],
        versions: &["version"],
    },
    Scheme {
        name: "awssecrets",
        keeper: Keeper::Plugin("aws-secrets-manager"),
        form: "ref+awssecrets://NAME#/KEY",
        options: &[],
        versions: &["version_id", "version_stage"],
    },
    Scheme {
        name: "k8s",
        keeper: Keeper::Plugin("kubernetes"),
        form: "ref+k8s://v1/Secret/NAMESPACE/NAME/KEY",
        options: &[],
        versions: &[],
    },
    Scheme {
        name: "gcpsecrets",
        keeper: Keeper::Plugin("gcp-secret-manager"),
        form: "ref+gcpsecrets://PROJECT/NAME#/KEY",
        options: &[],
        versions: &["version"],
    },
    Scheme {
        name: "azurekeyvault",
        keeper: Keeper::Plugin("azure-key-vault"),
        form: "ref+azurekeyvault://VAULT/NAME",
        options: &[],
        versions: &[],
    },
    Scheme {
        name: "sops",
        keeper: Keeper::Plugin("sops"),
        form: "ref+sops://FILE#/KEY",
        options: &["key_type", "format"],
        versions: &[],
    },
    Scheme {
        name: "file",
        keeper: Keeper::Builtin("file"),
        form: "ref+file://FILE#/KEY",
        options: &[],
        versions: &[],
    },
    Scheme {
        name: "envsubst",
        keeper: Keeper::Builtin("env"),
        form: "ref+envsubst://$NAME",
        options: &[],
        versions: &[],
    },
];

/// A reference that was read, and who keeps what it means.
struct Foreign {
    scheme: &'static Scheme,
    path: String,
    key: Option<String>,
    version: Option<String>,
    options: Map<String, Json>,
}

/// Why a text that begins like such a reference is none; none if it is one.
pub fn refuse(text: &str) -> Option<Refusal> {
    parse(text).err()
}

fn parse(text: &str) -> Result<Foreign, Refusal> {
    let rest = text.strip_prefix(BEGINNING).unwrap_or(text);
    let (name, rest) = rest.split_once("://").unwrap_or((rest, ""));
    let Some(scheme) = SCHEMES.iter().find(|scheme| scheme.name == name) else {
        let names: Vec<_> = SCHEMES
            .iter()
            .map(|scheme| format!("`ref+{}://`", scheme.name))
            .collect();
        return Err(Refusal {
            what: format!("is a reference of a kind that isn't read, `{name}`"),
            expected: format!(
                "`secret://BACKEND/PATH#KEY`, or one of {}",
                names.join(", ")
            ),
        });
    };
    let wrong = |what: &str| Refusal {
        what: what.to_owned(),
        expected: format!("`{}`, or `secret://BACKEND/PATH#KEY`", scheme.form),
    };
    // A `+` ends a reference inside of other text.
    let rest = rest.strip_suffix('+').unwrap_or(rest);
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key = match fragment.map(|fragment| fragment.strip_prefix('/').unwrap_or(fragment)) {
        Some("") => return Err(wrong("has no key after `#`")),
        // More than one part lead into a document.
        Some(key) if key.contains('/') => Some(format!("/{key}")),
        Some(key) => Some(key.to_owned()),
        None => None,
    };
    let mut foreign = Foreign {
        scheme,
        path: path.to_owned(),
        key,
        version: None,
        options: Map::new(),
    };
    for (option, value) in query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        if scheme.versions.contains(&option) {
            foreign.version = Some(value.to_owned());
        } else if scheme.options.contains(&option) {
            foreign.options.insert(option.to_owned(), Json::from(value));
        } else {
            return Err(Refusal {
                what: format!("says `{option}`, which belongs to the backend"),
                expected: format!(
                    "a reference without it: where a store is and who asks stands under `secrets`, and what it asks for in `{}`",
                    scheme.form
                ),
            });
        }
    }
    foreign.adapt().map_err(wrong)?;
    if foreign.path.is_empty() {
        return Err(wrong("has no path"));
    }
    Ok(foreign)
}

impl Foreign {
    /// From the path as the other tool writes it to the one that the backend here knows.
    fn adapt(&mut self) -> Result<(), &'static str> {
        match self.scheme.name {
            "envsubst" => {
                let name = self.path.strip_prefix('$').unwrap_or(&self.path);
                let braced = name
                    .strip_prefix('{')
                    .and_then(|name| name.strip_suffix('}'));
                let name = braced.unwrap_or(name);
                if name.is_empty()
                    || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                {
                    return Err("is more than the name of one variable");
                }
                self.path = name.to_owned();
            }
            "k8s" => {
                let parts: Vec<_> = self.path.split('/').collect();
                let [version, kind, namespace, name, key] = parts.as_slice() else {
                    return Err("has not the five parts of a key of a Secret");
                };
                if *version != "v1" || *kind != "Secret" {
                    return Err("names something that is no Secret");
                }
                self.key = Some((*key).to_owned());
                self.path = format!("{namespace}/{name}");
            }
            "azurekeyvault" => {
                let parts: Vec<_> = self.path.split('/').collect();
                if let [vault, name, version] = parts.as_slice() {
                    self.version = Some((*version).to_owned());
                    self.path = format!("{vault}/{name}");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The same as a map of an environment.
    fn reference(self, backend: &str) -> Json {
        let mut map = Map::new();
        map.insert("secret".to_owned(), Json::from(backend));
        map.insert("path".to_owned(), Json::from(self.path));
        if let Some(key) = self.key {
            map.insert("key".to_owned(), Json::from(key));
        }
        if let Some(version) = self.version {
            map.insert("version".to_owned(), Json::from(version));
        }
        if !self.options.is_empty() {
            map.insert("options".to_owned(), Json::Object(self.options));
        }
        Json::Object(map)
    }
}

/// Replaces such references in everything of an environment that may be one.
pub fn translate(inherited: &Inherited<'_>, spec: &mut Json, problems: &mut Vec<Problem>) {
    let backends = backends(spec);
    let mut replace = |way: &Way, text: &str| {
        let foreign = match parse(text) {
            Ok(foreign) => foreign,
            Err(refusal) => {
                // A database's own fields were looked at with their document.
                if way.get(1) == Some(&Part::from("secrets")) {
                    inherited
                        .problem(way, format!("the reference {}", refusal.what))
                        .expected(refusal.expected)
                        .push(problems);
                }
                return None;
            }
        };
        let plugin = match foreign.scheme.keeper {
            Keeper::Builtin(backend) => return Some(foreign.reference(backend)),
            Keeper::Plugin(plugin) => plugin,
        };
        match backends.get(plugin).map(Vec::as_slice).unwrap_or_default() {
            [backend] => return Some(foreign.reference(backend)),
            [] => inherited
                .problem(
                    way,
                    format!(
                        "`ref+{}://` needs a secret backend of the plugin `{plugin}`, and the environment `{}` has none",
                        foreign.scheme.name, inherited.name
                    ),
                )
                .expected(format!("`{plugin}: {{ plugin: {plugin}, with: {{…}} }}` under `secrets`"))
                .push(problems),
            several => inherited
                .problem(
                    way,
                    format!(
                        "`ref+{}://` may mean each of {}, which have the plugin `{plugin}`",
                        foreign.scheme.name,
                        several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                    ),
                )
                .expected("a reference that names its backend")
                .suggest(format!(
                    "write `{}`",
                    several.first().map(|name| shown(&foreign, name)).unwrap_or_default()
                ))
                .push(problems),
        }
        None
    };
    let names = |spec: &Json, section: &str| -> Vec<String> {
        let map = spec.get(section).and_then(Json::as_object);
        map.map(|map| map.keys().cloned().collect())
            .unwrap_or_default()
    };
    for name in names(spec, "databases") {
        for key in ["url", "username", "password"] {
            let mut way = way!["spec", "databases", name.as_str(), key];
            if let Some(value) = inner(spec, &["databases", name.as_str(), key]) {
                walk(value, &mut way, &mut replace);
            }
        }
    }
    for name in names(spec, "secrets") {
        let mut way = way!["spec", "secrets", name.as_str(), "with"];
        if let Some(value) = inner(spec, &["secrets", name.as_str(), "with"]) {
            walk(value, &mut way, &mut replace);
        }
    }
}

/// The reference as it is written here.
fn shown(foreign: &Foreign, backend: &str) -> String {
    let version = foreign
        .version
        .as_ref()
        .map(|version| format!("?version={version}"));
    let key = foreign.key.as_ref().map(|key| format!("#{key}"));
    format!(
        "secret://{backend}/{}{}{}",
        foreign.path,
        version.unwrap_or_default(),
        key.unwrap_or_default()
    )
}

/// The names of the backends, by plugin.
fn backends(spec: &Json) -> BTreeMap<String, Vec<String>> {
    let mut backends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, backend) in spec
        .get("secrets")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(plugin) = backend.get("plugin").and_then(Json::as_str) {
            backends
                .entry(plugin.to_owned())
                .or_default()
                .push(name.clone());
        }
    }
    backends
}

fn inner<'a>(spec: &'a mut Json, keys: &[&str]) -> Option<&'a mut Json> {
    keys.iter().try_fold(spec, |value, key| value.get_mut(*key))
}

fn walk(value: &mut Json, way: &mut Way, replace: &mut dyn FnMut(&Way, &str) -> Option<Json>) {
    match value {
        Json::String(text) if text.starts_with(BEGINNING) => {
            if let Some(replaced) = replace(way, text) {
                *value = replaced;
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                way.push(index.into());
                walk(item, way, replace);
                way.pop();
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                way.push(key.as_str().into());
                walk(value, way, replace);
                way.pop();
            }
        }
        _ => {}
    }
}
