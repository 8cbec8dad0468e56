//! The runs of a store: the list, one run, and its files.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::store::{Entry, FileRow, Manifest, Store, StoreError, StoreUrl};

/// The store, which is opened by the first request that finds its folder.
#[derive(Debug)]
pub(super) struct History {
    url: StoreUrl,
    store: OnceCell<Arc<Store>>,
}

/// The query of `GET /api/runs`. All parts must hold; an empty one always does.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    /// The whole name of the scenario.
    scenario: String,
    /// `PASS`, `FAIL`, `INCONCLUSIVE` or `UNFINISHED`.
    verdict: String,
    /// A part of the name of the run or of its scenario, in any case.
    text: String,
    /// Only runs that are older than the one with this name.
    before: String,
    /// The most runs to list.
    limit: Option<usize>,
}

/// The answer to `GET /api/runs`.
#[derive(Debug, Serialize)]
pub(super) struct RunList {
    /// The address of the store.
    store: String,
    /// The newest runs that the filter lets through, the newest first.
    runs: Vec<Entry>,
    /// Runs that the filter lets through, `before` and `limit` aside.
    matching: usize,
    /// All runs of the store.
    total: usize,
    /// The scenarios of all runs, by name.
    scenarios: BTreeSet<String>,
}

/// An error as the answer to a request: a status, and a text that names the remedy.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::NoFolder { .. }
            | StoreError::NoRun { .. }
            | StoreError::NoneEnded { .. }
            | StoreError::Ambiguous { .. }
            | StoreError::Unfinished { .. } => StatusCode::NOT_FOUND,
            // The dashboard is a gateway to the store, and the fault is there.
            _ => StatusCode::BAD_GATEWAY,
        };
        Self(status, error.to_string())
    }
}

impl History {
    /// Opens the store. A folder that is missing is looked for again at each request: the first run makes it.
    ///
    /// # Errors
    /// The environment has no credentials, or the store cannot be opened.
    pub(super) async fn open(url: StoreUrl) -> Result<Self, StoreError> {
        let history = Self { url, store: OnceCell::new() };
        match history.store().await {
            Ok(_) | Err(StoreError::NoFolder { .. }) => Ok(history),
            Err(error) => Err(error),
        }
    }

    async fn store(&self) -> Result<&Arc<Store>, StoreError> {
        self.store.get_or_try_init(async || Store::open_existing(&self.url).map(Arc::new)).await
    }

    async fn list(&self, filter: &Filter) -> Result<RunList, Refusal> {
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let text = format!("`limit={limit}` is out of range: give 1 to {LIMIT_MAX}");
            return Err(Refusal(StatusCode::BAD_REQUEST, text));
        }
        let verdict = filter.verdict.to_uppercase();
        if !verdict.is_empty() && !STATES.contains(&verdict.as_str()) {
            let text =
                format!("`verdict={}` is not known: give one of {}", filter.verdict, STATES.join(", "));
            return Err(Refusal(StatusCode::BAD_REQUEST, text));
        }
        let entries = self.store().await?.entries().await?;
        let total = entries.len();
        let scenarios = entries.iter().map(|entry| entry.scenario.clone()).collect();
        let part = filter.text.to_lowercase();
        let is_found = |entry: &Entry| {
            (filter.scenario.is_empty() || entry.scenario == filter.scenario)
                && (verdict.is_empty() || entry.state.to_string() == verdict)
                && (entry.scenario.to_lowercase().contains(&part)
                    || entry.run.as_str().to_lowercase().contains(&part))
        };
        let found: Vec<Entry> = entries.into_iter().rev().filter(is_found).collect();
        let matching = found.len();
        // Names sort by time.
        let is_older =
            |entry: &Entry| filter.before.is_empty() || entry.run.as_str() < filter.before.as_str();
        let runs = found.into_iter().filter(is_older).take(limit).collect();
        Ok(RunList { store: self.url.to_string(), runs, matching, total, scenarios })
    }

    async fn manifest(&self, run: &str) -> Result<Manifest, StoreError> {
        let store = self.store().await?;
        store.manifest(&store.named(run).await?).await
    }

    /// Only files that the manifest names can be read, so no path leads out of the run.
    async fn file(&self, run: &str, path: &str) -> Result<Response, Refusal> {
        let manifest = self.manifest(run).await?;
        let file = manifest.files.iter().find(|file| file.path == path).ok_or_else(|| {
            let text =
                format!("the run `{}` has no file `{path}`: /api/runs/{0} lists its files", manifest.run);
            Refusal(StatusCode::NOT_FOUND, text)
        })?;
        let mut pieces = self.store().await?.pieces(&manifest.run, file);
        // An error before the first piece can still have a status of its own.
        let first = pieces.recv().await.transpose()?;
        let rest = stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
        let first = stream::iter(first.map(Ok::<_, StoreError>));
        Ok((headers(file), Body::from_stream(futures_util::StreamExt::chain(first, rest))).into_response())
    }
}

/// A browser shows text, JSON, drawings and reports, and saves everything else.
fn headers(file: &FileRow) -> [(HeaderName, HeaderValue); 4] {
    let (content_type, disposition) = match file.path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => ("text/html; charset=utf-8", "inline"),
        Some("json") => ("application/json", "inline"),
        Some("svg") => ("image/svg+xml", "inline"),
        Some("csv" | "jsonl" | "log" | "md" | "toml" | "txt" | "xml") => {
            ("text/plain; charset=utf-8", "inline")
        }
        _ => ("application/octet-stream", "attachment"),
    };
    let value = HeaderValue::from_static;
    [
        (header::CONTENT_TYPE, value(content_type)),
        (header::CONTENT_DISPOSITION, value(disposition)),
        (header::CONTENT_LENGTH, file.size.into()),
        (header::CONTENT_SECURITY_POLICY, value(FILE_POLICY)),
    ]
}

/// Answers `GET /api/runs`.
pub(super) async fn list(
    State(history): State<Arc<History>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<RunList>, Refusal> {
    let Query(filter) = filter.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    history.list(&filter).await.map(Json)
}

/// Answers `GET /api/runs/{run}`.
pub(super) async fn show(
    State(history): State<Arc<History>>,
    Path(run): Path<String>,
) -> Result<Json<Manifest>, Refusal> {
    Ok(Json(history.manifest(&run).await?))
}

/// Answers `GET /api/runs/{run}/files/{path}`.
pub(super) async fn file(
    State(history): State<Arc<History>>,
    Path((run, path)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    history.file(&run, &path).await
}

/// The verdicts that a filter may name.
const STATES: [&str; 4] = ["PASS", "FAIL", "INCONCLUSIVE", "UNFINISHED"];

/// A page of runs, as many as a person scrolls through.
const LIMIT_DEFAULT: usize = 100;
/// An answer of some 200 kB.
const LIMIT_MAX: usize = 1_000;

/// A file comes from another machine and may hold any script. `sandbox` gives it an origin of its own, so that it reads nothing
/// of the dashboard; it loads nothing and sends nothing.
const FILE_POLICY: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
