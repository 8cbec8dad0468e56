//! The simulator against the real super-cluster: the same fault, the same decisions, about as fast.

use std::time::Duration;

use nats_geo::core::{Action, Config, MoveCause, Notice, NoticeKind};
use nats_geo::sim::{Fault, Scenario, ServerFault, run};

use crate::journal::Journal;
use crate::world::{World, options};

/// What decides where traffic goes. Dials are left out: which of several is out first is a race.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Suspected(String),
    Lost(String),
    LameDuck(String),
    Moved(String, MoveCause),
}

impl Step {
    fn of(kind: &NoticeKind) -> Option<Self> {
        Some(match kind {
            NoticeKind::Suspected(place) => Self::Suspected(place.region.to_string()),
            NoticeKind::Lost { place, .. } => Self::Lost(place.region.to_string()),
            NoticeKind::LameDuck(place) => Self::LameDuck(place.region.to_string()),
            NoticeKind::Moved { to, cause, .. } => Self::Moved(to.region.to_string(), *cause),
            _ => return None,
        })
    }
}

/// The steps up to the first move, and how long they took from the first one.
#[derive(Debug)]
struct Story {
    steps: Vec<Step>,
    took: Duration,
}

impl Story {
    fn of(notices: &[Notice]) -> Self {
        let steps = notices.iter().filter_map(|notice| Some((notice.at, Step::of(&notice.kind)?)));
        let is_move = |(_, step): &(_, Step)| matches!(step, Step::Moved(..));
        let mut steps: Vec<_> = steps.collect();
        if let Some(end) = steps.iter().position(is_move) {
            steps.truncate(end + 1);
        }
        let took = match (steps.first(), steps.last()) {
            (Some((first, _)), Some((last, _))) => last.since(*first),
            _ => Duration::ZERO,
        };
        Self { steps: steps.into_iter().map(|(_, step)| step).collect(), took }
    }
}

/// A client that has been in lon for half a minute, under this fault, in as many lives as show its spread.
fn simulated(what: ServerFault, is_hit: impl Fn(usize) -> bool) -> Vec<Story> {
    const LIVES: u64 = 8;
    let start = Duration::from_secs(30);
    let story = |seed| {
        let mut scenario = Scenario::super_cluster("as on the real one", vec![(0, Config::interactive())]);
        scenario.servers_per_region = 2;
        for server in (0..scenario.servers()).filter(|server| is_hit(*server)) {
            scenario.at(start, Fault::Server { server, what });
        }
        let report = run(&scenario, seed).unwrap_or_else(|error| panic!("{error}"));
        let notices = report.clients[0].log.actions.iter().filter_map(|(_, action)| match action {
            Action::Notify(notice) if notice.at.since_start() >= start => Some(notice.clone()),
            _ => None,
        });
        Story::of(&notices.collect::<Vec<_>>())
    };
    (0..LIVES).map(story).collect()
}

/// The stated tolerance: the real story takes at least this share of the shortest simulated one, and at most as long as the
/// longest and what a busy machine adds.
const AT_LEAST: f64 = 0.5;
/// A client waits for a time between zero and some seconds before it leaves a lame duck: any wait is right.
const ANY_WAIT: f64 = 0.0;
const BUSY: Duration = Duration::from_secs(1);

async fn compare(journal: &Journal, simulated: &[Story], at_least: f64) {
    journal.first_move().await;
    let real = Story::of(&journal.notices());
    let alike: Vec<_> = simulated.iter().filter(|story| story.steps == real.steps).collect();
    assert!(!alike.is_empty(), "it did {:?}, but in the simulator {simulated:?}", real.steps);
    let (shortest, longest) =
        (alike.iter().map(|story| story.took).min(), alike.iter().map(|story| story.took).max());
    let (shortest, longest) = (shortest.unwrap_or_default(), longest.unwrap_or_default());
    assert!(
        (shortest.mul_f64(at_least)..=longest + BUSY).contains(&real.took),
        "{real:?}, but in the simulator {simulated:?}"
    );
    println!("{:?}: {:?}, simulated {shortest:?} to {longest:?}", real.steps, real.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_and_a_silent_region_are_left_as_in_the_simulator() {
    for what in [ServerFault::Crash, ServerFault::PowerOff] {
        let mut world = World::start().await;
        let client = world.connect("lon", options()).await;
        let journal = Journal::of(&client);
        if what == ServerFault::Crash {
            world.cluster.kill_region("lon").unwrap();
        } else {
            world.cluster.blackhole_region("lon").unwrap();
        }
        compare(&journal, &simulated(what, |server| server < 2), AT_LEAST).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lame_duck_is_left_as_in_the_simulator() {
    let mut world = World::start().await;
    let client = world.connect("lon", options()).await;
    let journal = Journal::of(&client);
    let (_, home) = crate::world::seat(&client).unwrap();
    world.cluster.lame_duck_server(&home).unwrap();
    // Whichever of the two servers it uses; the other one stays.
    let mut stories = simulated(ServerFault::LameDuck, |server| server == 0);
    stories.extend(simulated(ServerFault::LameDuck, |server| server == 1));
    stories.retain(|story| !story.steps.is_empty());
    compare(&journal, &stories, ANY_WAIT).await;
}
