//! The simulator: how many hours of clients a second of this machine is worth.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use nats_geo::core::Config;
use nats_geo::sim::{Scenario, run};

const HOUR: Duration = Duration::from_secs(3_600);

/// Adds the benchmarks of this module. The throughput is simulated client-hours per second, all rules looking on.
pub(crate) fn define(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sim/client_hour");
    group.throughput(Throughput::Elements(1));
    for (name, config) in [("fleet", Config::fleet()), ("interactive", Config::interactive())] {
        let mut scenario = Scenario::super_cluster(name, vec![(0, config)]);
        scenario.lasts = HOUR;
        group.bench_function(name, |bencher| {
            bencher.iter(|| run(&scenario, 1).expect("no rule is broken"));
        });
    }
    group.finish();
}
