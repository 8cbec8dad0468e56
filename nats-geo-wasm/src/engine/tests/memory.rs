//! Tests of the memory of an earlier client that no longer fits the servers, and of options that are certainly
//! mistakes.

use super::super::*;
use super::Script;
use super::servers::{NOTHING, Servers};
use nats_geo::core::Config;

fn started_with(memory: &str) -> Script {
    let json = format!(
        r#"{{"servers":["ws://a:1","ws://b:1"],"preset":"interactive","memory":{{"servers":[{memory}]}}}}"#
    );
    Script::new(Options::from_json(&json, 1, [2, 0]).unwrap())
}

#[test]
fn memory_of_other_servers_does_not_hurry_the_first_choice() {
    let mut script = started_with(r#"{"url":"ws://gone:1","rtt_ms":9,"id":"G"}"#);
    let probes = script.opened();
    assert_eq!(probes.len(), 2);
    script.greet(probes[0]);
    assert_eq!(script.opened(), probes, "the other one may be nearer");
    script.greet(probes[1]);
    script.later(100);
    assert_eq!(script.opened().len(), 3);
}

#[test]
fn nonsense_in_memory_harms_nobody() {
    for rtt in ["1e21", "1.8e22", "1e300", "0", "1e-300"] {
        let mut script =
            started_with(&format!(r#"{{"url":"ws://a:1","rtt_ms":{rtt},"id":"A","cluster":""}}"#));
        script.later(100);
        for socket in script.opened() {
            script.greet(socket);
        }
        script.later(100);
        let snapshot = script.engine.snapshot(script.now);
        assert!(serde_json::from_str::<serde_json::Value>(&snapshot).is_ok(), "{rtt}: {snapshot}");
    }
}

#[test]
fn extreme_fields_of_the_policy_are_refused_or_harmless() {
    let mut refused = 0;
    for (section, names) in config::tests::sections(&Config::fleet()) {
        for (name, value) in
            names.iter().flat_map(|name| ["0", "1e300", "4294967295"].map(|value| (name, value)))
        {
            let json = format!(
                r#"{{"servers":["lon=ws://a:1","ams=ws://b:1"],"warmStandby":true,"config":{{"{section}":{{"{name}":{value}}}}}}}"#
            );
            let options = Options::from_json(&json, 1, [2, 0]);
            let Some(mut servers) = options.ok().and_then(Servers::of) else {
                refused += 1;
                continue;
            };
            servers.run(300, NOTHING);
            for _ in 0..2 {
                if let Some(live) = servers.engine().live {
                    servers.announce_the_end(live);
                }
                servers.run(150, NOTHING);
                servers.script.later(20_000);
                if let Some(live) = servers.engine().live {
                    servers.close(live);
                }
                servers.run(150, NOTHING);
            }
            assert!(servers.engine().poll_timeout().is_some(), "{json}");
        }
    }
    assert!((40..140).contains(&refused), "{refused} of 180");
}
