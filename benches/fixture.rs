//! A client at home: a selector that has probed every server, is connected to the nearest region and has its
//! answers pending. No time passes by itself, so every run sees the same state.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use nats_geo::core::{
    Action, Config, ConnId, Endpoint, EndpointId, Event, PingId, ProbeId, ProbeReport, Selector,
    ServerIdentity, Time,
};

/// The regions that servers are dealt out to, with their RTT in milliseconds.
const REGIONS: [(&str, u64); 3] = [("lon", 1), ("ams", 9), ("dal", 113)];

/// Shared, as by the selectors of a simulation.
static POLICY: LazyLock<Config> = LazyLock::new(Config::interactive);

/// A settled client, and the ids that events for it must name.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) selector: Selector,
    pub(crate) now: Time,
    /// The link that traffic uses.
    pub(crate) conn: ConnId,
    /// A PING that was not answered yet.
    pub(crate) ping: PingId,
    /// A probe that was not answered yet, and its server.
    pub(crate) probe: (ProbeId, EndpointId),
}

impl Client {
    /// A client of `servers` servers.
    pub(crate) fn settled(servers: u64) -> Self {
        let now = Time::ZERO;
        let mut selector = Selector::sharing(&POLICY, 42, now).expect("the preset is valid");
        for server in 0..servers {
            let address = format!("{}-{server}:4222", region(EndpointId(server)).0);
            selector.handle_event(Event::Discovered(Endpoint::new(EndpointId(server), address)), now);
        }
        Pump { selector, now, conn: None, ping: None, probe: None, probed: BTreeSet::new(), servers }.run()
    }
}

/// The region of a server, and its RTT.
fn region(server: EndpointId) -> (&'static str, Duration) {
    let (name, rtt_ms) = REGIONS[server.0 as usize % REGIONS.len()];
    (name, Duration::from_millis(rtt_ms))
}

/// The answer to a probe.
pub(crate) fn report(server: EndpointId) -> ProbeReport {
    ProbeReport { time_to_info: 2 * region(server).1, round_trips: 2, identity: identity(server) }
}

fn identity(server: EndpointId) -> ServerIdentity {
    // As long as those of nats-server, and with all that it says.
    let mut identity = ServerIdentity::new(format!("N{:A>55}", server.0), Some(region(server).0));
    identity.server_name = format!("nats-{}-{server}", region(server).0);
    identity.version = "2.15.1".into();
    identity
}

/// A driver that answers everything at once, until each server has been probed; then it leaves a PING and a
/// probe unanswered.
struct Pump {
    selector: Selector,
    now: Time,
    conn: Option<ConnId>,
    ping: Option<PingId>,
    probe: Option<(ProbeId, EndpointId)>,
    probed: BTreeSet<EndpointId>,
    servers: u64,
}

impl Pump {
    fn run(mut self) -> Client {
        loop {
            while let Some(action) = self.selector.poll_action() {
                self.perform(action);
            }
            if let (Some(conn), Some(ping), Some(probe)) = (self.conn, self.ping, self.probe) {
                let Self { selector, now, .. } = self;
                return Client { selector, now, conn, ping, probe };
            }
            self.now = self.selector.poll_timeout().expect("a client always waits for something");
            self.selector.handle_timeout(self.now);
        }
    }

    fn perform(&mut self, action: Action) {
        let answer = match action {
            Action::Probe { probe, endpoint, .. } if (self.probed.len() as u64) < self.servers => {
                self.probed.insert(endpoint);
                Event::Probed { probe, result: Ok(report(endpoint)) }
            }
            Action::Probe { probe, endpoint, .. } => {
                self.probe = Some((probe, endpoint));
                return;
            }
            Action::Open { conn, endpoint, .. } => Event::Opened { conn, identity: identity(endpoint) },
            Action::Activate { conn, .. } => {
                self.conn = Some(conn);
                Event::Activated { conn }
            }
            Action::Ping { ping, .. } if self.probe.is_none() => {
                Event::Pong { ping, rtt: Duration::from_millis(1) }
            }
            Action::Ping { ping, .. } => {
                self.ping = Some(ping);
                return;
            }
            _ => return,
        };
        self.selector.handle_event(answer, self.now);
    }
}
