//! The number of clients that each server gives away. Numbers only: no servers, no clock.

/// The clients of one server of a cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Load {
    /// Clients that are connected.
    pub(super) clients: usize,
    /// Those of them that were asked to move, and may still do so.
    pub(super) leaving: usize,
    /// Those of them that nobody has asked yet.
    pub(super) unasked: usize,
}

impl Load {
    /// The clients that remain when all that may still leave have left.
    fn remaining(self) -> usize {
        self.clients.saturating_sub(self.leaving)
    }
}

/// The next clients to ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Batch {
    /// The position of the server in the list of loads.
    pub(super) server: usize,
    /// Number of its clients.
    pub(super) clients: usize,
}

/// Returns whether each number differs from the mean by at most `within` percent, or by one client from the mean rounded down or up.
pub(super) fn is_even(clients: &[usize], within: u8) -> bool {
    let (total, servers) = (clients.iter().sum::<usize>(), clients.len());
    if servers == 0 {
        return true;
    }
    let (low, high) = (total / servers, total.div_ceil(servers));
    let is_close = |clients: usize| {
        let is_near = clients + 1 >= low && clients <= high + 1;
        // Both sides times servers and 100: no fractions.
        is_near || (clients * servers).abs_diff(total) * 100 <= usize::from(within) * total
    };
    clients.iter().all(|clients| is_close(*clients))
}

/// Returns the clients above the mean, rounded up, summed over servers: at least so many must move.
pub(super) fn excess(clients: &[usize]) -> usize {
    let high = clients.iter().sum::<usize>().div_ceil(clients.len().max(1));
    clients.iter().map(|clients| clients.saturating_sub(high)).sum()
}

/// Returns the next batch: clients of the fullest server, and no more than bring it down to the mean. `None`: the servers are
/// even, clients that were asked must leave first, or everybody above the mean was asked already.
pub(super) fn next_batch(loads: &[Load], within: u8, limit: usize) -> Option<Batch> {
    let clients: Vec<_> = loads.iter().map(|load| load.clients).collect();
    let total: usize = clients.iter().sum();
    let is_settled = loads.iter().all(|load| load.leaving == 0);
    if is_settled && is_even(&clients, within) {
        return None;
    }
    let servers = loads.len().max(1);
    let batch = |down_to: usize| {
        let givers = loads.iter().enumerate();
        let givers = givers.filter(|(_, load)| load.unasked > 0 && load.remaining() > down_to);
        // The first of equals: `max_by_key` would take the last.
        let (server, load) = givers.rev().max_by_key(|(_, load)| load.remaining())?;
        let clients = (load.remaining() - down_to).min(load.unasked).min(limit);
        (clients > 0).then_some(Batch { server, clients })
    };
    // With 11, 11, 11 and 8 clients, only the mean rounded down lets a server give.
    batch(total.div_ceil(servers)).or_else(|| if is_settled { batch(total / servers) } else { None })
}

/// Returns the clients that a rebalancing asks in all, one batch per server, if each of them moves to an emptier server.
pub(super) fn whole_plan(clients: &[usize], within: u8, limit: usize) -> Vec<Batch> {
    let mut loads: Vec<_> =
        clients.iter().map(|clients| Load { clients: *clients, leaving: 0, unasked: *clients }).collect();
    let mut asked = vec![0; clients.len()];
    let mut left = limit;
    while let Some(Batch { server, clients }) = next_batch(&loads, within, left) {
        loads[server].leaving += clients;
        loads[server].unasked -= clients;
        asked[server] += clients;
        left -= clients;
    }
    let batches = asked.into_iter().enumerate().filter(|(_, clients)| *clients > 0);
    batches.map(|(server, clients)| Batch { server, clients }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(clients: &[usize]) -> Vec<Load> {
        clients.iter().map(|clients| Load { clients: *clients, leaving: 0, unasked: *clients }).collect()
    }

    fn next(clients: &[usize]) -> Option<(usize, usize)> {
        next_batch(&loads(clients), 10, 5).map(|batch| (batch.server, batch.clients))
    }

    #[test]
    fn even_means_near_the_mean_or_one_client() {
        for even in [&[][..], &[0], &[9], &[0, 0, 0], &[9, 10, 11], &[1, 0, 0], &[2, 0], &[90, 110, 100]] {
            assert!(is_even(even, 10), "{even:?}");
        }
        for uneven in [&[45, 27, 0][..], &[12, 10, 8], &[3, 0, 0], &[89, 111, 100], &[11, 11, 11, 8]] {
            assert!(!is_even(uneven, 10), "{uneven:?}");
        }
        assert!(is_even(&[89, 111, 100], 11) && !is_even(&[90, 110, 100], 0));
    }

    #[test]
    fn the_fullest_server_gives_and_never_below_the_mean() {
        assert_eq!(next(&[45, 27, 0]), Some((0, 5)));
        assert_eq!(next(&[24, 28, 20]), Some((1, 4)), "the mean is 24");
        assert_eq!(next(&[20, 20, 5]), Some((0, 5)), "the first of equals");
        assert_eq!(next(&[5, 20, 20]), Some((1, 5)), "the first of equals");
        assert_eq!(next(&[14, 10, 7]), Some((0, 3)), "the mean of 10.3 is rounded up");
        assert_eq!(next(&[11, 11, 11, 8]), Some((0, 1)), "no server is above the mean rounded up");
    }

    #[test]
    fn nobody_gives_in_one_server_or_an_empty_cluster() {
        for clients in [&[][..], &[0], &[72], &[0, 0, 0], &[10, 10, 10], &[11, 9, 10]] {
            assert_eq!(next(clients), None, "{clients:?}");
        }
    }

    #[test]
    fn clients_that_may_still_leave_count_as_gone() {
        let load = |clients, leaving| Load { clients, leaving, unasked: clients - leaving };
        let next = |loads: &[Load]| next_batch(loads, 10, 5).map(|batch| (batch.server, batch.clients));
        assert_eq!(next(&[load(30, 15), load(0, 0), load(0, 0)]), Some((0, 5)));
        assert_eq!(next(&[load(30, 18), load(0, 0), load(0, 0)]), Some((0, 2)));
        assert_eq!(next(&[load(30, 20), load(0, 0), load(0, 0)]), None, "it waits");
        assert_eq!(next(&[load(31, 20), load(0, 0), load(0, 0)]), None, "the mean of 10.3 is rounded up");
        assert_eq!(next(&[load(13, 0), load(9, 0), load(8, 1)]), Some((0, 3)), "another server waits");
    }

    #[test]
    fn who_was_asked_is_not_asked_twice() {
        let mut loads = loads(&[45, 27, 0]);
        loads[0].unasked = 3;
        assert_eq!(next_batch(&loads, 10, 5), Some(Batch { server: 0, clients: 3 }));
        loads[0].unasked = 0;
        assert_eq!(next_batch(&loads, 10, 5), Some(Batch { server: 1, clients: 3 }), "the next fullest one");
        loads[1].unasked = 0;
        assert_eq!(next_batch(&loads, 10, 5), None);
    }

    #[test]
    fn batches_end_when_the_servers_are_even() {
        let mut clients = [45, 27, 0];
        let mut asked = 0;
        while let Some(batch) = next_batch(&loads(&clients), 10, 5) {
            clients[batch.server] -= batch.clients;
            clients[2] += batch.clients;
            asked += batch.clients;
        }
        assert!(is_even(&clients, 10), "{clients:?}");
        assert!(asked <= excess(&[45, 27, 0]), "{asked}");
        assert_eq!(excess(&[45, 27, 0]), 24);
        assert_eq!((excess(&[]), excess(&[7]), excess(&[0, 0])), (0, 0, 0));
    }

    #[test]
    fn a_whole_plan_brings_each_server_to_the_mean() {
        let plan = |clients: &[usize], limit| {
            let batches = whole_plan(clients, 10, limit);
            batches.into_iter().map(|batch| (batch.server, batch.clients)).collect::<Vec<_>>()
        };
        assert_eq!(plan(&[45, 27, 0], usize::MAX), [(0, 21), (1, 3)]);
        assert_eq!(plan(&[45, 27, 0], 4), [(0, 4)]);
        assert_eq!(plan(&[11, 11, 11, 8], usize::MAX), [(0, 1)]);
        assert_eq!(plan(&[10, 10, 10], usize::MAX), []);
    }
}
