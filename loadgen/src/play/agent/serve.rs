//! The agent's side of a play: it takes parts and orders over the back channel.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::local::Local;
use super::orders::{Answer, Order, Seen};
use super::remote::{Ask, Assignment, Pem, Reply};
use super::spool::{Spool, SpoolError};
use super::timebase::Timebase;
use super::wire;
use crate::clients::Browsers;
use crate::clock;
use crate::cluster::{CertAndKey, ClientFiles};
use crate::ops::{AWAY_AT_MOST, Channel, PULSE_EVERY, Post, PulseSender, Question, parts_of, read_clock};
use crate::play::dialer::Hosts;
use crate::progress::{Board, Progress};
use crate::record::stats::millis;

/// Takes parts until the connection ends for good.
pub(crate) async fn serve(
    channel: &Channel,
    mut post: Post,
    browsers: &Browsers,
    (board, progress): (&Board, &Progress),
) {
    let pulse = tokio::spawn(pulse(post.pulse_sender(), board.clone()));
    let mut agent =
        Agent { channel: channel.clone(), board: board.clone(), browsers: browsers.clone(), playing: None };
    loop {
        let question = tokio::select! {
            question = post.next() => question,
            () = agent.orphaned() => {
                progress.note("the controller does not answer: the agent ends its clients");
                agent.playing = None;
                board.end();
                continue;
            }
        };
        let Some(question) = question else { break };
        agent.answer(question, progress).await;
    }
    pulse.abort();
}

async fn pulse(sender: PulseSender, board: Board) {
    let mut due = tokio::time::interval(PULSE_EVERY);
    loop {
        due.tick().await;
        // A status has only texts and numbers, which have a JSON form.
        let status = serde_json::to_vec(&board.read().status).unwrap_or_default();
        sender.send(status.into()).await;
    }
}

struct Agent {
    channel: Channel,
    board: Board,
    browsers: Browsers,
    playing: Option<Playing>,
}

/// A run in which the agent has a part.
struct Playing {
    run: String,
    local: Arc<Local>,
    reports: Reports,
    /// Number of the last question, and its answer: it may have been lost on its way.
    last: (u64, Bytes),
    /// `None`: the run has ended.
    controller: Option<Watched>,
    /// Keeps the certificates.
    _files: Option<TempDir>,
}

/// Sends what its clients see, once a second.
struct Reports {
    spool: Arc<Spool>,
    time: Timebase,
    /// Returns the reason if some of it was not kept.
    task: JoinHandle<Result<(), SendError>>,
}

/// Looks whether the controller is there.
struct Watched {
    task: JoinHandle<()>,
    is_gone: oneshot::Receiver<()>,
}

impl Agent {
    /// Returns when nobody gives orders any more in a run that goes on.
    async fn orphaned(&mut self) {
        match self.playing.as_mut().and_then(|playing| playing.controller.as_mut()) {
            // An error means that the task is gone, which nobody ends.
            Some(controller) => drop((&mut controller.is_gone).await),
            None => std::future::pending().await,
        }
    }

    async fn answer(&mut self, question: Question, progress: &Progress) {
        let known = self.playing.as_ref().filter(|playing| playing.run == question.run);
        if let Some((number, answer)) = known.map(|playing| &playing.last)
            && *number >= question.number
        {
            let answer = answer.clone();
            // A question of before the last one was answered: its reply is on its way.
            if *number == question.number {
                question.answer(answer).await;
            }
            return;
        }
        let reply = match serde_json::from_slice(&question.content) {
            Ok(Ask::Take(assignment)) => self.take(&question.run, *assignment, progress).await,
            Ok(Ask::Play(order)) => self.play(&question.run, order, progress).await,
            Err(error) => Err(format!("the agent cannot read the order: {error}")),
        };
        let reply = reply.unwrap_or_else(|reason| Reply::Failed { reason });
        // A reply has only texts and numbers, which have a JSON form.
        let content = Bytes::from(serde_json::to_vec(&reply).unwrap_or_default());
        if let Some(playing) = self.playing.as_mut().filter(|playing| playing.run == question.run) {
            playing.last = (question.number, content.clone());
        }
        question.answer(content).await;
    }

    async fn take(
        &mut self,
        run: &str,
        assignment: Assignment,
        progress: &Progress,
    ) -> Result<Reply, String> {
        let Assignment { mut part, tls } = assignment;
        let time = learn_time(&self.channel, run).await?;
        let files = tls.map(write).transpose().map_err(|error| {
            format!("the agent cannot write certificates into its temporary folder: {error}; set TMPDIR to another one")
        })?;
        part.routes.tls = files.as_ref().map(|(_, files)| files.clone());
        let regions = part.shares.keys().cloned().collect::<Vec<_>>().join(", ");
        let number = part.agent;
        self.board.clear();
        let shown = Progress::silent().on(Some(self.board.clone()));
        let hosts = Hosts { runtimes: BTreeMap::new(), browsers: self.browsers.clone() };
        let local = Local::start(part, time, hosts, shown);
        let local = Arc::new(local.map_err(|error| error.to_string())?);
        let spool = Spool::start(self.channel.clone(), parts_of(run, number)).map_err(|it| it.to_string())?;
        progress.note(&format!("plays clients of {regions}, clock ± {:.3} ms", millis(time.error())));
        self.playing = Some(Playing {
            run: run.to_owned(),
            reports: Reports::start(Arc::clone(&local), Arc::new(spool), time),
            local,
            last: (0, Bytes::new()),
            controller: Some(Watched::start(self.channel.clone(), run.to_owned())),
            _files: files.map(|(folder, _)| folder),
        });
        Ok(Reply::Ready { clock_error: time.error() })
    }

    async fn play(&mut self, run: &str, order: Order, progress: &Progress) -> Result<Reply, String> {
        let playing = self.playing.as_mut().filter(|playing| playing.run == run).ok_or(
            "the agent does not know this run, because the agent started again or lost the controller: start the run again",
        )?;
        match playing.local.ask(order).await.map_err(|error| error.to_string())? {
            Answer::Done => Ok(Reply::Done),
            Answer::Counts(counts) => Ok(Reply::Counts(counts)),
            Answer::Seen(seen) => {
                playing.reports.finish(&seen).await.map_err(|error| error.to_string())?;
                playing.controller = None;
                self.board.end();
                progress.note("the run has ended");
                let time = playing.reports.time;
                // Without an answer the run is whole all the same.
                let later = learn_time(&self.channel, run).await.ok();
                Ok(Reply::Sent { clock_error: later.map(|later| time.error_until(&later)) })
            }
            Answer::Sent { .. } => Ok(Reply::Done),
        }
    }
}

async fn learn_time(channel: &Channel, run: &str) -> Result<Timebase, String> {
    let mut readings = Vec::new();
    for _ in 0..READINGS {
        readings.push(read_clock(channel, run).await.map_err(|it| it.to_string())?);
    }
    Timebase::of(&readings)
        .ok_or_else(|| "the agent's machine started after the run began: start the run again".to_owned())
}

impl Reports {
    fn start(local: Arc<Local>, spool: Arc<Spool>, time: Timebase) -> Self {
        let kept = Arc::clone(&spool);
        let task = tokio::spawn(async move {
            let mut due = tokio::time::interval(REPORT_EVERY);
            loop {
                due.tick().await;
                // Without clients any more, the last report is made by `finish`.
                let Ok(Answer::Seen(seen)) = local.ask(Order::Report).await else { return Ok(()) };
                send(&seen, &spool, &time)?;
            }
        });
        Self { spool: kept, time, task }
    }

    /// Sends the last report, and waits until the back channel has all of them.
    async fn finish(&mut self, seen: &Seen) -> Result<(), SendError> {
        // Without clients, the task ends at its next report. A panic of it would be one of this process.
        (&mut self.task).await.unwrap_or(Ok(()))?;
        send(seen, &self.spool, &self.time)?;
        Ok(self.spool.finish().await?)
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn send(seen: &Seen, spool: &Spool, time: &Timebase) -> Result<(), SendError> {
    for part in wire::encode(seen, clock::now(), time)? {
        spool.add(&part)?;
    }
    Ok(())
}

/// Why what was seen is not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Wire(#[from] wire::WireError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Watched {
    fn start(channel: Channel, run: String) -> Self {
        let (gone, is_gone) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut answered, mut up) = (clock::now(), clock::now());
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if !channel.is_up() {
                    // The controller may be there while the back channel is away.
                    answered = clock::now();
                    if up.elapsed() > AWAY_AT_MOST {
                        break;
                    }
                    continue;
                }
                up = clock::now();
                if read_clock(&channel, &run).await.is_ok() {
                    answered = up;
                } else if answered.elapsed() > GIVE_UP_AFTER {
                    break;
                }
            }
            // Without a receiver, the play is over.
            let _ = gone.send(());
        });
        Self { task, is_gone }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes certificates into a folder that only this user can read.
fn write(pem: Pem) -> std::io::Result<(TempDir, ClientFiles)> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        private(&path)?.write_all(text.as_bytes())?;
        Ok::<_, std::io::Error>(path)
    };
    let files = ClientFiles {
        ca: write("ca.pem", &pem.ca)?,
        own: CertAndKey {
            cert: write("client.pem", &pem.cert)?,
            key: write("client.key", pem.key.expose())?,
        },
    };
    Ok((folder, files))
}

fn private(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Of so many round trips, one is short.
const READINGS: usize = 20;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// As long as the lease of a controller.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// An agent that is killed takes what it saw since its last report with it.
const REPORT_EVERY: Duration = Duration::from_secs(1);
