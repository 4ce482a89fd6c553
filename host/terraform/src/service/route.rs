//! From a path of gRPC to what answers it. A call that isn't here is UNIMPLEMENTED, by name.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service as Tower;

use super::Service;
use crate::cancel::CancelReason;
use crate::limits::MESSAGE;
use crate::message::{self, Empty};

/// What answers the calls of a connection.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) service: Arc<Service>,
    /// Becomes true when the process is to end.
    pub(crate) shutdown: Arc<watch::Sender<bool>>,
}

/// Answers one call.
pub(crate) async fn answer(
    routes: Routes,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let response = match (parts.next(), parts.next()) {
        (Some("tfplugin6.Provider"), Some(method)) => {
            of_provider(routes.service, method, request).await
        }
        (Some("plugin.GRPCController"), Some("Shutdown")) => shutdown(routes, request).await,
        (Some("plugin.GRPCStdio"), Some("StreamStdio")) => silent(routes, request).await,
        (Some("plugin.GRPCBroker"), Some("StartStream")) => unasked(routes, request).await,
        (Some("grpc.health.v1.Health"), Some("Check")) => health(request).await,
        _ => None,
    };
    Ok(response.unwrap_or_else(|| {
        Status::unimplemented(format!("{path} isn't a call of this provider")).into_http()
    }))
}

/// Answers a call of the provider's; none if there is no such one.
async fn of_provider(
    service: Arc<Service>,
    method: &str,
    request: Request<Incoming>,
) -> Option<Response<Body>> {
    macro_rules! asked {
        ($answer:ident) => {
            unary(request, move |message| service.$answer(message)).await
        };
        ($answer:ident, nothing) => {
            unary(request, move |Empty {}| service.$answer()).await
        };
    }
    Some(match method {
        "GetMetadata" => asked!(get_metadata, nothing),
        "GetProviderSchema" => asked!(get_provider_schema, nothing),
        "GetFunctions" => asked!(get_functions, nothing),
        "ValidateProviderConfig" => asked!(validate_provider_config),
        "ConfigureProvider" => asked!(configure_provider),
        "ValidateResourceConfig" => asked!(validate_resource_config),
        "ValidateDataResourceConfig" => asked!(validate_data_resource_config),
        "UpgradeResourceState" => asked!(upgrade_resource_state),
        "ReadResource" => asked!(read_resource),
        "PlanResourceChange" => asked!(plan_resource_change),
        "ApplyResourceChange" => asked!(apply_resource_change),
        "ImportResourceState" => asked!(import_resource_state),
        "ReadDataSource" => asked!(read_data_source),
        "CallFunction" => asked!(call_function),
        "StopProvider" => {
            unary(request, move |Empty {}| async move {
                service.cancel(CancelReason::Stopped);
                message::StopProviderResponse::default()
            })
            .await
        }
        _ => return None,
    })
}

async fn health(request: Request<Incoming>) -> Option<Response<Body>> {
    let serving = message::HealthCheckResponse {
        status: message::Health::Serving.into(),
    };
    let asked = |_: message::HealthCheckRequest| async move { serving };
    Some(unary(request, asked).await)
}

/// The process ends when this is answered.
async fn shutdown(routes: Routes, request: Request<Incoming>) -> Option<Response<Body>> {
    let asked = move |Empty {}| async move {
        routes.service.close().await;
        routes.shutdown.send_replace(true);
        Empty {}
    };
    Some(unary(request, asked).await)
}

/// The plugin's output goes nowhere but to its standard error, which Terraform has anyway.
async fn silent(routes: Routes, request: Request<Incoming>) -> Option<Response<Body>> {
    let nothing = Nothing(routes.shutdown);
    let mut grpc = Grpc::new(ProstCodec::<message::StdioData, Empty>::default());
    Some(grpc.server_streaming(nothing, request).await)
}

/// No further connections are made, whatever is said of some.
async fn unasked(routes: Routes, request: Request<Incoming>) -> Option<Response<Body>> {
    type Codec = ProstCodec<message::ConnectionInfo, message::ConnectionInfo>;
    let nothing = Nothing(routes.shutdown);
    Some(
        Grpc::new(Codec::default())
            .streaming(nothing, request)
            .await,
    )
}

async fn unary<Q, A, F, W>(request: Request<Incoming>, answer: F) -> Response<Body>
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: FnOnce(Q) -> W,
    W: Future<Output = A> + Send + 'static,
{
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default())
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    grpc.unary(Once(Some(answer)), request).await
}

type Answering<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;

/// A function as a service that is called once.
struct Once<F>(Option<F>);

impl<Q, A, F, W> Tower<tonic::Request<Q>> for Once<F>
where
    A: 'static,
    F: FnOnce(Q) -> W,
    W: Future<Output = A> + Send + 'static,
{
    type Response = tonic::Response<A>;
    type Error = Status;
    type Future = Answering<A>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        match self.0.take() {
            Some(answer) => {
                let answer = answer(request.into_inner());
                Box::pin(async move { Ok(tonic::Response::new(answer.await)) })
            }
            None => Box::pin(async { Err(Status::internal("a request was sent twice")) }),
        }
    }
}

/// Streams that say nothing and end with the process.
struct Nothing(Arc<watch::Sender<bool>>);

impl Nothing {
    fn stream<T: Send + 'static>(
        &self,
        heard: BoxStream<'static, ()>,
    ) -> BoxStream<'static, Result<T, Status>> {
        let mut ending = self.0.subscribe();
        let end = async move {
            // The sender lives as long as the process.
            let _ = ending.wait_for(|ends| *ends).await;
        };
        heard
            .chain(stream::pending())
            .take_until(end)
            .filter_map(|()| async { None })
            .boxed()
    }
}

impl Tower<tonic::Request<Empty>> for Nothing {
    type Response = tonic::Response<BoxStream<'static, Result<message::StdioData, Status>>>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: tonic::Request<Empty>) -> Self::Future {
        let stream = self.stream(stream::empty().boxed());
        Box::pin(async { Ok(tonic::Response::new(stream)) })
    }
}

type Connections = Streaming<message::ConnectionInfo>;

impl Tower<tonic::Request<Connections>> for Nothing {
    type Response = tonic::Response<BoxStream<'static, Result<message::ConnectionInfo, Status>>>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Connections>) -> Self::Future {
        let heard = request.into_inner().map(|_| ()).boxed();
        let stream = self.stream(heard);
        Box::pin(async { Ok(tonic::Response::new(stream)) })
    }
}
