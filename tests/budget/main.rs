//! What a selector costs a process that runs very many of them: memory, and allocations on the path of every PONG.

#[path = "../../benches/fixture.rs"]
mod fixture;

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use fixture::Client;
use nats_geo::core::{Action, Event, Selector};

#[test]
fn a_pong_allocates_nothing() {
    let Client { mut selector, now, ping, .. } = Client::settled(9);
    let rtt = Duration::from_millis(1);
    let pong = measure(|| selector.handle_event(Event::Pong { ping, rtt }, now));
    assert_eq!(pong.count_total, 0, "{pong:?}");
    assert!(selector.poll_timeout().is_some_and(|due| due > now), "the PONG was not taken in");
}

#[test]
fn progress_allocates_nothing() {
    let Client { mut selector, now, conn, .. } = Client::settled(9);
    let progress = measure(|| selector.handle_event(Event::Progress { conn }, now));
    assert_eq!(progress.count_total, 0, "{progress:?}");
}

#[test]
fn a_timeout_with_nothing_due_allocates_nothing() {
    let Client { mut selector, now, .. } = Client::settled(9);
    assert!(selector.poll_timeout().is_some_and(|due| due > now));
    let timeout = measure(|| selector.handle_timeout(now));
    assert_eq!(timeout.count_total, 0, "{timeout:?}");
}

/// A million of them then take 4 GB.
#[test]
fn a_settled_selector_with_nine_servers_takes_at_most_4_kib() {
    const BYTES_MAX: usize = 4 << 10;
    let mut settled = None;
    let AllocationInfo { bytes_current, .. } = measure(|| settled = Some(with_full_histories()));
    let on_heap = usize::try_from(bytes_current).expect("it holds something");
    let bytes = size_of::<Selector>() + on_heap;
    println!("{bytes} bytes: {} in the struct, {on_heap} on the heap", size_of::<Selector>());
    assert!(
        bytes <= BYTES_MAX,
        "{bytes} bytes: {} in the struct, {on_heap} on the heap",
        size_of::<Selector>()
    );
}

/// After half an hour at home, when every server has been probed as often as is remembered.
fn with_full_histories() -> Selector {
    let Client { mut selector, ping, probe, now, .. } = Client::settled(9);
    selector.handle_event(Event::Pong { ping, rtt: Duration::from_millis(1) }, now);
    selector.handle_event(Event::Probed { probe: probe.0, result: Ok(fixture::report(probe.1)) }, now);
    while let Some(now) = selector.poll_timeout().filter(|due| due.since_start() < Duration::from_secs(1_800))
    {
        selector.handle_timeout(now);
        while let Some(action) = selector.poll_action() {
            match action {
                Action::Probe { probe, endpoint, .. } => {
                    selector
                        .handle_event(Event::Probed { probe, result: Ok(fixture::report(endpoint)) }, now);
                }
                Action::Ping { ping, .. } => {
                    selector.handle_event(Event::Pong { ping, rtt: Duration::from_millis(1) }, now);
                }
                _ => {}
            }
        }
    }
    selector
}
