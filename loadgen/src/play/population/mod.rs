//! The clients of a play: how many there are (`crowd`), what each does (`member`), and where they are for the people who watch
//! (`watch`).
//!
//! Owns the life of every client. Must not know of faults: `play::faults` orders clients through `crowd`.

pub(crate) mod crowd;
pub(crate) mod member;
pub(crate) mod watch;
