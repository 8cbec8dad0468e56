//! The progress of a play, for Prometheus: `GET /metrics` of a run or of an agent.
//!
//! This file owns the names of loadgen's own metrics. It must not know how a play works: it reads a [`Board`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::progress::{Board, Notes};

/// A server that Prometheus scrapes. Dropping it ends it.
#[derive(Debug)]
pub struct Exporter {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: JoinHandle<io::Result<()>>,
}

/// Whose metrics they are.
#[derive(Clone, Debug)]
pub enum Source {
    /// Those of a run.
    Run {
        /// Its scenario.
        scenario: String,
        /// Its seed.
        seed: u64,
    },
    /// Those of an agent.
    Agent {
        /// Its name.
        name: String,
        /// Its region.
        region: String,
    },
}

/// Reason why Prometheus has nothing to scrape.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve metrics at {address}: {error}; choose another --metrics, such as `127.0.0.1:0` for any free port"
)]
pub struct ExporterError {
    /// Where.
    address: SocketAddr,
    /// Error of the operating system.
    error: io::Error,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    board: Board,
    verdict: watch::Sender<Option<&'static str>>,
    /// Scrapes that have shown the verdict.
    final_scrapes: watch::Sender<u64>,
}

impl Exporter {
    /// Listens at an address, without TLS and for everybody.
    ///
    /// # Errors
    /// The address is taken, or is none of this machine.
    pub async fn start(address: SocketAddr, source: Source) -> Result<Self, ExporterError> {
        let failed = |error| ExporterError { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            source,
            board: Board::default(),
            verdict: watch::Sender::new(None),
            final_scrapes: watch::Sender::new(0),
        });
        let router = Router::new().route("/metrics", get(scrape)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { shared, address, serving })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The board that it reads.
    pub fn board(&self) -> Board {
        self.shared.board.clone()
    }

    /// Shows the verdict until somebody has scraped it, but not for longer than this.
    pub async fn linger(self, verdict: &'static str, at_most: Duration) {
        self.shared.verdict.send_replace(Some(verdict));
        let mut scrapes = self.shared.final_scrapes.subscribe();
        // Whichever comes first is the end.
        let _ = tokio::time::timeout(at_most, scrapes.wait_for(|count| *count > 0)).await;
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn scrape(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let verdict = *shared.verdict.borrow();
    let text = render(&shared.source, &shared.board.read(), verdict);
    if verdict.is_some() {
        shared.final_scrapes.send_modify(|count| *count += 1);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

/// A new recorder for each scrape: it has no series of a population that is gone.
fn render(source: &Source, notes: &Notes, verdict: Option<&'static str>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        describe();
        set(source, notes, verdict);
    });
    recorder.handle().render()
}

fn describe() {
    describe_gauge!(RUN, "The run, always 1.");
    describe_gauge!(AGENT, "The agent, always 1.");
    describe_gauge!(PHASE, "1 for the phase of the timeline.");
    describe_gauge!(VERDICT, "1 for the verdict, at the end of the run.");
    describe_gauge!(ELAPSED, "Time since the start of the timeline.");
    describe_gauge!(PLANNED, "Planned length of the timeline.");
    describe_gauge!(CLIENTS, "Clients that are connected to servers of a region.");
    describe_gauge!(OFFLINE, "Clients of a region that have no connection.");
    describe_gauge!(RTT, "Round-trip time to a region, as a client of the first region measured it.");
    describe_counter!(OPERATIONS, "Operations of the clients of a region, by result.");
}

fn set(source: &Source, notes: &Notes, verdict: Option<&'static str>) {
    let version = env!("CARGO_PKG_VERSION");
    match source {
        Source::Run { scenario, seed } => {
            let labels =
                [("scenario", scenario.clone()), ("seed", seed.to_string()), ("version", version.to_owned())];
            gauge!(RUN, &labels).set(1);
        }
        Source::Agent { name, region } => {
            let labels =
                [("agent", name.clone()), ("region", region.clone()), ("version", version.to_owned())];
            gauge!(AGENT, &labels).set(1);
        }
    }
    if let Some(phase) = &notes.phase {
        gauge!(PHASE, "phase" => phase.clone()).set(1);
    }
    if let Some(verdict) = verdict {
        gauge!(VERDICT, "verdict" => verdict).set(1);
    }
    let status = &notes.status;
    gauge!(ELAPSED).set(status.at);
    gauge!(PLANNED).set(status.lasts);
    for region in &status.regions {
        for (population, count) in status.populations.iter().zip(&region.connected) {
            let labels = [("population", population.clone()), ("region", region.name.clone())];
            gauge!(CLIENTS, &labels).set(*count as f64);
        }
        let name = || region.name.clone();
        gauge!(OFFLINE, "region" => name()).set(region.offline as f64);
        if let Some(rtt) = region.rtt {
            gauge!(RTT, "region" => name()).set(rtt);
        }
        for (result, count) in [("ok", region.ok), ("failed", region.failed)] {
            counter!(OPERATIONS, "region" => name(), "result" => result).absolute(count);
        }
    }
}

const RUN: &str = "loadgen_run_info";
const AGENT: &str = "loadgen_agent_info";
const PHASE: &str = "loadgen_phase";
const VERDICT: &str = "loadgen_verdict";
const ELAPSED: &str = "loadgen_timeline_seconds";
const PLANNED: &str = "loadgen_timeline_planned_seconds";
const CLIENTS: &str = "loadgen_clients";
const OFFLINE: &str = "loadgen_clients_offline";
const RTT: &str = "loadgen_region_rtt_seconds";
const OPERATIONS: &str = "loadgen_operations_total";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Progress, RegionStatus, Status};

    #[test]
    fn a_scrape_has_everything_that_the_board_shows() {
        let board = Board::default();
        let progress = Progress::silent().on(Some(board.clone()));
        progress.begin_phase("outage");
        progress.status(|| Status {
            at: Duration::from_millis(1_500),
            lasts: Duration::from_secs(20),
            populations: vec!["geo".into(), "stock".into()],
            regions: vec![RegionStatus {
                name: "lon".into(),
                rtt: Some(Duration::from_millis(6)),
                connected: vec![4, 0],
                offline: 2,
                ok: 30,
                failed: 1,
            }],
            moves: Vec::new(),
        });
        let source = Source::Run { scenario: "a \"b\"".into(), seed: 7 };
        let text = render(&source, &board.read(), Some("PASS"));
        for line in [
            concat!(
                "loadgen_run_info{scenario=\"a \\\"b\\\"\",seed=\"7\",version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "loadgen_phase{phase=\"outage\"} 1",
            "loadgen_verdict{verdict=\"PASS\"} 1",
            "loadgen_timeline_seconds 1.5",
            "loadgen_timeline_planned_seconds 20",
            "loadgen_clients{population=\"geo\",region=\"lon\"} 4",
            "loadgen_clients{population=\"stock\",region=\"lon\"} 0",
            "loadgen_clients_offline{region=\"lon\"} 2",
            "loadgen_region_rtt_seconds{region=\"lon\"} 0.006",
            "loadgen_operations_total{region=\"lon\",result=\"ok\"} 30",
            "loadgen_operations_total{region=\"lon\",result=\"failed\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in {text}");
        }
    }

    #[test]
    fn an_idle_agent_has_its_name_only() {
        let source = Source::Agent { name: "a".into(), region: "lon".into() };
        let text = render(&source, &Notes::default(), None);
        assert!(text.contains("loadgen_agent_info{agent=\"a\",region=\"lon\""), "{text}");
        for absent in ["loadgen_phase{", "loadgen_verdict{", "loadgen_clients{"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }
}
