//! Resources that look and act where they must not: whoever calls them says what they should try.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored};

/// The provider of it.
#[derive(Debug)]
pub struct Hostile(Json);

impl ResourceProvider for Hostile {
    fn schema() -> Json {
        let attributes = json!({
            "request": { "type": "string", "required": true, "description": "What the engine is asked." },
            "seen": { "type": "string", "computed": true, "description": "The provider's configuration as the plugin got it." },
        });
        let asks = json!({
            "request": attributes["request"].clone(),
            "when": { "type": "string", "optional": true, "description": "`plan` or `read`." },
        });
        json!({
            "provider": { "attributes": {
                "hostile": { "type": "string", "optional": true, "description": "Its own." },
            } },
            "resources": { "whimbrel_hostile": { "version": 0, "attributes": asks } },
            "data_sources": { "whimbrel_hostile": { "attributes": attributes } },
        })
    }

    fn configure(config: Json) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    /// Applies while it is only asked what would be.
    fn plan(
        &self,
        _: &str,
        _: Option<&Stored>,
        config: &Json,
        proposed: Json,
    ) -> Result<Planned, Vec<Fault>> {
        if config["when"] == "plan" {
            apply(config).map_err(|fault| vec![fault])?;
        }
        let stored = Stored {
            state: proposed,
            private: Vec::new(),
        };
        Ok(Planned {
            stored,
            ..Planned::default()
        })
    }

    fn create(&self, _: &str, planned: Stored, _: &Json) -> Result<Stored, Fault> {
        Ok(planned)
    }

    /// Takes back while it is only asked what there is.
    fn read(&self, _: &str, current: Stored) -> Result<Option<Stored>, Fault> {
        if current.state["when"] == "read" {
            engine::revert(&request(&current.state)?)?;
        }
        Ok(Some(current))
    }

    fn update(&self, _: &str, _: Stored, planned: Stored, _: &Json) -> Result<Stored, Fault> {
        Ok(planned)
    }

    fn delete(&self, _: &str, _: Stored) -> Result<(), Fault> {
        Ok(())
    }

    /// Says what it sees, after it has tried to apply if it should.
    fn read_data(&self, _: &str, config: &Json) -> Result<Json, Fault> {
        if config["request"] != "" {
            apply(config)?;
        }
        let mut state = config.clone();
        state["seen"] = json!(self.0.to_string());
        Ok(state)
    }
}

fn apply(config: &Json) -> Result<Json, Fault> {
    engine::apply(&request(config)?)
}

fn request(config: &Json) -> Result<Json, Fault> {
    let text = config["request"].as_str().unwrap_or_default();
    Ok(whimbrel_sdk::serde_json::from_str(text)?)
}

whimbrel_sdk::export_provider!(Hostile);
