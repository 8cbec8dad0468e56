//! One simulated client: nats-geo's selector or the rules of another client, with their inputs and outputs.

use std::time::Duration;

use super::stock::{Stock, StockRules};
use super::{Herd, HerdError, Software};
use crate::core::record::Fingerprint;
use crate::core::{
    Action, Answer, Cause, Config, ConnId, Endpoint, EndpointId, Event, OpenError, PingId, ProbeError,
    ProbeId, QuietInfo, Selector, ServerIdentity, Time,
};

/// What a client asks of the world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Probe {
        probe: ProbeId,
        server: usize,
        timeout: Duration,
    },
    Dial {
        conn: ConnId,
        server: usize,
        timeout: Duration,
    },
    /// New traffic goes there.
    Use {
        conn: ConnId,
    },
    Ping {
        conn: ConnId,
        ping: PingId,
    },
    Close {
        conn: ConnId,
    },
}

/// What a client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// A probe answered after this long.
    Probed {
        probe: ProbeId,
        server: usize,
        time_to_info: Duration,
    },
    ProbeFailed {
        probe: ProbeId,
        failure: Failure,
    },
    Opened {
        conn: ConnId,
        server: usize,
    },
    OpenFailed {
        conn: ConnId,
        failure: Failure,
    },
    InUse {
        conn: ConnId,
    },
    Pong {
        conn: ConnId,
        ping: PingId,
        rtt: Duration,
    },
    Closed {
        conn: ConnId,
    },
}

/// Why a probe or a dial failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    Refused,
    TimedOut,
    /// The server's patience with the handshake was over.
    Dropped,
}

/// A probe opens a connection and waits for INFO.
pub(super) const PROBE_ROUND_TRIPS: u8 = 2;

/// What decides.
#[derive(Clone, Debug)]
pub(super) enum Program {
    Selector(Box<Selector>),
    Stock(Stock),
}

/// All clients of a herd are made of these.
#[derive(Debug)]
pub(super) struct Maker {
    software: Made,
    endpoints: Vec<Endpoint>,
    /// By server, before the loss and after the return: a server that ended comes back as another one.
    identities: Vec<[(ServerIdentity, Fingerprint); 2]>,
}

#[derive(Debug)]
enum Made {
    Selector(&'static Config),
    Stock(StockRules),
}

impl Maker {
    pub(super) fn new(herd: &Herd, software: &Software) -> Result<Self, HerdError> {
        let software = match software {
            Software::NatsGeo(config) => {
                // One for all of them, for the rest of the process: a few hundred bytes per run.
                let config: &'static Config = Box::leak(config.clone());
                Selector::sharing(config, 0, Time::ZERO)?;
                Made::Selector(config)
            }
            Software::AsyncNats => Made::Stock(StockRules::rust()),
            Software::NatsGo => Made::Stock(StockRules::go()),
            Software::NatsJs => Made::Stock(StockRules::js()),
        };
        let name = |server: usize| format!("{}-{server}", herd.regions[herd.region_of(server)]);
        let endpoint = |server| Endpoint::new(EndpointId(server as u64), format!("{}:4222", name(server)));
        let identity = |server: usize, life: u8| {
            let region = herd.regions[herd.region_of(server)].as_str();
            let identity = ServerIdentity::new(format!("{}-{life}", name(server)), Some(region));
            let fingerprint = Fingerprint::of(&identity);
            (identity, fingerprint)
        };
        let lives = |server: usize| {
            let second = u8::from(herd.region_of(server) == herd.lose);
            [identity(server, 0), identity(server, second)]
        };
        Ok(Self {
            software,
            endpoints: (0..herd.servers()).map(endpoint).collect(),
            identities: (0..herd.servers()).map(lives).collect(),
        })
    }

    /// A client that starts now.
    pub(super) fn client(&self, seed: u64, now: Time) -> Result<Program, HerdError> {
        Ok(match &self.software {
            Made::Selector(config) => {
                let mut selector = Selector::sharing(config, seed, now)?;
                for endpoint in &self.endpoints {
                    selector.handle_event(Event::Discovered(endpoint.clone()), now);
                }
                Program::Selector(Box::new(selector))
            }
            Made::Stock(rules) => Program::Stock(Stock::new(*rules, seed, self.endpoints.len(), now)),
        })
    }

    pub(super) fn tell(&self, program: &mut Program, told: Told, is_second_life: bool, now: Time) {
        match program {
            Program::Selector(selector) => self.tell_selector(selector, told, is_second_life, now),
            Program::Stock(stock) => stock.told(told, now),
        }
    }

    /// What a probe learns of a server.
    pub(super) fn info(&self, server: usize, rtt: Duration, is_second_life: bool) -> QuietInfo {
        let time_to_info = u32::from(PROBE_ROUND_TRIPS) * rtt;
        let (_, fingerprint) = self.identities[server][usize::from(is_second_life)];
        QuietInfo { time_to_info, rtt, fingerprint }
    }

    fn tell_selector(&self, selector: &mut Selector, told: Told, is_second_life: bool, now: Time) {
        let identity = |server: usize| &self.identities[server][usize::from(is_second_life)];
        let event = match told {
            Told::Probed { probe, server, time_to_info } => {
                let (rtt, (identity, fingerprint)) =
                    (time_to_info / u32::from(PROBE_ROUND_TRIPS), identity(server));
                let answer = Answer { time_to_info, rtt, fingerprint: *fingerprint, identity };
                return selector.handle_answer(probe, answer, now);
            }
            Told::ProbeFailed { probe, failure } => Event::Probed {
                probe,
                result: Err(match failure {
                    Failure::Refused => ProbeError::Refused,
                    Failure::TimedOut => ProbeError::TimedOut,
                    Failure::Dropped => ProbeError::Closed,
                }),
            },
            Told::Opened { conn, server } => Event::Opened { conn, identity: identity(server).0.clone() },
            Told::OpenFailed { conn, failure } => Event::OpenFailed {
                conn,
                error: match failure {
                    Failure::Refused => OpenError::Refused,
                    Failure::TimedOut => OpenError::TimedOut,
                    Failure::Dropped => OpenError::Overloaded("Authentication Timeout".into()),
                },
            },
            Told::InUse { conn } => Event::Activated { conn },
            Told::Pong { ping, rtt, .. } => Event::Pong { ping, rtt },
            Told::Closed { conn } => Event::Closed { conn, cause: Cause::Eof },
        };
        selector.handle_event(event, now);
    }
}

impl Program {
    pub(super) fn wake(&mut self, now: Time) {
        match self {
            Self::Selector(selector) => selector.handle_timeout(now),
            Self::Stock(stock) => stock.wake(now),
        }
    }

    pub(super) fn due(&self) -> Option<Time> {
        match self {
            Self::Selector(selector) => selector.poll_timeout(),
            Self::Stock(stock) => stock.due(),
        }
    }

    pub(super) fn poll(&mut self) -> Option<Ask> {
        let selector = match self {
            Self::Selector(selector) => selector,
            Self::Stock(stock) => return stock.poll(),
        };
        let server = |endpoint: EndpointId| endpoint.0 as usize;
        loop {
            return Some(match selector.poll_action()? {
                Action::Probe { probe, endpoint, timeout } => {
                    Ask::Probe { probe, server: server(endpoint), timeout }
                }
                Action::Open { conn, endpoint, timeout } => {
                    Ask::Dial { conn, server: server(endpoint), timeout }
                }
                Action::Activate { conn, .. } => Ask::Use { conn },
                Action::Ping { conn, ping } => Ask::Ping { conn, ping },
                Action::Close { conn, .. } => Ask::Close { conn },
                Action::Notify(_) => continue,
            });
        }
    }
}
