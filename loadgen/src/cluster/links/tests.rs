//! Tests of the paths that a link selects, and of the combination of faults.

use super::*;
use crate::topology::Topology;

/// `KIND FROM->SERVER` of every path of three regions with one server each, and of leaf nodes in `edge` whose hub is `lon`.
fn paths(topology: &Topology) -> Vec<(LinkKind, String, ServerName)> {
    let regions = ["lon", "ams", "dal"];
    let mut paths = Vec::new();
    for from in regions.iter().chain(&["edge"]) {
        for to in topology.servers() {
            let mut add = |kind| paths.push((kind, (*from).to_owned(), to.clone()));
            LinkKind::CLIENTS.into_iter().for_each(&mut add);
            if *from != to.region() && *from != "edge" && to.region() != "edge" {
                add(LinkKind::Gateway);
            }
            if *from == "edge" && to.region() == "lon" {
                add(LinkKind::Leaf);
            }
        }
    }
    paths
}

fn refs(paths: &[(LinkKind, String, ServerName)]) -> Vec<PathRef<'_>> {
    paths.iter().map(|(kind, from, to)| PathRef { kind: *kind, from, to }).collect()
}

fn topology() -> Topology {
    Topology::new(["lon", "ams", "dal", "edge"], 1).unwrap()
}

fn selected(links: &Links) -> Vec<String> {
    let paths = paths(&topology());
    let selected = refs(&paths).into_iter().filter(|path| links.select(*path));
    selected.map(|path| format!("{} {}->{}", path.kind.as_str(), path.from, path.to)).collect()
}

fn region(name: &str) -> Links {
    Links::of(LinkScope::Region(name.to_owned()))
}

fn between(a: &str, b: &str) -> Links {
    Links::of(LinkScope::Between(a.to_owned(), b.to_owned()))
}

fn silence(links: Links) -> LinkFault {
    LinkFault { links, effect: LinkEffect::Silence(Silence::Both) }
}

#[test]
fn a_region_has_its_clients_and_both_directions_between_servers() {
    let tcp = region("lon").only([LinkKind::Tcp]);
    assert_eq!(selected(&tcp), ["tcp lon->lon-1", "tcp ams->lon-1", "tcp dal->lon-1", "tcp edge->lon-1"]);
    let others = tcp.from_other_regions();
    assert_eq!(selected(&others), ["tcp ams->lon-1", "tcp dal->lon-1", "tcp edge->lon-1"]);
    assert_eq!(
        selected(&region("lon").only(LinkKind::SERVERS)),
        [
            "gateway lon->ams-1",
            "gateway lon->dal-1",
            "gateway ams->lon-1",
            "gateway dal->lon-1",
            "leaf-node edge->lon-1"
        ]
    );
    assert_eq!(selected(&region("edge").only(LinkKind::SERVERS)), ["leaf-node edge->lon-1"]);
}

#[test]
fn a_server_has_the_links_that_dial_it() {
    let links =
        Links::of(LinkScope::Server("dal-1".to_owned())).only([LinkKind::WebSocket, LinkKind::Gateway]);
    assert_eq!(
        selected(&links),
        [
            "ws lon->dal-1",
            "gateway lon->dal-1",
            "ws ams->dal-1",
            "gateway ams->dal-1",
            "ws dal->dal-1",
            "ws edge->dal-1"
        ]
    );
}

#[test]
fn a_border_has_every_link_that_crosses_it() {
    let links = Links::of(LinkScope::Border("ams".to_owned())).only([LinkKind::Tcp, LinkKind::Gateway]);
    assert_eq!(
        selected(&links),
        [
            "tcp lon->ams-1",
            "gateway lon->ams-1",
            "tcp ams->lon-1",
            "gateway ams->lon-1",
            "tcp ams->dal-1",
            "gateway ams->dal-1",
            "tcp ams->edge-1",
            "tcp dal->ams-1",
            "gateway dal->ams-1",
            "tcp edge->ams-1"
        ]
    );
}

#[test]
fn two_regions_may_be_ordered() {
    let kinds = [LinkKind::Tcp, LinkKind::Gateway];
    let both = ["tcp lon->dal-1", "gateway lon->dal-1", "tcp dal->lon-1", "gateway dal->lon-1"];
    assert_eq!(selected(&between("dal", "lon").only(kinds)), both);
    let ordered = LinkScope::Dials { from: "dal".to_owned(), to: "lon".to_owned() };
    assert_eq!(selected(&Links::of(ordered).only(kinds)), &both[2..]);
    let own = LinkScope::Dials { from: "lon".to_owned(), to: "lon".to_owned() };
    assert_eq!(selected(&Links::of(own.clone()).only(kinds)), ["tcp lon->lon-1"]);
    assert_eq!(selected(&Links::of(own).from_other_regions()), Vec::<String>::new());
}

#[test]
fn the_faults_on_a_path_combine_until_each_ends() {
    let topology = topology();
    let paths = paths(&topology);
    let to_lon =
        refs(&paths).into_iter().find(|path| path.from == "ams" && path.to.region() == "lon").unwrap();
    let mut faults = LinkFaults::default();
    let refused = LinkFault { links: region("lon"), effect: LinkEffect::Refuse };
    let first = faults.begin(refused.clone());
    let second = faults.begin(silence(between("lon", "ams")));
    faults.begin(silence(region("dal")));
    let both = [LinkEffect::Refuse, LinkEffect::Silence(Silence::Both)];
    assert_eq!(faults.conditions(to_lon), Conditions::of(&both));
    assert!(faults.end(second).is_some() && faults.end(second).is_none());
    assert_eq!(faults.conditions(to_lon), Conditions::of(&both[..1]));
    assert!(faults.contains(&refused));
    faults.end_all(&[refused]);
    assert!(faults.end(first).is_none());
    assert_eq!(faults.conditions(to_lon), Conditions::default());
}

#[test]
fn a_region_is_separated_by_silence_on_all_of_its_links_between_servers() {
    let topology = topology();
    let paths = paths(&topology);
    let separated = |given: &[LinkFault]| {
        let mut faults = LinkFaults::default();
        for fault in given {
            faults.begin(fault.clone());
        }
        let regions: Vec<_> =
            faults.separated_regions(&refs(&paths)).into_iter().map(str::to_owned).collect();
        (regions, faults.cut_pairs(&refs(&paths)).len())
    };
    for fault in [LinkFault::blackhole("lon"), LinkFault::isolation("lon"), LinkFault::cut_off("lon")] {
        assert_eq!(separated(std::slice::from_ref(&fault)), (vec!["lon".to_owned()], 5), "{fault}");
    }
    let refused = LinkFault { effect: LinkEffect::Refuse, ..LinkFault::blackhole("lon") };
    assert_eq!(separated(&[refused]), (Vec::new(), 5), "a refusal leaves open connections alone");
    let slow = LinkEffect::Latency(crate::wan::Latency::Add(std::time::Duration::from_millis(1)));
    let slow = LinkFault { effect: slow, ..LinkFault::blackhole("lon") };
    assert_eq!(separated(&[slow]), (Vec::new(), 0));
    let clients = silence(region("lon").only(LinkKind::CLIENTS));
    assert_eq!(separated(&[clients]), (Vec::new(), 0));
    let half = silence(region("lon").only([LinkKind::Gateway]));
    assert_eq!(separated(&[half]), (Vec::new(), 4), "its leaf nodes still hear it");
    assert_eq!(separated(&[silence(between("lon", "ams"))]), (Vec::new(), 2));
}

#[test]
fn a_fault_says_what_it_does_where() {
    assert_eq!(
        LinkFault::cut_off("lon").to_string(),
        "silence on all links across the border of region `lon`"
    );
    let fault = LinkFault {
        links: Links::of(LinkScope::Server("lon-1".to_owned())).only(LinkKind::SERVERS),
        effect: LinkEffect::Latency(crate::wan::Latency::Add(std::time::Duration::from_micros(1_500))),
    };
    assert_eq!(
        fault.to_string(),
        "1.5 ms more round-trip time on gateway and leaf-node links to server `lon-1`"
    );
}
