//! What a change would lead to.

use std::sync::Arc;

use super::{give, given, is_nothing, resource, take};
use crate::diagnostic::path;
use crate::message;
use crate::provider::{Answer, Call, Stored};
use crate::sealed::{unknown_where_computed, without_write_only};
use crate::service::Service;
use crate::value::Value;

struct Plan {
    state: message::DynamicValue,
    private: Vec<u8>,
    replace: Vec<message::AttributePath>,
}

impl Service {
    pub(in crate::service) async fn plan_resource_change(
        self: Arc<Self>,
        request: message::PlanResourceChangeRequest,
    ) -> message::PlanResourceChangeResponse {
        let service = Arc::clone(&self);
        let planning = self.work(|call| async move { service.plan(&call, request).await });
        let (plan, diagnostics) = planning.await;
        match plan {
            Some(plan) => message::PlanResourceChangeResponse {
                planned_state: Some(plan.state),
                requires_replace: plan.replace,
                planned_private: plan.private,
                diagnostics,
            },
            None => message::PlanResourceChangeResponse {
                diagnostics,
                ..Default::default()
            },
        }
    }

    async fn plan(&self, call: &Call, request: message::PlanResourceChangeRequest) -> Answer<Plan> {
        let schema = self.schema().await?;
        let name = request.type_name.as_str();
        let block = &resource(&schema, name)?.block;
        let kind = call.about(block.kind());
        let prior = if is_nothing(request.prior_state.as_ref(), kind)? {
            None
        } else {
            Some(Stored {
                state: take(request.prior_state.as_ref(), block, kind, &call.sealed)?,
                private: request.prior_private,
            })
        };
        let proposed = take(
            request.proposed_new_state.as_ref(),
            block,
            kind,
            &call.sealed,
        )?;
        let proposed = without_write_only(proposed, block);
        let config = take(request.config.as_ref(), block, kind, &call.sealed)?;
        let (proposed, prior) = match (proposed, prior) {
            (Value::Null, prior) => {
                let mut private = Vec::new();
                if let Some(prior) = prior {
                    private.clone_from(&prior.private);
                    self.provider.plan_delete(call, name, prior).await?;
                }
                let state = give(Value::Null, block, kind, &call.sealed)?;
                return Ok(Plan {
                    state,
                    private,
                    replace: Vec::new(),
                });
            }
            (proposed, None) => (unknown_where_computed(proposed, block), None),
            (proposed, prior) => (proposed, prior),
        };
        let planned = self.provider.plan(call, name, prior, config, proposed);
        let planned = planned.await?;
        let replace = planned.replace.iter().map(|at| path(at, kind)).collect();
        let (state, private) = given(planned.stored, block, kind, call)?;
        Ok(Plan {
            state,
            private,
            replace,
        })
    }
}
