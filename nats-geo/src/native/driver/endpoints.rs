//! Which endpoints the driver knows, under which id, and how to get there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::core::{Cluster, Endpoint, EndpointId, Event};
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
    /// As the options say, for servers that have none in their URL.
    default_auth: Auth,
    /// For endpoints that were advertised: those carry no credentials.
    auth: Auth,
    /// Whether only listed servers are used, and those of names.
    ignores_advertised: bool,
    /// Names whose servers are looked up.
    origins: Vec<Origin>,
}

#[derive(Clone, Debug)]
struct Known {
    region: Option<String>,
    target: Target,
    /// For those that were advertised: when last, in calls of `advertised`.
    seen: Option<u64>,
    /// The cluster that advertised it, for as long as its server is of that cluster or is not known.
    cluster: Option<Cluster>,
    /// A server of another cluster answered.
    is_contradicted: bool,
    /// For those that were looked up: under which name.
    origin: Option<usize>,
    /// Its share of clients among servers that are equally near.
    weight: u32,
}

impl Endpoints {
    /// The listed servers; one that is listed twice counts once. `auth` is for all that have none in their
    /// URL.
    pub(crate) fn new(
        servers: Vec<ServerUrl>,
        origins: Vec<Origin>,
        auth: &Auth,
        ignores_advertised: bool,
    ) -> Self {
        let mut endpoints = Self {
            known: BTreeMap::new(),
            next: 0,
            default_auth: auth.clone(),
            auth: Auth::None,
            ignores_advertised,
            origins,
        };
        endpoints.inherit_auth(&servers);
        for server in servers {
            endpoints.add(Known::listed(server, auth));
        }
        endpoints
    }

    /// Lists these servers instead of those that were listed before. What servers advertised is forgotten; those of the
    /// new list advertise theirs.
    pub(super) fn relist(&mut self, servers: Vec<ServerUrl>) -> Vec<Event> {
        self.inherit_auth(&servers);
        let is_listed = |known: &Known| servers.iter().any(|server| server.address == known.target.address);
        let gone = self.known.iter().filter(|(_, known)| known.origin.is_none() && !is_listed(known));
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        self.known.retain(|id, _| !gone.contains(id));
        let mut events: Vec<_> = gone.into_iter().map(Event::Withdrawn).collect();
        for server in servers {
            let listed = Known::listed(server, &self.default_auth);
            let same = self.known.iter_mut().find(|(_, known)| known.target.address == listed.target.address);
            events.extend(match same {
                Some((id, known)) => {
                    *known = listed;
                    Some(Event::Discovered(known.endpoint(*id)))
                }
                None => self.add(listed).map(Event::Discovered),
            });
        }
        events
    }

    /// Advertised servers know the credentials of the listed ones.
    fn inherit_auth(&mut self, servers: &[ServerUrl]) {
        let of_origins = self.origins.iter().map(|origin| &origin.auth);
        let in_urls = servers.iter().map(|server| &server.auth).chain(of_origins);
        let inherited = in_urls.into_iter().find(|auth| **auth != Auth::None).cloned();
        let own = Some(self.default_auth.clone()).filter(|auth| *auth != Auth::None);
        self.auth = own.or(inherited).unwrap_or_default();
    }

    /// Whether the server that answered at this address is of another cluster than the one that advertised it: then the
    /// names of both.
    pub(super) fn contradiction(
        &mut self,
        id: EndpointId,
        cluster: Option<&str>,
    ) -> Option<(String, String)> {
        let known = self.known.get_mut(&id)?;
        let (expected, found) = (known.cluster.as_ref()?, Cluster::of(cluster));
        known.is_contradicted = *expected != found;
        known.is_contradicted.then(|| (expected.to_string(), found.to_string()))
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
            let known =
                Known { region: origin.region.clone(), origin: Some(of), weight, ..Known::at(target) };
            events.extend(self.add(known).map(Event::Discovered));
        }
        events
    }

    /// The server behind `by`, which is of `cluster`, advertised these addresses of its cluster. They are spoken to as
    /// `by` is, and if they are numbers, their certificates must be for the name of `by`.
    pub(super) fn advertised(
        &mut self,
        by: EndpointId,
        cluster: Option<&str>,
        urls: &[String],
    ) -> Vec<Event> {
        let Some(advertiser) = self.known.get(&by).filter(|_| !self.ignores_advertised).cloned() else {
            return Vec::new();
        };
        let cluster = Cluster::of(cluster);
        let round = self.next;
        let mut events = Vec::new();
        for address in urls.iter().take(GOSSIPED_MAX).filter_map(|url| Address::advertised(url)) {
            if let Some(known) = self.known.values_mut().find(|known| known.target.address == address) {
                known.seen = known.seen.map(|_| round);
                // Two clusters may advertise one address, of which one is wrong.
                if known.is_contradicted {
                    known.cluster = Some(cluster.clone());
                }
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
                seen: Some(round),
                cluster: Some(cluster.clone()),
                ..Known::at(target)
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
    /// Of which nothing else is known.
    const fn at(target: Target) -> Self {
        Self {
            region: None,
            target,
            seen: None,
            cluster: None,
            is_contradicted: false,
            origin: None,
            weight: 1,
        }
    }

    fn listed(server: ServerUrl, auth: &Auth) -> Self {
        let region = server.region.clone();
        Self { region, ..Self::at(Target::of(server, auth)) }
    }

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
        Endpoints::new(list.into_servers().unwrap(), Vec::new(), &Auth::None, false)
    }

    #[test]
    fn what_is_known_already_is_not_discovered_again() {
        let mut endpoints = endpoints("lon=a:1,b:1,a:1");
        assert_eq!(endpoints.listed().len(), 2);
        let events = endpoints.advertised(EndpointId(0), None, &["a:1".into(), "c:1".into(), "c:1".into()]);
        let expected = Endpoint::new(EndpointId(2), "c:1").with_label("lon").gossiped();
        assert_eq!(events, [Event::Discovered(expected)]);
        assert!(endpoints.advertised(EndpointId(0), None, &["c:1".into()]).is_empty());
    }

    #[test]
    fn advertised_endpoints_are_bounded_and_nonsense_is_skipped() {
        let mut endpoints = endpoints("a:1");
        assert!(
            endpoints.advertised(EndpointId(0), None, &["".into(), "b:0".into(), "x y".into()]).is_empty()
        );
        for port in 1..=200 {
            endpoints.advertised(EndpointId(0), None, &[format!("b:{port}")]);
        }
        assert_eq!(endpoints.known.len(), 1 + GOSSIPED_MAX);
        assert!(endpoints.target(EndpointId(0)).is_some(), "what the user listed stays");
    }

    #[test]
    fn advertised_endpoints_inherit_the_credentials_of_the_listed_ones() {
        let mut endpoints = endpoints("nats://t0k3n@a:1");
        endpoints.advertised(EndpointId(0), None, &["b:1".into()]);
        assert_eq!(endpoints.target(EndpointId(1)).unwrap().auth, Auth::Token(Secret::from("t0k3n")));
    }

    #[test]
    fn advertised_numbers_are_held_to_the_name_that_was_listed() {
        let mut endpoints = endpoints("wss://lon.test:1");
        endpoints.advertised(EndpointId(0), None, &["10.0.0.1:1".into(), "lon-2.test:1".into()]);
        let target = |id| endpoints.target(EndpointId(id)).unwrap();
        assert_eq!((target(1).name(), target(1).scheme), ("lon.test", Scheme::Wss));
        assert_eq!((target(2).name(), target(2).scheme), ("lon-2.test", Scheme::Wss));
        endpoints.advertised(EndpointId(1), None, &["[::1]:1".into()]);
        assert_eq!(endpoints.target(EndpointId(3)).unwrap().name(), "lon.test", "at second hand");
    }

    #[test]
    fn a_new_list_keeps_what_is_in_both_and_forgets_what_was_advertised() {
        let mut endpoints = endpoints("lon=a:1,b:1");
        endpoints.advertised(EndpointId(0), Some("lon"), &["c:1".into()]);
        let events = endpoints.relist("nats://t0k3n@b:1,d:1".into_servers().unwrap());
        let expected = [
            Event::Withdrawn(EndpointId(0)),
            Event::Withdrawn(EndpointId(2)),
            Event::Discovered(Endpoint::new(EndpointId(1), "b:1")),
            Event::Discovered(Endpoint::new(EndpointId(3), "d:1")),
        ];
        assert_eq!(events, expected);
        assert_eq!(endpoints.target(EndpointId(1)).unwrap().auth, Auth::Token(Secret::from("t0k3n")));
    }

    #[test]
    fn an_advertised_address_belongs_to_the_cluster_that_advertised_it() {
        let mut endpoints = endpoints("a:1");
        endpoints.advertised(EndpointId(0), Some("lon"), &["c:1".into()]);
        let mut found = |cluster| endpoints.contradiction(EndpointId(1), cluster);
        assert_eq!(found(Some("lon")), None);
        assert_eq!(found(Some("evil")), Some(("cluster `lon`".into(), "cluster `evil`".into())));
        assert!(found(None).is_some());
        assert_eq!(endpoints.contradiction(EndpointId(0), Some("evil")), None, "what the user listed");
        // Another cluster advertises it as well, and is right.
        endpoints.advertised(EndpointId(0), Some("ams"), &["c:1".into()]);
        assert_eq!(endpoints.contradiction(EndpointId(1), Some("ams")), None);
    }

    #[test]
    fn found_servers_come_and_go_but_for_those_in_use_and_those_listed() {
        let origin = Origin {
            name: "nats.test".into(),
            scheme: Scheme::Tls,
            region: None,
            auth: Auth::Token(Secret::from("t")),
        };
        let mut endpoints =
            Endpoints::new("listed:1".into_servers().unwrap(), vec![origin], &Auth::None, false);
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
