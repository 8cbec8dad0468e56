//! Between the format and the core's own types.

use std::time::Duration;

use nats_geo::core::{
    Action, Call, Cause, ConnId, Endpoint, EndpointId, Event, Handover, NoticeKind, OpenError, PingId,
    ProbeError, ProbeId, ProbeReport, ServerIdentity,
};

use super::model::{Decided, End, Failure, Server, Told, at_ns, ns};

impl Told {
    pub(crate) fn of(call: &Call) -> Self {
        let Call::Event(event) = call else { return Self::Timeout };
        match event {
            Event::Discovered(endpoint) => {
                Self::Discovered { endpoint: endpoint.id.0, address: endpoint.address.clone() }
            }
            Event::Withdrawn(endpoint) => Self::Withdrawn { endpoint: endpoint.0 },
            Event::LameDuck(conn) => Self::LameDuck { conn: conn.0 },
            Event::Probed { probe, result: Ok(report) } => Self::Probed {
                probe: probe.0,
                time_to_info_ns: ns(report.time_to_info),
                round_trips: report.round_trips,
                server: Server::of(&report.identity),
            },
            Event::Probed { probe, result: Err(error) } => {
                Self::ProbeFailed { probe: probe.0, error: Failure::of_probe(error) }
            }
            Event::Opened { conn, identity } => Self::Opened { conn: conn.0, server: Server::of(identity) },
            Event::OpenFailed { conn, error } => {
                Self::OpenFailed { conn: conn.0, error: Failure::of_dial(error) }
            }
            Event::Activated { conn } => Self::Activated { conn: conn.0 },
            Event::ActivateFailed { conn } => Self::ActivateFailed { conn: conn.0 },
            Event::Unhealthy { conn, .. } => Self::Unhealthy { conn: conn.0 },
            Event::Pong { ping, rtt } => Self::Pong { ping: ping.0, rtt_ns: ns(*rtt) },
            Event::Progress { conn } => Self::Progress { conn: conn.0 },
            Event::Closed { conn, cause } => Self::Closed { conn: conn.0, cause: End::of(cause) },
            Event::Reselect => Self::Reselect,
            Event::Resumed => Self::Resumed,
            other => panic!("{other:?} has no place in the format yet"),
        }
    }

    /// `None` for a timeout.
    pub(crate) fn event(&self) -> Option<Event> {
        let conn = |conn: &u64| ConnId(*conn);
        Some(match self {
            Self::Timeout => return None,
            Self::Discovered { endpoint, address } => {
                Event::Discovered(Endpoint::new(EndpointId(*endpoint), address.clone()))
            }
            Self::Withdrawn { endpoint } => Event::Withdrawn(EndpointId(*endpoint)),
            Self::LameDuck { conn: id } => Event::LameDuck(conn(id)),
            Self::Probed { probe, time_to_info_ns, round_trips, server } => Event::Probed {
                probe: ProbeId(*probe),
                result: Ok(ProbeReport {
                    time_to_info: Duration::from_nanos(*time_to_info_ns),
                    round_trips: *round_trips,
                    identity: server.identity(),
                }),
            },
            Self::ProbeFailed { probe, error } => {
                Event::Probed { probe: ProbeId(*probe), result: Err(error.probe_error()) }
            }
            Self::Opened { conn: id, server } => {
                Event::Opened { conn: conn(id), identity: server.identity() }
            }
            Self::OpenFailed { conn: id, error } => {
                Event::OpenFailed { conn: conn(id), error: error.open_error() }
            }
            Self::Activated { conn: id } => Event::Activated { conn: conn(id) },
            Self::ActivateFailed { conn: id } => Event::ActivateFailed { conn: conn(id) },
            Self::Unhealthy { conn: id } => Event::Unhealthy { conn: conn(id), why: String::new() },
            Self::Pong { ping, rtt_ns } => {
                Event::Pong { ping: PingId(*ping), rtt: Duration::from_nanos(*rtt_ns) }
            }
            Self::Progress { conn: id } => Event::Progress { conn: conn(id) },
            Self::Closed { conn: id, cause } => Event::Closed { conn: conn(id), cause: cause.cause() },
            Self::Reselect => Event::Reselect,
            Self::Resumed => Event::Resumed,
        })
    }
}

impl Server {
    fn of(identity: &ServerIdentity) -> Self {
        let (id, name, cluster) = (&identity.server_id, &identity.server_name, &identity.cluster);
        Self { id: id.clone(), name: name.clone(), cluster: cluster.clone() }
    }

    fn identity(&self) -> ServerIdentity {
        let mut identity = ServerIdentity::new(self.id.clone(), self.cluster.as_deref());
        identity.server_name.clone_from(&self.name);
        identity
    }
}

impl Failure {
    fn of_probe(error: &ProbeError) -> Self {
        match error {
            ProbeError::Refused => Self::Refused,
            ProbeError::TimedOut => Self::TimedOut,
            ProbeError::Unreachable(_) => Self::Unreachable,
            ProbeError::Closed => Self::Closed,
            _ => Self::NotNats,
        }
    }

    fn of_dial(error: &OpenError) -> Self {
        match error {
            OpenError::Refused => Self::Refused,
            OpenError::TimedOut => Self::TimedOut,
            OpenError::Unreachable(_) => Self::Unreachable,
            OpenError::Auth(_) => Self::Auth,
            OpenError::ConnectionLimit => Self::ConnectionLimit,
            OpenError::Overloaded(_) => Self::Overloaded,
            _ => Self::Other,
        }
    }

    fn probe_error(&self) -> ProbeError {
        match self {
            Self::Refused => ProbeError::Refused,
            Self::TimedOut => ProbeError::TimedOut,
            Self::Unreachable => ProbeError::Unreachable(String::new()),
            Self::Closed => ProbeError::Closed,
            Self::NotNats | Self::Auth | Self::ConnectionLimit | Self::Overloaded | Self::Other => {
                ProbeError::NotNats(String::new())
            }
        }
    }

    fn open_error(&self) -> OpenError {
        match self {
            Self::Refused => OpenError::Refused,
            Self::TimedOut => OpenError::TimedOut,
            Self::Unreachable => OpenError::Unreachable(String::new()),
            Self::Auth => OpenError::Auth(String::new()),
            Self::ConnectionLimit => OpenError::ConnectionLimit,
            Self::Overloaded => OpenError::Overloaded(String::new()),
            Self::Closed | Self::NotNats | Self::Other => OpenError::Other(String::new()),
        }
    }
}

impl End {
    const fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Requested => Self::Requested,
            Cause::Eof => Self::Eof,
            Cause::Reset(_) => Self::Reset,
            Cause::Auth(_) => Self::Auth,
            _ => Self::ServerError,
        }
    }

    const fn cause(&self) -> Cause {
        match self {
            Self::Requested => Cause::Requested,
            Self::Eof => Cause::Eof,
            Self::Reset => Cause::Reset(String::new()),
            Self::ServerError => Cause::ServerError(String::new()),
            Self::Auth => Cause::Auth(String::new()),
        }
    }
}

impl Decided {
    /// `None` for what only people are told.
    pub(crate) fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Probe { probe, endpoint, timeout } => {
                Self::Probe { probe: probe.0, endpoint: endpoint.0, timeout_ns: ns(*timeout) }
            }
            Action::Open { conn, endpoint, timeout } => {
                Self::Open { conn: conn.0, endpoint: endpoint.0, timeout_ns: ns(*timeout) }
            }
            Action::Ping { conn, ping } => Self::Ping { conn: conn.0, ping: ping.0 },
            Action::Activate { conn, handover } => {
                Self::Activate { conn: conn.0, after_barrier: *handover == Handover::AfterBarrier }
            }
            Action::Close { conn, overlap, drain } => {
                Self::Close { conn: conn.0, overlap_ns: ns(*overlap), drain_ns: ns(*drain) }
            }
            Action::Notify(notice) => match &notice.kind {
                NoticeKind::Moved { from, to, cause, .. } => Self::Moved {
                    from: from.address.clone(),
                    to: to.address.clone(),
                    cause: cause.to_string(),
                },
                NoticeKind::Suspected(place) => Self::Suspected { address: place.address.clone() },
                NoticeKind::Cleared(place) => Self::Cleared { address: place.address.clone() },
                NoticeKind::Unhealthy { place, .. } => Self::Unhealthy { address: place.address.clone() },
                NoticeKind::NoHealthyAlternative(place) => {
                    Self::NoHealthyAlternative { address: place.address.clone() }
                }
                NoticeKind::Damped { region, until } => {
                    Self::Damped { region: region.as_str().into(), until_ns: at_ns(*until) }
                }
                _ => return None,
            },
            other => panic!("{other:?} has no place in the format yet"),
        })
    }
}
