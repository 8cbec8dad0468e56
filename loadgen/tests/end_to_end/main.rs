//! The built command, as a user calls it.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod changes;
mod inject;
mod killed;
mod login;
mod measuring;
mod place;
mod simulate;
mod stable;
mod two;
mod up;
