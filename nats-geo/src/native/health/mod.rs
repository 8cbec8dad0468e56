//! Health checks. They decide whether a server that answers can serve this application.

mod instances;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Deserialize;

use super::ConnectError;
use super::jetstream::{Refused, check_name};
use super::link::Link;
use super::service::is_name;
use crate::core::{Config, Region, ServerRef};

/// A health check that a region must pass, for [`GeoOptions::health_check`](crate::GeoOptions::health_check). For
/// example, the check tests that a stream can be read. Without health checks, a server that answers is healthy.
///
/// * Before an orderly move, the client runs all checks once over the new link. If a check fails, the client stays.
/// * The client checks the live link every [`period`](Self::period). After several [failures in a row](Self::failures)
///   the client connects to another region first, and then closes the old link. The client returns to the region by the
///   same rules as to a region that failed.
/// * If no other region passes, the client stays, and sends
///   [`NoHealthyAlternative`](crate::core::NoticeKind::NoHealthyAlternative).
/// * A client without a link does not wait for checks: at the start and after a lost link, it connects before it runs the
///   checks.
/// * The client leaves a lame duck even if the checks of other regions fail.
///
/// ```no_run
/// use nats_geo::{GeoOptions, HealthCheck};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), nats_geo::ConnectError> {
/// let client = GeoOptions::new()
///     .health_check(HealthCheck::stream("ORDERS"))
///     .health_check(HealthCheck::custom("prices", async |link| {
///         let price = link.nats().request("prices.health", "".into()).await;
///         price.map(drop).map_err(|error| error.to_string())
///     }))
///     .connect("nats://lon-1:4222,nats://ams-1:4222")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a health check does nothing until it is given to `GeoOptions::health_check`"]
pub struct HealthCheck {
    name: String,
    check: Check,
    /// What is wrong with it.
    problem: Option<String>,
    period: Duration,
    timeout: Duration,
    failures: u32,
}

/// A check, and the time that it has.
type Check = Arc<dyn Fn(HealthCheckLink, Duration) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A stream elects a new leader within seconds: with three failures in a row that moves no client, and clients leave an
/// unhealthy region after 10 to 17 s. A thousand clients make 200 checks per second.
const PERIOD: Duration = Duration::from_secs(5);

/// The farthest regions are 300 ms away; two thirds of the time that an activation may take.
const TIMEOUT: Duration = Duration::from_secs(2);

const FAILURES: u32 = 3;

/// The link that a health check tests. Requests on this link go to its server, even if other traffic uses another link.
#[derive(Clone, Debug)]
pub struct HealthCheckLink {
    client: async_nats::Client,
    place: ServerRef,
}

impl HealthCheckLink {
    /// Returns the connection of the link, which stays open while the application holds it.
    pub const fn nats(&self) -> &async_nats::Client {
        &self.client
    }

    /// Returns the region of the link.
    pub const fn region(&self) -> &Region {
        &self.place.region
    }

    /// Returns the name of the link's server, if known.
    pub fn server(&self) -> Option<&str> {
        self.place.server.as_deref()
    }
}

impl HealthCheck {
    /// Returns a check that passes if JetStream answers for this account (`$JS.API.INFO`).
    pub fn jetstream() -> Self {
        Self::of("JetStream", Arc::new(|link, _| api_answers(link, INFO.into(), Bytes::new()).boxed()))
    }

    /// Returns a check that passes if this stream can be read. The check requests the message with the highest possible
    /// sequence from the leader of the stream (`$JS.API.STREAM.MSG.GET`). No stream has this message, so the check
    /// passes when the leader replies "no message found".
    pub fn stream(name: impl Into<String>) -> Self {
        let name = name.into();
        let problem = check_name("stream", &name).err().map(|error| error.to_string());
        let subject = format!("{MESSAGE_GET}.{name}");
        let check: Check = Arc::new(move |link, _| api_answers(link, subject.clone(), NOBODY.into()).boxed());
        Self { problem, ..Self::of(format!("stream {name}"), check) }
    }

    /// Returns a check that passes if at least this many instances of a service answer in the region. The metadata of
    /// these instances must have the key `region` with the region's name as its value
    /// ([`ServiceBuilder::metadata`](crate::service::ServiceBuilder::metadata)). With this check, a client makes an
    /// orderly move to a region only if enough instances answer there.
    pub fn service(name: impl Into<String>, at_least: usize) -> Self {
        let name = name.into();
        let problem = if !is_name(&name) {
            Some(format!("`{name}` is not a name of a service: write letters, digits, `-` and `_`"))
        } else if at_least == 0 {
            Some("it asks for 0 instances, but must ask for at least 1".to_owned())
        } else {
            None
        };
        let title = format!("service {name}");
        let check: Check =
            Arc::new(move |link, timeout| instances::at_least(link, name.clone(), at_least, timeout).boxed());
        Self { problem, ..Self::of(title, check) }
    }

    /// Returns a check with this name, which calls your function. Notices show the error text of the function. A check
    /// that takes longer than [`timeout`](Self::timeout) fails.
    pub fn custom<F>(
        name: impl Into<String>,
        check: impl Fn(HealthCheckLink) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self::of(name, Arc::new(move |link, _| check(link).boxed()))
    }

    fn of(name: impl Into<String>, check: Check) -> Self {
        let name = name.into();
        Self { name, check, problem: None, period: PERIOD, timeout: TIMEOUT, failures: FAILURES }
    }

    /// Sets the time between two checks of the live link. The time varies at random by 20 %, so that clients do not
    /// check at the same time. Default 5 s.
    pub fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Sets the time limit of one check. Default 2 s, which is the largest allowed value with the default policy: two
    /// thirds of [`DialConfig::timeout`](crate::core::DialConfig::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many failures in a row make the region of the live link unhealthy. Default 3.
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    async fn ask(&self, link: HealthCheckLink) -> Result<(), String> {
        // A check that panics has failed; the driver goes on.
        let asking = AssertUnwindSafe(async { (self.check)(link, self.timeout).await }).catch_unwind();
        let answer = match tokio::time::timeout(self.timeout, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => Err("the check panicked".into()),
            Err(_elapsed) => Err(format!("no answer within {:?}", self.timeout)),
        };
        answer.map_err(|why| format!("{}: {why}", self.name))
    }

    /// Repeats the check, which has this number; returns the reason when the link is unhealthy.
    async fn until_it_fails(&self, number: usize, link: &HealthCheckLink, asked: Asked) -> Verdict {
        let mut failed = asked.failures_before(number, self.failures);
        if asked != Asked::Nobody {
            tokio::time::sleep(varied(self.period)).await;
        }
        loop {
            match self.ask(link.clone()).await {
                Ok(()) => failed = 0,
                Err(why) => {
                    failed += 1;
                    if failed >= self.failures {
                        return Verdict { number, why };
                    }
                }
            }
            tokio::time::sleep(varied(self.period)).await;
        }
    }

    fn problem(&self, config: &Config) -> Option<String> {
        let longest = config.dial.timeout / 3 * 2;
        match &self.problem {
            Some(problem) => Some(problem.clone()),
            _ if self.period.is_zero() => Some("its period is zero".into()),
            _ if self.failures == 0 => Some("its failures are 0, but must be at least 1".into()),
            _ if self.timeout.is_zero() || self.timeout > longest => Some(format!(
                "its timeout is {:?}, but must be more than zero and at most {longest:?}, two thirds of `dial.timeout`",
                self.timeout
            )),
            _ => None,
        }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("name", &self.name)
            .field("period", &self.period)
            .field("timeout", &self.timeout)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

/// What is known of a link when its watch begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// All health checks passed a moment ago.
    AllPassed,
    /// No health check ran: there was no time.
    Nobody,
    /// The health check of this number failed last.
    Failed(usize),
}

impl Asked {
    /// Returns how many failures in a row the health check of this number starts with; `failures` make the link unhealthy.
    /// The check that failed last needs one more failure. The others start at 0.
    fn failures_before(self, number: usize, failures: u32) -> u32 {
        if self == Self::Failed(number) { failures.saturating_sub(1) } else { 0 }
    }
}

/// The error of a health check on the live link.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The number of the health check that failed.
    pub(crate) number: usize,
    pub(crate) why: String,
}

/// All health checks of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct HealthChecks(Arc<[HealthCheck]>);

impl HealthChecks {
    pub(crate) fn new(checks: Vec<HealthCheck>, config: &Config) -> Result<Self, ConnectError> {
        let problem = checks.iter().find_map(|check| Some((check.name.clone(), check.problem(config)?)));
        match problem {
            Some((name, problem)) => Err(ConnectError::HealthCheck { name, problem }),
            None => Ok(Self(checks.into())),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Runs all checks once on a link.
    ///
    /// # Errors
    /// Which health check failed first, and why.
    pub(crate) async fn pass(&self, link: &Link, place: ServerRef) -> Result<(), String> {
        let link = HealthCheckLink { client: link.client().clone(), place };
        try_join_all(self.0.iter().map(|check| check.ask(link.clone()))).await.map(drop)
    }

    /// Watches the live link. Returns which health check fails, and why; `None` when the link has ended.
    pub(crate) async fn watch(&self, link: &Link, place: ServerRef, asked: Asked) -> Option<Verdict> {
        let asking = HealthCheckLink { client: link.client().clone(), place };
        let checks = self.0.iter().enumerate();
        let mut verdicts: FuturesUnordered<_> =
            checks.map(|(number, check)| check.until_it_fails(number, &asking, asked)).collect();
        tokio::select! {
            verdict = verdicts.next() => verdict,
            () = link.ended() => None,
        }
    }
}

const INFO: &str = "$JS.API.INFO";
const MESSAGE_GET: &str = "$JS.API.STREAM.MSG.GET";

/// A message that no stream has, so that the answer is short.
const NOBODY: &str = r#"{"seq":18446744073709551615}"#;

/// "no message found", of JetStream's own list of errors.
const NO_MESSAGE_FOUND: u64 = 10_037;

/// JetStream answers, and not with an error.
async fn api_answers(link: HealthCheckLink, subject: String, request: Bytes) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<Refused>,
    }
    let answer = link.nats().request(subject, request).await.map_err(|error| error.to_string())?;
    let answer: Answer = serde_json::from_slice(&answer.payload)
        .map_err(|error| format!("the answer is not a JetStream response: {error}"))?;
    match answer.error {
        Some(error) if error.error_code != NO_MESSAGE_FOUND => Err(error.to_string()),
        Some(_) | None => Ok(()),
    }
}

/// Between four and six fifths.
fn varied(period: Duration) -> Duration {
    // Keyed anew by the operating system at every call.
    let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    let varied = period.as_secs_f64() * (0.8 + 0.4 * chance);
    // Longer than can be said is never.
    Duration::try_from_secs_f64(varied).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(check: HealthCheck) -> String {
        HealthChecks::new(vec![check], &Config::fleet()).unwrap_err().to_string()
    }

    #[test]
    fn health_checks_that_cannot_work_are_refused_by_name() {
        for (check, what) in [
            (HealthCheck::stream("A.B"), "`A.B` is not a name of a stream"),
            (HealthCheck::stream(""), "`` is not a name of a stream"),
            (HealthCheck::stream("A\0"), "is not a name of a stream"),
            (HealthCheck::service("a.b", 1), "`a.b` is not a name of a service"),
            (HealthCheck::service("prices", 0), "it asks for 0 instances"),
            (HealthCheck::jetstream().period(Duration::ZERO), "its period is zero"),
            (HealthCheck::jetstream().failures(0), "its failures are 0"),
            (
                HealthCheck::jetstream().timeout(Duration::from_secs(3)),
                "at most 2s, two thirds of `dial.timeout`",
            ),
        ] {
            let name = check.name.clone();
            let text = problem(check);
            assert!(text.contains(what) && text.contains(&name), "{text}");
        }
        assert!(
            HealthChecks::new(
                vec![HealthCheck::jetstream(), HealthCheck::stream("ORDERS")],
                &Config::fleet()
            )
            .is_ok()
        );
    }

    #[test]
    fn a_health_check_counts_its_own_failures_only() {
        let before = |asked: Asked| [0, 1].map(|number| asked.failures_before(number, 3));
        assert_eq!(before(Asked::Failed(1)), [0, 2]);
        assert_eq!((before(Asked::AllPassed), before(Asked::Nobody)), ([0, 0], [0, 0]));
    }

    #[test]
    fn periods_are_varied_by_a_fifth() {
        let periods: Vec<_> = (0..200).map(|_| varied(Duration::from_secs(10)).as_secs_f64()).collect();
        assert!(periods.iter().all(|seconds| (8.0..=12.0).contains(seconds)));
        assert!(
            periods.iter().any(|seconds| *seconds < 9.0) && periods.iter().any(|seconds| *seconds > 11.0)
        );
        // Some of these would be longer than the longest.
        assert!((0..200).all(|_| varied(Duration::MAX) >= Duration::MAX.mul_f64(0.79)));
    }
}
