//! This module repeats the lookup of a DNS name, and reports the servers of the name.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use tokio::sync::mpsc;

use super::{Dns, DnsAnswer, DnsError, DnsServer, lookup};
use crate::native::clock;
use crate::native::found::Finding;

/// Asks until nobody listens any more.
pub(crate) async fn watch(origin: usize, dns: Dns, findings: mpsc::Sender<Finding>) {
    let mut asker = Asker { resolver: None, dns };
    let mut present = Present::default();
    let mut failures = 0;
    loop {
        let answer = tokio::select! {
            answer = asker.ask() => answer,
            () = findings.closed() => return,
        };
        let (servers, wait) = match answer {
            Ok(answer) => {
                failures = 0;
                let wait = after_answer(answer.valid_for, random());
                let leaves = present.update(answer, clock::now(), asker.dns.grace);
                let found = present.servers().map(|server| asker.dns.found(server.clone())).collect();
                (Ok(found), leaves.map_or(wait, |leaves| wait.min(leaves)))
            }
            Err(error) => {
                failures += 1;
                (Err(error.to_string()), after_failure(failures, random()))
            }
        };
        if findings.send(Finding { origin, servers }).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = findings.closed() => return,
        }
    }
}

/// A resolver, which is made again after a failure: its connections may be what failed.
struct Asker {
    resolver: Option<TokioResolver>,
    dns: Dns,
}

impl Asker {
    async fn ask(&mut self) -> Result<DnsAnswer, DnsError> {
        let asking = async {
            let resolver = match self.resolver.take() {
                Some(resolver) => resolver,
                None => self.dns.resolver.connect().await?,
            };
            let answer = lookup::look_up(&resolver, &self.dns.question()).await?;
            self.resolver = self.dns.resolver.is_lasting().then_some(resolver);
            Ok(answer)
        };
        match tokio::time::timeout(lookup::LIMIT, asking).await.unwrap_or(Err(DnsError::TimedOut)) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.dns.resolver.explained(error).await),
        }
    }
}

/// The servers of the last answer, and those that have vanished from it lately.
#[derive(Debug, Default)]
struct Present {
    servers: Vec<(DnsServer, Option<Instant>)>,
}

impl Present {
    /// Takes a new answer. Returns when the next server is to be left out.
    fn update(&mut self, answer: DnsAnswer, now: Instant, grace: Duration) -> Option<Duration> {
        let gone = |server: &DnsServer| {
            !answer.servers.iter().any(|other| (&other.host, other.port) == (&server.host, server.port))
        };
        let vanished: Vec<_> = std::mem::take(&mut self.servers)
            .into_iter()
            .filter(|(server, _)| gone(server))
            .map(|(server, since)| (server, Some(since.unwrap_or(now))))
            .filter(|(_, since)| since.is_none_or(|since| now.saturating_duration_since(since) < grace))
            // Those that vanished last stand in front.
            .take(lookup::SERVERS_MAX)
            .collect();
        self.servers = answer.servers.into_iter().map(|server| (server, None)).chain(vanished).collect();
        let since = self.servers.iter().filter_map(|(_, since)| *since).min()?;
        Some(grace.saturating_sub(now.saturating_duration_since(since)))
    }

    fn servers(&self) -> impl Iterator<Item = &DnsServer> {
        self.servers.iter().map(|(server, _)| server)
    }
}

/// Records that are not to be kept at all (TTL 0) are asked for once a second all the same, and no oftener.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// A record may live for days, but a server that is added should serve within minutes.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Records expire in a cache for everybody at once: this much of their life later, a fleet does not ask as one.
const JITTER: f64 = 0.2;

fn after_answer(valid_for: Duration, random: f64) -> Duration {
    valid_for.clamp(WAIT_MIN, WAIT_MAX).mul_f64(1.0 + JITTER * random)
}

/// From 1 s, doubled each time, with full jitter in the upper half: 60 s is soon enough for one that stays down.
fn after_failure(failures: u32, random: f64) -> Duration {
    const FIRST: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(60);
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(MAX).mul_f64(0.5 + 0.5 * random)
}

/// Between 0 and 1, another one at every call.
fn random() -> f64 {
    let hash = RandomState::new().hash_one(0_u8);
    f64::from((hash >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hosts: &[&str]) -> DnsAnswer {
        let servers = hosts.iter().map(|host| DnsServer {
            host: (*host).to_owned(),
            port: 4222,
            addresses: Vec::new(),
            priority: Some(0),
            weight: 0,
        });
        DnsAnswer { servers: servers.collect(), valid_for: Duration::ZERO }
    }

    #[test]
    fn a_server_that_vanishes_stays_for_the_grace_and_may_come_back() {
        let grace = Duration::from_secs(60);
        let start = clock::now();
        let mut present = Present::default();
        let hosts =
            |present: &Present| present.servers().map(|server| server.host.clone()).collect::<Vec<_>>();
        assert_eq!(present.update(answer(&["a", "b"]), start, grace), None);
        let later = start + Duration::from_secs(10);
        assert_eq!(present.update(answer(&["b", "c"]), later, grace), Some(grace));
        assert_eq!(hosts(&present), ["b", "c", "a"]);
        let later = start + Duration::from_secs(69);
        assert_eq!(present.update(answer(&["b", "c"]), later, grace), Some(Duration::from_secs(1)));
        let later = start + Duration::from_secs(70);
        assert_eq!(present.update(answer(&["b", "c"]), later, grace), None);
        assert_eq!(hosts(&present), ["b", "c"]);
        assert!(present.update(answer(&["c"]), later, grace).is_some());
        assert_eq!(present.update(answer(&["b", "c"]), later, grace), None, "it came back");
    }

    #[test]
    fn a_name_that_has_other_servers_each_time_is_not_remembered_without_end() {
        let (start, mut present) = (clock::now(), Present::default());
        for round in 0..10 * lookup::SERVERS_MAX {
            present.update(answer(&[&round.to_string()]), start, Duration::MAX);
        }
        let left: Vec<_> = present.servers().map(|server| server.host.clone()).collect();
        assert_eq!(left.len(), lookup::SERVERS_MAX + 1);
        assert_eq!(left[..2], ["639", "638"]);
    }

    #[test]
    fn waiting_times_are_bounded_and_differ() {
        assert_eq!(after_answer(Duration::ZERO, 0.0), WAIT_MIN);
        assert_eq!(after_answer(Duration::MAX, 1.0), WAIT_MAX.mul_f64(1.2));
        assert_eq!(after_answer(Duration::from_secs(30), 0.5), Duration::from_secs(33));
        assert_eq!(after_failure(1, 0.0), Duration::from_millis(500));
        assert_eq!(after_failure(4, 1.0), Duration::from_secs(8));
        assert_eq!(after_failure(u32::MAX, 1.0), Duration::from_secs(60));
        assert!((0..100).map(|_| random()).all(|random| (0.0..=1.0).contains(&random)));
        assert!(random().to_bits() != random().to_bits());
    }
}
