//! This module adds discovered endpoints, removes withdrawn endpoints, and handles the results of probes.

use std::time::Duration;

use super::super::discovery::Roster;
use super::super::record::{Fingerprint, Record};
use super::super::{Endpoint, EndpointId, NoticeKind, ProbeError, ProbeId, ProbeReport, ServerIdentity};
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
                if let ProbeError::OtherCluster { expected, found } = &error {
                    self.disown(endpoint, expected, found);
                }
                self.endpoint_failed(endpoint, error.is_silence());
                false
            }
        };
        let after = self.roster.get(endpoint).map(Record::rank_inputs);
        if is_new_identity || before != after || !self.is_calm() {
            self.review_ranks();
        }
    }

    /// Takes in who answers at an endpoint. Returns whether that is news.
    pub(super) fn identified(
        &mut self,
        endpoint: EndpointId,
        fingerprint: Fingerprint,
        identity: &ServerIdentity,
    ) -> bool {
        let cluster = |roster: &Roster| {
            let labelled = roster.get(endpoint).filter(|record| record.has_label() && !record.is_gossiped());
            labelled.and_then(|record| roster.cluster_of(record)).cloned()
        };
        let before = cluster(&self.roster);
        let is_news = self.roster.identified(endpoint, fingerprint, identity);
        let now = cluster(&self.roster).filter(|now| is_news && before.as_ref() != Some(now));
        if let (Some(cluster), Some(record)) = (now, self.roster.get(endpoint)) {
            let (label, address) = (self.roster.region_of(record).clone(), record.address().to_owned());
            if label != cluster {
                self.notify(NoticeKind::LabelContradicted { address, label, cluster });
            }
        }
        is_news
    }

    /// A server of another cluster answers there: it is no candidate, and no source of advice.
    pub(super) fn disown(&mut self, endpoint: EndpointId, expected: &str, found: &str) {
        if self.roster.disowned(endpoint) {
            self.dialer.skip(|candidate| candidate == endpoint);
            let address =
                self.roster.get(endpoint).map(|record| record.address().to_owned()).unwrap_or_default();
            let (expected, found) = (expected.to_owned(), found.to_owned());
            self.notify(NoticeKind::OtherCluster { address, expected, found });
        }
    }

    /// Returns whether a link lives there that is not under suspicion.
    fn is_linked(&self, endpoint: EndpointId) -> bool {
        self.links
            .values()
            .any(|link| link.endpoint == endpoint && link.state.is_open() && !link.watch.is_suspect())
    }

    /// Returns whether another server than before answered.
    fn probe_answered(&mut self, endpoint: EndpointId, answer: Answer<'_>, period: Duration) -> bool {
        let Answer { time_to_info, rtt, fingerprint, identity } = answer;
        let is_linked = self.is_linked(endpoint);
        if self.roster.answered_by_another(endpoint, fingerprint, is_linked) {
            // How far that one is, and where, says nothing about the one that is known.
            if let Some(record) = self.roster.get_mut(endpoint) {
                record.answered(self.now);
            }
            return false;
        }
        let may_turn_out = self.fail_back.regions_left() > 0;
        let before = self.roster.region(endpoint).filter(|_| may_turn_out).cloned();
        let is_new_identity = self.identified(endpoint, fingerprint, identity);
        if let Some(before) = before.filter(|_| is_new_identity) {
            self.turned_out(&before, endpoint);
        }
        let Some(record) = self.roster.get_mut(endpoint) else { return false };
        // What was measured before the choice is made again counts no more.
        let period = self
            .reselecting
            .filter(|since| *since <= self.now)
            .map_or(period, |since| self.now.since(since) / self.config.rank.sample_age_intervals);
        record.base.record(rtt, period, self.now, &self.config.rank);
        record.answered(self.now);
        let samples = record.base.samples();
        self.region_answered(endpoint);
        let is_choosing = !matches!(self.start, Start::Over) || self.has_begun_to_reselect();
        let is_choice_poor = is_choosing && samples < self.config.probe.start_samples;
        if is_choice_poor || self.review_wants_another_of(samples) {
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
