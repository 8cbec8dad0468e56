//! The lists of streams: which domains there are, and STREAM.LIST of each, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::RequestErrorKind;

use super::answers::{Statsz, StreamInfo, StreamPage};
use super::connect::Connection;
use super::gather::{GatherError, System};
use super::streams::{Failed, StreamsReport};

/// The JetStream domains to list.
#[derive(Clone, Debug)]
pub enum Domains {
    /// Those of all servers that run JetStream.
    All,
    /// These; none: the one of the login, else the one of the connected server.
    Named(Vec<String>),
}

/// A JetStream API to ask.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Api {
    /// The domain, for the tables; empty if there is none.
    domain: String,
    /// The beginning of its subjects.
    prefix: String,
}

/// Reason why no stream could be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The system account did not say which domains there are.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// No server runs JetStream.
    #[error("no server runs JetStream: enable it with `jetstream: enabled` in the servers' configuration")]
    NoDomain,
    /// No domain answered.
    #[error("{0}")]
    All(String),
}

/// A server that lists streams waits 4 s for those whose servers are silent, before it answers without them.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// Lists the streams of the account in all of these domains.
///
/// # Errors
/// No domain answered. One that did not, beside others that did, is a line of the report.
pub async fn look(
    connection: &Connection,
    domains: &Domains,
    system: Option<&mut System>,
    timeout: Duration,
) -> Result<StreamsReport, ListError> {
    let apis = match (domains, system) {
        (Domains::All, Some(system)) => all(&system.ask::<Statsz>(None).await?.answers),
        (Domains::Named(names), _) if !names.is_empty() => names.iter().map(|name| of_domain(name)).collect(),
        _ => vec![default(connection)],
    };
    if apis.is_empty() {
        return Err(ListError::NoDomain);
    }
    let mut report = StreamsReport::default();
    for api in &apis {
        match list(connection, api, timeout.max(LIST_LIMIT)).await {
            Ok(list) => report.add(&api.domain, &list.streams, list.failed),
            Err(reason) => report.failed.push(Failed { domain: api.domain.clone(), stream: None, reason }),
        }
    }
    // One that answers without streams counts, too.
    let is_answered = |api: &Api| {
        !report.failed.iter().any(|failed| failed.stream.is_none() && failed.domain == api.domain)
    };
    if !apis.iter().any(is_answered) {
        let reasons: Vec<_> = report.failed.iter().map(ToString::to_string).collect();
        return Err(ListError::All(reasons.join("; ")));
    }
    report.sort();
    Ok(report)
}

fn all(answers: &[super::gather::Answered<Statsz>]) -> Vec<Api> {
    let with_jetstream = answers.iter().filter(|answer| answer.server.jetstream);
    let domains: BTreeSet<_> = with_jetstream.map(|answer| answer.server.domain.as_str()).collect();
    domains.into_iter().map(of_domain).collect()
}

/// The API of a domain; without a name, the API of a super-cluster without domains.
fn of_domain(domain: &str) -> Api {
    let prefix = if domain.is_empty() { "$JS.API".to_owned() } else { format!("$JS.{domain}.API") };
    Api { domain: domain.to_owned(), prefix }
}

/// The API that the login names, else that of the connected server.
fn default(connection: &Connection) -> Api {
    if let Some(domain) = &connection.js_domain {
        return of_domain(domain);
    }
    let domain = connection.client.server_info().domain.unwrap_or_default();
    let prefix = connection.js_api_prefix.clone().unwrap_or_else(|| "$JS.API".to_owned());
    Api { domain, prefix: prefix.trim_end_matches('.').to_owned() }
}

/// The streams of one domain.
#[derive(Default)]
struct List {
    streams: Vec<StreamInfo>,
    failed: Vec<(String, String)>,
}

async fn list(connection: &Connection, api: &Api, limit: Duration) -> Result<List, String> {
    let mut list = List::default();
    let mut offset = 0;
    loop {
        let page = page(connection, api, offset, limit).await?;
        list.streams.extend(page.streams);
        let silent = page.missing.into_iter().map(|name| (name, "its servers do not answer".to_owned()));
        list.failed.extend(silent.chain(page.offline));
        match next_offset(offset, page.limit, page.total) {
            Some(next) => offset = next,
            None => return Ok(list),
        }
    }
}

/// The offset of the next page; `None` after the last. Streams that are missing from a page count in `total`.
fn next_offset(offset: usize, limit: usize, total: usize) -> Option<usize> {
    let next = offset + limit;
    (limit > 0 && next < total).then_some(next)
}

async fn page(
    connection: &Connection,
    api: &Api,
    offset: usize,
    limit: Duration,
) -> Result<StreamPage, String> {
    let subject = format!("{}.STREAM.LIST", api.prefix);
    let body = serde_json::json!({ "offset": offset }).to_string();
    let request = async_nats::Request::new().payload(body.into()).timeout(Some(limit));
    let answer = connection.client.send_request(subject.clone(), request).await;
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => format!(
            "no server answers `{subject}`: this account has no JetStream there, or there is no such domain; see --all-domains"
        ),
        RequestErrorKind::TimedOut => match connection.take_denied() {
            Some(denied) => format!("the server refuses `{subject}`: {denied}"),
            None => format!("`{subject}` has no answer after {} s", limit.as_secs()),
        },
        _ => format!("cannot send `{subject}`: {error}"),
    })?;
    let page: StreamPage = serde_json::from_slice(&answer.payload)
        .map_err(|error| format!("the answer to `{subject}` is not a list of streams: {error}"))?;
    match page.error {
        Some(error) => Err(format!("`{subject}` failed: {} ({})", error.description, error.err_code)),
        None => Ok(page),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::ServerInfo;
    use super::super::gather::Answered;
    use super::*;

    #[test]
    fn domains_are_those_of_servers_with_jetstream() {
        let server = |domain: &str, jetstream| Answered {
            server: ServerInfo { domain: domain.to_owned(), jetstream, ..ServerInfo::default() },
            data: Statsz::default(),
            rtt: Duration::ZERO,
        };
        let apis =
            all(&[server("spoke", true), server("hub", true), server("hub", true), server("x", false)]);
        let prefixes: Vec<_> = apis.iter().map(|api| api.prefix.as_str()).collect();
        assert_eq!(prefixes, ["$JS.hub.API", "$JS.spoke.API"]);
        assert_eq!(all(&[server("", true)])[0].prefix, "$JS.API");
    }

    #[test]
    fn pages_follow_until_the_total() {
        assert_eq!(next_offset(0, 256, 600), Some(256));
        assert_eq!(next_offset(256, 256, 600), Some(512));
        assert_eq!(next_offset(512, 256, 600), None);
        assert_eq!(next_offset(0, 256, 256), None);
        assert_eq!(next_offset(0, 0, 9), None, "an answer without a limit is the last");
    }
}
