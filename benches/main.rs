//! Benchmarks of what runs per message, per event and per look at the ranking.
//!
//! `cargo bench -p nats-geo-benches -- --quick` is enough to see a change of a factor; leave `--quick` out to
//! compare within a few percent. Criterion's macros are left out: they hide this `main`.

mod fixture;
mod selector;
mod sim;
mod wire;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    selector::define(&mut criterion);
    sim::define(&mut criterion);
    wire::define(&mut criterion);
    criterion.final_summary();
}
