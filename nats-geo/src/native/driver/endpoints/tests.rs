//! Tests of the endpoints that the driver knows after servers are listed, advertised, looked up or removed.

use super::*;
use crate::native::target::Scheme;
use crate::native::{IntoServers as _, Secret};

fn endpoints(list: &str) -> Endpoints {
    Endpoints::new(list.into_servers().unwrap(), Vec::new(), &Auth::None, false)
}

#[test]
fn what_is_known_already_is_not_discovered_again() {
    let mut endpoints = endpoints("lon=a:1,b:1,a:1");
    assert_eq!(endpoints.listed().len(), 2);
    let events = endpoints.advertised(EndpointId(0), None, &["a:1".into(), "c:1".into(), "c:1".into()]);
    let expected = Endpoint::new(EndpointId(2), "c:1").with_label("lon").gossiped();
    assert_eq!(events, [Event::Discovered(expected)]);
    assert!(endpoints.advertised(EndpointId(0), None, &["c:1".into()]).is_empty());
}

#[test]
fn advertised_endpoints_are_bounded_and_nonsense_is_skipped() {
    let mut endpoints = endpoints("a:1");
    assert!(endpoints.advertised(EndpointId(0), None, &["".into(), "b:0".into(), "x y".into()]).is_empty());
    for port in 1..=200 {
        endpoints.advertised(EndpointId(0), None, &[format!("b:{port}")]);
    }
    assert_eq!(endpoints.known.len(), 1 + GOSSIPED_MAX);
    assert!(endpoints.target(EndpointId(0)).is_some(), "what the user listed stays");
}

#[test]
fn advertised_endpoints_inherit_the_credentials_of_the_listed_ones() {
    let mut endpoints = endpoints("nats://t0k3n@a:1");
    endpoints.advertised(EndpointId(0), None, &["b:1".into()]);
    assert_eq!(endpoints.target(EndpointId(1)).unwrap().auth, Auth::Token(Secret::from("t0k3n")));
}

#[test]
fn advertised_numbers_are_held_to_the_name_that_was_listed() {
    let mut endpoints = endpoints("wss://lon.test:1");
    endpoints.advertised(EndpointId(0), None, &["10.0.0.1:1".into(), "lon-2.test:1".into()]);
    let target = |id| endpoints.target(EndpointId(id)).unwrap();
    assert_eq!((target(1).name(), target(1).scheme), ("lon.test", Scheme::Wss));
    assert_eq!((target(2).name(), target(2).scheme), ("lon-2.test", Scheme::Wss));
    endpoints.advertised(EndpointId(1), None, &["[::1]:1".into()]);
    assert_eq!(endpoints.target(EndpointId(3)).unwrap().name(), "lon.test", "at second hand");
}

#[test]
fn a_new_list_keeps_what_is_in_both_and_forgets_what_was_advertised() {
    let mut endpoints = endpoints("lon=a:1,b:1");
    endpoints.advertised(EndpointId(0), Some("lon"), &["c:1".into()]);
    let events = endpoints.relist("nats://t0k3n@b:1,d:1".into_servers().unwrap());
    let expected = [
        Event::Withdrawn(EndpointId(0)),
        Event::Withdrawn(EndpointId(2)),
        Event::Discovered(Endpoint::new(EndpointId(1), "b:1")),
        Event::Discovered(Endpoint::new(EndpointId(3), "d:1")),
    ];
    assert_eq!(events, expected);
    assert_eq!(endpoints.target(EndpointId(1)).unwrap().auth, Auth::Token(Secret::from("t0k3n")));
}

#[test]
fn an_advertised_address_belongs_to_the_cluster_that_advertised_it() {
    let mut endpoints = endpoints("a:1");
    endpoints.advertised(EndpointId(0), Some("lon"), &["c:1".into()]);
    let mut found = |cluster| endpoints.contradiction(EndpointId(1), cluster);
    assert_eq!(found(Some("lon")), None);
    assert_eq!(found(Some("evil")), Some(("cluster `lon`".into(), "cluster `evil`".into())));
    assert!(found(None).is_some());
    assert_eq!(endpoints.contradiction(EndpointId(0), Some("evil")), None, "what the user listed");
    // Another cluster advertises it as well, and is right.
    endpoints.advertised(EndpointId(0), Some("ams"), &["c:1".into()]);
    assert_eq!(endpoints.contradiction(EndpointId(1), Some("ams")), None);
}

#[test]
fn found_servers_come_and_go_but_for_those_in_use_and_those_listed() {
    let origin = Origin {
        name: "nats.test".into(),
        scheme: Scheme::Tls,
        region: None,
        auth: Auth::Token(Secret::from("t")),
    };
    let mut endpoints = Endpoints::new("listed:1".into_servers().unwrap(), vec![origin], &Auth::None, false);
    let found = |host: &str| Found {
        address: Address { host: host.into(), port: 1, path: String::new() },
        held_to: None,
        resolved: vec!["127.0.0.1".parse().unwrap()],
        weight: 0,
    };
    let events = endpoints.found(0, vec![found("a"), found("b"), found("listed")], &[]);
    assert_eq!(events.len(), 2, "{events:?}");
    let heavier = vec![Found { weight: 7, ..found("a") }, found("b")];
    let events = endpoints.found(0, heavier, &[]);
    assert!(matches!(&events[..], [Event::Discovered(a)] if a.weight == 7), "{events:?}");
    let a = endpoints.target(EndpointId(1)).unwrap();
    assert_eq!((a.scheme, a.auth, a.resolved.len()), (Scheme::Tls, Auth::Token(Secret::from("t")), 1));
    assert_eq!(endpoints.origin(0), ("nats.test".into(), 2));

    let in_use = [EndpointId(2)];
    assert_eq!(endpoints.found(0, vec![], &in_use), [Event::Withdrawn(EndpointId(1))]);
    assert_eq!(endpoints.found(0, vec![], &[]), [Event::Withdrawn(EndpointId(2))]);
    assert!(endpoints.target(EndpointId(0)).is_some(), "what the user listed stays");
}

#[test]
fn what_asked_for_tls_once_is_never_spoken_to_in_clear_again() {
    let mut endpoints = endpoints("a:1");
    let reached = "127.0.0.1:1".parse().unwrap();
    let mut info = Info { tls_required: true, ..Info::default() };
    endpoints.reached(EndpointId(0), reached, &info);
    info.tls_required = false;
    endpoints.reached(EndpointId(0), reached, &info);
    assert!(endpoints.target(EndpointId(0)).unwrap().asks_for_tls);
}
