//! Distances that one client of a browser measured, for the next client. Browsers stop and start service workers often.
//! With these distances, a service worker dials the nearest server at once, and measures the servers afterwards.

use std::time::Duration;

use nats_geo::core::ServerIdentity;
use nats_geo::wire::json::Value;

use super::config::millis;
use super::json::Object;

/// Distances that an earlier client measured, for each server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    pub(super) servers: Vec<Remembered>,
}

/// One server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Remembered {
    pub(super) url: String,
    pub(super) rtt: Duration,
    pub(super) identity: ServerIdentity,
}

/// As many as there are endpoints.
const SERVERS_MAX: usize = 128;

impl Memory {
    /// Reads what [`to_json`](Self::to_json) wrote; `None` for anything else.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let servers = json.get("servers")?.as_array()?;
        Some(Self { servers: servers.iter().take(SERVERS_MAX).filter_map(Remembered::from_json).collect() })
    }

    pub(super) fn to_json(&self) -> String {
        Object::new().objects("servers", self.servers.iter().map(Remembered::to_json)).finish()
    }
}

impl Remembered {
    fn from_json(json: &Value) -> Option<Self> {
        let text = |name| json.get(name).and_then(Value::as_str);
        let mut identity = ServerIdentity::new(text("id")?, text("cluster"));
        identity.server_name = text("name").unwrap_or_default().into();
        Some(Self { url: text("url")?.into(), rtt: json.get("rtt_ms")?.as_f64().and_then(millis)?, identity })
    }

    fn to_json(&self) -> Object {
        Object::new()
            .text("url", &self.url)
            .millis("rtt_ms", self.rtt)
            .text("id", &self.identity.server_id)
            .text("name", &self.identity.server_name)
            .maybe(self.identity.cluster.as_deref(), |object, cluster| object.text("cluster", cluster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_back_and_nonsense_is_skipped() {
        let mut identity = ServerIdentity::new("ID", Some("lon"));
        identity.server_name = "lon-1".into();
        let server = Remembered { url: "ws://a:1".into(), rtt: Duration::from_micros(9_500), identity };
        let memory = Memory { servers: vec![server] };
        let text = memory.to_json().replace("]}", r#",{"url":7},{"url":"x","rtt_ms":-1,"id":"y"}]}"#);
        let read = Memory::from_json(&Value::parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read, memory);
        assert_eq!(Memory::from_json(&Value::Null), None);
    }
}
