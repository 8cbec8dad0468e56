//! Tests of the limits of each condition.

use super::*;
use crate::guard::from_toml;

const NOW: Time = Time::from_secs(1_780_000_000);
const HOUR: Time = Time::from_secs(3_600);

fn rule(keys: &str) -> Rule {
    let text = format!("[[rule]]\nname = \"a\"\ndo = \"warn\"\n{}\n", keys.replace("; ", "\n"));
    from_toml(&text, "test.toml").unwrap_or_else(|error| panic!("{error}")).rules.remove(0)
}

fn server(name: &str, connections: u64, slow_consumers: u64) -> ServerSeen {
    let region = name.split('-').next().unwrap().to_owned();
    ServerSeen { region, name: name.to_owned(), id: format!("N{name}"), connections, slow_consumers }
}

fn look(servers: &[ServerSeen]) -> Observations {
    let view = View { region: "lon".to_owned(), servers: servers.to_vec() };
    Observations { views: vec![view], ..Observations::default() }
}

/// Judges after the history learnt the look.
fn judged(rule: &Rule, seen: &Observations, history: &mut History, now: Time) -> Vec<(String, Evidence)> {
    history.learn(std::slice::from_ref(rule), seen, now);
    match judge(rule, seen, history, now) {
        Judged::Known { findings, .. } => {
            findings.into_iter().map(|(subject, evidence)| (subject.subject, evidence)).collect()
        }
        Judged::Unknown(reason) => panic!("{reason}"),
    }
}

/// A case with an action about this subject.
fn holding(subject: &str) -> History {
    let mut history = History::default();
    let subject = Subject { subject: subject.to_owned(), region: String::new() };
    let episode = crate::guard::history::Episode { since: NOW, acted: Some(NOW), is_held_back: false };
    history.episodes.insert((0, subject), episode);
    history
}

#[test]
fn load_is_uneven_above_a_share_of_the_mean() {
    let rule = rule("when = \"load-uneven\"; percent = 50");
    for (connections, is_uneven) in [
        (&[30, 0, 0][..], true),
        (&[16, 10, 4], true),
        (&[15, 10, 5], false),
        (&[3, 2, 1], false),
        (&[2, 0, 0], false),
        (&[3, 0, 0], true),
        (&[0, 0, 0], false),
        (&[50], false),
        (&[], false),
    ] {
        let servers: Vec<_> =
            connections.iter().zip(1..).map(|(n, i)| server(&format!("lon-{i}"), *n, 0)).collect();
        let found = judged(&rule, &look(&servers), &mut History::default(), NOW);
        assert_eq!(!found.is_empty(), is_uneven, "{connections:?}: {found:?}");
    }
    let servers = [server("lon-1", 30, 0), server("lon-2", 10, 0), server("ams-1", 99, 0)];
    let found = judged(&rule, &look(&servers), &mut History::default(), NOW);
    let evidence =
        Evidence::LoadUneven { server: "lon-1".to_owned(), connections: 30, mean: 20.0, above_percent: 50.0 };
    assert!(found.is_empty(), "50 % is not above 50 %, unlike {evidence:?}");
    let text = evidence.to_string();
    assert_eq!(text, "is uneven: lon-1 has 30 connections, 50 % above the mean of 20.0");
}

#[test]
fn other_regions_than_those_of_the_rule_are_left_out() {
    let servers =
        [server("lon-1", 30, 0), server("lon-2", 0, 0), server("ams-1", 40, 0), server("ams-2", 0, 0)];
    for (keys, regions) in [
        ("when = \"load-uneven\"", &["ams", "lon"][..]),
        ("when = \"load-uneven\"; regions = [\"lon\"]", &["lon"]),
        ("when = \"load-uneven\"; regions = [\"dal\"]", &[]),
    ] {
        let found = judged(&rule(keys), &look(&servers), &mut History::default(), NOW);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, regions, "{keys}");
    }
}

#[test]
fn a_certificate_is_judged_by_its_end_and_kept_while_its_server_is_away() {
    let rule = rule("when = \"certificate-expires\"; within = \"7d\"");
    let mut history = History::default();
    for (left, expected) in [
        (24 * 3 * HOUR, Some("has a certificate that expires in 3.0 days")),
        (24 * 7 * HOUR, Some("has a certificate that expires in 7.0 days")),
        (24 * 7 * HOUR + HOUR, None),
        (Time::ZERO, Some("has a certificate that expired 0s ago")),
    ] {
        let mut seen = look(&[server("lon-1", 0, 0)]);
        seen.certificates.push(CertificateSeen { server: "lon-1".to_owned(), not_after: NOW + left });
        let found = judged(&rule, &seen, &mut history, NOW);
        let text = found.first().map(|(_, evidence)| evidence.to_string());
        assert_eq!(text.as_deref(), expected, "{left:?}");
    }
    let mut seen = look(&[server("lon-1", 0, 0)]);
    seen.certificates.push(CertificateSeen { server: "lon-1".to_owned(), not_after: NOW - 5 * HOUR });
    let found = judged(&rule, &seen, &mut history, NOW);
    assert_eq!(found[0].1.to_string(), "has a certificate that expired 5.0 hours ago");

    let history = holding("lon-1");
    let Judged::Known { findings, unknown } = judge(&rule, &look(&[]), &history, NOW) else { panic!() };
    assert!(findings.is_empty() && unknown.contains("lon-1"), "{unknown:?}");
}

#[test]
fn a_stream_lags_by_more_than_the_bound() {
    let rule = rule("when = \"stream-lag\"; messages = 100; streams = [\"orders\", \"sales\"]");
    let copy = |stream: &str, lag| CopySeen {
        stream: stream.to_owned(),
        source: "o".to_owned(),
        lag,
        ..CopySeen::default()
    };
    let mut seen = Observations {
        copies: Some(vec![copy("orders", 101), copy("sales", 100), copy("other", 999)]),
        ..Observations::default()
    };
    let found = judged(&rule, &seen, &mut History::default(), NOW);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "orders from o");
    let history = holding("orders from o");
    seen.copies = Some(Vec::new());
    seen.unlisted = vec![CopySeen::prefix("", Some("orders"))];
    let Judged::Known { unknown, .. } = judge(&rule, &seen, &history, NOW) else { panic!() };
    assert!(unknown.contains("orders from o"), "a stream that was not listed has not healed");
    seen.copies = None;
    seen.unseen.insert(STREAMS.to_owned(), "no answer".to_owned());
    let unknown = judge(&rule, &seen, &History::default(), NOW);
    assert_eq!(unknown, Judged::Unknown("no answer".to_owned()), "streams do not need a view of the servers");
}

#[test]
fn slow_consumers_are_counted_from_the_first_look_in_a_span() {
    let rule = rule("when = \"slow-consumers\"; count = 3; within = \"1m\"");
    let mut history = History::default();
    let mut at = |second, count| {
        let now = NOW + Time::from_secs(second);
        judged(&rule, &look(&[server("lon-1", 0, count)]), &mut history, now)
    };
    assert!(at(0, 40).is_empty(), "guard did not see how the first 40 came");
    assert!(at(10, 42).is_empty());
    let found = at(20, 43);
    assert_eq!(found[0].1, Evidence::SlowConsumers { before: 40, now: 43, within_s: 20.0 });
    assert_eq!(at(60, 43).len(), 1, "43 is 3 more than 60 s ago");
    assert!(at(90, 43).is_empty(), "43 is 0 more than 70 s ago");
    assert!(at(100, 0).is_empty(), "the server restarted");
    assert!(at(110, 2).is_empty());
    assert!(at(170, 4).is_empty(), "4 is 2 more than 60 s ago");
    assert_eq!(at(175, 5).len(), 1);
}
