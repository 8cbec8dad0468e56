//! Tests of scenarios with one stock client.

use super::*;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn fault(after: Duration, hits: StockHits, loss: StockLoss) -> StockFault {
    StockFault { after, hits, loss }
}

/// Three regions of two servers, at no distance, so that all that takes time is the client's own doing.
fn outages(rules: StockRules, faults: &[StockFault], seed: u64) -> Vec<StockOutage> {
    let (rtt, faults) = (vec![Duration::ZERO; 3], faults.to_vec());
    stock_story(&StockScenario { rules, rtt, servers_per_region: 2, faults }, seed).unwrap()
}

fn failures(outage: &StockOutage) -> Vec<u32> {
    outage.dials.iter().map(|dial| dial.failures).collect()
}

/// `reconnect_delay_callback_default` by attempt, and `try_connect`: a pass takes everybody, fewest failures first.
#[test]
fn async_nats_doubles_its_waits_and_dials_whoever_failed_least_first() {
    let everything = |loss| fault(secs(1), StockHits::Everything, loss);
    for seed in 0..50 {
        let faults = [everything(StockLoss::RefuseDials(8)), everything(StockLoss::RefuseFor(secs(10)))];
        let outages = outages(StockRules::rust(), &faults, seed);
        assert_eq!(failures(&outages[0]), [0, 0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(failures(&outages[1]), [0, 1, 1, 1, 2, 2, 1, 2, 2, 2, 3, 3, 2, 3]);
        let waits = [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_000, 4_000].map(ms);
        let mut due = Duration::ZERO;
        for (dial, wait) in outages[1].dials.iter().zip(waits) {
            due += wait;
            assert_eq!(dial.after, due);
        }
        assert_eq!(outages[1].back_after, due);
    }
}

/// The first tick of `ping_interval` is at once and sends a PING; the third PING that would be out ends the connection.
#[test]
fn async_nats_notices_silence_after_three_intervals_without_an_answer() {
    let notices = |after| {
        let silence = fault(after, StockHits::ItsServer, StockLoss::Silence);
        outages(StockRules::rust(), &[silence], 1)[0].lost_after
    };
    assert_eq!(notices(secs(1)), secs(179));
    assert_eq!(notices(secs(59)), secs(121));
    assert_eq!(notices(secs(61)), secs(179));
}

/// `handle_server_op` puts the next PING off at whatever comes in, so it comes an interval after the answer.
#[test]
fn async_nats_sends_a_ping_an_interval_after_the_answer_to_the_last_one() {
    let silence = fault(secs(200), StockHits::ItsServer, StockLoss::Silence);
    let (rules, rtt) = (StockRules::rust(), vec![secs(1)]);
    let scenario = StockScenario { rules, rtt, servers_per_region: 2, faults: vec![silence] };
    let outages = stock_story(&scenario, 1).unwrap();
    // PINGs 0, 61, 122 and 183 s after it connected; the last one is answered after 184 s.
    assert_eq!(outages[0].lost_after, secs(184 + 180 - 200));
}

/// The server's second INFO puts the next PING off, however long ago the one before was ...
#[test]
fn async_nats_counts_anew_to_the_next_ping_when_it_is_back() {
    let reset = fault(secs(50), StockHits::ItsServer, StockLoss::RefuseDials(0));
    let silence = fault(secs(2), StockHits::ItsServer, StockLoss::Silence);
    assert_eq!(outages(StockRules::rust(), &[reset, silence], 1)[1].lost_after, secs(178));
}

/// ... but the interval ticks at once when it is new, or has run out meanwhile, and that PING may go unanswered, too.
#[test]
fn async_nats_sends_a_ping_that_is_due_when_it_connects() {
    let silence = fault(ms(500), StockHits::ItsServer, StockLoss::Silence);
    let last_lost_after = |faults: &[StockFault]| {
        let (rules, faults) = (StockRules::rust(), faults.to_vec());
        let scenario = StockScenario { rules, rtt: vec![secs(1)], servers_per_region: 2, faults };
        stock_story(&scenario, 1).unwrap().pop().unwrap().lost_after
    };
    let outage = |time| fault(secs(50), StockHits::Everything, StockLoss::RefuseFor(time));
    assert_eq!(last_lost_after(&[silence]), ms(119_500));
    assert_eq!(last_lost_after(&[outage(secs(20)), silence]), ms(119_500));
    assert_eq!(last_lost_after(&[outage(secs(1)), silence]), ms(179_500));
}

#[test]
fn others_send_their_first_ping_an_interval_after_they_connected() {
    for rules in [StockRules::go(), StockRules::js()] {
        let reset = fault(secs(50), StockHits::ItsServer, StockLoss::RefuseDials(0));
        let silence = fault(secs(1), StockHits::ItsServer, StockLoss::Silence);
        assert_eq!(outages(rules, &[reset, silence], 1)[1].lost_after, secs(359));
    }
}

/// Silent servers cost a connect timeout each, refusing ones a round trip, and nobody is asked twice before all were.
#[test]
fn every_server_that_fails_costs_what_its_failure_takes() {
    let rules = StockRules::rust();
    for (loss, costs) in [(StockLoss::Silence, secs(5)), (StockLoss::Refuse, Duration::ZERO)] {
        for seed in 0..50 {
            let faults = [fault(secs(1), StockHits::ItsRegion, loss)];
            let StockOutage { lost_after, dials, back_after } = outages(rules, &faults, seed).remove(0);
            let failed = dials.len() - 1;
            assert!(failed <= 2 && dials.iter().all(|dial| dial.failures == 0), "{dials:?}");
            let waits = ms([0, 2, 6][failed]);
            assert_eq!(back_after, lost_after + costs * failed as u32 + waits);
        }
    }
}

#[test]
fn a_story_without_an_end_is_refused_by_name() {
    let refused = |change: fn(&mut StockScenario)| {
        let faults = vec![fault(secs(1), StockHits::ItsServer, StockLoss::Refuse)];
        let rules = StockRules::rust();
        let mut scenario = StockScenario { rules, rtt: vec![ms(1); 3], servers_per_region: 2, faults };
        change(&mut scenario);
        stock_story(&scenario, 1).unwrap_err().to_string()
    };
    assert!(refused(|scenario| scenario.rtt.clear()).starts_with("`servers_per_region` is 0"));
    assert_eq!(
        refused(|scenario| scenario.rules.ping_interval = Duration::ZERO),
        "`ping_interval` is 0, but must be above 0"
    );
    let forever = refused(|scenario| scenario.faults[0].hits = StockHits::Everything);
    assert!(forever.contains("what a connected client comes back from within 3600s"), "{forever}");
}
