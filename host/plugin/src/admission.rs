//! Admission: what must be true of a component before anything of it runs for real.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::PluginError;
use crate::grants::{Grants, Need};
use crate::known::{self, Unknown, World};
use crate::limits::Limits;
use crate::manifest::{self, Manifest};
use crate::room::Kind;

/// What the bytes alone say.
pub struct Declared {
    /// The manifest.
    pub manifest: Option<Manifest>,
    /// What the plugin gets of what is granted.
    pub grants: Grants,
    /// Its memory limit.
    pub memory: usize,
    /// The room that it is likely to suit.
    pub kind: Kind,
}

/// Checks the bytes, before anything is compiled: they are a component, its manifest is one, its needs are granted.
pub fn declared(
    plugin: &str,
    bytes: &[u8],
    granted: Grants,
    limits: &Limits,
) -> Result<Declared, PluginError> {
    check_header(plugin, bytes, limits)?;
    let said = manifest::read(bytes).map_err(|reason| PluginError::Manifest {
        plugin: plugin.to_owned(),
        reason,
    })?;
    let manifest = said.manifest;
    let needs = manifest
        .as_ref()
        .map_or(&[][..], |manifest| manifest.needs.as_slice());
    let is_missing = |need: &Need| !granted.allows(*need);
    let ungranted: Vec<Need> = needs.iter().copied().filter(is_missing).collect();
    if !ungranted.is_empty() {
        return Err(PluginError::Ungranted {
            plugin: plugin.to_owned(),
            needs: ungranted,
        });
    }
    let memory = manifest
        .as_ref()
        .and_then(|manifest| manifest.memory)
        .unwrap_or(limits.memory_bytes);
    if memory > limits.memory_ceiling_bytes.max(limits.memory_bytes) {
        return Err(PluginError::Manifest {
            plugin: plugin.to_owned(),
            reason: format!(
                "its manifest asks for {memory} bytes of memory, at most {} can be had",
                limits.memory_ceiling_bytes
            ),
        });
    }
    let uses = manifest
        .as_ref()
        .map_or(&[][..], |manifest| manifest.uses.as_slice());
    Ok(Declared {
        grants: granted.limited_to(&[needs, uses].concat()),
        kind: if said.has_runtime || memory > limits.memory_bytes {
            Kind::OnDemand
        } else {
            Kind::Pooled
        },
        memory: memory.max(limits.memory_bytes),
        manifest,
    })
}

fn check_header(plugin: &str, bytes: &[u8], limits: &Limits) -> Result<(), PluginError> {
    let reason = if bytes.len() > limits.component_bytes {
        format!(
            "{} bytes, at most {} are read",
            bytes.len(),
            limits.component_bytes
        )
    } else if wasmparser::Parser::is_component(bytes) {
        return Ok(());
    } else if wasmparser::Parser::is_core_wasm(bytes) {
        "a core module; make a component of it with the linker wasm-component-ld, or `wasm-tools component new`"
            .to_owned()
    } else {
        "no WebAssembly".to_owned()
    };
    Err(PluginError::NotAComponent {
        plugin: plugin.to_owned(),
        reason,
    })
}

/// What the compiled component's type says.
pub struct Surface {
    /// Imports by full name.
    pub imports: Vec<String>,
    /// Exports by full name.
    pub exports: Vec<String>,
    /// The worlds that the exports are of.
    pub worlds: Vec<World>,
}

/// Checks the imports against what is known, and finds the worlds.
pub fn surface(
    plugin: &str,
    engine: &Engine,
    component: &Component,
) -> Result<Surface, PluginError> {
    let kind = component.component_type();
    let imports: Vec<String> = kind
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let exports: Vec<String> = kind
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut unknown = Vec::new();
    for name in &imports {
        match known::check_import(name) {
            Ok(()) => {}
            Err(Unknown::Interface) => unknown.push(name.clone()),
            Err(Unknown::Version { built_for, offered }) => {
                return Err(version(plugin, name, built_for, offered));
            }
        }
    }
    if !unknown.is_empty() {
        return Err(PluginError::UnknownImports {
            plugin: plugin.to_owned(),
            imports: unknown,
        });
    }
    let mut worlds = Vec::new();
    for name in &exports {
        match known::world_of(name) {
            Ok(world) => worlds.extend(world),
            Err(Unknown::Version { built_for, offered }) => {
                return Err(version(plugin, name, built_for, offered));
            }
            Err(Unknown::Interface) => {}
        }
    }
    if worlds.is_empty() {
        return Err(PluginError::NoWorld {
            plugin: plugin.to_owned(),
            wanted: "interface that this whimbrel calls".to_owned(),
        });
    }
    Ok(Surface {
        imports,
        exports,
        worlds,
    })
}

fn version(plugin: &str, name: &str, built_for: String, offered: &str) -> PluginError {
    PluginError::Version {
        plugin: plugin.to_owned(),
        interface: name.split('@').next().unwrap_or(name).to_owned(),
        built_for,
        offered: offered.to_owned(),
    }
}
