//! The endpoints that the driver knows, with their ids and the way to dial each of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::core::{Advertisement, Endpoint, EndpointId, Event};
use crate::native::Auth;
use crate::native::clock;
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
    /// For those that were advertised: by which cluster.
    advertised: Option<Advertisement>,
    /// When a probe last met the right server there.
    proven_at: Option<Instant>,
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

    /// Lists these servers instead of those that were listed before. Advertised servers are forgotten; those of the
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

    /// Returns whether the server that answered at this address is of another cluster than the one that advertised it: then the
    /// names of both.
    pub(super) fn contradiction(
        &mut self,
        id: EndpointId,
        cluster: Option<&str>,
    ) -> Option<(String, String)> {
        self.known.get_mut(&id)?.advertised.as_mut()?.contradiction(cluster)
    }

    /// What to tell the core at start.
    pub(super) fn listed(&self) -> Vec<Event> {
        self.known.iter().map(|(id, known)| Event::Discovered(known.endpoint(*id))).collect()
    }

    pub(super) fn target(&self, id: EndpointId) -> Option<Target> {
        let known = self.known.get(&id)?;
        let is_proven = known.proven_at.is_some_and(|at| clock::since(at) < PROVEN_FOR);
        let unproven = known.advertised.clone().filter(|_| !is_proven);
        Some(Target { unproven, ..known.target.clone() })
    }

    pub(super) fn address(&self, id: EndpointId) -> String {
        self.known.get(&id).map_or_else(|| id.to_string(), |known| known.target.address.to_string())
    }

    /// Remembers where a probe got an answer, and what the server asks for.
    pub(super) fn reached(&mut self, id: EndpointId, reached: SocketAddr, info: &Info) {
        if let Some(Known { target, proven_at, .. }) = self.known.get_mut(&id) {
            *proven_at = Some(clock::now());
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
        let round = self.next;
        let mut events = Vec::new();
        for address in urls.iter().take(GOSSIPED_MAX).filter_map(|url| Address::advertised(url)) {
            if let Some(known) = self.known.values_mut().find(|known| known.target.address == address) {
                known.seen = known.seen.map(|_| round);
                if let Some(advertised) = &mut known.advertised {
                    advertised.repeated_by(cluster);
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
                advertised: Some(Advertisement::by(cluster)),
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
        Self { region: None, target, seen: None, advertised: None, proven_at: None, origin: None, weight: 1 }
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

/// Addresses are given to other servers within seconds, where containers come and go.
const PROVEN_FOR: Duration = Duration::from_secs(1);

/// A server that listens on all interfaces advertises each of its addresses: nine servers of three addresses
/// each, twice over.
const GOSSIPED_MAX: usize = 64;

#[cfg(test)]
mod tests;
