//! The regions of the clients of a play, for watchers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::member::{Member, Place};
use crate::clients::Seat;
use crate::progress::{KEPT_MOVES, RegionStatus, Status};
use crate::scenario::ClientPlan;

/// Remembers what a look at the clients does not show.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Where each client was at the last look.
    seats: BTreeMap<(Place, u32), Option<Seat>>,
    moves: VecDeque<(Duration, String)>,
    /// Operations of clients that have ended, by region.
    ended: BTreeMap<String, (u64, u64)>,
}

impl Watch {
    /// A client ends; its operations still count.
    pub(crate) fn ends(&mut self, place: &Place, member: &Member) {
        let (ok, failed) = member.counts();
        let ended = self.ended.entry(place.1.clone()).or_default();
        *ended = (ended.0 + ok, ended.1 + failed);
        self.seats.remove(&(place.clone(), member.client.number));
    }

    /// Looks at all clients.
    pub(crate) fn look(
        &mut self,
        plan: &ClientPlan,
        started: Instant,
        members: &BTreeMap<Place, VecDeque<Member>>,
    ) -> Status {
        let at = started.elapsed();
        let regions = &plan.regions;
        let region = |name: &String| {
            let (ok, failed) = self.ended.get(name).copied().unwrap_or_default();
            let connected = vec![0; plan.populations.len()];
            RegionStatus { name: name.clone(), connected, ok, failed, ..RegionStatus::default() }
        };
        let mut status: Vec<RegionStatus> = regions.iter().map(region).collect();
        for (place, members) in members {
            for member in members {
                let seat = member.client.seat();
                let home = regions.iter().position(|region| *region == place.1);
                let (ok, failed) = member.counts();
                if let Some(home) = home.and_then(|home| status.get_mut(home)) {
                    home.ok += ok;
                    home.failed += failed;
                    home.offline += usize::from(seat.is_none());
                }
                let here = seat.as_ref().and_then(|seat| status.iter_mut().find(|it| it.name == seat.region));
                if let Some(here) = here {
                    here.connected[place.0] += 1;
                }
                if home == Some(0) {
                    for region in status.iter_mut().filter(|region| region.rtt.is_none()) {
                        region.rtt = member.client.base_rtt(&region.name);
                    }
                }
                self.saw(plan, at, place, member.client.number, seat);
            }
        }
        Status {
            at,
            lasts: plan.duration,
            populations: plan.populations.iter().map(|population| population.name.clone()).collect(),
            regions: status,
            moves: self.moves.iter().cloned().collect(),
        }
    }

    fn saw(&mut self, plan: &ClientPlan, at: Duration, place: &Place, number: u32, seat: Option<Seat>) {
        let before = self.seats.insert((place.clone(), number), seat.clone());
        let (Some(before), Some(seat)) = (before, seat) else { return };
        if before.as_ref() == Some(&seat) {
            return;
        }
        let from = before.map_or_else(|| "nowhere".to_owned(), |seat| seat.server);
        let population = &plan.populations[place.0].name;
        let text = format!("{population} client {number} of {}: from {from} to {}", place.1, seat.server);
        self.moves.push_back((at, text));
        if self.moves.len() > KEPT_MOVES {
            self.moves.pop_front();
        }
    }
}
