//! Changes.

use std::sync::Arc;

use super::timeouts::{self, Operation};
use super::{give, given, is_nothing, resource, take};
use crate::message;
use crate::provider::{Answer, Call, Stored};
use crate::service::Service;
use crate::value::Value;

impl Service {
    pub(in crate::service) async fn apply_resource_change(
        self: Arc<Self>,
        request: message::ApplyResourceChangeRequest,
    ) -> message::ApplyResourceChangeResponse {
        // What a failure leaves is what was there before: the next plan sees what became of it.
        let (before, private) = (request.prior_state.clone(), request.planned_private.clone());
        let service = Arc::clone(&self);
        let applying = self.work(|call| async move { service.apply(&call, request).await });
        let (applied, diagnostics) = applying.await;
        let (new_state, private) = match applied {
            Some((state, private)) => (Some(state), private),
            None => (before, private),
        };
        message::ApplyResourceChangeResponse {
            new_state,
            private,
            diagnostics,
        }
    }

    async fn apply(
        &self,
        call: &Call,
        request: message::ApplyResourceChangeRequest,
    ) -> Answer<(message::DynamicValue, Vec<u8>)> {
        let schema = self.schema().await?;
        let name = request.type_name.as_str();
        let block = &resource(&schema, name)?.block;
        let kind = call.about(block.kind());
        let stored = |wire: Option<&message::DynamicValue>| -> Answer<Option<Stored>> {
            if is_nothing(wire, kind)? {
                return Ok(None);
            }
            Ok(Some(Stored {
                state: take(wire, block, kind, &call.sealed)?,
                private: request.planned_private.clone(),
            }))
        };
        let prior = stored(request.prior_state.as_ref())?;
        let planned = stored(request.planned_state.as_ref())?;
        let config = take(request.config.as_ref(), block, kind, &call.sealed)?;
        match (prior, planned) {
            (None, Some(planned)) => {
                let limit = timeouts::limit(Operation::Create, &config, block);
                let creating = self.provider.create(call, name, planned, config);
                let created = timeouts::within(limit, call, creating).await?;
                given(created, block, kind, call)
            }
            (Some(prior), Some(planned)) => {
                let limit = timeouts::limit(Operation::Update, &config, block);
                let updating = self.provider.update(call, name, prior, planned, config);
                let updated = timeouts::within(limit, call, updating).await?;
                given(updated, block, kind, call)
            }
            (prior, None) => {
                if let Some(prior) = prior {
                    // There is no configuration any more: the state has what it said.
                    let limit = timeouts::limit(Operation::Delete, &prior.state, block);
                    let deleting = self.provider.delete(call, name, prior);
                    timeouts::within(limit, call, deleting).await?;
                }
                Ok((give(Value::Null, block, kind, &call.sealed)?, Vec::new()))
            }
        }
    }
}
