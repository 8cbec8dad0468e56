//! Reports of an agent, in parts for the network: MessagePack, with times since the origin of the play.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use serde::{Deserialize, Serialize};

use super::orders::{Counted, Seen};
use super::timebase::Timebase;
use crate::clients::{Outcome, Seat, Sign};
use crate::load::requests::Op;
use crate::play::counts::accounts::Publisher;
use crate::play::workload::object_user::StoredObjects;
use crate::play::{ClientRecord, StoreRecord};
use crate::record::ledger::Sent;

/// Bytes that an agent has not sent, or not in this version of loadgen.
#[derive(Debug, thiserror::Error)]
#[error(
    "the results of the agent cannot be read: {0}; start controller and agents from the same version of loadgen"
)]
pub(crate) struct WireError(String);

/// The reports of an agent, put together from the parts that came.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    clients: BTreeMap<(usize, String, u32), ClientRecord>,
    counted: Counted,
    /// When the last part was made, since the origin.
    pub(crate) until: Duration,
}

#[derive(Deserialize, Serialize)]
struct WirePart {
    made: At,
    clients: Vec<WireClient>,
    counted: Option<WireCounted>,
}

#[derive(Deserialize, Serialize)]
struct WireCounted {
    stores: Vec<WireStore>,
    sent: Vec<(Publisher, Sent)>,
    stored: Vec<StoredObjects>,
}

/// Nanoseconds since the origin.
type At = u64;

#[derive(Deserialize, Serialize)]
struct WireClient {
    population: usize,
    region: String,
    number: u32,
    connect_took: Duration,
    joined: At,
    left: At,
    ops: Vec<WireOp>,
    op_workloads: Vec<(usize, usize)>,
    publishes: Vec<WireOp>,
    signs: Vec<(At, Sign)>,
    seats: Vec<(At, Option<Seat>)>,
}

/// When it was to be sent, how many nanoseconds later it was sent and had ended, and how.
type WireOp = (At, u64, u64, Outcome);

#[derive(Deserialize, Serialize)]
struct WireStore {
    workload: usize,
    population: usize,
    region: String,
    phase: usize,
    is_get: bool,
    begun: u64,
    stale: u64,
    corrupt: u64,
    /// HdrHistogram V2.
    latency: Vec<u8>,
}

/// Writes what an agent saw by now, in parts of at most [`PART_BYTES`] unless one client alone is larger.
///
/// # Errors
/// A histogram that cannot be written.
pub(crate) fn encode(seen: &Seen, now: Instant, time: &Timebase) -> Result<Vec<Vec<u8>>, WireError> {
    let Counted { stores, sent, stored } = &seen.counted;
    let counted = WireCounted {
        stores: stores.iter().map(store_to).collect::<Result<_, _>>()?,
        sent: sent.iter().map(|(whose, sent)| (*whose, sent.clone())).collect(),
        stored: stored.clone(),
    };
    let made = nanos(time.since_origin(now));
    let mut parts = Vec::new();
    let mut left = vec![seen.clients.iter().map(|client| client_to(client, time)).collect::<Vec<_>>()];
    // Counts come last, so that they never know of less than the clients.
    while let Some(mut clients) = left.pop() {
        let part = WirePart { made, clients, counted: None };
        let bytes = rmp_serde::to_vec(&part).map_err(failed)?;
        if bytes.len() <= PART_BYTES || part.clients.len() < 2 {
            parts.push(bytes);
            continue;
        }
        clients = part.clients;
        let rest = clients.split_off(clients.len() / 2);
        left.extend([rest, clients]);
    }
    parts.push(
        rmp_serde::to_vec(&WirePart { made, clients: Vec::new(), counted: Some(counted) }).map_err(failed)?,
    );
    Ok(parts)
}

impl Joined {
    /// Adds the next part.
    ///
    /// # Errors
    /// These bytes are none.
    pub(crate) fn add(&mut self, part: &[u8], time: &Timebase) -> Result<(), WireError> {
        let part: WirePart = rmp_serde::from_slice(part).map_err(failed)?;
        self.until = Duration::from_nanos(part.made);
        for client in part.clients {
            let client = client_from(client, time);
            match self.clients.entry((client.population, client.region.clone(), client.number)) {
                Entry::Occupied(mut known) => known.get_mut().add(client),
                Entry::Vacant(free) => drop(free.insert(client)),
            }
        }
        if let Some(counted) = part.counted {
            self.counted = Counted {
                stores: counted.stores.into_iter().map(store_from).collect::<Result<_, _>>()?,
                sent: counted.sent.into_iter().collect(),
                stored: counted.stored,
            };
        }
        Ok(())
    }

    /// Everything together.
    pub(crate) fn seen(self) -> Seen {
        Seen { clients: self.clients.into_values().collect(), counted: self.counted }
    }
}

fn failed(error: impl std::fmt::Display) -> WireError {
    WireError(error.to_string())
}

fn client_to(client: &ClientRecord, time: &Timebase) -> WireClient {
    let at = |instant: Instant| nanos(time.since_origin(instant));
    let after = |from: Instant, to: Instant| nanos(to.saturating_duration_since(from));
    let ops = |ops: &[Op]| {
        let op =
            |op: &Op| (at(op.intended), after(op.intended, op.sent), after(op.intended, op.done), op.outcome);
        ops.iter().map(op).collect()
    };
    WireClient {
        population: client.population,
        region: client.region.clone(),
        number: client.number,
        connect_took: client.connect_took,
        joined: at(client.joined),
        left: at(client.left),
        ops: ops(&client.ops),
        op_workloads: client.op_workloads.clone(),
        publishes: ops(&client.publishes),
        signs: client.signs.iter().map(|(when, sign)| (at(*when), sign.clone())).collect(),
        seats: client.seats.iter().map(|(when, seat)| (at(*when), seat.clone())).collect(),
    }
}

fn client_from(wire: WireClient, time: &Timebase) -> ClientRecord {
    let at = |since_origin: At| time.instant(Duration::from_nanos(since_origin));
    let ops = |ops: Vec<WireOp>| {
        let op = |(intended, sent, done, outcome): WireOp| Op {
            intended: at(intended),
            sent: at(intended.saturating_add(sent)),
            done: at(intended.saturating_add(done)),
            outcome,
        };
        ops.into_iter().map(op).collect()
    };
    ClientRecord {
        population: wire.population,
        region: wire.region,
        number: wire.number,
        connect_took: wire.connect_took,
        joined: at(wire.joined),
        left: at(wire.left),
        ops: ops(wire.ops),
        op_workloads: wire.op_workloads,
        publishes: ops(wire.publishes),
        signs: wire.signs.into_iter().map(|(when, sign)| (at(when), sign)).collect(),
        seats: wire.seats.into_iter().map(|(when, seat)| (at(when), seat)).collect(),
    }
}

fn store_to(store: &StoreRecord) -> Result<WireStore, WireError> {
    let mut latency = Vec::new();
    V2Serializer::new().serialize(&store.latency, &mut latency).map_err(failed)?;
    Ok(WireStore {
        workload: store.workload,
        population: store.population,
        region: store.region.clone(),
        phase: store.phase,
        is_get: store.is_get,
        begun: store.begun,
        stale: store.stale,
        corrupt: store.corrupt,
        latency,
    })
}

fn store_from(wire: WireStore) -> Result<StoreRecord, WireError> {
    let latency: Histogram<u32> =
        Deserializer::new().deserialize(&mut wire.latency.as_slice()).map_err(failed)?;
    Ok(StoreRecord {
        workload: wire.workload,
        population: wire.population,
        region: wire.region,
        phase: wire.phase,
        is_get: wire.is_get,
        begun: wire.begun,
        stale: wire.stale,
        corrupt: wire.corrupt,
        latency,
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A NATS server takes messages of up to 1 MiB by default.
const PART_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::play::counts::accounts::Accounts;
    use crate::record::histograms::new_histogram;

    #[test]
    fn what_an_agent_saw_survives_the_journey_to_another_clock() {
        let ms = Duration::from_millis;
        let origin = clock::now();
        let here = origin + ms(3_000);
        let accounts = Accounts::of_agent(3);
        let account = accounts.open(1, 0);
        account.acknowledge(account.attempt());
        let op = Op {
            intended: origin + ms(5),
            sent: origin + ms(6),
            done: origin + ms(9),
            outcome: Outcome::Failed,
        };
        let mut latency = new_histogram();
        latency.saturating_record(1_234);
        let seat = Seat { region: "lon".into(), server: "lon-1".into() };
        let client = |number, ops: Vec<Op>, seats: Vec<(Instant, Option<Seat>)>, left| ClientRecord {
            number,
            op_workloads: vec![(0, ops.len())],
            ops,
            publishes: vec![op],
            signs: vec![(origin + ms(2), Sign::Moved(4))],
            seats,
            ..ClientRecord::new(&(2, "lon".into()), (ms(40), origin + ms(1)), origin + ms(left))
        };
        let counted = || Counted {
            stores: vec![StoreRecord {
                workload: 1,
                population: 2,
                region: "lon".into(),
                phase: 3,
                is_get: true,
                begun: 2,
                stale: 1,
                corrupt: 0,
                latency: latency.clone(),
            }],
            sent: accounts.sent(),
            stored: Vec::new(),
        };
        let at_first = vec![(origin + ms(1), Some(seat.clone()))];
        let seen = Seen { clients: vec![client(7, vec![op, op], at_first, 50)], counted: counted() };
        let later = Seen {
            clients: vec![client(7, vec![op], vec![(origin + ms(60), None)], 99)],
            counted: counted(),
        };
        let (there, back) = (Timebase::exact(origin), Timebase::exact(here));
        let mut joined = Joined::default();
        for (seen, now) in [(&seen, 50), (&later, 99)] {
            for part in encode(seen, origin + ms(now), &there).unwrap() {
                joined.add(&part, &back).unwrap();
            }
        }
        assert!(joined.add(b"no part", &back).is_err());
        assert_eq!(joined.until, ms(99));
        let got = joined.seen();
        let [client] = got.clients.as_slice() else { panic!("{:?}", got.clients) };
        assert_eq!((client.joined, client.left, client.number), (here + ms(1), here + ms(99), 7));
        let got_op = client.ops[2];
        assert_eq!((got_op.intended, got_op.sent, got_op.done), (here + ms(5), here + ms(6), here + ms(9)));
        assert_eq!(
            (got_op.outcome, client.requests().count(), client.publishes.len()),
            (Outcome::Failed, 3, 2)
        );
        assert_eq!(client.seats, [(here + ms(1), Some(seat)), (here + ms(60), None)]);
        assert_eq!((got.counted.stores.len(), got.counted.stores[0].latency.len()), (1, 1));
        assert_eq!(got.counted.sent, accounts.sent());
    }

    #[test]
    fn parts_are_small_enough_for_a_message() {
        let origin = clock::now();
        let op = Op { intended: origin, sent: origin, done: origin, outcome: Outcome::Ok };
        let client = |number| ClientRecord {
            number,
            ops: vec![op; 5_000],
            ..ClientRecord::new(&(0, "lon".into()), (Duration::ZERO, origin), origin)
        };
        let seen = Seen { clients: (0..100).map(client).collect(), counted: Counted::default() };
        let time = Timebase::exact(origin);
        let parts = encode(&seen, origin, &time).unwrap();
        assert!(parts.len() > 2 && parts.iter().all(|part| part.len() <= PART_BYTES), "{}", parts.len());
        let mut joined = Joined::default();
        parts.iter().for_each(|part| joined.add(part, &time).unwrap());
        let clients = joined.seen().clients;
        assert_eq!(
            (clients.len(), clients.iter().map(|client| client.ops.len()).sum::<usize>()),
            (100, 500_000)
        );
    }
}
