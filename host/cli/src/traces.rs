//! Traces of OpenTelemetry, sent over HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says (the variables of
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). Nothing here changes how a run ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use whimbrel_report::traces::{RunIds, Traces};
use whimbrel_signal::Sink;

/// How long one sending may take, and how long the end of the program waits for the last.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer: it is empty, or says what was refused.
const ANSWER: u64 = 64 << 10;

/// The variables of which one must say where to send to.
const PLACES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// What sends traces while the program runs. Clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Tracing(SdkTracerProvider);

impl Tracing {
    /// As the environment says; none if it names no place, or one that can't be.
    pub(crate) fn begin() -> Option<Self> {
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value == "true");
        if is_off || !PLACES.iter().any(is_set) {
            return None;
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client(agent()))
            .build();
        let exporter = exporter
            .map_err(|error| tracing::warn!(%error, "no traces are sent"))
            .ok()?;
        let name = std::env::var("OTEL_SERVICE_NAME").ok();
        let name = name.filter(|name| !name.is_empty());
        let resource = Resource::builder()
            .with_service_name(name.unwrap_or_else(|| "whimbrel".to_owned()))
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .with_id_generator(RunIds::default())
            .with_resource(resource.build());
        Some(Self(provider.build()))
    }

    /// Who listens to one run.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Traces::new(&self.0))
    }

    /// Sends what is left.
    pub(crate) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

fn agent() -> Agent {
    let certificates: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

/// The product's own HTTP, on the exporter's thread.
#[derive(Debug)]
struct Client(Agent);

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(ANSWER).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}
