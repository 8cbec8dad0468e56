//! Tests of a server that sends invalid data. It costs the client at most a link, and causes no loop of new links.

use arbitrary::Unstructured;
use nats_geo_fuzz::server_bytes;
use proptest::prelude::*;

use super::servers::{NOTHING, Servers};

/// Links that may follow: the burst of the dial budget, the probes of both servers after each of them, and what time adds.
const LINKS_MAX: usize = 60;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_a_server_sends_costs_a_link_at_most(
        said in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 40..200), 1..4),
    ) {
        let mut servers = Servers::live("");
        let now = servers.now();
        servers.engine().subscribe(7, "steady", None, None, now).unwrap();
        servers.run(20, NOTHING);
        let opened = servers.script.opened().len();
        for bytes in &said {
            let Some(home) = servers.script.engine.live else { continue };
            let bytes = server_bytes(&mut Unstructured::new(bytes)).unwrap_or_default();
            servers.script.say(home, &bytes);
            servers.run(50, NOTHING);
        }
        // Whatever became of the link, in the end another message of the subscription arrives.
        let delivered = |servers: &mut Servers| {
            let before = servers.script.frames;
            if let Some(home) = servers.script.engine.live {
                servers.script.say(home, b"MSG steady 7 2\r\nhi\r\n");
            }
            servers.run(100, NOTHING);
            servers.script.frames > before
        };
        let is_delivered = (0..300).any(|_| delivered(&mut servers));
        let is_closed = servers.script.engine.is_closed();
        // The server may say that the subscription is not allowed, or that it has too many.
        let is_ended = !servers.script.engine.subscriptions.contains_key(&7);
        prop_assert!(is_delivered || is_ended || is_closed, "{:?}", servers.script.effects.last());
        prop_assert!(!is_closed, "a client that was connected goes on");
        let links = servers.script.opened().len() - opened;
        prop_assert!(links <= LINKS_MAX, "{links} links within 30 s");
        prop_assert!(servers.script.engine.links.len() <= 10);
    }
}
