//! What each vector is about: a world, what happens in it, and how much of the record is kept.

use std::time::Duration;

use nats_geo::sim::{ClientFault, Fault, PathFault, PathModel, Scenario, ServerFault, run};

use super::model::{Policy, Vector};

/// All vectors, by the names of their files.
pub(crate) const ALL: [(&str, Maker); 15] = [
    ("first_choice", first_choice),
    ("ties", ties),
    ("server_lost", server_lost),
    ("region_lost", region_lost),
    ("region_silent", region_silent),
    ("region_unhealthy", region_unhealthy),
    ("warm_standby", warm_standby),
    ("fail_back_first_cohort", fail_back_first_cohort),
    ("fail_back_later", fail_back_later),
    ("flapping", flapping),
    ("herd_with_capacity_hint", herd_with_capacity_hint),
    ("herd_in_a_crowd", herd_in_a_crowd),
    ("local_trouble", local_trouble),
    ("lame_duck", lame_duck),
    ("refused_credentials", refused_credentials),
];

/// Makes one of them.
type Maker = fn() -> Vector;

const LON: usize = 0;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Plays one client in lon, and keeps what it was told until `until`.
fn vector(
    what: &str,
    policy: Policy,
    seed: u64,
    until: Duration,
    happens: impl FnOnce(&mut Scenario),
) -> Vector {
    let mut scenario = Scenario::super_cluster(what, vec![(LON, policy.config())]);
    // Paths without chance: a reader can tell each number from the last.
    for (from, row) in scenario.paths.iter_mut().enumerate() {
        for (to, path) in row.iter_mut().enumerate() {
            const ONE_WAY_US: [[u64; 3]; 3] =
                [[500, 4_500, 56_500], [4_500, 500, 60_000], [56_500, 60_000, 500]];
            *path = PathModel::clean(Duration::from_micros(ONE_WAY_US[from][to]));
        }
    }
    happens(&mut scenario);
    scenario.lasts = until;
    let report = run(&scenario, seed).unwrap_or_else(|error| panic!("{error}"));
    let log = &report.clients[0].log;
    let told = log.calls.iter().take_while(|(at, _)| at.since_start() <= until).cloned();
    Vector::record(what, policy, log.seed, &told.collect::<Vec<_>>())
}

fn region(region: usize, what: ServerFault) -> Fault {
    Fault::Region { region, what }
}

fn first_choice() -> Vector {
    vector(
        "Nine servers in three regions are probed, and the nearest region is chosen.",
        Policy::interactive(),
        1,
        secs(5),
        |_| {},
    )
}

fn ties() -> Vector {
    let what = "Two regions are within the tie window: the rendezvous hash of this client decides, and sampling noise does not.";
    vector(what, Policy::interactive(), 2, secs(5), |scenario| {
        scenario.paths[LON][1] = PathModel::clean(Duration::from_millis(1));
        scenario.paths[1][LON] = PathModel::clean(Duration::from_millis(1));
    })
}

fn server_lost() -> Vector {
    let what = "The server in use ends: a sibling is next, the next region only 100 ms later.";
    vector(what, Policy::interactive(), 1, secs(8), |scenario| {
        for server in 0..3 {
            let what = ServerFault::Crash;
            scenario.at(Duration::from_millis(5_000 + 700 * server as u64), Fault::Server { server, what });
        }
    })
}

fn region_lost() -> Vector {
    let what = "A whole region ends at once: its siblings refuse, the next region takes over.";
    vector(what, Policy::interactive(), 1, secs(8), |scenario| {
        scenario.at(secs(5), region(LON, ServerFault::Crash))
    })
}

fn region_silent() -> Vector {
    let what =
        "A region falls silent: overdue PING, suspicion, the next region, and the end of the silent link.";
    vector(what, Policy::interactive(), 1, secs(9), |scenario| {
        scenario.at(secs(5), region(LON, ServerFault::PowerOff))
    })
}

fn region_unhealthy() -> Vector {
    let what = "A region answers but fails its health check, and so does the next one: the third takes over, make before break.";
    vector(what, Policy::interactive(), 1, secs(25), |scenario| {
        scenario.health_check_period = Some(secs(5));
        for each in [LON, 1] {
            scenario.at(secs(3), region(each, ServerFault::Unhealthy));
        }
    })
}

fn warm_standby() -> Vector {
    let what = "A region falls silent with a standby open: traffic is there with the suspicion.";
    vector(what, Policy::interactive().with_standby(), 1, secs(9), |scenario| {
        scenario.at(secs(5), region(LON, ServerFault::PowerOff));
    })
}

fn fail_back(seed: u64, what: &str) -> Vector {
    vector(what, Policy::fleet(), seed, secs(180), |scenario| {
        scenario.at(secs(10), region(LON, ServerFault::Crash));
        scenario.at(secs(40), region(LON, ServerFault::Start));
    })
}

fn fail_back_first_cohort() -> Vector {
    fail_back(
        FIRST_COHORT,
        "A region comes back: good probes for long enough, and this client is of the first cohort, which goes home at once.",
    )
}

fn fail_back_later() -> Vector {
    fail_back(LATER, "A region comes back: this client is not of the first cohort and waits for its time.")
}

/// Found by trying.
const FIRST_COHORT: u64 = 3;
const LATER: u64 = 1;

fn flapping() -> Vector {
    let what = "A region falls silent for 600 ms every 10 s: each time its penalty grows (RFC 2439), until it is damped \
                and no longer returned to.";
    vector(what, Policy::interactive(), 1, secs(70), |scenario| {
        for round in 0..6 {
            let start = secs(10 + 10 * round);
            let path = |what| Fault::Path { from: LON, to: LON, what };
            scenario.at(start, path(PathFault::Cut));
            scenario.at(start + Duration::from_millis(600), path(PathFault::Heal));
        }
    })
}

fn herd_with_capacity_hint() -> Vector {
    let what = "A region is lost, and the survivors take 100 of its 1000 clients per second: this one waits for its time, and races nobody.";
    vector(what, Policy::fleet().with_capacity(1_000, 100.0), 1, secs(30), |scenario| {
        scenario.at(secs(10), region(LON, ServerFault::Crash));
    })
}

fn herd_in_a_crowd() -> Vector {
    let what = "A region is lost and the next one leaves dials without an answer: this client, one of a herd, goes on by chance, and more and more slowly.";
    vector(what, Policy::fleet(), 1, secs(40), |scenario| {
        for each in [1, 2] {
            scenario.at(secs(10), region(each, ServerFault::Freeze));
        }
        scenario.at(secs(10), region(LON, ServerFault::Crash));
    })
}

fn local_trouble() -> Vector {
    let what = "Nothing answers anywhere: the trouble is here, so no region is charged. Whoever answers first afterwards takes over.";
    vector(what, Policy::interactive(), 1, secs(60), |scenario| {
        scenario.at(secs(10), Fault::Client { client: 0, what: ClientFault::CutOut });
        scenario.at(secs(30), Fault::Client { client: 0, what: ClientFault::Heal });
    })
}

fn lame_duck() -> Vector {
    let what = "The server in use announces its end: a sibling, make before break.";
    vector(what, Policy::interactive(), 1, secs(20), |scenario| {
        for server in 0..2 {
            scenario.at(secs(5), Fault::Server { server, what: ServerFault::LameDuck });
        }
    })
}

fn refused_credentials() -> Vector {
    let what = "The credentials are revoked everywhere: one server of each region is asked, then again with longer and longer waits.";
    vector(what, Policy::interactive(), 1, secs(60), |scenario| {
        for each in 0..3 {
            scenario.at(secs(5), region(each, ServerFault::Lock));
        }
    })
}
