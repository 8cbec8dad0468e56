//! The demo's own content inside NATS: pages and JSON by request and reply, files and video as objects.
//!
//! A client of nats-geo in every region answers, and every region holds a copy of the objects (a mirror that serves
//! direct gets), so that the content outlives any one region.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, object_store, stream};
use bytes::Bytes;
use futures_util::StreamExt;
use nats_geo::core::Config;
use nats_geo::{GeoClient, GeoOptions, Message};
use tokio::task::JoinSet;

use crate::clock;
use crate::cluster::{StartOptions, SuperCluster, UnknownNameError};

/// What answers. Dropping it ends the answering.
#[derive(Debug)]
pub struct Site {
    _tasks: JoinSet<()>,
}

/// Why the content is not there.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The built demo is incomplete.
    #[error("cannot read {}: {error}; build the demo anew with `make web`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// JetStream said no.
    #[error("cannot {what}: {reason}")]
    JetStream {
        /// What was to be made.
        what: String,
        /// What it said.
        reason: String,
    },
    /// A responder did not connect or subscribe.
    #[error("the responder in {region} did not start: {reason}")]
    Responder {
        /// Where.
        region: String,
        /// The reason.
        reason: String,
    },
    /// Not possible: the names are the super-cluster's own.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
}

impl Site {
    /// Loads `web/nats` into NATS, and answers for it in every region.
    pub(super) async fn start(
        cluster: &SuperCluster,
        start: &StartOptions,
        web: &Path,
    ) -> Result<Self, SiteError> {
        let folder = web.join("nats");
        let pages = files_below(&folder.join("pages"))?;
        let objects = files_below(&folder.join("objects"))?;
        store(cluster, start, objects).await?;
        let mut tasks = JoinSet::new();
        for region in start.topology.regions() {
            let urls: Vec<_> =
                cluster.endpoints(region)?.into_iter().map(|endpoint| endpoint.tcp_url).collect();
            let failed = |reason: String| SiteError::Responder { region: region.clone(), reason };
            let options = GeoOptions::new().config(Config::interactive()).name(format!("site-{region}"));
            let client = options.connect(urls).await.map_err(|error| failed(error.to_string()))?;
            let questions = client.queue_subscribe(SUBJECTS, "site").await;
            let questions = questions.map_err(|error| failed(error.to_string()))?;
            client.flush().await.map_err(|error| failed(error.to_string()))?;
            tasks.spawn(tick(client.clone(), region.clone()));
            tasks.spawn(answer(client, questions, region.clone(), pages.clone()));
        }
        Ok(Self { _tasks: tasks })
    }
}

/// Something to listen to: numbered, so that a listener sees what it missed.
async fn tick(client: GeoClient, home: String) {
    let mut ticks = tokio::time::interval(TICK);
    let mut number: u64 = 0;
    loop {
        ticks.tick().await;
        let tick = serde_json::json!({ "from": home, "number": number, "at_ms": wall_ms() });
        // While its region is dying, a tick may be lost: that is what the listener is to see.
        if let Err(error) = client.publish(format!("demo.tick.{home}"), tick.to_string().into()).await {
            tracing::debug!(%error, "a tick was not published");
        }
        number += 1;
    }
}

async fn answer(
    client: GeoClient,
    mut questions: nats_geo::Subscription,
    home: String,
    pages: BTreeMap<String, Bytes>,
) {
    let mut answered: u64 = 0;
    while let Some(question) = questions.next().await {
        answered += 1;
        let subject = question.subject.to_string();
        let path = subject.strip_prefix(PREFIX).unwrap_or_default();
        let answer = match (path, pages.get(path)) {
            ("status", _) => Answer::json(&status(&client, &home, answered)),
            (_, Some(page)) => {
                Answer { content_type: "text/html; charset=utf-8", status: "200", body: page.clone() }
            }
            (_, None) => Answer::not_found(path),
        };
        answer.send(&question).await;
    }
}

struct Answer {
    content_type: &'static str,
    /// What the worker makes the status of its HTTP response.
    status: &'static str,
    body: Bytes,
}

impl Answer {
    fn json(value: &serde_json::Value) -> Self {
        Self { content_type: "application/json", status: "200", body: value.to_string().into() }
    }

    fn not_found(path: &str) -> Self {
        let body = format!("there is no page `{path}`");
        Self { content_type: "text/plain; charset=utf-8", status: "404", body: body.into() }
    }

    async fn send(self, question: &Message) {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", self.content_type);
        headers.insert("Http-Status", self.status);
        // Whoever asked without a reply subject, or has gone, needs no answer.
        if let Err(error) = question.respond_with_headers(headers, self.body).await {
            tracing::debug!(%error, "an answer was not sent");
        }
    }
}

fn status(client: &GeoClient, home: &str, answered: u64) -> serde_json::Value {
    let region = client.snapshot().active.map(|place| place.region.as_str().to_owned());
    serde_json::json!({ "responder": home, "connected_to": region, "answered": answered, "at_ms": wall_ms() })
}

fn wall_ms() -> f64 {
    clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1_000.0
}

/// Puts the objects into a bucket in the first region, and a mirror of it into every other.
async fn store(
    cluster: &SuperCluster,
    start: &StartOptions,
    objects: BTreeMap<String, Bytes>,
) -> Result<(), SiteError> {
    let failed = |what: &str, reason: String| SiteError::JetStream { what: what.to_owned(), reason };
    let regions = start.topology.regions();
    let urls: Vec<_> = cluster.endpoints(&regions[0])?.into_iter().map(|endpoint| endpoint.tcp_url).collect();
    let connecting = async_nats::connect(urls).await;
    let client = connecting.map_err(|error| failed("connect to load objects", error.to_string()))?;
    let mut context = jetstream::new(client);
    context.set_timeout(JETSTREAM_LIMIT);
    let num_replicas = start.topology.servers_per_region().min(REPLICAS).into();
    let place = |region: &String| Some(stream::Placement { cluster: Some(region.clone()), tags: Vec::new() });
    let config = object_store::Config {
        bucket: BUCKET.to_owned(),
        num_replicas,
        placement: place(&regions[0]),
        ..object_store::Config::default()
    };
    let what = format!("make the bucket `{BUCKET}` in {}", regions[0]);
    let bucket =
        context.create_object_store(config).await.map_err(|error| failed(&what, error.to_string()))?;
    for (name, content) in objects {
        let put = bucket.put(name.as_str(), &mut content.as_ref()).await;
        put.map_err(|error| failed(&format!("store the object `{name}`"), error.to_string()))?;
    }
    let origin = context.get_stream(format!("OBJ_{BUCKET}")).await;
    let stored = origin
        .map_err(|error| failed("count what is stored", error.to_string()))?
        .cached_info()
        .state
        .messages;
    for region in &regions[1..] {
        let mirror = stream::Config {
            name: format!("OBJ_{BUCKET}_{region}"),
            mirror: Some(stream::Source { name: format!("OBJ_{BUCKET}"), ..stream::Source::default() }),
            mirror_direct: true,
            allow_direct: true,
            num_replicas,
            placement: place(region),
            ..stream::Config::default()
        };
        let what = format!("make the mirror in {region}");
        let made = context.create_stream(mirror).await;
        let made = made.map_err(|error| failed(&what, error.to_string()))?;
        filled(made, stored).await.map_err(|reason| failed(&what, reason))?;
    }
    Ok(())
}

/// Waits until a mirror has all messages: from then on it can stand in for the first region.
async fn filled(mut mirror: stream::Stream, stored: u64) -> Result<(), String> {
    let deadline = clock::now() + JETSTREAM_LIMIT;
    loop {
        let info = mirror.info().await.map_err(|error| error.to_string())?;
        if info.state.messages >= stored {
            return Ok(());
        }
        if clock::now() >= deadline {
            return Err(format!(
                "{} of {stored} messages came within {JETSTREAM_LIMIT:?}",
                info.state.messages
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Files by their path below `folder`, with `/` between the parts.
fn files_below(folder: &Path) -> Result<BTreeMap<String, Bytes>, SiteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| SiteError::Read { path, error }
    };
    let mut files = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                folders.push((path, format!("{name}/")));
            } else {
                let content = std::fs::read(&path).map_err(failed(&path))?;
                files.insert(name, content.into());
            }
        }
    }
    Ok(files)
}

/// The bucket that the demo's worker reads.
const BUCKET: &str = "site";

/// What the responders answer: `web.site.hello.html` is the page `hello.html`, `web.site.status` says who answers.
const SUBJECTS: &str = "web.site.>";
const PREFIX: &str = "web.site.";

/// Often enough to see a failover in the gap, seldom enough to follow with the eye.
const TICK: Duration = Duration::from_millis(250);

/// A mirror copies a megabyte in a few round trips.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The most that makes sense inside a region; fewer where there are fewer servers.
const REPLICAS: u16 = 3;

/// A stream's first election takes a second or two, more on a busy machine.
const JETSTREAM_LIMIT: Duration = Duration::from_secs(20);
