//! What go-plugin asks besides: health, and streams of a plugin's output and of further connections.

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(enumeration = "Health", tag = "1")]
    pub(crate) status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Health {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
}

/// Of `GRPCStdio`: output that the plugin never makes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StdioData {
    #[prost(int32, tag = "1")]
    pub(crate) channel: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) data: Vec<u8>,
}

/// Of `GRPCBroker`: further connections that nobody asks for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ConnectionInfo {
    #[prost(uint32, tag = "1")]
    pub(crate) service_id: u32,
}
