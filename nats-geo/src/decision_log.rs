//! Decision logs as text: the inputs and the decisions of a selector, one JSON object per line.
//!
//! ```text
//! {"start":{"format":1,"version":"0.1.0","seed":42,"at":21000,"config":{..}}}
//! {"told":{"at":90000,"call":{"Event":{"Discovered":{"id":1,"address":"lon-1:4222",..}}}}}
//! {"decided":{"at":90000,"action":{"Probe":{"probe":0,"endpoint":1,"timeout":{"secs":2,"nanos":0}}}}}
//! {"ended":{"why":"the client was closed"}}
//! ```
//!
//! Times are nanoseconds of the client's own clock. A log has no gaps. A log that reaches its size limit ends early, with
//! a line that gives the reason, and it can still be replayed. A log contains addresses, names of servers and regions,
//! and errors of servers. It contains no credentials, because a selector never gets them.
//!
//! The native client writes a log with `GeoOptions::decision_log`. [`Log::read`] reads the log, and [`Log::replay`]
//! replays it. So you can examine the decisions of a client in production step by step, and use the log in a test:
//!
//! ```
//! use nats_geo::core::{Call, Config, Endpoint, EndpointId, Event, Log, Time};
//!
//! let mut log = Log::new(Config::fleet(), 42, Time::ZERO);
//! let endpoint = Endpoint::new(EndpointId(1), "lon-1:4222");
//! log.calls.push((Time::ZERO, Call::Event(Event::Discovered(endpoint))));
//! log.actions = log.replay()?;
//!
//! let mut text = Vec::new();
//! log.write(&mut text)?;
//! let again = Log::read(text.as_slice())?;
//! assert_eq!(again, log);
//! assert_eq!(again.replay()?, again.actions);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::core::{Action, Call, Config, Log, Time};

/// One line of a log.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first line.
    Start {
        format: u32,
        /// Version of this crate: another one may decide otherwise.
        version: String,
        seed: u64,
        at: Time,
        config: Box<Config>,
    },
    Told {
        at: Time,
        call: Call,
    },
    Decided {
        at: Time,
        action: Action,
    },
    /// The last line. It is missing if the process died.
    Ended {
        why: String,
    },
}

/// Version of the format. A change of the meaning of a line raises it.
const FORMAT: u32 = 1;

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Line {
    pub(crate) fn start(config: Config, seed: u64, at: Time) -> Self {
        Self::Start { format: FORMAT, version: VERSION.into(), seed, at, config: Box::new(config) }
    }

    /// The line with its end.
    pub(crate) fn text(&self) -> io::Result<String> {
        let mut text = serde_json::to_string(self)?;
        text.push('\n');
        Ok(text)
    }
}

/// Reason why a decision log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be read.
    #[error("reading the decision log failed: {0}")]
    Io(#[from] io::Error),
    /// The text does not begin with the first line of a decision log.
    #[error("not a decision log: it does not begin with a line `{{\"start\":..}}`")]
    NoStart,
    /// The log has another format.
    #[error(
        "the decision log has format {found}, written by nats-geo {version}, but nats-geo {this} reads format {reads}",
        this = VERSION,
        reads = FORMAT
    )]
    Format {
        /// The format of the log.
        found: u32,
        /// The version of nats-geo that wrote the log.
        version: String,
    },
    /// A line of the log is malformed.
    #[error("line {number} of the decision log, written by nats-geo {version}: {error} (this is nats-geo {this})", this = VERSION)]
    Line {
        /// Number of the line, counted from 1.
        number: usize,
        /// The version of nats-geo that wrote the log.
        version: String,
        /// The error of the JSON parser.
        error: serde_json::Error,
    },
}

impl Log {
    /// Reads a log that [`write`](Self::write) or a client has written. If the writing process ended during a write,
    /// this call ignores the incomplete last line.
    ///
    /// # Errors
    /// The text is not a decision log, is damaged, or has another format.
    pub fn read(mut text: impl BufRead) -> Result<Self, LogError> {
        let mut line = String::new();
        text.read_line(&mut line)?;
        let Ok(Line::Start { format, version, seed, at, config }) = serde_json::from_str(&line) else {
            return Err(not_started(&line));
        };
        if format != FORMAT {
            return Err(LogError::Format { found: format, version });
        }
        let mut log = Self::new(*config, seed, at);
        for number in 2.. {
            line.clear();
            text.read_line(&mut line)?;
            if !line.ends_with('\n') {
                break;
            }
            match serde_json::from_str(&line) {
                Ok(Line::Told { at, call }) => log.calls.push((at, call)),
                Ok(Line::Decided { at, action }) => log.actions.push((at, action)),
                Ok(Line::Ended { .. }) => break,
                Ok(Line::Start { .. }) => {
                    let error = serde::de::Error::custom(
                        "a second log begins here, but a file holds the log of one client",
                    );
                    return Err(LogError::Line { number, version, error });
                }
                Err(error) => return Err(LogError::Line { number, version, error }),
            }
        }
        Ok(log)
    }

    /// Writes the log as text: each input, followed by the decisions of the same moment.
    ///
    /// # Errors
    /// The writer returned an error.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut write = |line: &Line| out.write_all(line.text()?.as_bytes());
        write(&Line::start(self.config.clone(), self.seed, self.started))?;
        let mut actions = self.actions.iter().peekable();
        for (at, call) in &self.calls {
            // Those of a moment that is over.
            while let Some((at, action)) = actions.next_if(|(decided, _)| decided < at) {
                write(&Line::Decided { at: *at, action: action.clone() })?;
            }
            write(&Line::Told { at: *at, call: call.clone() })?;
        }
        for (at, action) in actions {
            write(&Line::Decided { at: *at, action: action.clone() })?;
        }
        Ok(())
    }
}

/// Problem of a first line that cannot be used.
fn not_started(line: &str) -> LogError {
    /// The part that all formats have in common.
    #[derive(Deserialize)]
    struct Any {
        start: Start,
    }
    #[derive(Deserialize)]
    struct Start {
        format: u32,
        version: String,
    }
    let Ok(Any { start: Start { format, version } }) = serde_json::from_str(line) else {
        return LogError::NoStart;
    };
    match serde_json::from_str::<Line>(line) {
        Err(error) if format == FORMAT => LogError::Line { number: 1, version, error },
        _ => LogError::Format { found: format, version },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Endpoint, EndpointId, Event};

    fn log() -> Log {
        let mut config = Config::fleet();
        // No binary fraction, so it would be read as another number if that were done in a hurry.
        config.probe.jitter = 0.1 + 0.2;
        let mut log = Log::new(config, u64::MAX, Time::from_millis(7));
        let endpoint = Endpoint::new(EndpointId(1), "lon-1:4222").with_label("lon \"1\"\n");
        log.calls.push((Time::from_millis(8), Call::Event(Event::Discovered(endpoint))));
        log.calls.push((Time::from_millis(9_000), Call::Timeout));
        log.actions = log.replay().unwrap();
        assert!(log.actions.len() > 1);
        log
    }

    fn text(log: &Log) -> String {
        let mut text = Vec::new();
        log.write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let log = log();
        let text = text(&log);
        assert_eq!(Log::read(text.as_bytes()).unwrap(), log);
        let cut = &text[..text.len() - 3];
        let read = Log::read(cut.as_bytes()).unwrap();
        assert_eq!(read.actions, log.actions[..log.actions.len() - 1], "without the unfinished line");
    }

    #[test]
    fn what_is_no_log_is_refused_and_says_why() {
        let error = |text: &str| Log::read(text.as_bytes()).unwrap_err().to_string();
        let good = text(&log());
        assert!(error("").contains("not a decision log"));
        assert!(error("{\"told\":{}}\n").contains("not a decision log"));
        let other = good.replacen("\"format\":1", "\"format\":2", 1);
        assert!(error(&other).contains("has format 2, written by nats-geo 0"), "{}", error(&other));
        let older = good.replacen("\"budget_burst\"", "\"burst\"", 1);
        assert!(error(&older).starts_with("line 1 of"), "{}", error(&older));
        assert!(error(&older).contains("missing field `budget_burst`"), "{}", error(&older));
        let damaged = good.replacen("\"told\"", "\"tald\"", 1);
        assert!(error(&damaged).starts_with("line 2 of"), "{}", error(&damaged));
        assert!(error(&good.repeat(2)).contains("a second log begins"), "{}", error(&good.repeat(2)));
    }
}
