//! Resources: what is said about them and read of them. Their changes are beside.

mod apply;
mod plan;
mod upgrade;

use std::sync::Arc;

use super::timeouts::{self, Operation};
use super::{Service, give, take};
use crate::diagnostic::Diagnostic;
use crate::message;
use crate::provider::{Answer, Call, Configured, Stored};
use crate::schema::{Block, ProviderSchema, Resource};
use crate::sealed::secrets_written_once;
use crate::value::{Type, Value, from_wire};

impl Service {
    pub(in crate::service) async fn validate_resource_config(
        self: Arc<Self>,
        request: message::ValidateConfigRequest,
    ) -> message::ValidateConfigResponse {
        let service = Arc::clone(&self);
        let validating = self.work(|call| async move {
            let schema = service.schema().await?;
            let block = &resource(&schema, &request.type_name)?.block;
            let kind = call.about(block.kind());
            let config = take(request.config.as_ref(), block, kind, &call.sealed)?;
            let capabilities = request.client_capabilities.unwrap_or_default();
            let mut wrong = timeouts::validate(&config, block);
            if !capabilities.write_only_attributes_allowed {
                wrong.extend(secrets_written_once(&config, block).iter().map(|at| {
                    let detail =
                        "It would be kept in the state. Terraform 1.11 and later don't keep it.";
                    Diagnostic::error("This Terraform has no write-only attributes", detail).at(at)
                }));
            }
            let what = Configured::Resource(&request.type_name);
            match service.provider.validate(&call, what, config).await {
                Ok(()) if wrong.is_empty() => Ok(()),
                Ok(()) => Err(wrong),
                Err(more) => {
                    wrong.extend(more);
                    Err(wrong)
                }
            }
        });
        let (_, diagnostics) = validating.await;
        message::ValidateConfigResponse { diagnostics }
    }

    pub(in crate::service) async fn read_resource(
        self: Arc<Self>,
        request: message::ReadResourceRequest,
    ) -> message::ReadResourceResponse {
        let (before, private) = (request.current_state.clone(), request.private.clone());
        let service = Arc::clone(&self);
        let reading = self.work(|call| async move {
            let schema = service.schema().await?;
            let block = &resource(&schema, &request.type_name)?.block;
            let kind = call.about(block.kind());
            let state = take(request.current_state.as_ref(), block, kind, &call.sealed)?;
            let limit = timeouts::limit(Operation::Read, &state, block);
            let current = Stored {
                state,
                private: request.private,
            };
            let read = service.provider.read(&call, &request.type_name, current);
            match timeouts::within(limit, &call, read).await? {
                Some(stored) => given(stored, block, kind, &call),
                None => Ok((give(Value::Null, block, kind, &call.sealed)?, Vec::new())),
            }
        });
        let (read, diagnostics) = reading.await;
        let (new_state, private) = match read {
            Some((state, private)) => (Some(state), private),
            None => (before, private),
        };
        message::ReadResourceResponse {
            new_state,
            diagnostics,
            private,
        }
    }

    pub(in crate::service) async fn import_resource_state(
        self: Arc<Self>,
        request: message::ImportResourceStateRequest,
    ) -> message::ImportResourceStateResponse {
        let service = Arc::clone(&self);
        let importing = self.work(|call| async move {
            let schema = service.schema().await?;
            let block = &resource(&schema, &request.type_name)?.block;
            let kind = call.about(block.kind());
            let name = request.type_name.clone();
            let imported = service.provider.import_state(&call, &name, &request.id);
            let (state, private) = given(imported.await?, block, kind, &call)?;
            Ok(message::ImportedResource {
                type_name: name,
                state: Some(state),
                private,
            })
        });
        let (imported, diagnostics) = importing.await;
        message::ImportResourceStateResponse {
            imported_resources: imported.into_iter().collect(),
            diagnostics,
        }
    }
}

fn resource<'a>(schema: &'a ProviderSchema, name: &str) -> Answer<&'a Resource> {
    schema.resources.get(name).ok_or_else(|| {
        let summary = format!("The provider has no resource `{name}`");
        vec![Diagnostic::error(summary, "")]
    })
}

/// What the provider would keep, as Terraform keeps it.
fn given(
    stored: Stored,
    block: &Block,
    kind: &Type,
    call: &Call,
) -> Answer<(message::DynamicValue, Vec<u8>)> {
    let state = give(stored.state, block, kind, &call.sealed)?;
    Ok((state, stored.private))
}

/// Whether there is nothing: a resource that isn't there yet, or won't be any more.
fn is_nothing(wire: Option<&message::DynamicValue>, kind: &Type) -> Answer<bool> {
    let value = from_wire(wire, kind)
        .map_err(|error| vec![Diagnostic::of_value("Terraform sent no such value", &error)])?;
    Ok(value.is_null())
}
