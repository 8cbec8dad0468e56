//! The endpoints that the engine knows, with their ids: servers that the application lists, and servers that other
//! servers advertise.

use std::time::Duration;

use nats_geo::core::{Advertisement, Endpoint, EndpointId, Event, ServerIdentity, SortedMap};

use super::code::{Code, Refusal};
use super::memory::{Memory, Remembered};
use super::server_url::ServerUrl;

/// All known endpoints.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    known: SortedMap<EndpointId, Known>,
    next: u64,
}

#[derive(Debug)]
struct Known {
    url: ServerUrl,
    /// For those that a server told of: when last, in calls of [`Endpoints::advertised`].
    seen: Option<u64>,
    /// For those: by which cluster.
    advertised: Option<Advertisement>,
    measured: Option<(Duration, ServerIdentity)>,
}

impl Endpoints {
    /// Lists these servers; those that were listed before and are not now are withdrawn.
    pub(super) fn list(&mut self, servers: &[String], is_secure_page: bool) -> Result<Vec<Event>, Refusal> {
        let urls = parse(servers, is_secure_page)?;
        let gone = self.known.iter().filter(|(_, known)| !urls.contains(&known.url)).map(|(id, _)| *id);
        let mut events = Vec::new();
        for id in gone.collect::<Vec<_>>() {
            self.known.remove(&id);
            events.push(Event::Withdrawn(id));
        }
        for url in urls {
            if let Some(known) = self.known.values_mut().find(|known| known.url.url() == url.url()) {
                (known.seen, known.advertised) = (None, None);
                continue;
            }
            events.push(Event::Discovered(self.add(Known {
                url,
                seen: None,
                advertised: None,
                measured: None,
            })));
        }
        Ok(events)
    }

    /// Returns whether a server of this cluster must not be used at this address: then the cluster that was expected, and the one
    /// that was found.
    pub(super) fn contradiction(
        &mut self,
        id: EndpointId,
        cluster: Option<&str>,
    ) -> Option<(String, String)> {
        self.known.get_mut(&id)?.advertised.as_mut()?.contradiction(cluster)
    }

    /// The server behind `by`, which is of `cluster`, told of these addresses of it. A server that is reached by WebSocket tells of
    /// WebSocket ports, never of those for other clients.
    pub(super) fn advertised(
        &mut self,
        by: EndpointId,
        cluster: Option<&str>,
        addresses: &[String],
    ) -> Vec<Event> {
        let Some(by) = self.known.get(&by).map(|known| known.url.clone()) else { return Vec::new() };
        let round = self.next;
        let mut events = Vec::new();
        for url in addresses.iter().take(GOSSIPED_MAX).filter_map(|address| by.advertised(address)) {
            if let Some(known) = self.known.values_mut().find(|known| known.url.url() == url.url()) {
                known.seen = known.seen.map(|_| round);
                if let Some(advertised) = &mut known.advertised {
                    advertised.repeated_by(cluster);
                }
                continue;
            }
            events.extend(self.make_room());
            let advertised = Some(Advertisement::by(cluster));
            let endpoint = self.add(Known { url, seen: Some(round), advertised, measured: None });
            events.push(Event::Discovered(endpoint.gossiped()));
        }
        events
    }

    pub(super) fn url(&self, id: EndpointId) -> Option<String> {
        Some(self.known.get(&id)?.url.url())
    }

    /// Its host, without the port.
    pub(super) fn host(&self, id: EndpointId) -> Option<String> {
        self.known.get(&id)?.url.address.rsplit_once(':').map(|(host, _)| host.into())
    }

    /// As [`url`](Self::url), for people.
    pub(super) fn shown(&self, id: EndpointId) -> String {
        self.known.get(&id).map(|known| known.url.shown()).unwrap_or_default()
    }

    /// A probe has answered.
    pub(super) fn measured(&mut self, id: EndpointId, rtt: Duration, identity: &ServerIdentity) {
        if let Some(known) = self.known.get_mut(&id) {
            known.measured = Some((rtt, identity.clone()));
        }
    }

    /// Returns whether an earlier client has measured one of these.
    pub(super) fn any_is_in(&self, memory: &Memory) -> bool {
        self.known.values().any(|known| memory.servers.iter().any(|server| server.url == known.url.url()))
    }

    /// What to leave to the next client.
    pub(super) fn memory(&self) -> Memory {
        let remember = |known: &Known| {
            let (rtt, identity) = known.measured.clone()?;
            Some(Remembered { url: known.url.url(), rtt, identity })
        };
        Memory { servers: self.known.values().filter_map(remember).collect() }
    }

    /// Forgets the advertised endpoint that was not seen for longest, if there are too many.
    fn make_room(&mut self) -> Option<Event> {
        let gossiped = self.known.iter().filter_map(|(id, known)| Some((known.seen?, *id)));
        if gossiped.clone().count() < GOSSIPED_MAX {
            return None;
        }
        let (_, oldest) = gossiped.min()?;
        self.known.remove(&oldest);
        Some(Event::Withdrawn(oldest))
    }

    fn add(&mut self, known: Known) -> Endpoint {
        let id = EndpointId(self.next);
        self.next += 1;
        let endpoint = Endpoint::new(id, known.url.address.clone());
        let endpoint = match &known.url.region {
            Some(region) => endpoint.with_label(region),
            None => endpoint,
        };
        self.known.insert(id, known);
        endpoint
    }
}

/// Nine servers of three addresses each, twice over.
const GOSSIPED_MAX: usize = 64;

fn parse(servers: &[String], is_secure_page: bool) -> Result<Vec<ServerUrl>, Refusal> {
    let mut urls: Vec<ServerUrl> = Vec::new();
    for server in servers {
        let url = ServerUrl::parse(server)?;
        if is_secure_page && !url.is_secure() {
            let text = format!("`{}` is not secure, but this page is: use wss://", url.shown());
            return Err(Refusal::new(Code::MixedContent, text));
        }
        if urls.iter().all(|other| other.url() != url.url()) {
            urls.push(url);
        }
    }
    if urls.is_empty() {
        return Err(Refusal::new(
            Code::InvalidArgument,
            "`servers` is empty; name at least one, as in ws://host:port",
        ));
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(endpoints: &mut Endpoints, servers: &[&str]) -> Vec<Event> {
        let servers: Vec<String> = servers.iter().map(|server| (*server).into()).collect();
        endpoints.list(&servers, false).unwrap()
    }

    #[test]
    fn a_new_list_withdraws_what_is_gone_and_keeps_what_stays() {
        let mut endpoints = Endpoints::default();
        assert_eq!(listed(&mut endpoints, &["ws://a:1", "lon=ws://b:1", "ws://a:1"]).len(), 2);
        let events = listed(&mut endpoints, &["lon=ws://b:1", "ws://c:1"]);
        let discovered = Event::Discovered(Endpoint::new(EndpointId(2), "c:1"));
        assert_eq!(events, [Event::Withdrawn(EndpointId(0)), discovered]);
        assert_eq!(endpoints.url(EndpointId(1)).as_deref(), Some("ws://b:1"));
    }

    #[test]
    fn advertised_endpoints_inherit_scheme_and_region_and_are_bounded() {
        let mut endpoints = Endpoints::default();
        listed(&mut endpoints, &["lon=wss://a:1"]);
        let events =
            endpoints.advertised(EndpointId(0), None, &["a:1".into(), "b:9".into(), "nonsense:0".into()]);
        let expected = Endpoint::new(EndpointId(1), "b:9").with_label("lon").gossiped();
        assert_eq!(events, [Event::Discovered(expected)]);
        assert_eq!(endpoints.url(EndpointId(1)).as_deref(), Some("wss://b:9"));
        for port in 1..=200 {
            endpoints.advertised(EndpointId(0), None, &[format!("c:{port}")]);
        }
        assert_eq!(endpoints.known.len(), 1 + GOSSIPED_MAX);
        assert!(endpoints.url(EndpointId(0)).is_some(), "what the user listed stays");
    }

    #[test]
    fn an_insecure_server_is_refused_on_a_secure_page() {
        let refusal = Endpoints::default().list(&["ws://a:1".into()], true).unwrap_err();
        assert_eq!(refusal.code, Code::MixedContent);
        assert!(Endpoints::default().list(&["ws://localhost:1".into()], true).is_ok());
        assert_eq!(Endpoints::default().list(&[], false).unwrap_err().code, Code::InvalidArgument);
    }
}
