//! Which endpoints the driver knows, under which id, and how to get there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::core::{Endpoint, EndpointId, Event};
use crate::native::Auth;
use crate::native::found::{Found, Origin};
use crate::native::servers::{Address, ServerUrl};
use crate::native::target::{Target, is_number};
use crate::wire::Info;

/// All endpoints: those that the user listed, and those that servers advertise.
#[derive(Debug)]
pub(crate) struct Endpoints {
    known: BTreeMap<EndpointId, Known>,
    next: u64,
    /// For endpoints that were advertised: those carry no credentials.
    auth: Auth,
    /// Names whose servers are looked up.
    origins: Vec<Origin>,
}

#[derive(Clone, Debug)]
struct Known {
    region: Option<String>,
    target: Target,
    /// For those that were advertised: when last, in calls of `advertised`.
    seen: Option<u64>,
    /// For those that were looked up: under which name.
    origin: Option<usize>,
    /// Its share of clients among servers that are equally near.
    weight: u32,
}

impl Endpoints {
    /// The listed servers; one that is listed twice counts once. `auth` is for all that have none in their
    /// URL.
    pub(crate) fn new(servers: Vec<ServerUrl>, origins: Vec<Origin>, auth: &Auth) -> Self {
        let in_urls =
            servers.iter().map(|server| &server.auth).chain(origins.iter().map(|origin| &origin.auth));
        let inherited = in_urls.into_iter().find(|auth| **auth != Auth::None);
        let default = if *auth == Auth::None { inherited.cloned().unwrap_or_default() } else { auth.clone() };
        let mut endpoints = Self { known: BTreeMap::new(), next: 0, auth: default, origins };
        for server in servers {
            let region = server.region.clone();
            endpoints.add(Known {
                region,
                target: Target::of(server, auth),
                seen: None,
                origin: None,
                weight: 1,
            });
        }
        endpoints
    }

    /// What to tell the core at start.
    pub(super) fn listed(&self) -> Vec<Event> {
        self.known.iter().map(|(id, known)| Event::Discovered(known.endpoint(*id))).collect()
    }

    pub(super) fn target(&self, id: EndpointId) -> Option<Target> {
        self.known.get(&id).map(|known| known.target.clone())
    }

    pub(super) fn address(&self, id: EndpointId) -> String {
        self.known.get(&id).map_or_else(|| id.to_string(), |known| known.target.address.to_string())
    }

    /// Remembers where a probe got an answer, and what the server asks for.
    pub(super) fn reached(&mut self, id: EndpointId, reached: SocketAddr, info: &Info) {
        if let Some(Known { target, .. }) = self.known.get_mut(&id) {
            target.reached = Some(reached);
            target.detour = false;
            target.awaits_tls = false;
            // Never unlearned: whoever stands between could say that no TLS is needed any more.
            target.asks_for_tls |= info.tls_required;
        }
    }

    /// A probe found out that the server waits for the TLS handshake before it says anything.
    pub(super) fn awaits_tls(&mut self, id: EndpointId) {
        if let Some(Known { target, .. }) = self.known.get_mut(&id) {
            target.awaits_tls = true;
        }
    }

    /// A dial failed. The name may stand for another address by now, or the resolver may be down: the next
    /// dial tries what this one did not.
    pub(super) fn not_opened(&mut self, id: EndpointId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.target.detour = !known.target.detour;
        }
    }

    /// The name of an origin, and how many servers of it are known.
    pub(super) fn origin(&self, origin: usize) -> (String, usize) {
        let name = self.origins.get(origin).map(|origin| origin.name.clone()).unwrap_or_default();
        (name, self.known.values().filter(|known| known.origin == Some(origin)).count())
    }

    /// A name has these servers now. Those that it has no longer are withdrawn, but for those in use.
    pub(super) fn found(&mut self, of: usize, found: Vec<Found>, in_use: &[EndpointId]) -> Vec<Event> {
        let Some(origin) = self.origins.get(of).cloned() else { return Vec::new() };
        let is_there = |known: &Known| found.iter().any(|found| found.address == known.target.address);
        let gone = self.known.iter().filter(|(_, known)| known.origin == Some(of) && !is_there(known));
        let gone: Vec<_> = gone.map(|(id, _)| *id).filter(|id| !in_use.contains(id)).collect();
        let mut events: Vec<_> = gone.iter().map(|id| Event::Withdrawn(*id)).collect();
        self.known.retain(|id, _| !gone.contains(id));
        for found in found {
            let weight = found.weight.max(1);
            let same = self.known.iter_mut().find(|(_, known)| known.target.address == found.address);
            if let Some((id, known)) = same {
                // A listed or advertised server stays what it is.
                if known.origin == Some(of) {
                    known.target.resolved = found.resolved;
                    let changed = std::mem::replace(&mut known.weight, weight) != weight;
                    events.extend(changed.then(|| Event::Discovered(known.endpoint(*id))));
                }
                continue;
            }
            let auth = if origin.auth == Auth::None { self.auth.clone() } else { origin.auth.clone() };
            let target = origin.target(found, auth);
            let known = Known { region: origin.region.clone(), target, seen: None, origin: Some(of), weight };
            events.extend(self.add(known).map(Event::Discovered));
        }
        events
    }

    /// The server behind `by` advertised these addresses of its cluster. They are spoken to as `by` is, and if
    /// they are numbers, their certificates must be for the name of `by`.
    pub(super) fn advertised(&mut self, by: EndpointId, urls: &[String]) -> Vec<Event> {
        let Some(advertiser) = self.known.get(&by).cloned() else { return Vec::new() };
        let round = self.next;
        let mut events = Vec::new();
        for address in urls.iter().take(GOSSIPED_MAX).filter_map(|url| Address::advertised(url)) {
            if let Some(known) = self.known.values_mut().find(|known| known.target.address == address) {
                known.seen = known.seen.map(|_| round);
                continue;
            }
            events.extend(self.make_room());
            let mut target = Target {
                address,
                resolved: Vec::new(),
                reached: None,
                detour: false,
                awaits_tls: false,
                ..advertiser.target.clone()
            };
            target.auth = self.auth.clone();
            target.held_to = target
                .is_number()
                .then(|| advertiser.target.name().to_owned())
                .filter(|name| !is_number(name));
            let known = Known {
                region: advertiser.region.clone(),
                target,
                seen: Some(round),
                origin: None,
                weight: 1,
            };
            events.extend(self.add(known).map(|endpoint| Event::Discovered(endpoint.gossiped())));
        }
        events
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

    fn add(&mut self, known: Known) -> Option<Endpoint> {
        if self.known.values().any(|other| other.target.address == known.target.address) {
            return None;
        }
        let id = EndpointId(self.next);
        self.next += 1;
        let endpoint = known.endpoint(id);
        self.known.insert(id, known);
        Some(endpoint)
    }
}

impl Known {
    fn endpoint(&self, id: EndpointId) -> Endpoint {
        let mut endpoint = Endpoint::new(id, self.target.address.to_string());
        endpoint.weight = self.weight;
        match &self.region {
            Some(region) => endpoint.with_label(region),
            None => endpoint,
        }
    }
}

/// A server that listens on all interfaces advertises each of its addresses: nine servers of three addresses
/// each, twice over.
const GOSSIPED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::target::Scheme;
    use crate::native::{IntoServers as _, Secret};

    fn endpoints(list: &str) -> Endpoints {
        Endpoints::new(list.into_servers().unwrap(), Vec::new(), &Auth::None)
    }

    #[test]
    fn what_is_known_already_is_not_discovered_again() {
        let mut endpoints = endpoints("lon=a:1,b:1,a:1");
        assert_eq!(endpoints.listed().len(), 2);
        let events = endpoints.advertised(EndpointId(0), &["a:1".into(), "c:1".into(), "c:1".into()]);
        let expected = Endpoint::new(EndpointId(2), "c:1").with_label("lon").gossiped();
        assert_eq!(events, [Event::Discovered(expected)]);
        assert!(endpoints.advertised(EndpointId(0), &["c:1".into()]).is_empty());
    }

    #[test]
    fn advertised_endpoints_are_bounded_and_nonsense_is_skipped() {
        let mut endpoints = endpoints("a:1");
        assert!(endpoints.advertised(EndpointId(0), &["".into(), "b:0".into(), "x y".into()]).is_empty());
        for port in 1..=200 {
            endpoints.advertised(EndpointId(0), &[format!("b:{port}")]);
        }
        assert_eq!(endpoints.known.len(), 1 + GOSSIPED_MAX);
        assert!(endpoints.target(EndpointId(0)).is_some(), "what the user listed stays");
    }

    #[test]
    fn advertised_endpoints_inherit_the_credentials_of_the_listed_ones() {
        let mut endpoints = endpoints("nats://t0k3n@a:1");
        endpoints.advertised(EndpointId(0), &["b:1".into()]);
        assert_eq!(endpoints.target(EndpointId(1)).unwrap().auth, Auth::Token(Secret::from("t0k3n")));
    }

    #[test]
    fn advertised_numbers_are_held_to_the_name_that_was_listed() {
        let mut endpoints = endpoints("wss://lon.test:1");
        endpoints.advertised(EndpointId(0), &["10.0.0.1:1".into(), "lon-2.test:1".into()]);
        let target = |id| endpoints.target(EndpointId(id)).unwrap();
        assert_eq!((target(1).name(), target(1).scheme), ("lon.test", Scheme::Wss));
        assert_eq!((target(2).name(), target(2).scheme), ("lon-2.test", Scheme::Wss));
        endpoints.advertised(EndpointId(1), &["[::1]:1".into()]);
        assert_eq!(endpoints.target(EndpointId(3)).unwrap().name(), "lon.test", "at second hand");
    }

    #[test]
    fn found_servers_come_and_go_but_for_those_in_use_and_those_listed() {
        let origin = Origin {
            name: "nats.test".into(),
            scheme: Scheme::Tls,
            region: None,
            auth: Auth::Token(Secret::from("t")),
        };
        let mut endpoints = Endpoints::new("listed:1".into_servers().unwrap(), vec![origin], &Auth::None);
        let found = |host: &str| Found {
            address: Address { host: host.into(), port: 1, path: String::new() },
            held_to: None,
            resolved: vec!["127.0.0.1".parse().unwrap()],
            weight: 0,
        };
        let events = endpoints.found(0, vec![found("a"), found("b"), found("listed")], &[]);
        assert_eq!(events.len(), 2, "{events:?}");
        let heavier = vec![Found { weight: 7, ..found("a") }, found("b")];
        let events = endpoints.found(0, heavier, &[]);
        assert!(matches!(&events[..], [Event::Discovered(a)] if a.weight == 7), "{events:?}");
        let a = endpoints.target(EndpointId(1)).unwrap();
        assert_eq!((a.scheme, a.auth, a.resolved.len()), (Scheme::Tls, Auth::Token(Secret::from("t")), 1));
        assert_eq!(endpoints.origin(0), ("nats.test".into(), 2));

        let in_use = [EndpointId(2)];
        assert_eq!(endpoints.found(0, vec![], &in_use), [Event::Withdrawn(EndpointId(1))]);
        assert_eq!(endpoints.found(0, vec![], &[]), [Event::Withdrawn(EndpointId(2))]);
        assert!(endpoints.target(EndpointId(0)).is_some(), "what the user listed stays");
    }

    #[test]
    fn what_asked_for_tls_once_is_never_spoken_to_in_clear_again() {
        let mut endpoints = endpoints("a:1");
        let reached = "127.0.0.1:1".parse().unwrap();
        let mut info = Info { tls_required: true, ..Info::default() };
        endpoints.reached(EndpointId(0), reached, &info);
        info.tls_required = false;
        endpoints.reached(EndpointId(0), reached, &info);
        assert!(endpoints.target(EndpointId(0)).unwrap().asks_for_tls);
    }
}
