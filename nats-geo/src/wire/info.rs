//! The INFO of a server.

use super::json::{SyntaxError, Value};

/// The argument of INFO: the fields that a client of a super-cluster uses. Unknown fields are ignored and missing fields
/// get their default, because each server version sends different fields.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Info {
    /// Id of the server, unique for each server process.
    pub server_id: String,
    /// Name of the server; the id if no name is configured.
    pub server_name: String,
    /// Version of the server, such as `2.15.1`.
    pub version: String,
    /// Name of the cluster. In a super-cluster, this is the name of the region.
    pub cluster: Option<String>,
    /// Addresses (`host:port`, no scheme) of the servers of this cluster, never of another cluster. Over WebSocket,
    /// nats-server lists WebSocket ports here. The field `ws_connect_urls` is for other servers, not for clients.
    pub connect_urls: Vec<String>,
    /// Whether the server is in lame duck mode: it will soon close the connections of its clients.
    pub lame_duck: bool,
    /// Whether the connection must be upgraded to TLS before CONNECT.
    pub tls_required: bool,
    /// Whether the connection may be upgraded to TLS before CONNECT.
    pub tls_available: bool,
    /// Whether CONNECT must contain credentials.
    pub auth_required: bool,
    /// Challenge that the client signs with its NKey. The nonce is not a secret: servers send it unencrypted.
    pub nonce: String,
    /// Whether the server supports headers.
    pub headers: bool,
    /// Largest payload that the server accepts, headers included, in bytes. 0: the server did not send a limit.
    pub max_payload: usize,
    /// Whether JetStream is enabled.
    pub jetstream: bool,
    /// Version of the protocol. From version 1 on, the server repeats INFO when a field changes.
    pub proto: u8,
    /// Address of this client, as the server sees it.
    pub client_ip: String,
    /// Number that the server gave to this client.
    pub client_id: u64,
}

impl Info {
    /// Reads the argument of INFO. A field of another type than expected counts as missing.
    ///
    /// # Errors
    /// Text that is not a JSON object.
    pub(super) fn parse(json: &[u8]) -> Result<Self, SyntaxError> {
        let info = Value::parse(json)?;
        if !matches!(info, Value::Object(_)) {
            return Err(SyntaxError { expected: "an object", at: 0 });
        }
        let text = |name| info.get(name).and_then(Value::as_str).map(str::to_owned);
        let is = |name| info.get(name).and_then(Value::as_bool).unwrap_or_default();
        let number = |name| info.get(name).and_then(Value::as_u64).unwrap_or_default();
        let urls = info.get("connect_urls").and_then(Value::as_array).unwrap_or_default();
        Ok(Self {
            server_id: text("server_id").unwrap_or_default(),
            server_name: text("server_name").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
            cluster: text("cluster"),
            connect_urls: urls.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            lame_duck: is("ldm"),
            tls_required: is("tls_required"),
            tls_available: is("tls_available"),
            auth_required: is("auth_required"),
            nonce: text("nonce").unwrap_or_default(),
            headers: is("headers"),
            max_payload: usize::try_from(number("max_payload")).unwrap_or(usize::MAX),
            jetstream: is("jetstream"),
            proto: u8::try_from(number("proto")).unwrap_or(u8::MAX),
            client_ip: text("client_ip").unwrap_or_default(),
            client_id: number("client_id"),
        })
    }
}
