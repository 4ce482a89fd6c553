//! What concerns the provider as a whole.

use std::sync::{Arc, PoisonError};

use super::{Service, take};
use crate::message;
use crate::provider::Configured;
use crate::schema::{Block, Function, Resource};

const CAPABILITIES: message::ServerCapabilities = message::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: false,
};

impl Service {
    pub(super) async fn get_metadata(self: Arc<Self>) -> message::GetMetadataResponse {
        let service = Arc::clone(&self);
        let (schema, diagnostics) = self.work(|_| async move { service.schema().await }).await;
        let schema = schema.unwrap_or_default();
        message::GetMetadataResponse {
            server_capabilities: Some(CAPABILITIES),
            diagnostics,
            data_sources: schema.data_sources.keys().map(|name| named(name)).collect(),
            resources: schema.resources.keys().map(|name| named(name)).collect(),
            functions: schema.functions.keys().map(|name| named(name)).collect(),
        }
    }

    pub(super) async fn get_provider_schema(self: Arc<Self>) -> message::GetProviderSchemaResponse {
        let service = Arc::clone(&self);
        let (schema, diagnostics) = self.work(|_| async move { service.schema().await }).await;
        let schema = schema.unwrap_or_default();
        let resources = schema.resources.iter();
        let data_sources = schema.data_sources.iter();
        let functions = schema.functions.iter();
        message::GetProviderSchemaResponse {
            provider: Some(schema.provider.message()),
            resource_schemas: resources.map(of(Resource::message)).collect(),
            data_source_schemas: data_sources.map(of(Block::message)).collect(),
            diagnostics,
            server_capabilities: Some(CAPABILITIES),
            functions: functions.map(of(Function::message)).collect(),
        }
    }

    pub(super) async fn get_functions(self: Arc<Self>) -> message::GetFunctionsResponse {
        let service = Arc::clone(&self);
        let (schema, diagnostics) = self.work(|_| async move { service.schema().await }).await;
        let schema = schema.unwrap_or_default();
        let functions = schema.functions.iter();
        message::GetFunctionsResponse {
            functions: functions.map(of(Function::message)).collect(),
            diagnostics,
        }
    }

    pub(super) async fn validate_provider_config(
        self: Arc<Self>,
        request: message::ValidateProviderConfigRequest,
    ) -> message::ValidateProviderConfigResponse {
        let service = Arc::clone(&self);
        let validating = self.work(|call| async move {
            let schema = service.schema().await?;
            let kind = call.about(schema.provider.kind());
            let config = take(
                request.config.as_ref(),
                &schema.provider,
                kind,
                &call.sealed,
            )?;
            let validated = service
                .provider
                .validate(&call, Configured::Provider, config);
            validated.await
        });
        let (_, diagnostics) = validating.await;
        message::ValidateProviderConfigResponse { diagnostics }
    }

    pub(super) async fn configure_provider(
        self: Arc<Self>,
        request: message::ConfigureProviderRequest,
    ) -> message::ConfigureProviderResponse {
        let service = Arc::clone(&self);
        let configuring = self.work(|call| async move {
            let schema = service.schema().await?;
            let kind = call.about(schema.provider.kind());
            let config = take(
                request.config.as_ref(),
                &schema.provider,
                kind,
                &call.sealed,
            )?;
            service.provider.configure(&call, config).await?;
            let configured = service.configured.write();
            let mut configured = configured.unwrap_or_else(PoisonError::into_inner);
            *configured = Some(Arc::clone(&call.sealed));
            Ok(())
        });
        let (_, diagnostics) = configuring.await;
        message::ConfigureProviderResponse { diagnostics }
    }
}

fn named(name: &str) -> message::Named {
    message::Named {
        name: name.to_owned(),
    }
}

/// A schema by its name, as Terraform is told it.
fn of<'a, T, M>(message: impl Fn(&T) -> M) -> impl Fn((&'a String, &'a T)) -> (String, M) {
    move |(name, schema)| (name.clone(), message(schema))
}
