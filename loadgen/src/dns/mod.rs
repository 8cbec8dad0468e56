//! `loadgen dns`: looks up one name at several resolvers, and asks each server in the answers for its identity.

pub mod opts;

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use nats_geo::core::{ProbeError, ProbeReport};
use nats_geo::dns::{Dns, DnsAnswer, DnsError, DnsServer, Resolver};

use crate::clock;
use crate::stdout::print_or_warn;
use opts::DnsOpts;

/// What `loadgen dns` compares.
#[derive(Clone, Debug)]
pub struct DnsPlan {
    /// The name, asked by each of these.
    pub questions: Vec<(Resolver, Dns)>,
    /// How often each resolver is asked.
    pub times: u16,
    /// How long a server may take to answer.
    pub probe_limit: Duration,
}

impl DnsPlan {
    /// Reads the options.
    pub fn new(opts: &DnsOpts) -> Self {
        let asked = |resolver: &Resolver| (resolver.clone(), opts.name.clone().resolver(resolver.clone()));
        Self {
            questions: opts.resolver.iter().map(asked).collect(),
            times: opts.times,
            probe_limit: PROBE_LIMIT,
        }
    }
}

/// As long as nats-geo waits.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// What a resolver said.
#[derive(Debug)]
pub struct Said {
    /// Which one.
    pub resolver: Resolver,
    /// How long its answers took, the setting up of a connection included.
    pub latencies: Vec<Duration>,
    /// Its last answer.
    pub answer: Result<DnsAnswer, DnsError>,
}

/// What resolvers said, and who answers at the servers that they named.
#[derive(Debug)]
pub struct Comparison {
    /// In the order in which they were named.
    pub said: Vec<Said>,
    /// By `host:port`.
    pub servers: BTreeMap<String, Result<ProbeReport, ProbeError>>,
}

/// No resolver gave an answer with servers in it.
#[derive(Debug, thiserror::Error)]
#[error("no resolver returned a server: the column `what it says` has the reasons")]
pub struct NoAnswerError;

/// Compares and prints.
pub async fn run(plan: DnsPlan) -> Result<(), NoAnswerError> {
    let comparison = compare(&plan).await;
    print_or_warn(&comparison.render());
    if comparison.said.iter().any(|said| said.answer.is_ok()) { Ok(()) } else { Err(NoAnswerError) }
}

/// Asks everybody. Resolvers are asked one after the other: they should not disturb each other.
pub async fn compare(plan: &DnsPlan) -> Comparison {
    let mut said = Vec::new();
    let mut named: BTreeMap<String, (&Dns, DnsServer)> = BTreeMap::new();
    for (resolver, dns) in &plan.questions {
        let (latencies, answer) = ask(dns, plan.times).await;
        for server in answer.iter().flat_map(|answer| &answer.servers) {
            named.entry(place(server)).or_insert_with(|| (dns, server.clone()));
        }
        said.push(Said { resolver: resolver.clone(), latencies, answer });
    }
    let probing = named
        .iter()
        .map(async |(place, (dns, server))| (place.clone(), dns.probe(server, plan.probe_limit).await));
    let servers = futures_util::future::join_all(probing).await.into_iter().collect();
    Comparison { said, servers }
}

async fn ask(dns: &Dns, times: u16) -> (Vec<Duration>, Result<DnsAnswer, DnsError>) {
    let mut latencies = Vec::new();
    loop {
        let started = clock::now();
        let answer = dns.look_up().await;
        latencies.push(started.elapsed());
        if latencies.len() >= usize::from(times) || answer.is_err() {
            return (latencies, answer);
        }
    }
}

fn place(server: &DnsServer) -> String {
    let DnsServer { host, port, .. } = server;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Comparison {
    /// As tables for a terminal.
    pub fn render(&self) -> String {
        let mut resolvers =
            table(&["resolver", "min ms", "max ms", "servers", "valid for s", "what it says"]);
        let mut answers =
            table(&["resolver", "order", "server", "priority", "weight", "addresses", "region", "RTT ms"]);
        for said in &self.said {
            let name = said.resolver.to_string();
            let (min, max) = (said.latencies.iter().min(), said.latencies.iter().max());
            let [min, max] = [min, max].map(|time| time.map(|time| ms(*time)).unwrap_or_default());
            match &said.answer {
                Ok(answer) => {
                    let kind = if answer.servers.iter().any(|server| server.priority.is_some()) {
                        "SRV records"
                    } else {
                        "addresses only"
                    };
                    let (count, valid_for) = (answer.servers.len(), answer.valid_for.as_secs());
                    let cells =
                        [name.clone(), min, max, count.to_string(), valid_for.to_string(), kind.into()];
                    resolvers.add_row(cells);
                    for (order, server) in answer.servers.iter().enumerate() {
                        answers.add_row(self.answer_row(&name, order + 1, server));
                    }
                }
                Err(error) => {
                    resolvers.add_row([name, min, max, "0".into(), String::new(), error.to_string()]);
                }
            }
        }
        format!("Resolvers\n{resolvers}\n\nAnswers, and the servers that they name\n{answers}")
    }

    fn answer_row(&self, resolver: &str, order: usize, server: &DnsServer) -> Vec<String> {
        let addresses: Vec<_> = server.addresses.iter().map(ToString::to_string).collect();
        let (region, rtt) = match self.servers.get(&place(server)) {
            Some(Ok(report)) => (region(report), ms(report.rtt())),
            Some(Err(error)) => (error.to_string(), String::new()),
            None => Default::default(),
        };
        let priority = server.priority.map(|priority| priority.to_string()).unwrap_or_default();
        let weight = server.priority.map(|_| server.weight.to_string()).unwrap_or_default();
        let order = order.to_string();
        vec![resolver.to_owned(), order, place(server), priority, weight, addresses.join(" "), region, rtt]
    }
}

/// As the server calls its cluster.
fn region(report: &ProbeReport) -> String {
    let cluster = report.identity.cluster.as_deref().filter(|cluster| !cluster.is_empty());
    cluster.unwrap_or("(none)").to_owned()
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table
}
