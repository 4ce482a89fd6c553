//! Outgoing requests of plugins, to granted places only.
//!
//! Nothing is followed: a redirect is an answer like any other, and where it points to is checked when the guest asks
//! for it. Nothing is sent twice: whoever asked repeats the whole operation.

mod address;
mod connect;
mod exchange;
mod material;
mod near;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use serde_json::Value as Json;
use url::Url;
use whimbrel_core::destination::{Destination, DestinationError, Place, Reach};
use whimbrel_core::digest::Digest;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::HttpGrant;

pub use connect::{Names, SystemNames};
pub use exchange::{Answer, Asked};
pub use material::{Materials, NoMaterials};

use crate::limits::Limits;
use connect::Connector;
use material::TlsMaterial;
use near::{Near, beside};

/// The least that the HTTP library takes as a limit of an answer's head.
const LEAST_BUFFER: usize = 8 << 10;

type HttpClient = Client<Connector, Full<Bytes>>;

/// What one configured plugin may send requests to. Keeps connections between its calls, and shares none with others.
pub struct Egress {
    routes: Vec<Route>,
    materials: Arc<dyn Materials>,
    names: Arc<dyn Names>,
    limits: Limits,
    known: Mutex<Known>,
}

/// The places of the last configuration, which most calls have in common.
#[derive(Default)]
struct Known {
    /// What it says where each `to:` points.
    addresses: Vec<Option<String>>,
    places: Arc<[Option<Place>]>,
}

struct Route {
    grant: HttpGrant,
    destination: Destination,
    client: Mutex<Option<(Digest, Reach, HttpClient)>>,
}

/// An egress for one call: what `to:` takes from the configuration is known.
#[derive(Clone)]
pub struct Outgoing {
    egress: Arc<Egress>,
    places: Arc<[Option<Place>]>,
}

impl Egress {
    /// An egress with these grants.
    ///
    /// # Errors
    /// A `to:` is none.
    pub fn new(
        grants: &[HttpGrant],
        materials: Arc<dyn Materials>,
        names: Arc<dyn Names>,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let routes = grants.iter().map(|grant| {
            let destination = grant.to.parse().map_err(|error: DestinationError| {
                Fault::new(
                    FaultClass::Invalid,
                    "http.grant",
                    format!("the grant's `to:` is no place: {error}"),
                )
            })?;
            Ok(Route {
                grant: grant.clone(),
                destination,
                client: Mutex::default(),
            })
        });
        Ok(Self {
            routes: routes.collect::<Result<_, Fault>>()?,
            materials,
            names,
            limits: limits.clone(),
            known: Mutex::default(),
        })
    }

    /// The same for a call with this configuration.
    ///
    /// # Errors
    /// What the configuration has where a `to:` points is no address. Nothing there means that nothing is granted.
    pub fn outgoing(self: &Arc<Self>, config: &Json) -> Result<Outgoing, Fault> {
        let addresses = self.routes.iter().map(|route| route.address(config));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known
            .addresses
            .iter()
            .map(Option::as_deref)
            .eq(addresses.clone())
        {
            let places = self.routes.iter().map(|route| route.place(config));
            *known = Known {
                places: places.collect::<Result<_, _>>()?,
                addresses: addresses.map(|it| it.map(str::to_owned)).collect(),
            };
        }
        Ok(Outgoing {
            places: Arc::clone(&known.places),
            egress: Arc::clone(self),
        })
    }
}

impl Route {
    /// What the configuration says of where it leads.
    fn address<'a>(&self, config: &'a Json) -> Option<&'a str> {
        match &self.destination {
            Destination::Configured(pointer) => config.pointer(pointer)?.as_str(),
            Destination::Place(_) => None,
        }
    }

    fn place(&self, config: &Json) -> Result<Option<Place>, Fault> {
        match self.destination.place(config) {
            Ok(place) => Ok(Some(place)),
            Err(DestinationError::Pointer(_)) => Ok(None),
            Err(error @ DestinationError::Address(_)) => {
                let mut fault = Fault::new(
                    FaultClass::Invalid,
                    "http.address",
                    format!("the configuration has no address there: {error}"),
                );
                if let Destination::Configured(pointer) = &self.destination {
                    fault.pointer = Some(pointer.clone());
                }
                Err(fault)
            }
        }
    }
}

impl Outgoing {
    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// There was none, or it may not be sent.
    pub async fn send(&self, asked: Asked) -> Result<Answer, Fault> {
        let limits = &self.egress.limits;
        let (url, mut request) = asked.request(limits)?;
        let (route, reach) = self.route(&url)?;
        let limit = asked.limit(limits);
        let whole = async {
            let materials = &*self.egress.materials;
            let client = self.egress.client(route, reach).await?;
            if let Some(credentials) = material::authorization(&route.grant, materials).await? {
                let headers = request.headers_mut();
                headers.insert(http::header::AUTHORIZATION, credentials);
            }
            let response = client.request(request).await;
            exchange::answer(response.map_err(|error| exchange::failed(&error))?, limits).await
        };
        tokio::time::timeout(limit, beside(whole))
            .await
            .unwrap_or_else(|_| Err(exchange::timed_out(&url, limit)))
    }

    fn route(&self, url: &Url) -> Result<(&Route, Reach), Fault> {
        let routes = self.egress.routes.iter().zip(&*self.places);
        for (route, place) in routes {
            if let Some(place) = place
                && place.allows(url)
            {
                return Ok((route, place.reach()));
            }
        }
        let granted: Vec<String> = self
            .places
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        Err(exchange::denied(url, &granted))
    }
}

impl Egress {
    /// The client of a route: another one when its material or its reach have changed.
    async fn client(&self, route: &Route, reach: Reach) -> Result<HttpClient, Fault> {
        let material = TlsMaterial::read(&route.grant, &*self.materials).await?;
        let digest = material.digest();
        let mut kept = route.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, known_reach, client)) = kept.as_ref()
            && (*known, *known_reach) == (digest, reach)
        {
            return Ok(client.clone());
        }
        let client = Client::builder(Near)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(self.limits.http_idle)
            .pool_max_idle_per_host(self.limits.http_idle_connections)
            .http1_max_headers(self.limits.http_headers)
            .http1_max_buf_size(self.limits.http_header_bytes.max(LEAST_BUFFER))
            .http2_max_header_list_size(
                u32::try_from(self.limits.http_header_bytes).unwrap_or(u32::MAX),
            )
            // What it would repeat is a request of which no byte had left when its connection turned out to be closed.
            .retry_canceled_requests(true)
            .build(Connector {
                reach,
                names: Arc::clone(&self.names),
                tls: Arc::new(material.config()?),
                timeout: self.limits.http_connect_timeout,
            });
        *kept = Some((digest, reach, client.clone()));
        Ok(client)
    }
}
