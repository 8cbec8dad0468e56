//! Collect files: TOML in, checked sources out. No I/O.

use std::time::Duration;

use nats_geo::dns::{Dns, Resolver};

use super::figures::{Metric, Place};
use super::spec::{CollectSpec, MetricSpec, SourceSpec};
use crate::toml_file::{self, TomlFile};
use crate::topology::Span;
use crate::web_target::{Address, is_header, is_variable, web_address};

/// A source of figures, checked.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) name: String,
    pub(super) every: Duration,
    pub(super) limit: Duration,
    pub(super) kind: SourceKind,
}

/// The system behind a source.
#[derive(Clone, Debug)]
pub(super) enum SourceKind {
    Http { address: Address, headers: Vec<(String, String)>, metrics: Vec<Metric> },
    Dns(Dns),
}

/// A collect file was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct CollectFileError {
    /// One line for each problem, with its place.
    lines: Vec<String>,
}

type Problem = toml_file::Problem<ProblemKind>;

/// Problem in a file, and its remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum ProblemKind {
    #[error("there is no source: add `[[source]]` with `name`, and `url` or `look_up`")]
    NoSource,
    #[error("the name is empty: write one word, as in `name = \"fly\"`")]
    NoName,
    #[error("`{0}` exists already: choose another name")]
    Twice(String),
    #[error("{given} is out of range: give {range}")]
    Range { given: String, range: &'static str },
    #[error("a source needs exactly one of `url`, `url_from` and `look_up`: add one, or remove the others")]
    Kind,
    #[error("`{0}` has no effect on this source: remove it")]
    NoEffect(&'static str),
    /// It may be a secret, so it is not shown.
    #[error("the value is not an HTTP address: {0}; write `http://HOST/PATH` or `https://HOST/PATH`")]
    Url(String),
    #[error("`{0}` is not the name of an HTTP header: write letters, digits and `-`, as in `Authorization`")]
    Header(String),
    /// It may be the secret itself, so it is not shown.
    #[error(
        "the value is not the name of an environment variable, in upper case: put the secret into a variable, and write the variable's \
         name, as in \"FLY_AUTHORIZATION\""
    )]
    Variable,
    #[error("an HTTP source needs a figure: add `[[source.metric]]` with `name` and `value`")]
    NoMetric,
    #[error("a figure needs exactly one of `value` and `count`: add one, or remove the other")]
    Figure,
    #[error("`{0}` is not a JSON pointer: begin it with `/`, as in `/connections`")]
    Pointer(String),
    #[error("{0}")]
    Dns(String),
}

/// Reads a collect file. `file` names it in errors.
///
/// # Errors
/// Everything that is wrong with it, each with its line, its key and the remedy.
///
/// ```
/// let text = r#"
/// [[source]]
/// name = "server"
/// url = "http://127.0.0.1:8222/varz"
/// metric = [{ name = "connections", value = "/connections" }]
/// "#;
/// assert_eq!(loadgen::collect::from_toml(text, "collect.toml")?.len(), 1);
/// # Ok::<(), loadgen::collect::CollectFileError>(())
/// ```
pub fn from_toml(text: &str, file: &str) -> Result<Vec<Source>, CollectFileError> {
    let lines = TomlFile { text, name: file };
    let located = |problems: &[Problem]| CollectFileError {
        lines: toml_file::located(problems, |problem| lines.place_of(&problem.key)),
    };
    let spec: CollectSpec = lines.parse().map_err(|line| CollectFileError { lines: vec![line] })?;
    let mut checks = Checks::default();
    if spec.source.is_empty() {
        checks.add("source", ProblemKind::NoSource);
    }
    let mut sources: Vec<Source> = Vec::new();
    for (index, spec) in spec.source.into_iter().enumerate() {
        checks.path = format!("source[{index}].");
        if sources.iter().any(|source| source.name == spec.name) {
            checks.add("name", ProblemKind::Twice(spec.name.clone()));
        }
        sources.extend(checks.source(spec));
    }
    if checks.problems.is_empty() { Ok(sources) } else { Err(located(&checks.problems)) }
}

#[derive(Debug, Default)]
struct Checks {
    /// Beginning of the keys, such as `source[0].`.
    path: String,
    problems: Vec<Problem>,
}

impl Checks {
    fn add(&mut self, key: &str, kind: ProblemKind) {
        self.problems.push(Problem { key: format!("{}{key}", self.path), kind });
    }

    fn source(&mut self, spec: SourceSpec) -> Option<Source> {
        let second = Duration::from_secs(1);
        let every = self.span("every", spec.every, 10 * second, (second, 3_600 * second, "1s to 1h"));
        let limit =
            self.span("time_limit", spec.time_limit, 5 * second, (second / 10, 60 * second, "100ms to 1m"));
        self.check_name(&spec.name);
        let kind = match (&spec.url, &spec.url_from, &spec.look_up) {
            (Some(url), None, None) => match web_address(url) {
                Ok(url) => self.http(&spec, Address::Url(url)),
                Err(reason) => {
                    self.add("url", ProblemKind::Url(reason));
                    return None;
                }
            },
            (None, Some(name), None) => {
                if !is_variable(name) {
                    self.add("url_from", ProblemKind::Variable);
                }
                self.http(&spec, Address::Variable(name.clone()))
            }
            (None, None, Some(name)) => self.dns(&spec, name)?,
            _ => {
                self.add("name", ProblemKind::Kind);
                return None;
            }
        };
        Some(Source { name: spec.name, every, limit, kind })
    }

    fn check_name(&mut self, name: &str) {
        if name.trim().is_empty() {
            self.add("name", ProblemKind::NoName);
        }
    }

    fn http(&mut self, spec: &SourceSpec, address: Address) -> SourceKind {
        if spec.resolver.is_some() {
            self.add("resolver", ProblemKind::NoEffect("resolver"));
        }
        let headers: Vec<_> = spec.headers.clone().unwrap_or_default().into_iter().collect();
        for (name, variable) in &headers {
            if !is_header(name) {
                self.add("headers", ProblemKind::Header(name.clone()));
            } else if !is_variable(variable) {
                self.add(&format!("headers.{name}"), ProblemKind::Variable);
            }
        }
        if spec.metric.is_empty() {
            self.add("name", ProblemKind::NoMetric);
        }
        let path = self.path.clone();
        let mut metrics: Vec<Metric> = Vec::new();
        for (index, metric) in spec.metric.iter().enumerate() {
            self.path = format!("{path}metric[{index}].");
            if metrics.iter().any(|known| known.name == metric.name) {
                self.add("name", ProblemKind::Twice(metric.name.clone()));
            }
            metrics.extend(self.metric(metric));
        }
        self.path = path;
        SourceKind::Http { address, headers, metrics }
    }

    fn metric(&mut self, spec: &MetricSpec) -> Option<Metric> {
        self.check_name(&spec.name);
        let filter = spec.filter.clone().unwrap_or_default();
        filter.keys().for_each(|pointer| self.check_pointer("where", pointer));
        let place = match (&spec.value, &spec.count) {
            (Some(pointer), None) => {
                self.check_pointer("value", pointer);
                if spec.filter.is_some() {
                    self.add("where", ProblemKind::NoEffect("where"));
                }
                Place::Value(pointer.clone())
            }
            (None, Some(list)) => {
                self.check_pointer("count", list);
                Place::Count { list: list.clone(), filter }
            }
            _ => {
                self.add("name", ProblemKind::Figure);
                return None;
            }
        };
        Some(Metric { name: spec.name.clone(), place })
    }

    fn check_pointer(&mut self, key: &str, pointer: &str) {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            self.add(key, ProblemKind::Pointer(pointer.to_owned()));
        }
    }

    fn dns(&mut self, spec: &SourceSpec, name: &str) -> Option<SourceKind> {
        for (key, is_given) in [("headers", spec.headers.is_some()), ("metric", !spec.metric.is_empty())] {
            if is_given {
                self.add(key, ProblemKind::NoEffect(key));
            }
        }
        let dns = Dns::new(name).map_err(|error| self.add("look_up", ProblemKind::Dns(error.to_string())));
        let resolver = spec.resolver.as_deref().unwrap_or("system").parse::<Resolver>();
        let resolver = resolver.map_err(|error| self.add("resolver", ProblemKind::Dns(error.to_string())));
        Some(SourceKind::Dns(dns.ok()?.resolver(resolver.ok()?)))
    }

    fn span(
        &mut self,
        key: &str,
        given: Option<Span>,
        default: Duration,
        (least, most, range): (Duration, Duration, &'static str),
    ) -> Duration {
        let value = given.map_or(default, Span::duration);
        if !(least..=most).contains(&value) {
            self.add(key, ProblemKind::Range { given: crate::scenario::seconds(value), range });
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        from_toml(text, "c.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_source_is_an_api_or_a_name() {
        let text = r#"
            [[source]]
            name = "fly"
            every = "2s"
            url = "https://api.machines.dev/v1/apps/my-app/machines"
            headers = { Authorization = "FLY_AUTHORIZATION" }
            metric = [{ name = "started", count = "", where = { "/state" = "started" } }]
            [[source]]
            name = "dns"
            look_up = "nats.example.net"
            resolver = "127.0.0.1:5353"
        "#;
        let sources = from_toml(text, "c.toml").unwrap();
        assert!(matches!(&sources[0].kind, SourceKind::Http { metrics, .. } if metrics.len() == 1));
        assert_eq!((sources[0].every.as_secs(), sources[1].every.as_secs()), (2, 10));
        assert!(matches!(sources[1].kind, SourceKind::Dns(_)));
    }

    #[test]
    fn each_mistake_has_its_line_and_a_remedy() {
        let source = |rest: &str| format!("[[source]]\nname = \"a\"\n{rest}");
        let http = |rest: &str| source(&format!("url = \"http://h/p\"\n{rest}"));
        let metric = |rest: &str| http(&format!("metric = [{{ name = \"m\", {rest} }}]"));
        for (text, expected) in [
            (String::new(), "there is no source: add `[[source]]`"),
            (source(""), "c.toml:2: source[0].name: a source needs exactly one of"),
            (http("look_up = \"x\""), "exactly one of `url`, `url_from` and `look_up`"),
            (http(""), "add `[[source.metric]]`"),
            (metric("value = \"a\""), "c.toml:4: source[0].metric[0].value: `a` is not a JSON pointer"),
            (metric("value = \"/a\", count = \"/b\""), "exactly one of `value` and `count`"),
            (metric("value = \"/a\", where = {}"), "`where` has no effect"),
            (source("url = \"ftp://h\""), "its scheme is `ftp`"),
            (source("url_from = \"hunter2\""), "is not the name of an environment variable"),
            (
                http("headers = { Authorization = \"Bearer hunter2\" }"),
                "is not the name of an environment variable",
            ),
            (http("every = \"10ms\""), "out of range: give 1s to 1h"),
            (http("evry = \"10s\""), "unknown field `evry`"),
            (source("look_up = \"nats.example.net\"\nresolver = \"nobody\""), "nobody"),
            (
                source("look_up = \"x\"\nmetric = [{ name = \"m\", value = \"/a\" }]"),
                "`metric` has no effect",
            ),
            (format!("{0}\n{0}", metric("value = \"/a\"")), "`a` exists already"),
        ] {
            let found = problems(&text);
            assert!(found.contains(expected) && found.contains("c.toml:"), "{text}\n{found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
    }
}
