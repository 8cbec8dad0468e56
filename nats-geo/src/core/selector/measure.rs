//! What is on offer, and what probes say of it.

use std::time::Duration;

use super::super::record::{Fingerprint, Record};
use super::super::{Endpoint, EndpointId, ProbeError, ProbeId, ProbeReport, ServerIdentity};
use super::afresh::Afresh;
use super::{Selector, Start};

/// What a probe learned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) time_to_info: Duration,
    pub(crate) rtt: Duration,
    pub(crate) fingerprint: Fingerprint,
    /// Whose fingerprint that is.
    pub(crate) identity: &'a ServerIdentity,
}

impl<'a> Answer<'a> {
    pub(super) fn of(report: &'a ProbeReport) -> Self {
        let ProbeReport { time_to_info, ref identity, .. } = *report;
        Self { time_to_info, rtt: report.rtt(), fingerprint: Fingerprint::of(identity), identity }
    }
}

impl Selector {
    pub(super) fn discovered(&mut self, endpoint: Endpoint) {
        let id = endpoint.id;
        self.review_is_stale();
        if !self.roster.discovered(endpoint) {
            return;
        }
        self.prober.add(id, self.now);
        if matches!(self.start, Start::Empty) {
            self.start = Start::Probing(self.now);
        }
    }

    pub(super) fn withdrawn(&mut self, endpoint: EndpointId) {
        // A live link stays where it is, and what is known of its server stays with it.
        let links = &self.links;
        self.roster.withdrawn(endpoint, |id| links.values().any(|link| link.endpoint == id));
        self.review_is_stale();
        self.dialer.skip(|candidate| candidate == endpoint);
        self.prober.remove(endpoint);
    }

    pub(super) fn probed(&mut self, probe: ProbeId, result: Result<Answer<'_>, ProbeError>) {
        let finished = self.prober.finished(probe, self.now, &self.config.probe, &mut self.rng);
        let Some((endpoint, period)) = finished else { return };
        let before = self.roster.get(endpoint).map(Record::rank_inputs);
        let is_new_identity = match result {
            Ok(answer) => self.probe_answered(endpoint, answer, period),
            Err(error) => {
                self.endpoint_failed(endpoint, error.is_silence());
                false
            }
        };
        let after = self.roster.get(endpoint).map(Record::rank_inputs);
        if is_new_identity || before != after || !self.is_calm() {
            self.review_ranks();
        }
    }

    /// Returns whether another server than before answered.
    fn probe_answered(&mut self, endpoint: EndpointId, answer: Answer<'_>, period: Duration) -> bool {
        let Answer { time_to_info, rtt, fingerprint, identity } = answer;
        let is_new_identity = self.roster.identified(endpoint, fingerprint, identity);
        let Some(record) = self.roster.get_mut(endpoint) else { return false };
        // What was measured before the choice is made again counts no more.
        let period = match self.afresh {
            Some(Afresh { since, is_review: false }) => {
                self.now.since(since) / self.config.rank.sample_age_intervals
            }
            _ => period,
        };
        record.base.record(rtt, period, self.now, &self.config.rank);
        record.answered(self.now);
        let samples = record.base.samples();
        self.region_answered(endpoint);
        let is_choosing = !matches!(self.start, Start::Over) || self.afresh.is_some();
        if is_choosing && samples < self.samples_wanted() {
            self.prober.again(endpoint, self.now);
        }
        if let Start::Probing(since) = self.start {
            let probe = &self.config.probe;
            let window = time_to_info
                .saturating_mul(probe.start_window_factor)
                .clamp(probe.start_window_min, probe.start_window_max);
            self.start = Start::ChooseAt(since + window, window);
        }
        is_new_identity
    }
}
