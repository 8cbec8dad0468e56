//! This module writes the inputs and decisions of the selector to a decision log.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use super::events::event;
use crate::core::{Action, Call, Config, Time};
use crate::decision_log::Line;
use crate::native::ConnectError;
use crate::native::hub::lock;

/// Writer of the inputs and decisions of one client, for [`GeoOptions::decision_log`](crate::GeoOptions::decision_log).
/// [`decision_log`](crate::decision_log) describes the format. A log contains no secrets.
///
/// A separate thread writes the lines. The log is bounded and has no gaps. The log ends at its limit, when the writer
/// fails, or when thousands of lines wait for a slow writer. The last line and a warning then give the reason, and the
/// client continues without the log. The log is complete when [`GeoClient::close`](crate::GeoClient::close) returns.
///
/// ```no_run
/// use nats_geo::GeoOptions;
/// use nats_geo::core::Log;
/// use nats_geo::observe::DecisionLog;
/// use std::fs::File;
/// use std::io::BufReader;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let log = DecisionLog::new(File::create("decisions.jsonl")?);
/// let client = GeoOptions::new().decision_log(log).connect("nats://lon-1:4222,nats://ams-1:4222").await?;
/// // ...
/// client.close().await;
///
/// let log = Log::read(BufReader::new(File::open("decisions.jsonl")?))?;
/// assert_eq!(log.replay()?.len(), log.actions.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a decision log does nothing until it is given to the options of a client"]
pub struct DecisionLog {
    writer: Arc<Mutex<Option<Writer>>>,
    bytes_max: u64,
}

type Writer = Box<dyn Write + Send>;

/// About a day and a half of the fleet preset at home: 500 bytes for each PING and its answer.
const BYTES_MAX: u64 = 64 << 20;

/// Lines that may wait for the writer: the start of a client with 4096 servers makes about 16 000.
const LINES_MAX: usize = 16 << 10;

/// Closing a client waits at most so long for a slow writer.
const FINISH_LIMIT: Duration = Duration::from_secs(2);

impl DecisionLog {
    /// Creates the log of one client, which is written to this writer. A thread writes complete lines, so the writer
    /// need not be buffered.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(Some(Box::new(writer)))), bytes_max: BYTES_MAX }
    }

    /// Sets the largest size of the log, in bytes. The log ends before it exceeds this size. Default 64 MiB.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Begins the log of a client.
    pub(crate) fn start(&self, config: Config, seed: u64, at: Time) -> Result<Recorder, ConnectError> {
        let writer = lock(&self.writer).take().ok_or(ConnectError::DecisionLogInUse)?;
        let (lines, waiting) = mpsc::channel(LINES_MAX);
        let why = Arc::new(OnceLock::new());
        let job = Job { waiting, writer, why: Arc::clone(&why), bytes_left: self.bytes_max };
        let writing = tokio::task::spawn_blocking(move || job.run());
        let mut recorder = Recorder { lines: Some(lines), why, writing };
        recorder.record(Line::start(config, seed, at));
        Ok(recorder)
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionLog").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

/// The driver's end of a log.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// `None` once the log has ended.
    lines: Option<mpsc::Sender<Line>>,
    why: Arc<OnceLock<&'static str>>,
    writing: JoinHandle<()>,
}

impl Recorder {
    pub(crate) fn told(&mut self, at: Time, call: Call) {
        self.record(Line::Told { at, call });
    }

    pub(crate) fn decided(&mut self, at: Time, action: Action) {
        self.record(Line::Decided { at, action });
    }

    /// Returns when the log is complete, or the writer is too slow to wait for.
    pub(crate) async fn finish(mut self) {
        self.end("the client was closed");
        // If it takes longer, it ends by itself.
        let _ = tokio::time::timeout(FINISH_LIMIT, &mut self.writing).await;
    }

    fn record(&mut self, line: Line) {
        let Some(lines) = &self.lines else { return };
        match lines.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.end(SLOW),
            // The writer has said why.
            Err(TrySendError::Closed(_)) => self.lines = None,
        }
    }

    fn end(&mut self, why: &'static str) {
        if self.lines.is_some() {
            // Before the channel closes: the writer looks for the reason then.
            let _ = self.why.set(why);
            self.lines = None;
        }
    }
}

const SLOW: &str = "the writer was too slow: use a faster one, or one that buffers";

/// The writer's end.
struct Job {
    waiting: mpsc::Receiver<Line>,
    writer: Writer,
    why: Arc<OnceLock<&'static str>>,
    bytes_left: u64,
}

impl Job {
    fn run(mut self) {
        if let Err(why) = self.write() {
            event!(DECISION_LOG_ENDED, why, "the decision log ended: {why}");
        }
    }

    /// Writes the log and its end.
    ///
    /// # Errors
    /// Reason why it is not complete.
    fn write(&mut self) -> Result<(), String> {
        let (why, is_complete) = match self.write_all() {
            Ok(None) => match self.why.get() {
                Some(why) => ((*why).to_owned(), *why != SLOW),
                // The driver was dropped together with its runtime.
                None => ("the client was dropped".to_owned(), false),
            },
            Ok(Some(why)) => (why.to_owned(), false),
            Err(error) => (failed(&error), false),
        };
        let end = Line::Ended { why: why.clone() }.text();
        let end =
            end.and_then(|text| self.writer.write_all(text.as_bytes())).and_then(|()| self.writer.flush());
        match end {
            Err(error) if is_complete => Err(failed(&error)),
            _ if is_complete => Ok(()),
            // If this was the writer, it may have failed again.
            _ => Err(why),
        }
    }

    /// Until no more lines come, or no more may be written: then returns why.
    fn write_all(&mut self) -> io::Result<Option<&'static str>> {
        while let Some(line) = self.waiting.blocking_recv() {
            let text = line.text()?;
            let Some(left) = self.bytes_left.checked_sub(text.len() as u64) else {
                return Ok(Some("it has reached its size limit: raise `DecisionLog::bytes_max`"));
            };
            self.bytes_left = left;
            self.writer.write_all(text.as_bytes())?;
            if self.waiting.is_empty() {
                self.writer.flush()?;
            }
        }
        Ok(None)
    }
}

fn failed(error: &io::Error) -> String {
    format!("the writer failed: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Log;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started(log: &DecisionLog) -> Recorder {
        log.start(Config::fleet(), 1, Time::ZERO).unwrap()
    }

    #[tokio::test]
    async fn a_log_ends_at_its_limit_and_can_be_read_up_to_there() {
        let shared = Shared::default();
        let mut recorder = started(&DecisionLog::new(shared.clone()).bytes_max(8 << 10));
        for ms in 0..1_000 {
            recorder.told(Time::from_millis(ms), Call::Timeout);
        }
        recorder.finish().await;
        let text = shared.text();
        assert!(text.len() < (8 << 10) + 200, "{} bytes", text.len());
        assert!(text.lines().last().unwrap().contains("has reached its size limit"), "{text}");
        let calls = Log::read(text.as_bytes()).unwrap().calls.len();
        assert!((10..1_000).contains(&calls), "{calls} calls");
    }

    #[tokio::test]
    async fn a_closed_client_completes_its_log_and_no_other_may_use_it() {
        let shared = Shared::default();
        let log = DecisionLog::new(shared.clone());
        started(&log).finish().await;
        assert!(
            shared.text().ends_with("{\"ended\":{\"why\":\"the client was closed\"}}\n"),
            "{}",
            shared.text()
        );
        let error = log.start(Config::fleet(), 2, Time::ZERO).unwrap_err();
        assert_eq!(error, ConnectError::DecisionLogInUse);
    }

    #[tokio::test]
    async fn a_writer_that_fails_ends_the_log_and_nothing_else() {
        let mut recorder = started(&DecisionLog::new(Full));
        let ended = async {
            while recorder.lines.is_some() {
                recorder.told(Time::ZERO, Call::Timeout);
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the log has no end");
    }

    /// Has room for some bytes.
    struct Nearly(usize);

    impl Write for Nearly {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("disk full"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_is_cut_short_while_the_client_is_closed_is_not_called_complete() {
        let line = || Line::Told { at: Time::ZERO, call: Call::Timeout };
        let length = line().text().unwrap().len();
        let written = |room: usize, bytes_max: u64| {
            let (lines, waiting) = mpsc::channel(9);
            (0..2).for_each(|_| lines.try_send(line()).unwrap());
            drop(lines);
            let why = Arc::new(OnceLock::from("the client was closed"));
            Job { waiting, writer: Box::new(Nearly(room)), why, bytes_left: bytes_max }.write()
        };
        assert_eq!(written(1000, 1000), Ok(()));
        for room in [length, 2 * length] {
            assert_eq!(written(room, 1000), Err("the writer failed: disk full".into()), "{room}");
        }
        assert!(written(1000, length as u64).unwrap_err().contains("has reached its size limit"));
    }
}
