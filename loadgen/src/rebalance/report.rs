//! The result of a rebalancing: tables, sentences and JSON.

use std::fmt::Write;

use serde::Serialize;

use super::asked::Tally;
use super::plan::is_even;
use crate::look::table::{add, count, titled};
use crate::text_table::table;

/// A rebalancing from its first look to its last.
#[derive(Clone, Debug, Serialize)]
pub struct RebalanceReport {
    /// The distance from the mean that counts as even.
    pub within_percent: u8,
    /// Whether no client was asked, because the operator only wanted the plan.
    pub dry_run: bool,
    /// Servers that the others know, but that did not answer the last look.
    pub silent: usize,
    /// The clients before the first batch.
    pub before: Vec<ClusterRow>,
    /// The batches, in their order.
    pub batches: Vec<BatchRow>,
    /// The clients after the last batch.
    pub after: Vec<ClusterRow>,
    /// The result of each cluster.
    pub results: Vec<ResultRow>,
    /// Clients that were asked, and stayed.
    pub stayed: Vec<StayedRow>,
    /// Whether the servers of each cluster have equally many clients.
    pub even: bool,
}

/// The clients of a cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ClusterRow {
    /// Its name.
    pub cluster: String,
    /// Its servers, by name.
    pub servers: Vec<ServerRow>,
}

/// The clients of a server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ServerRow {
    /// Its name.
    pub name: String,
    /// Its public key.
    pub id: String,
    /// Clients of applications that are connected.
    pub clients: usize,
}

/// Clients that were asked at once.
#[derive(Clone, Debug, Serialize)]
pub struct BatchRow {
    /// The cluster.
    pub cluster: String,
    /// The server that they were connected to.
    pub server: String,
    /// Clients of that server before.
    pub clients: usize,
    /// Clients per server of the cluster.
    pub mean: f64,
    /// Clients that were asked; in a dry run, that would be asked in all.
    pub asked: usize,
}

/// The result of a cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ResultRow {
    /// Its name.
    pub cluster: String,
    /// Reason why no further client was asked.
    pub ended: Ended,
    /// Clients that were asked.
    pub asked: usize,
    /// Those whose connection to that server ended.
    pub moved: usize,
    /// Those that were still connected when the patience ended.
    pub stayed: usize,
}

/// Reason why no further client of a cluster is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The servers have equally many clients.
    Even,
    /// The operator only wanted the plan.
    DryRun,
    /// As many clients were asked as the operator allowed.
    AtMost,
    /// Every client of the fuller servers was asked.
    AllAsked,
    /// Clients were asked, but the numbers came no closer to the mean.
    NoEffect,
}

/// A client that was asked, and stayed.
#[derive(Clone, Debug, Serialize)]
pub struct StayedRow {
    /// Its cluster.
    pub cluster: String,
    /// Its server.
    pub server: String,
    /// Its number there.
    pub cid: u64,
    /// The name that it chose; empty without one.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its address.
    pub ip: String,
    /// The language and the version of its client library.
    pub library: String,
}

impl ClusterRow {
    fn clients(&self) -> Vec<usize> {
        self.servers.iter().map(|server| server.clients).collect()
    }

    /// Clients per server.
    pub(super) fn mean(&self) -> f64 {
        self.clients().iter().sum::<usize>() as f64 / self.servers.len().max(1) as f64
    }
}

/// One row per server, below a title.
pub(super) fn clusters(title: &str, rows: &[ClusterRow], within: u8) -> String {
    let mut shown = table(&["cluster", "server", "clients", "mean", "difference", "even"]);
    for row in rows {
        let mean = row.mean();
        let even = if is_even(&row.clients(), within) { "yes" } else { "no" };
        for server in &row.servers {
            let texts = vec![row.cluster.clone(), server.name.clone(), server.clients.to_string()];
            let numbers =
                vec![format!("{mean:.1}"), format!("{:+.1}", server.clients as f64 - mean), even.to_owned()];
            add(&mut shown, 2, [texts, numbers].concat());
        }
    }
    titled(title, &shown)
}

impl BatchRow {
    /// The line of a batch. `tally` has the clients of the cluster, those of this batch included.
    pub(super) fn line(&self, tally: Tally) -> String {
        let Self { cluster, server, clients, mean, asked } = self;
        let Tally { asked: all, moved, .. } = tally;
        format!(
            "{cluster}: asked {asked} of {} of {server} to move; the mean is {mean:.1}; asked so far {all}, moved {moved}",
            count(*clients, "client")
        )
    }

    /// The line of a dry run.
    pub(super) fn dry_line(&self) -> String {
        let Self { cluster, server, clients, mean, asked } = self;
        let clients = count(*clients, "client");
        format!("{cluster}: would ask {asked} of {clients} of {server} to move; the mean is {mean:.1}")
    }
}

impl RebalanceReport {
    /// The sentences that follow the last table.
    pub(super) fn sentences(&self) -> String {
        let mut text = String::new();
        for result in &self.results {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", result.sentence(self.within_percent));
        }
        for client in self.stayed.iter().take(SHOWN) {
            let name = if client.name.is_empty() { "without a name" } else { &client.name };
            let _ = writeln!(
                text,
                "* {} stayed: client {} ({name}; {}; account {}; {})",
                client.server, client.cid, client.library, client.account, client.ip
            );
        }
        if self.stayed.len() > SHOWN {
            let _ = writeln!(
                text,
                "* {} more stayed; --json lists them",
                count(self.stayed.len() - SHOWN, "client")
            );
        }
        if self.silent > 0 {
            let _ = writeln!(
                text,
                "{} that the others know did not answer, so loadgen counted no clients there: each died in the last \
                 minutes, or is slower than --timeout",
                count(self.silent, "server")
            );
        }
        text.trim_end().to_owned()
    }

    /// The result of each cluster in one line; of a dry run, the clients that would be asked.
    pub fn summary(&self) -> String {
        let planned: Vec<_> = self.batches.iter().map(BatchRow::dry_line).collect();
        if self.dry_run && !planned.is_empty() {
            return planned.join("; ");
        }
        let results = self.results.iter().map(|result| result.sentence(self.within_percent));
        results.collect::<Vec<_>>().join("; ")
    }

    /// The sentence for a failure: why the servers are not even. `None`: they are.
    pub(super) fn failure(&self) -> Option<String> {
        let uneven: Vec<_> = self.results.iter().filter(|result| result.ended != Ended::Even).collect();
        let first = uneven.first()?;
        let names: Vec<_> = uneven.iter().map(|result| result.cluster.as_str()).collect();
        Some(format!("the servers of {} are not even: {}", names.join(", "), first.why()))
    }
}

/// Clients that the text lists by name.
const SHOWN: usize = 10;

impl ResultRow {
    fn sentence(&self, within: u8) -> String {
        let Self { cluster, asked, moved, .. } = self;
        let obeyed = format!("loadgen asked {} to move, and {moved} did", count(*asked, "client"));
        match self.ended {
            Ended::Even if *asked == 0 => {
                format!("{cluster}: even within {within} % or one client; no client was asked")
            }
            Ended::Even => format!("{cluster}: even within {within} % or one client; {obeyed}"),
            Ended::DryRun => format!("{cluster}: {}", self.why()),
            _ => format!("{cluster}: {obeyed}; {}", self.why()),
        }
    }

    fn why(&self) -> &'static str {
        match self.ended {
            Ended::Even => "they are even",
            Ended::DryRun => "no client was asked, because of --dry-run",
            Ended::AtMost => {
                "loadgen asked as many clients as --at-most allows; raise --at-most, or start the command again"
            }
            Ended::AllAsked => {
                "all clients of the fuller servers were asked; restart those that do not understand lame duck"
            }
            Ended::NoEffect => {
                "clients no longer move when loadgen asks them; restart those that do not understand lame duck"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ClusterRow {
        let server = |(number, clients): (usize, &usize)| ServerRow {
            name: format!("lon-{}", number + 1),
            id: format!("N{number}"),
            clients: *clients,
        };
        ClusterRow {
            cluster: "lon".to_owned(),
            servers: [45, 27, 0].iter().enumerate().map(server).collect(),
        }
    }

    fn result(ended: Ended) -> ResultRow {
        ResultRow { cluster: "lon".to_owned(), ended, asked: 24, moved: 23, stayed: 1 }
    }

    fn report(ended: Ended, stayed: usize) -> RebalanceReport {
        let client = StayedRow {
            cluster: "lon".to_owned(),
            server: "lon-1".to_owned(),
            cid: 7,
            name: "old".to_owned(),
            account: "APP".to_owned(),
            ip: "127.0.0.1".to_owned(),
            library: "rust 0.51.0".to_owned(),
        };
        RebalanceReport {
            within_percent: 10,
            dry_run: false,
            silent: 1,
            before: vec![row()],
            batches: Vec::new(),
            after: vec![row()],
            results: vec![result(ended)],
            stayed: vec![client; stayed],
            even: ended == Ended::Even,
        }
    }

    #[test]
    fn the_table_compares_each_server_with_the_mean() {
        let text = clusters("Before", &[row()], 10);
        let line = text.lines().find(|line| line.contains("lon-3")).unwrap();
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[1..7], ["lon", "lon-3", "0", "24.0", "-24.0", "no"], "{text}");
    }

    #[test]
    fn a_batch_is_one_line() {
        let batch = BatchRow {
            cluster: "lon".to_owned(),
            server: "lon-1".to_owned(),
            clients: 45,
            mean: 24.0,
            asked: 5,
        };
        let line = batch.line(Tally { asked: 10, moved: 4, stayed: 0, waiting: 6 });
        assert_eq!(
            line,
            "lon: asked 5 of 45 clients of lon-1 to move; the mean is 24.0; asked so far 10, moved 4"
        );
        assert_eq!(batch.dry_line(), "lon: would ask 5 of 45 clients of lon-1 to move; the mean is 24.0");
    }

    #[test]
    fn the_end_says_how_many_obeyed_and_why_it_is_not_even() {
        let even = report(Ended::Even, 1);
        let text = even.sentences();
        assert!(
            text.starts_with(
                "lon: even within 10 % or one client; loadgen asked 24 clients to move, and 23 did\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("* lon-1 stayed: client 7 (old; rust 0.51.0; account APP; 127.0.0.1)"),
            "{text}"
        );
        assert!(text.contains("\n1 server that the others know did not answer"), "{text}");
        assert_eq!(even.failure(), None);
        for (ended, remedy) in [
            (Ended::DryRun, "--dry-run"),
            (Ended::AtMost, "--at-most"),
            (Ended::AllAsked, "restart"),
            (Ended::NoEffect, "restart"),
        ] {
            let failure = report(ended, 0).failure().unwrap();
            assert!(
                failure.starts_with("the servers of lon are not even: ") && failure.contains(remedy),
                "{failure}"
            );
        }
        assert!(report(Ended::NoEffect, 14).sentences().contains("* 4 clients more stayed"));
    }
}
