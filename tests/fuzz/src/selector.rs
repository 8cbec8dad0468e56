//! A selector and a driver that answers well, badly, late or never, lies, and lets time jump: no panic, nothing asked
//! for that cannot be done, nothing unbounded, and the same calls give the same actions.

use std::time::Duration;

use arbitrary::Unstructured;
use nats_geo::core::{
    Action, Cause, Config, ConnId, Endpoint, EndpointId, Event, OpenError, PingId, ProbeError, ProbeId,
    ProbeReport, Selector, ServerIdentity, Time,
};

use crate::ledger::Ledger;

/// More endpoints than regions, so that regions have siblings; as many as a `u8` names often enough.
const ENDPOINTS: u64 = 9;

/// The regions, and how far they are.
const REGIONS: [(&str, Duration); 3] = [
    ("lon", Duration::from_millis(1)),
    ("ams", Duration::from_millis(9)),
    ("dal", Duration::from_millis(113)),
];

/// Far more than a call ever needs: a race, a round of probes and what is told about them.
const ACTIONS_PER_CALL_MAX: usize = 128;

/// Of what led to a broken rule.
const STEPS_SHOWN: usize = 60;

/// What an input can make the driver do.
const OPERATIONS: u8 = 15;

pub(crate) fn play(data: &[u8]) -> u64 {
    let mut input = Unstructured::new(data);
    let mut driver = Driver::new(&mut input);
    while !input.is_empty() {
        driver.step(&mut input);
    }
    driver.replay();
    driver.calls
}

/// What went in and what came out, in order.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Event(Event),
    Timeout,
    Action(Action),
}

struct Driver {
    config: Config,
    seed: u64,
    selector: Selector,
    now: Time,
    ledger: Ledger,
    steps: Vec<(Time, Step)>,
    calls: u64,
}

impl Driver {
    fn new(input: &mut Unstructured<'_>) -> Self {
        let choice = byte(input);
        let mut config = if choice & 1 == 0 { Config::fleet() } else { Config::interactive() };
        config.warm_standby = choice & 2 != 0;
        let seed = u64::from(byte(input));
        let selector =
            Selector::new(config.clone(), seed, Time::ZERO).expect("presets are within their bounds");
        Self {
            config,
            seed,
            selector,
            now: Time::ZERO,
            ledger: Ledger::default(),
            steps: Vec::new(),
            calls: 0,
        }
    }

    fn step(&mut self, input: &mut Unstructured<'_>) {
        match byte(input) % OPERATIONS {
            0 => self.until_due(),
            1 => self.later(Duration::from_millis(u64::from(byte(input)))),
            2 => self.later(Duration::from_secs(u64::from(byte(input)))),
            3 => self.answer_all(),
            4 => self.answer_probe(input),
            5 => self.answer_dial(input),
            6 => self.answer_activation(input),
            7 => self.answer_ping(input),
            8 => self.answer_close(),
            9 => self.end_link(input),
            10 => self.offer_all(),
            11 => self.change_offer(input),
            12 => self.mention_link(input),
            13 => self.lie(input),
            _ => self.earlier(Duration::from_millis(u64::from(byte(input)) * 50)),
        }
    }

    fn tell(&mut self, event: Event) {
        self.ledger.told(&event);
        self.steps.push((self.now, Step::Event(event.clone())));
        self.selector.handle_event(event, self.now);
        self.drain();
    }

    fn timeout(&mut self) {
        self.steps.push((self.now, Step::Timeout));
        self.selector.handle_timeout(self.now);
        self.drain();
        let _ = self.selector.snapshot(self.now).to_string();
    }

    fn drain(&mut self) {
        self.calls += 1;
        let before = self.steps.len();
        while let Some(action) = self.selector.poll_action() {
            self.steps.push((self.now, Step::Action(action.clone())));
            self.ledger.decided(&action);
        }
        let asked = self.steps.len() - before;
        assert!(asked <= ACTIONS_PER_CALL_MAX, "{asked} actions after one call");
    }

    /// Time passes until the selector wants to be called, which must take it on.
    fn until_due(&mut self) {
        let Some(due) = self.selector.poll_timeout() else { return };
        self.now = self.now.max(due);
        self.timeout();
        let next = self.selector.poll_timeout();
        assert!(next.is_none_or(|next| next > due), "due at {due}, and after that at {next:?}");
    }

    fn later(&mut self, by: Duration) {
        self.now += by;
        self.timeout();
    }

    /// The clock is set back.
    fn earlier(&mut self, by: Duration) {
        self.now = Time::from_start(self.now.since_start().saturating_sub(by));
    }

    /// What is asked for works, in as much time as the distance takes.
    fn answer_all(&mut self) {
        for (probe, endpoint) in self.ledger.probes.clone() {
            let (identity, rtt) = server(endpoint);
            let result = Ok(ProbeReport { time_to_info: 2 * rtt, round_trips: 2, identity });
            self.tell(Event::Probed { probe, result });
        }
        for (conn, endpoint) in self.ledger.dials.clone() {
            self.tell(Event::Opened { conn, identity: server(endpoint).0 });
        }
        for conn in self.ledger.activating.clone() {
            self.tell(Event::Activated { conn });
        }
        for ping in self.ledger.pings.clone().into_keys() {
            self.tell(Event::Pong { ping, rtt: REGIONS[0].1 });
        }
        self.answer_close();
    }

    fn answer_probe(&mut self, input: &mut Unstructured<'_>) {
        let Some((probe, endpoint)) = chosen(input, self.ledger.probes.iter()) else { return };
        let (probe, (identity, rtt)) = (*probe, server(*endpoint));
        let result = match byte(input) % 6 {
            0 => Err(ProbeError::Refused),
            1 => Err(ProbeError::TimedOut),
            2 => Err(ProbeError::Closed),
            3 => Err(ProbeError::NotNats("HTTP".into())),
            slow => Ok(ProbeReport {
                time_to_info: rtt * (2 + u32::from(byte(input)) * u32::from(slow - 4)),
                round_trips: slow,
                identity,
            }),
        };
        self.tell(Event::Probed { probe, result });
    }

    fn answer_dial(&mut self, input: &mut Unstructured<'_>) {
        let Some((conn, endpoint)) = chosen(input, self.ledger.dials.iter()) else { return };
        let (conn, endpoint) = (*conn, *endpoint);
        let failed = |error| Event::OpenFailed { conn, error };
        self.tell(match byte(input) % 6 {
            0 => failed(OpenError::Refused),
            1 => failed(OpenError::TimedOut),
            2 => failed(OpenError::Auth("no".into())),
            3 => failed(OpenError::ConnectionLimit),
            // Another server than the last time.
            4 => Event::Opened { conn, identity: server(EndpointId(u64::from(byte(input)))).0 },
            _ => Event::Opened { conn, identity: server(endpoint).0 },
        });
    }

    fn answer_activation(&mut self, input: &mut Unstructured<'_>) {
        let Some(conn) = chosen(input, self.ledger.activating.iter()).copied() else { return };
        let well = !byte(input).is_multiple_of(4);
        self.tell(if well { Event::Activated { conn } } else { Event::ActivateFailed { conn } });
    }

    fn answer_ping(&mut self, input: &mut Unstructured<'_>) {
        let Some((ping, conn)) = chosen(input, self.ledger.pings.iter()) else { return };
        let (ping, conn) = (*ping, *conn);
        let ms = u64::from(byte(input));
        self.tell(match ms {
            0 => Event::Progress { conn },
            ms => Event::Pong { ping, rtt: Duration::from_millis(ms) },
        });
    }

    fn answer_close(&mut self) {
        for conn in self.ledger.closing.clone().into_keys() {
            self.tell(Event::Closed { conn, cause: Cause::Requested });
        }
    }

    fn end_link(&mut self, input: &mut Unstructured<'_>) {
        let Some(conn) = chosen(input, self.ledger.links.iter()).copied() else { return };
        let cause = match byte(input) % 4 {
            0 => Cause::Auth("expired".into()),
            1 => Cause::ServerError("stale connection".into()),
            2 => Cause::Reset("by peer".into()),
            _ => Cause::Eof,
        };
        self.tell(Event::Closed { conn, cause });
    }

    fn offer_all(&mut self) {
        (0..ENDPOINTS).for_each(|id| self.tell(Event::Discovered(endpoint(id))));
    }

    fn change_offer(&mut self, input: &mut Unstructured<'_>) {
        let (what, id) = (byte(input) % 4, u64::from(byte(input)));
        self.tell(match what {
            0 => Event::Withdrawn(EndpointId(id % ENDPOINTS)),
            1 => Event::Discovered(endpoint(id % ENDPOINTS).gossiped()),
            2 => Event::Discovered(endpoint(id % ENDPOINTS).with_label("here")),
            _ => Event::Discovered(endpoint(id)),
        });
    }

    fn mention_link(&mut self, input: &mut Unstructured<'_>) {
        let Some(conn) = chosen(input, self.ledger.links.iter()).copied() else { return };
        self.tell(match byte(input) % 5 {
            0 => Event::LameDuck(conn),
            1 => Event::Progress { conn },
            2 => Event::Resumed,
            3 => Event::Unhealthy { conn, why: "no stream".into() },
            _ => Event::Reselect,
        });
    }

    /// Something about an id that was spent, or never given out.
    fn lie(&mut self, input: &mut Unstructured<'_>) {
        let (kind, id) = (byte(input) % 8, u64::from(byte(input)));
        let conn = ConnId(id);
        let (identity, rtt) = server(EndpointId(id));
        self.tell(match kind {
            0 => Event::LameDuck(conn),
            1 => Event::Opened { conn, identity },
            2 => Event::OpenFailed { conn, error: OpenError::Refused },
            3 => Event::Activated { conn },
            4 => Event::ActivateFailed { conn },
            5 => Event::Pong { ping: PingId(id), rtt },
            6 => Event::Closed { conn, cause: Cause::Eof },
            _ => Event::Probed { probe: ProbeId(id), result: Err(ProbeError::TimedOut) },
        });
    }

    /// The same calls into a new selector: the same actions after each.
    fn replay(&self) {
        let mut selector =
            Selector::new(self.config.clone(), self.seed, Time::ZERO).expect("it was accepted before");
        for (now, step) in &self.steps {
            match step {
                Step::Event(event) => selector.handle_event(event.clone(), *now),
                Step::Timeout => selector.handle_timeout(*now),
                Step::Action(action) => {
                    assert_eq!(selector.poll_action().as_ref(), Some(action), "at {now}, in a replay");
                }
            }
        }
    }
}

/// What led to a broken rule is worth more than the bytes behind it.
impl Drop for Driver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let skipped = self.steps.len().saturating_sub(STEPS_SHOWN);
            self.steps[skipped..].iter().for_each(|(at, step)| eprintln!("    {at} {step:?}"));
        }
    }
}

fn endpoint(id: u64) -> Endpoint {
    Endpoint::new(EndpointId(id), format!("host-{id}:4222"))
}

/// Who answers at an endpoint, and how far it is.
fn server(endpoint: EndpointId) -> (ServerIdentity, Duration) {
    let (region, rtt) = REGIONS[endpoint.0 as usize % REGIONS.len()];
    (ServerIdentity::new(format!("server-{}", endpoint.0), Some(region)), rtt)
}

fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or_default()
}

fn chosen<T>(input: &mut Unstructured<'_>, mut from: impl ExactSizeIterator<Item = T>) -> Option<T> {
    let count = from.len().max(1);
    from.nth(usize::from(byte(input)) % count)
}
