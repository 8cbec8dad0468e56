//! JetStream's meta groups: the servers that can elect a leader, and whether they have.

use std::collections::BTreeSet;

use super::super::links::CutPairs;
use super::{View, Views};
use crate::topology::{ServerName, Topology};

/// The servers of a meta group that can elect a leader with each other.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::cluster) struct Electors<'a> {
    /// Their regions; none, if no servers that reach each other are a majority of the group.
    pub(in crate::cluster) regions: BTreeSet<&'a str>,
    /// The number of servers in the largest part of the group.
    most: usize,
    /// The number of servers that must agree. Servers that are down count as members: JetStream waits for their return.
    majority: usize,
}

/// Finds the part of a meta group that can elect a leader. Two regions reach each other if neither of their directions is cut.
pub(in crate::cluster) fn electors<'a>(
    topology: &Topology,
    group: &[&'a str],
    cut: &CutPairs,
    up: impl Iterator<Item = &'a ServerName> + Clone,
) -> Electors<'a> {
    let up_in = |region: &str| up.clone().filter(|server| server.region() == region).count();
    let size: usize = group.iter().map(|region| topology.servers_of(region).count()).sum();
    let majority = size / 2 + 1;
    let parts = parts(group, cut).into_iter();
    let sized = parts.map(|part| (part.iter().map(|region| up_in(region)).sum::<usize>(), part));
    let (most, part) = sized.max_by_key(|(servers, _)| *servers).unwrap_or_default();
    Electors { regions: if most >= majority { part } else { BTreeSet::new() }, most, majority }
}

/// Returns a sentence for each meta group of which no majority of servers is up and reaches each other.
pub(super) fn without_majority<'a>(
    topology: &'a Topology,
    cut: &CutPairs,
    up: impl Iterator<Item = &'a ServerName> + Clone,
) -> Vec<String> {
    let groups = topology.meta_groups().into_iter();
    let lacking = groups.filter_map(|group| {
        let electors = electors(topology, &group, cut, up.clone());
        electors.regions.is_empty().then(|| {
            let (most, majority) = (electors.most, electors.majority);
            format!(
                "the meta group of {} can elect no leader: {most} of its servers reach each other, and {majority} must",
                group.join(", ")
            )
        })
    });
    lacking.collect()
}

/// The servers of these regions elect one leader among the servers of their group.
pub(super) fn missing(regions: &BTreeSet<&str>, views: &Views) -> Vec<String> {
    let of_group = || views.iter().filter(|(server, _)| regions.contains(server.region()));
    let mut missing = Vec::new();
    let mut leaders = BTreeSet::new();
    for (server, view) in of_group().filter_map(|(server, view)| Some((server, view.as_ref().ok()?))) {
        match view.leader() {
            Some(leader) => {
                leaders.insert(leader);
            }
            None => missing.push(format!("{server}: no meta leader")),
        }
    }
    if leaders.len() > 1 {
        let leaders: Vec<_> = leaders.iter().copied().collect();
        missing.push(format!("the servers do not agree on a meta leader: {}", leaders.join(", ")));
    }
    let members: Vec<_> = of_group().map(|(server, _)| server).collect();
    missing.extend(leaders.into_iter().flat_map(|leader| missing_replicas(leader, &members, views)));
    missing
}

/// Only the leader knows who follows it.
fn missing_replicas(leader: &str, members: &[&ServerName], views: &Views) -> Vec<String> {
    let view = views.iter().find(|(server, _)| server.to_string() == leader);
    let Some(view) = view.and_then(|(_, view)| view.as_ref().ok()) else {
        return vec![format!("the meta leader {leader} is not among the servers that run")];
    };
    let current = current_replicas(view);
    let names = members.iter().map(|name| name.as_str());
    names
        .filter(|name| *name != leader && !current.contains(name))
        .map(|name| format!("{name}: not current in the meta group of {leader}"))
        .collect()
}

fn current_replicas(view: &View) -> BTreeSet<&str> {
    let replicas = view.jetstream.meta_cluster.iter().flat_map(|meta| &meta.replicas);
    replicas
        .filter(|replica| replica.current && !replica.offline)
        .map(|replica| replica.name.as_str())
        .collect()
}

/// Divides regions into parts. A region is in the part of each region that it reaches.
fn parts<'a>(regions: &[&'a str], cut: &CutPairs) -> Vec<BTreeSet<&'a str>> {
    let is_cut = |from: &str, to: &str| cut.contains(&(from.to_owned(), to.to_owned()));
    let reaches = |a: &str, b: &str| !is_cut(a, b) && !is_cut(b, a);
    let mut parts: Vec<BTreeSet<&str>> = Vec::new();
    for region in regions {
        let (joined, apart): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.iter().any(|other| reaches(region, other)));
        parts = apart;
        parts.push(joined.into_iter().flatten().chain([*region]).collect());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{change, complete_views, missing_of};
    use super::*;

    fn cut(pairs: &[(&str, &str)]) -> CutPairs {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    /// The regions that can elect a leader, of `regions` with three servers each, of which `down` are not up.
    fn electing(regions: &[&str], down: &[&str], pairs: &[(&str, &str)]) -> Vec<String> {
        let topology = Topology::new(regions.iter().copied(), 3).unwrap();
        let up: Vec<_> = topology.servers().filter(|server| !down.contains(&server.as_str())).collect();
        let electors = electors(&topology, regions, &cut(pairs), up.iter());
        electors.regions.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_meta_group_must_agree_and_be_complete() {
        let mut views = complete_views();
        change(&mut views, "lon-1", |view| {
            view.jetstream.meta_cluster.as_mut().unwrap().replicas[0].offline = true;
        });
        change(&mut views, "ams-2", |view| view.jetstream.meta_cluster = None);
        assert_eq!(
            missing_of(&views),
            ["ams-2: no meta leader", "lon-2: not current in the meta group of lon-1"]
        );
    }

    #[test]
    fn only_a_majority_of_all_members_elects_a_leader() {
        let two = ["lon", "ams"];
        assert_eq!(electing(&two, &[], &[]), ["ams", "lon"]);
        assert_eq!(electing(&two, &["lon-1", "lon-2"], &[]), ["ams", "lon"], "4 of 6");
        assert_eq!(electing(&two, &["lon-1", "lon-2", "lon-3"], &[]), [""; 0], "3 of 6");
    }

    #[test]
    fn a_split_leaves_the_larger_part_with_a_leader() {
        let three = ["lon", "ams", "dal"];
        let lon_is_apart = [("lon", "ams"), ("ams", "lon"), ("lon", "dal"), ("dal", "lon")];
        assert_eq!(electing(&three, &[], &lon_is_apart), ["ams", "dal"]);
        // 5 of 9 is a majority, 4 is none.
        assert_eq!(electing(&three, &["dal-1"], &lon_is_apart), ["ams", "dal"]);
        assert_eq!(electing(&three, &["dal-1", "ams-1"], &lon_is_apart), [""; 0]);
        assert_eq!(electing(&["lon", "ams"], &[], &[("lon", "ams")]), [""; 0], "one direction is enough");
    }

    #[test]
    fn two_regions_that_lose_each_other_have_a_leader_in_the_third() {
        let pair = [("lon", "ams"), ("ams", "lon")];
        assert_eq!(electing(&["lon", "ams", "dal"], &[], &pair), ["ams", "dal", "lon"]);
    }

    #[test]
    fn a_part_without_a_majority_needs_no_leader_but_is_named() {
        let mut views = complete_views();
        change(&mut views, "ams-1", |view| view.jetstream.meta_cluster = None);
        change(&mut views, "ams-2", |view| view.jetstream.meta_cluster = None);
        views.retain(|server, _| server.region() == "ams");
        assert_eq!(missing_of(&views), [""; 0]);
        let topology = Topology::new(["lon", "ams"], 2).unwrap();
        let sentences = without_majority(&topology, &CutPairs::new(), views.keys());
        assert_eq!(
            sentences,
            ["the meta group of lon, ams can elect no leader: 2 of its servers reach each other, and 3 must"]
        );
    }
}
