//! The health of the agents: one record each, with the fields of the servers' records.

use std::collections::BTreeMap;

use crate::cluster::{MemberHealth, MemberStatus};
use crate::ops::{AgentCard, AgentInfo};

/// All agents that have answered once, by name. An agent that is started again under its name replaces the old one.
#[derive(Debug, Default)]
pub(super) struct Members {
    known: BTreeMap<String, AgentCard>,
}

impl Members {
    /// Returns a record of each known agent. `there` are the agents that answer now.
    pub(super) fn report(&mut self, there: &[AgentInfo]) -> Vec<MemberHealth> {
        self.known.extend(there.iter().map(|agent| (agent.card.name.clone(), agent.card.clone())));
        let answers = |name: &String| there.iter().any(|agent| agent.card.name == *name);
        let member = |(name, card): (&String, &AgentCard)| {
            let others = self.known.iter().filter(|(other, _)| *other != name);
            let missing = others.filter(|(other, _)| !answers(other)).map(|(_, card)| endpoint(card));
            let (missing, total): (Vec<_>, _) = (missing.collect(), self.known.len() - 1);
            let status = match (answers(name), missing.is_empty()) {
                (false, _) => MemberStatus::Unreachable,
                (true, false) => MemberStatus::Connecting,
                (true, true) => MemberStatus::Stable,
            };
            MemberHealth {
                member_id: name.clone(),
                member_endpoint: endpoint(card),
                total_cluster_members: total,
                total_cluster_peers: total - missing.len(),
                unhealthy_members: missing,
                status,
            }
        };
        self.known.iter().map(member).collect()
    }
}

/// An agent listens nowhere: its process stands for an address.
fn endpoint(card: &AgentCard) -> String {
    format!("{} process {}", card.host, card.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str, pid: u32) -> AgentInfo {
        let card = AgentCard {
            name: name.into(),
            region: "lon".into(),
            host: "vm".into(),
            pid,
            cores: 2,
            version: "0.1.0".into(),
        };
        AgentInfo { id: format!("id-{pid}"), card }
    }

    #[test]
    fn an_agent_that_was_there_and_does_not_answer_is_unreachable_and_missing_to_the_others() {
        let mut members = Members::default();
        let status = |report: &[MemberHealth]| report.iter().map(|it| it.status).collect::<Vec<_>>();
        assert_eq!(status(&members.report(&[agent("a", 1), agent("b", 2)])), [MemberStatus::Stable; 2]);
        let report = members.report(&[agent("a", 1)]);
        assert_eq!(status(&report), [MemberStatus::Connecting, MemberStatus::Unreachable]);
        assert_eq!((report[0].total_cluster_members, report[0].total_cluster_peers), (1, 0));
        assert_eq!(report[0].unhealthy_members, ["vm process 2"]);
        let report = members.report(&[agent("a", 1), agent("b", 3)]);
        assert_eq!(status(&report), [MemberStatus::Stable; 2], "it was started again");
        assert_eq!(report[1].member_endpoint, "vm process 3");
        assert_eq!(members.report(&[]).len(), 2);
    }
}
