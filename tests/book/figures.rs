//! Pictures of what the selector knows and decides: a simulated client, and its snapshots at a few moments. And the drawing of
//! a super-cluster, as `loadgen graph` makes it.

use std::fmt::Write as _;
use std::time::Duration;

use loadgen::look::graph::{GatewayLink, Graph, LeafLink, Region, RegionServer};
use nats_geo::core::{Call, Config, Log, Selector, Snapshot, Time};
use nats_geo::sim::{Fault, Scenario, ServerFault, run};

/// (File name, SVG) of each picture.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![("silent-region.svg", silent_region()), ("topology.svg", topology().to_svg())]
}

/// Three regions and a cluster of leaf nodes. One server of dal has no connection to ams.
fn topology() -> Graph {
    let region = |name: &str| Region {
        name: name.to_owned(),
        servers: (1..=3)
            .map(|number| RegionServer { name: format!("{name}-{number}"), version: "2.15.1".to_owned() })
            .collect(),
    };
    let gateway = |a: &str, b: &str, from_b, rtt_ms| GatewayLink {
        a: a.to_owned(),
        b: b.to_owned(),
        from_a: 3,
        from_b,
        complete: from_b == 3,
        rtt_ms: Some(rtt_ms),
    };
    let leaf = LeafLink {
        hub: "ams".to_owned(),
        leaf: "cinema-a".to_owned(),
        hub_is_known: true,
        accounts: vec!["ACC".to_owned(), "SYS".to_owned()],
        rtt_ms: Some(14.2),
    };
    Graph {
        regions: ["ams", "cinema-a", "dal", "lon"].map(region).into(),
        gateways: vec![
            gateway("ams", "dal", 2, 120.3),
            gateway("ams", "lon", 3, 9.1),
            gateway("dal", "lon", 3, 113.2),
        ],
        leafs: vec![leaf],
        ..Graph::default()
    }
}

/// lon falls silent for two minutes, and answers again.
fn silent_region() -> String {
    let secs = Duration::from_secs;
    let mut scenario = Scenario::super_cluster("lon is silent", vec![(0, Config::interactive())]);
    scenario.at(secs(60), Fault::Region { region: 0, what: ServerFault::Freeze });
    scenario.at(secs(180), Fault::Region { region: 0, what: ServerFault::Thaw });
    scenario.lasts = secs(400);
    let report = run(&scenario, 7).expect("no rule is broken");
    let moments = [
        (Duration::from_millis(59_900), "Before the fault: the client is in the nearest region"),
        (Duration::from_millis(61_000), "1 s after lon fell silent: traffic is in ams"),
        (secs(120), "1 min after: probes of lon fail"),
        (secs(395), "lon has been healthy for 3.5 min: the client has failed back"),
    ];
    let snapshots = snapshots(&report.clients[0].log, &moments.map(|(at, _)| Time::from_start(at)));
    let panels: Vec<_> = moments.iter().map(|(_, title)| *title).zip(snapshots).collect();
    draw(&panels)
}

/// The state at each of these times, in ascending order.
fn snapshots(log: &Log, times: &[Time]) -> Vec<Snapshot> {
    let mut selector = Selector::new(log.config.clone(), log.seed, log.started).unwrap();
    let mut wanted = times.iter().peekable();
    let mut taken = Vec::new();
    for (now, call) in &log.calls {
        while let Some(at) = wanted.next_if(|at| *at <= now) {
            taken.push(selector.snapshot(*at));
        }
        match call {
            Call::Event(event) => selector.handle_event(event.clone(), *now),
            Call::Timeout => selector.handle_timeout(*now),
            _ => panic!("a call that this picture does not know"),
        }
        while selector.poll_action().is_some() {}
    }
    assert_eq!(taken.len(), times.len(), "the client lived too short");
    taken
}

/// A panel for each snapshot, a bar for the first server of each region.
fn draw(panels: &[(&str, Snapshot)]) -> String {
    let mut body = String::new();
    let mut y = 24.0;
    for (title, snapshot) in panels {
        let _ = writeln!(body, "<text x='16' y='{y}' class='title'>{title}</text>");
        y += 12.0;
        let mut seen = Vec::new();
        for server in &snapshot.ranking {
            if seen.contains(&server.region) {
                continue;
            }
            seen.push(server.region.clone());
            let is_active = snapshot.active.as_ref().is_some_and(|active| active.region == server.region);
            let ms = server.base_rtt.map_or(0.0, |rtt| rtt.as_secs_f64() * 1e3);
            let (class, mark) = if is_active { ("active", "traffic goes here; ") } else { ("idle", "") };
            let width = (ms * 2.2).max(2.0);
            let _ = writeln!(
                body,
                "<text x='16' y='{}' class='name'>{}. {}</text><rect x='84' y='{y}' width='{width:.1}' height='14' rx='3' \
                 class='{class}'/><text x='{:.1}' y='{}' class='text'>{ms:.1} ms: {mark}{}</text>",
                y + 12.0,
                seen.len(),
                server.region.as_str(),
                92.0 + width,
                y + 12.0,
                server.reason,
            );
            y += 20.0;
        }
        y += 24.0;
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 720 {:.0}' font-family='sans-serif' font-size='13'>\n\
         <style>.title{{font-weight:bold}} .name,.text,.title{{fill:#222}} .active{{fill:#2e7d32}} .idle{{fill:#9fa8da}}</style>\n\
         <rect width='720' height='{:.0}' fill='#fafafa'/>\n{body}</svg>\n",
        y - 16.0,
        y - 16.0,
    )
}
