//! What a server says about itself.

use serde::Deserialize;

/// The argument of INFO: the fields that a client of a super-cluster uses. Unknown fields are ignored and
/// missing ones have their default, as every server version sends a different set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
#[non_exhaustive]
pub struct Info {
    /// Unique per server process.
    pub server_id: String,
    /// For people; the id when none is configured.
    pub server_name: String,
    /// Such as `2.15.1`.
    pub version: String,
    /// The name of the cluster: in a super-cluster, of the region.
    pub cluster: Option<String>,
    /// Addresses (`host:port`, no scheme) of the servers of this cluster, never of another one.
    pub connect_urls: Vec<String>,
    /// Lame duck mode: the server will close its clients soon.
    #[serde(rename = "ldm")]
    pub lame_duck: bool,
    /// The connection must be upgraded to TLS before CONNECT.
    pub tls_required: bool,
    /// The connection may be upgraded to TLS before CONNECT.
    pub tls_available: bool,
    /// CONNECT must carry credentials.
    pub auth_required: bool,
    /// What NKey and JWT credentials sign. Not a secret: it is sent in clear.
    pub nonce: String,
    /// The server understands headers.
    pub headers: bool,
    /// Largest payload that the server accepts, headers included, in bytes. 0: not said.
    pub max_payload: usize,
    /// JetStream is enabled.
    pub jetstream: bool,
    /// Version of the protocol; from 1 on the server sends INFO again when something changes.
    pub proto: u8,
    /// This client's address as the server sees it.
    pub client_ip: String,
    /// This client's number at the server.
    pub client_id: u64,
}
