//! Tasks that query the sources until the end of a run.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, StatusCode};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::figures::Metric;
use super::read::{Source, SourceKind};
use crate::clock;
use crate::web_target::{Env, Target, TargetError, causes, client};

/// Queries that go on.
#[derive(Debug)]
pub struct Collection {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Collected>>,
}

/// The figures of a source.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Name of the source.
    pub source: String,
    /// Figures, by name.
    pub figures: Vec<Figure>,
    /// Number of queries.
    pub queries: u32,
    /// Number of queries without all figures.
    pub failed: u32,
    /// The reason of the last one of these.
    pub last_failure: Option<String>,
}

/// A figure over time.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its values, each with the time of the answer.
    pub values: Vec<(Instant, f64)>,
}

/// Reason why a source cannot be queried. No value of the environment is shown.
#[derive(Debug, thiserror::Error)]
#[error("cannot query the source `{source_name}` of --collect: {reason}")]
pub struct StartCollectionError {
    source_name: String,
    reason: String,
}

impl Collection {
    /// Reads the environment, and begins to query all sources.
    ///
    /// # Errors
    /// A variable of a source is not set, or its value does not fit.
    pub fn start(
        sources: &[Source],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, StartCollectionError> {
        let askers = sources.iter().map(|source| Ok((source.clone(), asker(source, env)?)));
        let askers = askers.collect::<Result<Vec<_>, StartCollectionError>>()?;
        let stop = watch::Sender::new(false);
        let tasks = askers
            .into_iter()
            .map(|(source, asker)| tokio::spawn(poll(source, asker, stop.subscribe())))
            .collect();
        Ok(Self { stop, tasks })
    }

    /// Ends all queries, and returns their figures in the order of the file.
    pub async fn finish(self) -> Vec<Collected> {
        self.stop.send_replace(true);
        let ended = futures_util::future::join_all(self.tasks).await;
        ended.into_iter().flatten().collect()
    }
}

impl Collected {
    /// Returns a sentence about failed queries, if there were any.
    pub fn note(&self) -> Option<String> {
        let reason = self.last_failure.as_ref()?;
        let Self { source, failed, queries, .. } = self;
        Some(format!("{failed} of {queries} queries of `{source}` failed. The last reason: {reason}."))
    }
}

/// A source with all that its queries need.
#[derive(Debug)]
enum Asker {
    Http { target: Target, client: Client, metrics: Vec<Metric> },
    Dns(nats_geo::dns::Dns),
}

/// The figures of one query, and the pause that the source asks for.
type Answer = (Vec<(String, f64)>, Result<(), Failure>);

#[derive(Debug, Default)]
struct Failure {
    reason: String,
    pause: Option<Duration>,
}

fn asker(source: &Source, env: Env<'_>) -> Result<Asker, StartCollectionError> {
    let failed = |reason: String| StartCollectionError { source_name: source.name.clone(), reason };
    Ok(match &source.kind {
        SourceKind::Dns(dns) => Asker::Dns(dns.clone()),
        SourceKind::Http { address, headers, metrics } => {
            let target = Target::new(address, headers, env);
            let target = target.map_err(|error: TargetError| failed(error.to_string()))?;
            let client = client(source.limit).map_err(|error| failed(causes(&error)))?;
            Asker::Http { target, client, metrics: metrics.clone() }
        }
    })
}

async fn poll(source: Source, asker: Asker, mut stop: watch::Receiver<bool>) -> Collected {
    let mut collected = Collected { source: source.name.clone(), ..Collected::default() };
    loop {
        // A query that the end of the run cuts off did not fail.
        let (figures, result) = tokio::select! {
            answer = ask(&asker, source.limit) => answer,
            _ = stop.wait_for(|is_over| *is_over) => return collected,
        };
        let at = clock::now();
        collected.queries += 1;
        for (name, value) in figures {
            match collected.figures.iter_mut().find(|figure| figure.name == name) {
                Some(figure) => figure.values.push((at, value)),
                None => collected.figures.push(Figure { name, values: vec![(at, value)] }),
            }
        }
        let mut pause = source.every;
        if let Err(failure) = result {
            collected.failed += 1;
            collected.last_failure = Some(failure.reason);
            pause = failure.pause.map_or(pause, |asked| asked.max(2 * pause));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|is_over| *is_over) => return collected,
        }
    }
}

async fn ask(asker: &Asker, limit: Duration) -> Answer {
    match asker {
        Asker::Dns(dns) => look_up(dns, limit).await,
        Asker::Http { target, client, metrics } => match get(target, client).await {
            Ok(answer) => {
                let results =
                    metrics.iter().map(|metric| metric.of(&answer).map(|it| (metric.name.clone(), it)));
                let (found, missing): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
                let reason = missing.into_iter().find_map(Result::err);
                let result = reason.map_or(Ok(()), |reason| Err(Failure { reason, pause: None }));
                (found.into_iter().flatten().collect(), result)
            }
            Err(failure) => (Vec::new(), Err(failure)),
        },
    }
}

async fn look_up(dns: &nats_geo::dns::Dns, limit: Duration) -> Answer {
    let started = clock::now();
    let failed = |reason: String| (Vec::new(), Err(Failure { reason, pause: None }));
    match tokio::time::timeout(limit, dns.look_up()).await {
        Err(_elapsed) => failed(format!("no answer within {} s", limit.as_secs_f64())),
        Ok(Err(error)) => failed(error.to_string()),
        Ok(Ok(answer)) => {
            let took = started.elapsed().as_secs_f64() * 1e3;
            let servers = answer.servers.len() as f64;
            (vec![("lookup_ms".to_owned(), took), ("servers".to_owned(), servers)], Ok(()))
        }
    }
}

async fn get(target: &Target, client: &Client) -> Result<serde_json::Value, Failure> {
    let place = target.host();
    let failed = |reason: String| Failure { reason: format!("{place} {reason}"), pause: None };
    let gone = |error: reqwest::Error| match error.is_timeout() {
        true => failed("did not answer in time".to_owned()),
        false => failed(format!("did not answer: {}", causes(&error.without_url()))),
    };
    let mut answer = target.request(client, Method::GET).send().await.map_err(gone)?;
    let status = answer.status();
    if !status.is_success() {
        let is_busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let pause = is_busy.then(|| Duration::from_secs(asked.unwrap_or(0)).min(LONGEST_PAUSE));
        return Err(Failure { pause, ..failed(format!("answered {status}")) });
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(gone)? {
        body.extend_from_slice(&part);
        if body.len() > LONGEST_ANSWER {
            return Err(failed(format!("sent more than {} MiB", LONGEST_ANSWER >> 20)));
        }
    }
    serde_json::from_slice(&body).map_err(|error| failed(format!("sent no JSON: {error}")))
}

/// Some APIs ask for a pause until the end of the hour. A longer one is a mistake.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// Far more than a page of an API's list.
const LONGEST_ANSWER: usize = 8 << 20;
