//! Reports of an agent that the back channel does not have yet. The agent keeps them on disk, because the back channel
//! may be down for a while.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::ops::Channel;

/// The parts of one agent in one run, in order. Dropping it gives up what is still on its way.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    /// Where each part ends in the file.
    ends: watch::Sender<Vec<u64>>,
    /// How many parts the back channel has.
    sent: watch::Receiver<usize>,
    sending: JoinHandle<()>,
}

/// Why parts cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// The disk.
    #[error(
        "the agent cannot write results into its temporary folder: {0}; free space, or set TMPDIR to another folder"
    )]
    Disk(#[from] io::Error),
    /// There is too much of it.
    #[error("the back channel has not answered for so long that {} GiB of results wait, which is the limit", SPOOL_BYTES >> 30)]
    Full,
    /// Nobody takes them.
    #[error("the back channel accepted only {sent} of {all} parts of the results within {} s", STORE_LIMIT.as_secs())]
    NotSent {
        /// How many it has.
        sent: usize,
        /// How many there are.
        all: usize,
    },
}

impl Spool {
    /// Begins to send parts on a subject.
    ///
    /// # Errors
    /// There is no room for a file.
    pub(crate) fn start(channel: Channel, subject: String) -> Result<Self, SpoolError> {
        // Without a name, it is gone with the process.
        let file = Arc::new(tempfile::tempfile()?);
        let (ends, added) = watch::channel(Vec::new());
        let (count, sent) = watch::channel(0);
        let sending = tokio::spawn(send(channel, subject, Arc::clone(&file), added, count));
        Ok(Self { file, ends, sent, sending })
    }

    /// Adds a part.
    ///
    /// # Errors
    /// The disk is full, or too much is waiting.
    pub(crate) fn add(&self, part: &[u8]) -> Result<(), SpoolError> {
        let (begin, oldest) = {
            let (ends, sent) = (self.ends.borrow(), *self.sent.borrow());
            let oldest = sent.checked_sub(1).and_then(|last| ends.get(last)).copied();
            (ends.last().copied().unwrap_or_default(), oldest.unwrap_or_default())
        };
        if begin - oldest > SPOOL_BYTES {
            return Err(SpoolError::Full);
        }
        self.file.write_all_at(part, begin)?;
        self.ends.send_modify(|ends| ends.push(begin + part.len() as u64));
        Ok(())
    }

    /// Waits until the back channel has everything.
    ///
    /// # Errors
    /// It is away for too long.
    pub(crate) async fn finish(&self) -> Result<(), SpoolError> {
        let all = self.ends.borrow().len();
        let mut sent = self.sent.clone();
        let everything = sent.wait_for(|sent| *sent >= all);
        match tokio::time::timeout(STORE_LIMIT, everything).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(SpoolError::NotSent { sent: *self.sent.borrow(), all }),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

/// Sends part after part, each until the back channel has it.
async fn send(
    channel: Channel,
    subject: String,
    file: Arc<File>,
    mut added: watch::Receiver<Vec<u64>>,
    count: watch::Sender<usize>,
) {
    for number in 0.. {
        let (begin, size) = match added.wait_for(|ends| ends.len() > number).await {
            Ok(ends) => {
                let begin = number.checked_sub(1).map_or(0, |last| ends[last]);
                (begin, usize::try_from(ends[number] - begin).unwrap_or_default())
            }
            Err(_) => return,
        };
        let mut part = vec![0; size];
        if let Err(error) = file.read_exact_at(&mut part, begin) {
            tracing::error!(%error, "a part of what was seen cannot be read from the disk");
            return;
        }
        let part = bytes::Bytes::from(part);
        let began = clock::now();
        while let Err(error) = channel.add_part(subject.clone(), number as u64, part.clone()).await {
            tracing::debug!(%error, after = ?began.elapsed(), "a part is sent again");
            tokio::time::sleep(SEND_AGAIN).await;
        }
        count.send_replace(number + 1);
    }
}

/// A day of 100 clients at 100 requests per second.
const SPOOL_BYTES: u64 = 16 << 30;

/// Longer than a server needs to come back.
const STORE_LIMIT: Duration = Duration::from_secs(300);

const SEND_AGAIN: Duration = Duration::from_millis(500);
