//! The agents of a back channel and the run that they play, while a page shows them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{BoxStream, StreamExt as _};
use serde::Serialize;
use tokio::time::{sleep, sleep_until};

use super::feed::Feed;
use super::plan::OpsPlan;
use crate::clock;
use crate::ops::{AgentCard, AgentInfo, Channel, ChannelError, Heard, RunState, roster};
use crate::progress::{RegionStatus, Status};
use crate::record::stats::millis;

/// The data of an event `agents`.
#[derive(Debug, Serialize)]
struct Seen<'a> {
    /// RFC 3339.
    at: String,
    /// Time between two events, in seconds.
    every_s: u64,
    /// `None`: no run goes on.
    run: Option<&'a RunState>,
    agents: Vec<AgentRow<'a>>,
    /// All agents together; `None` while nobody plays.
    status: Option<StatusRow>,
}

#[derive(Debug, Serialize)]
struct AgentRow<'a> {
    #[serde(flatten)]
    card: &'a AgentCard,
    /// Time since its last sign of life; `None`: there was none yet.
    heard_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct StatusRow {
    at_s: f64,
    lasts_s: f64,
    populations: Vec<String>,
    regions: Vec<RegionRow>,
    moves: Vec<MoveRow>,
}

#[derive(Debug, Serialize)]
struct RegionRow {
    name: String,
    rtt_ms: Option<f64>,
    connected: Vec<usize>,
    offline: usize,
    ok: u64,
    failed: u64,
}

#[derive(Debug, Serialize)]
struct MoveRow {
    at_s: f64,
    text: String,
}

/// Sends events `agents` and `trouble`. Never ends.
pub(super) async fn follow(feed: &Feed, plan: Option<&OpsPlan>) {
    let mut watcher = None;
    loop {
        if !feed.is_shown() {
            watcher = None;
            feed.wait_for_page().await;
            continue;
        }
        match watch(plan, &mut watcher).await {
            Ok(watcher) => feed.send("agents", &watcher.seen()),
            Err(error) => {
                watcher = None;
                feed.send_trouble(&error);
                sleep(EVERY).await;
            }
        }
    }
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(
        "this dashboard knows no back channel: start the dashboard with `loadgen dashboard --ops URL`, or set LOADGEN_OPS"
    )]
    NoOps,
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("the back channel at {0} does not answer: this page tries again")]
    Away(String),
}

/// Watches for a moment.
async fn watch<'a>(
    plan: Option<&OpsPlan>,
    watcher: &'a mut Option<Watcher>,
) -> Result<&'a Watcher, WatchError> {
    let plan = plan.ok_or(WatchError::NoOps)?;
    let watcher = match watcher {
        Some(watcher) => watcher,
        None => watcher.insert(Watcher::start(plan).await?),
    };
    if !watcher.channel.is_up() {
        return Err(WatchError::Away(plan.url.to_string()));
    }
    watcher.turn().await?;
    Ok(watcher)
}

/// Everything that was heard.
struct Watcher {
    channel: Channel,
    heard: BoxStream<'static, Heard>,
    /// By id.
    agents: BTreeMap<String, Agent>,
    run: Option<(Instant, RunState)>,
    /// When the agents were listed last.
    listed: Option<Instant>,
}

struct Agent {
    card: AgentCard,
    /// When it was listed or heard last.
    known: Instant,
    heard: Option<Instant>,
    status: Status,
}

impl Watcher {
    async fn start(plan: &OpsPlan) -> Result<Self, ChannelError> {
        let channel = Channel::connect(&plan.url, plan.creds.as_deref(), "loadgen dashboard").await?;
        let heard = channel.listen().await?;
        Ok(Self { channel, heard, agents: BTreeMap::new(), run: None, listed: None })
    }

    /// Listens until the next event is due.
    async fn turn(&mut self) -> Result<(), ChannelError> {
        let due = clock::now() + EVERY;
        if self.listed.is_none_or(|listed| listed.elapsed() >= LIST_EVERY) {
            self.list(roster(&self.channel).await?);
        }
        loop {
            tokio::select! {
                () = sleep_until(due.into()) => return Ok(()),
                heard = self.heard.next() => match heard {
                    Some(heard) => self.hear(heard, clock::now()),
                    // The connection has ended for good.
                    None => {
                        sleep_until(due.into()).await;
                        return Ok(());
                    }
                },
            }
        }
    }

    fn list(&mut self, listed: Vec<AgentInfo>) {
        let now = clock::now();
        self.listed = Some(now);
        for AgentInfo { id, card } in listed {
            let new = Agent { card, known: now, heard: None, status: Status::default() };
            self.agents.entry(id).or_insert(new).known = now;
        }
        self.agents.retain(|_, agent| now.saturating_duration_since(agent.known) < FORGET_AFTER);
    }

    fn hear(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Controller(state) => self.run = Some((now, state)),
            // One that is not listed yet soon will be.
            Heard::Agent(id, status) => {
                if let Some(agent) = self.agents.get_mut(&id) {
                    agent.status = serde_json::from_slice(&status).unwrap_or_default();
                    (agent.known, agent.heard) = (now, Some(now));
                }
            }
        }
    }

    fn seen(&self) -> Seen<'_> {
        let now = clock::now();
        let since = |at: Instant| now.saturating_duration_since(at);
        let run = self.run.as_ref().filter(|(at, _)| since(*at) < OVER_AFTER).map(|(_, state)| state);
        let agents = self.agents.values();
        let mut rows: Vec<_> = agents
            .clone()
            .map(|agent| AgentRow {
                card: &agent.card,
                heard_s: agent.heard.map(|at| since(at).as_secs_f64()),
            })
            .collect();
        rows.sort_by_key(|row| (&row.card.region, &row.card.name, row.card.pid));
        let playing = agents.map(|agent| agent.status.clone()).filter(|status| !status.regions.is_empty());
        let all = playing.reduce(|mut all, status| {
            all.add(status);
            all
        });
        Seen {
            at: clock::rfc3339(clock::wall()),
            every_s: EVERY.as_secs(),
            run,
            agents: rows,
            status: all.filter(|_| run.is_some()).map(StatusRow::of),
        }
    }
}

impl StatusRow {
    fn of(status: Status) -> Self {
        let region = |it: RegionStatus| RegionRow {
            name: it.name,
            rtt_ms: it.rtt.map(millis),
            connected: it.connected,
            offline: it.offline,
            ok: it.ok,
            failed: it.failed,
        };
        let moved = |(at, text): (Duration, String)| MoveRow { at_s: at.as_secs_f64(), text };
        Self {
            at_s: status.at.as_secs_f64(),
            lasts_s: status.lasts.as_secs_f64(),
            populations: status.populations,
            regions: status.regions.into_iter().map(region).collect(),
            moves: status.moves.into_iter().map(moved).collect(),
        }
    }
}

/// As often as agents give signs of life.
const EVERY: Duration = Duration::from_secs(1);

const LIST_EVERY: Duration = Duration::from_secs(2);

/// Long enough for a person to see which agent is gone.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// The controller tells of its run once a second.
const OVER_AFTER: Duration = Duration::from_secs(5);
