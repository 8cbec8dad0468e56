//! Clients that find their servers by DNS, on real servers and a real DNS server.

use serde_json::Value;

use crate::own::play;

/// The clients of the strategy `google` come while their resolver fails; those of `cloudflare` are not hit.
const RESOLVERS: &str = r#"
title = "One of two resolvers fails"
resolvers = ["google", "cloudflare"]
faults = ["dns-fail:google@0s/4s"]
thresholds = ["requests.sent{phase=broken} > 0", "requests.sent{phase=after} > 0"]
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
[[clients]]
name = "geo"
kind = "nats-geo"
discovery = "dns"
stages = ["lon: 0..1 over 1ms at 500ms"]
[[workload]]
kind = "request"
[[phase]]
name = "broken"
for = "4s"
[[phase]]
name = "connecting"
for = "5s"
[[phase]]
name = "after"
for = "1s"
[[strategy]]
name = "cloudflare"
set = { "clients.geo.resolver" = "cloudflare" }
[[strategy]]
name = "google"
set = { "clients.geo.resolver" = "google" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn strategies_compare_resolvers() {
    let played = play(RESOLVERS, &["--seed", "3"]).await;
    let rows = played.report["thresholds"].as_array().unwrap();
    for strategy in ["cloudflare", "google"] {
        let is_of = |row: &&Value| row["text"].as_str().unwrap().starts_with(&format!("{strategy}: "));
        let of: Vec<_> = rows.iter().filter(is_of).collect();
        assert_eq!(of.len(), 2, "{rows:?}");
        for row in of {
            let is_late = strategy == "google" && row["text"].as_str().unwrap().contains("broken");
            assert_eq!(row["holds"], !is_late, "{row} of {strategy}");
        }
    }
    assert!(played.text.contains("DNS of google failing"), "{}", played.text);
}
