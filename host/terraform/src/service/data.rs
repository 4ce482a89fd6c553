//! Data sources.

use std::sync::Arc;

use super::{Service, give, take};
use crate::diagnostic::Diagnostic;
use crate::message;
use crate::provider::{Answer, Configured};
use crate::schema::{Block, ProviderSchema};

impl Service {
    pub(super) async fn validate_data_resource_config(
        self: Arc<Self>,
        request: message::ValidateConfigRequest,
    ) -> message::ValidateConfigResponse {
        let service = Arc::clone(&self);
        let validating = self.work(|call| async move {
            let schema = service.schema().await?;
            let block = data_source(&schema, &request.type_name)?;
            let kind = call.about(block.kind());
            let config = take(request.config.as_ref(), block, kind, &call.sealed)?;
            let what = Configured::DataSource(&request.type_name);
            service.provider.validate(&call, what, config).await
        });
        let (_, diagnostics) = validating.await;
        message::ValidateConfigResponse { diagnostics }
    }

    pub(super) async fn read_data_source(
        self: Arc<Self>,
        request: message::ReadDataSourceRequest,
    ) -> message::ReadDataSourceResponse {
        let service = Arc::clone(&self);
        let reading = self.work(|call| async move {
            let schema = service.schema().await?;
            let block = data_source(&schema, &request.type_name)?;
            let kind = call.about(block.kind());
            let config = take(request.config.as_ref(), block, kind, &call.sealed)?;
            let read = service
                .provider
                .read_data(&call, &request.type_name, config);
            give(read.await?, block, kind, &call.sealed)
        });
        let (state, diagnostics) = reading.await;
        message::ReadDataSourceResponse { state, diagnostics }
    }
}

fn data_source<'a>(schema: &'a ProviderSchema, name: &str) -> Answer<&'a Block> {
    schema.data_sources.get(name).ok_or_else(|| {
        let summary = format!("The provider has no data source `{name}`");
        vec![Diagnostic::error(summary, "")]
    })
}
