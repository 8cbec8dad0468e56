//! The wire codec: messages of 16 bytes (overhead) and 1 KiB (copies), many per read as on a busy socket.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use nats_geo::wire::{ClientOp, Decoder};

/// Payload sizes.
const PAYLOADS: [usize; 2] = [16, 1_024];
/// Messages per read or write.
const BATCH: usize = 64;

/// Adds the benchmarks of this module.
pub(crate) fn define(criterion: &mut Criterion) {
    for payload in PAYLOADS {
        decode(criterion, payload);
        encode(criterion, payload);
    }
}

fn decode(criterion: &mut Criterion, payload: usize) {
    let mut input = Vec::new();
    for _ in 0..BATCH {
        input.extend_from_slice(format!("MSG orders.new 7 {payload}\r\n").as_bytes());
        input.resize(input.len() + payload, b'x');
        input.extend_from_slice(b"\r\n");
    }
    let mut group = criterion.benchmark_group("wire/decode");
    group.throughput(Throughput::ElementsAndBytes { elements: BATCH as u64, bytes: input.len() as u64 });
    group.bench_function(BenchmarkId::from_parameter(payload), |bencher| {
        let mut decoder = Decoder::new();
        bencher.iter(|| {
            decoder.feed(black_box(&input));
            let mut messages = 0;
            while let Some(op) = decoder.next_op().expect("valid input") {
                black_box(op);
                messages += 1;
            }
            assert_eq!(messages, BATCH);
        });
    });
    group.finish();
}

fn encode(criterion: &mut Criterion, payload: usize) {
    let payload = vec![b'x'; payload];
    let publish = ClientOp::Pub { subject: "orders.new", reply: None, headers: None, payload: &payload };
    let mut output = Vec::new();
    publish.encode(&mut output).expect("a valid subject");
    let bytes = (output.len() * BATCH) as u64;
    let mut group = criterion.benchmark_group("wire/encode");
    group.throughput(Throughput::ElementsAndBytes { elements: BATCH as u64, bytes });
    group.bench_function(BenchmarkId::from_parameter(payload.len()), |bencher| {
        bencher.iter(|| {
            output.clear();
            for _ in 0..BATCH {
                black_box(&publish).encode(&mut output).expect("a valid subject");
            }
            black_box(&output);
        });
    });
    group.finish();
}
