//! States of older versions.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{give, resource};
use crate::diagnostic::Diagnostic;
use crate::message;
use crate::provider::{Answer, Call};
use crate::service::Service;
use crate::value::{ValueError, state_from_json};

impl Service {
    pub(in crate::service) async fn upgrade_resource_state(
        self: Arc<Self>,
        request: message::UpgradeResourceStateRequest,
    ) -> message::UpgradeResourceStateResponse {
        let service = Arc::clone(&self);
        let upgrading = self.work(|call| async move { service.upgrade(&call, request).await });
        let (upgraded_state, diagnostics) = upgrading.await;
        message::UpgradeResourceStateResponse {
            upgraded_state,
            diagnostics,
        }
    }

    async fn upgrade(
        &self,
        call: &Call,
        request: message::UpgradeResourceStateRequest,
    ) -> Answer<message::DynamicValue> {
        let schema = self.schema().await?;
        let name = request.type_name.as_str();
        let resource = resource(&schema, name)?;
        let (block, current) = (&resource.block, resource.version);
        let kind = call.about(block.kind());
        let json = request.raw_state.unwrap_or_default().json;
        if json.is_empty() {
            let detail = "Only states of Terraform 0.12 and later can be read.";
            return Err(vec![Diagnostic::error("There is no state in JSON", detail)]);
        }
        let version = u64::try_from(request.version).unwrap_or_default();
        let state = match version.cmp(&current) {
            Ordering::Equal => {
                let state =
                    state_from_json(&json, Some(kind)).map_err(|error| unreadable(&error))?;
                call.sealed.seal_block(state, block)
            }
            Ordering::Less => {
                let state = state_from_json(&json, None).map_err(|error| unreadable(&error))?;
                let state = call.sealed.seal_block(state, block);
                self.provider.upgrade(call, name, version, state).await?
            }
            Ordering::Greater => {
                let detail = format!(
                    "It has version {version} of `{name}`; this provider knows up to {current}. Use the newer provider."
                );
                return Err(vec![Diagnostic::error(
                    "The state was written by a newer provider",
                    detail,
                )]);
            }
        };
        give(state, block, kind, &call.sealed)
    }
}

fn unreadable(error: &ValueError) -> Vec<Diagnostic> {
    vec![Diagnostic::of_value("The state can't be read", error)]
}
