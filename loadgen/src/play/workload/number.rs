//! The number at the beginning of every message.

use std::time::Duration;

use bytes::Bytes;

/// The first bytes of every message of loadgen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Number {
    /// Index of the publisher's population.
    pub(crate) population: usize,
    /// Number of the publisher: each client has its own for each workload.
    pub(crate) publisher: u64,
    /// Number of the message among those of its publisher.
    pub(crate) message: u64,
    /// When the message was due, since the origin of the play.
    pub(crate) due: Duration,
}

impl Number {
    /// Returns the number, and zeros up to the size.
    pub(crate) fn payload(self, bytes: usize) -> Bytes {
        let mut payload = Vec::with_capacity(bytes);
        let publisher = (self.population as u64) << PUBLISHER_BITS | self.publisher;
        payload.extend_from_slice(&publisher.to_be_bytes());
        payload.extend_from_slice(&self.message.to_be_bytes());
        let due = u64::try_from(self.due.as_nanos()).unwrap_or(u64::MAX);
        payload.extend_from_slice(&due.to_be_bytes());
        payload.resize(bytes.max(payload.len()), 0);
        payload.into()
    }

    /// Reads the number of a message; `None` for a message that is too short to be one of loadgen.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_be_bytes(payload.get(at..at + 8)?.try_into().ok()?));
        let publisher = word(0)?;
        let population = usize::try_from(publisher >> PUBLISHER_BITS).ok()?;
        Some(Self {
            population,
            publisher: publisher & ((1 << PUBLISHER_BITS) - 1),
            message: word(8)?,
            due: Duration::from_nanos(word(16)?),
        })
    }
}

/// More publishers than any run has; the rest tells populations apart.
const PUBLISHER_BITS: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_messages() {
        let due = Duration::from_nanos(12_345_678_901);
        let number = Number { population: 2, publisher: 70_000, message: 9, due };
        let payload = number.payload(64);
        assert_eq!((payload.len(), Number::read(&payload)), (64, Some(number)));
        assert_eq!(number.payload(0).len(), 24);
        assert_eq!(Number::read(b"short"), None);
    }
}
