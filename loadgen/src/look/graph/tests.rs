//! The graph of answers, and its drawing.

use serde_json::json;

use super::layout::{Link, lay};
use super::svg::{shorten, width};
use super::*;

fn server(cluster: &str, name: &str) -> ServerInfo {
    ServerInfo {
        name: name.to_owned(),
        cluster: cluster.to_owned(),
        version: "2.15.1".to_owned(),
        ..ServerInfo::default()
    }
}

fn answered<T: serde::de::DeserializeOwned>(server: &ServerInfo, data: serde_json::Value) -> Answered<T> {
    Answered { server: server.clone(), data: serde_json::from_value(data).unwrap(), rtt: Duration::ZERO }
}

/// `lon` with two servers and `ams` with one; a leaf node that answers, and one that does not.
fn graph() -> Graph {
    let servers =
        [server("lon", "lon-1"), server("lon", "lon-2"), server("ams", "ams-1"), server("", "cinema-a")];
    let to = |cluster: &str, rtt: &str| json!({ "outbound_gateways": { cluster: { "connection": { "rtt": rtt } } } });
    let gateways = [
        answered(&servers[0], to("ams", "9.5ms")),
        answered(&servers[1], json!({ "outbound_gateways": {} })),
        answered(&servers[2], to("lon", "9.1ms")),
    ];
    let leaf = |name: &str, account: &str, is_spoke: bool, rtt: &str| json!({ "name": name, "account": account, "is_spoke": is_spoke, "rtt": rtt });
    let hub = json!({ "leafs": [
        leaf("cinema-a", "SYS", false, "20ms"), leaf("cinema-a", "ACC", false, "21ms"),
        leaf("cinema-b", "ACC", false, "3.25s") ] });
    let spoke = json!({ "leafs": [leaf("lon-1", "LOCAL", true, "19ms"), leaf("lon-2", "SYS", true, "")] });
    let leafs = [answered(&servers[0], hub), answered(&servers[3], spoke)];
    Graph::new(&servers, &gateways, &leafs)
}

#[test]
fn both_ends_make_one_link() {
    let graph = graph();
    let names: Vec<_> =
        graph.regions.iter().map(|region| (region.name.as_str(), region.servers.len())).collect();
    assert_eq!(names, [("ams", 1), ("cinema-a", 1), ("cinema-b", 0), ("lon", 2)]);
    let gateway = GatewayLink {
        a: "ams".into(),
        b: "lon".into(),
        from_a: 1,
        from_b: 1,
        complete: false, // lon-2 has no connection
        rtt_ms: Some(9.1),
    };
    assert_eq!(graph.gateways, [gateway]);
    let leaf = |leaf: &str, accounts: &[&str], rtt_ms| LeafLink {
        hub: "lon".into(),
        leaf: leaf.into(),
        hub_is_known: true,
        accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
        rtt_ms: Some(rtt_ms),
    };
    assert_eq!(graph.leafs, [leaf("cinema-a", &["ACC", "SYS"], 19.0), leaf("cinema-b", &["ACC"], 3250.0)]);
    assert_eq!(graph.summary(), "4 regions with 4 servers, 1 gateway, 2 leaf node links");
    let partial = Graph { silent: 1, failed: vec!["broken".into()], ..graph };
    assert!(partial.summary().ends_with("; 2 without an answer"));
}

#[test]
fn servers_that_do_not_say_who_dialled_make_one_link() {
    let servers = [server("hub", "hub-1"), server("", "a-spoke")];
    let leafs = [
        answered(&servers[0], json!({ "leafs": [{ "name": "a-spoke", "account": "ACC" }] })),
        answered(&servers[1], json!({ "leafs": [{ "name": "hub-1", "account": "ACC" }] })),
    ];
    let graph = Graph::new(&servers, &[], &leafs);
    assert_eq!(graph.leafs.len(), 1);
    assert_eq!((graph.leafs[0].hub.as_str(), graph.leafs[0].rtt_ms), ("a-spoke", None));
}

/// As 2.9.10 answers.
#[test]
fn a_leaf_node_without_a_name_is_an_address() {
    let hub = server("hub", "hub-1");
    let leafs = json!({ "leafs": [
        { "account": "ACC", "ip": "10.0.0.7", "port": 46234, "rtt": "272µs" },
        { "account": "SYS", "ip": "10.0.0.7", "port": 46235 } ] });
    let graph = Graph::new(std::slice::from_ref(&hub), &[], &[answered(&hub, leafs)]);
    let link = LeafLink {
        hub: "10.0.0.7".into(),
        leaf: "hub".into(),
        hub_is_known: false,
        accounts: vec!["ACC".into(), "SYS".into()],
        rtt_ms: Some(0.272),
    };
    assert_eq!(graph.leafs, [link]);
    assert!(graph.to_svg().contains("Leaf node link between 10.0.0.7 and hub, 0.3 ms"));
}

/// The hub is newer and knows the leaf node's name; the leaf node is 2.9.10 and knows the hub's address.
#[test]
fn a_link_that_one_end_names_is_drawn_once() {
    let servers = [server("hub", "hub-1"), server("", "a-spoke")];
    let named = json!({ "leafs": [{ "name": "a-spoke", "account": "ACC", "is_spoke": false },
        { "name": "a-spoke", "account": "SYS", "is_spoke": false }] });
    let nameless = json!({ "leafs": [{ "account": "ACC", "ip": "10.0.0.1", "port": 7422 },
        { "account": "SYS", "ip": "10.0.0.1", "port": 7422 }] });
    let answers = [answered(&servers[0], named), answered(&servers[1], nameless)];
    let graph = Graph::new(&servers, &[], &answers);
    let links: Vec<_> = graph.leafs.iter().map(|link| (link.hub.as_str(), link.leaf.as_str())).collect();
    assert_eq!(links, [("hub", "a-spoke")]);
    assert!(graph.regions.iter().all(|region| region.name != "10.0.0.1"), "{:?}", graph.regions);
    // Another hub, which did not answer, carries an account that nobody else names.
    let other = json!({ "leafs": [{ "account": "OTHER", "ip": "10.0.0.9", "port": 7422 }] });
    let answers = [answers[0].clone(), answered(&servers[1], other)];
    assert_eq!(Graph::new(&servers, &[], &answers).leafs.len(), 2);
}

#[test]
fn the_drawing_says_everything_and_is_the_same_each_time() {
    let svg = graph().to_svg();
    assert_eq!(svg, graph().to_svg());
    for part in [
        "<title id=\"nats-graph-title\">",
        "Region lon: lon-1, lon-2. ",
        "Region cinema-b: no answer. ",
        "prefers-color-scheme:dark",
        "class=\"link partial\"",
        "class=\"link leaf\"",
        ">9.1 ms<",
        ">3250 ms<",
        "Leaf node cinema-a of lon, 19 ms. Accounts: ACC, SYS",
    ] {
        assert!(svg.contains(part), "{part} is missing: {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("\"-0\""), "{svg}");
}

#[test]
fn names_that_are_markup_or_too_long_do_no_harm() {
    let long = "us-east-1-very-long-name-of-a-region";
    let servers =
        [server("a<b>&\"\u{7}", "x"), server(long, "y"), server("日本日本日本日本日本日本日本", "z")];
    let svg = Graph::new(&servers, &[], &[]).to_svg();
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;\u{fffd}") && !svg.contains("a<b"), "{svg}");
    assert!(
        svg.contains("us-east-1-very-long-na…<title>us-east-1-very-long-name-of-a-region</title>"),
        "{svg}"
    );
    for name in [long, "日本日本日本日本日本日本日本", "short"] {
        assert!(width(&shorten(name)) <= layout::BOX_WIDTH, "{name}");
    }
    assert_eq!(shorten("short"), "short");
    assert!(Graph::default().to_svg().contains("0 regions"));
}

/// Every pair of regions has a gateway and, at the worst, a leaf node.
#[test]
fn nothing_overlaps_in_any_super_cluster() {
    for number in 1..=16 {
        for rows in [1, 9] {
            let heights: Vec<_> =
                (0..number).map(|index| 34.0 + 18.0 * f64::from((index % rows) + 1)).collect();
            let number = number as usize;
            let pairs = (0..number).flat_map(|from| (from + 1..number).map(move |to| (from, to)));
            let links: Vec<_> = pairs.map(|(from, to)| Link { from, to, label_width: 70.0 }).collect();
            let layout = lay(&heights, &links);
            let unplaced = layout.labels.iter().filter(|label| label.is_none()).count();
            assert_eq!(unplaced, 0, "{number} regions of {rows}");
            let all: Vec<_> = layout.boxes.iter().chain(layout.labels.iter().flatten()).collect();
            for (position, one) in all.iter().enumerate() {
                for other in &all[position + 1..] {
                    assert!(!one.is_near(other, 0.0), "{number} regions of {rows}: {one:?} {other:?}");
                }
                assert!(one.left() >= 0.0 && one.left() + one.width <= layout.width, "{one:?}");
                assert!(one.top() >= 0.0 && one.top() + one.height <= layout.height, "{one:?}");
            }
        }
    }
}

#[test]
fn a_second_line_between_the_same_boxes_lies_beside_the_first() {
    let link = Link { from: 0, to: 1, label_width: 70.0 };
    let layout = lay(&[50.0, 50.0], &[link, Link { from: 1, to: 0, ..link }]);
    assert_ne!(layout.curves[0].control, layout.curves[1].control);
    let [Some(first), Some(second)] = layout.labels[..] else { panic!("a label is missing") };
    assert!(!first.is_near(&second, 0.0));
}

#[test]
fn many_servers_are_a_number() {
    let servers: Vec<_> = (10..40).map(|number| server("lon", &format!("lon-{number}"))).collect();
    let svg = Graph::new(&servers, &[], &[]).to_svg();
    assert!(svg.contains(">and 18 more<title>lon-22, lon-23") && !svg.contains(">lon-22<"), "{svg}");
}
