//! Message ids, by which a stream recognises a message that it has already stored.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::native::unique::unique;

/// Ids that nobody else gives to a message: a random prefix of 128 bits and a count.
#[derive(Debug)]
pub(crate) struct MessageIds {
    prefix: String,
    next: AtomicU64,
}

impl MessageIds {
    pub(crate) fn new() -> Self {
        Self { prefix: unique(), next: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self) -> String {
        format!("{}.{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_id_is_given_twice() {
        let makers: Vec<_> = (0..100).map(|_| MessageIds::new()).collect();
        let ids: BTreeSet<_> =
            makers.iter().flat_map(|maker| (0..100).map(|_| maker.next()).collect::<Vec<_>>()).collect();
        assert_eq!(ids.len(), 100 * 100);
        assert!(ids.iter().all(|id| id.is_ascii() && !id.contains(char::is_whitespace)));
    }
}
