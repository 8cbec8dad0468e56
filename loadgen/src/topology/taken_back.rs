//! Access that users lose while the servers run, by a changed topology file in operator mode or by a fault.
//!
//! A JWT is valid until its account revokes it. So the account must list the JWTs that a user or an account lost by the
//! change.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Change, NeedsRestart, difference};
use super::model::Topology;
use super::spec::{AccountSpec, AuthKind};

/// Number of JWTs that each user of each account lost, since the super-cluster started. The next JWT of the user is issued later than
/// the lost ones, so that the account can revoke these alone.
#[derive(Clone, Debug, Default)]
pub(super) struct TakenBack(BTreeMap<String, BTreeMap<String, u32>>);

impl TakenBack {
    /// Number of JWTs that this user lost.
    pub(super) fn of(&self, account: &str, user: &str) -> u32 {
        self.0.get(account).and_then(|users| users.get(user)).copied().unwrap_or_default()
    }

    /// Users of an account who lost a JWT, with the number of their lost JWTs. Some of these users may have a newer JWT.
    pub(super) fn users<'a>(&'a self, account: &str) -> impl Iterator<Item = (&'a str, u32)> {
        self.0.get(account).into_iter().flatten().map(|(user, lost)| (user.as_str(), *lost))
    }

    /// A user with two changes counts twice, which is as good as once.
    fn add_losers(&mut self, change: &Change, old: &Topology) {
        match change {
            Change::UserRemoved { account, user } | Change::UserChanged { account, user, .. } => {
                self.add(account, user);
            }
            Change::AccountRemoved(name) => {
                let account = old.spec.accounts.iter().find(|account| account.name == *name);
                for user in account.into_iter().flat_map(|account| &account.users) {
                    self.add(name, &user.name);
                }
            }
            Change::AccountAdded(_) | Change::AccountChanged { .. } | Change::UserAdded { .. } => {}
        }
    }

    fn add(&mut self, account: &str, user: &str) {
        *self.0.entry(account.to_owned()).or_default().entry(user.to_owned()).or_default() += 1;
    }
}

impl Topology {
    /// Makes this the topology that follows `old` while the servers run, and returns the differences. In operator mode, users whom a
    /// change removes or restricts lose the JWTs that they had.
    ///
    /// # Errors
    /// The first part that needs a restart.
    pub fn after(mut self, old: &Self) -> Result<(Self, Vec<Change>), NeedsRestart> {
        let changes = difference(old, &self)?;
        self.taken_back = old.taken_back.clone();
        if self.spec.auth.kind == AuthKind::Operator {
            changes.iter().for_each(|change| self.taken_back.add_losers(change, old));
        }
        Ok((self, changes))
    }

    /// Revokes the credentials of exactly these users, and restores those of all others.
    pub fn with_revoked(mut self, users: &BTreeSet<String>) -> Self {
        for user in self.spec.accounts.iter_mut().flat_map(|account| &mut account.users) {
            user.revoked = users.contains(&user.name);
        }
        self
    }

    /// All accounts that servers must know in operator mode. An account that a change removed stays, without any right, because
    /// servers keep an account that they know; its users stay revoked.
    pub(super) fn signed_accounts(&self) -> Vec<AccountSpec> {
        let present = &self.spec.accounts;
        let removed = self.taken_back.0.keys().filter(|name| present.iter().all(|it| it.name != **name));
        let removed = removed.map(|name| AccountSpec { name: name.clone(), ..AccountSpec::default() });
        present.iter().cloned().chain(removed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::from_toml;

    fn topology(accounts: &str) -> Topology {
        let text = format!(
            "[[cluster]]\nname = \"lon\"\n[auth]\nkind = \"operator\"\n\
             [[account]]\nname = \"SYS\"\nsystem = true\nuser = [{{ name = \"s\" }}]\n{accounts}"
        );
        from_toml(&text, "x.toml", |_csv| Err(String::new())).unwrap()
    }

    fn account_a(users: &str) -> Topology {
        topology(&format!("[[account]]\nname = \"A\"\nuser = [{users}]\n"))
    }

    #[test]
    fn users_lose_the_jwts_that_a_change_takes_back() {
        let lost = |topology: &Topology| ["a", "b"].map(|user| topology.taken_back.of("A", user));
        let first = account_a("{ name = \"a\" }, { name = \"b\" }");
        let (restricted, _) = account_a("{ name = \"a\", publish = [\"x\"] }").after(&first).unwrap();
        assert_eq!(lost(&restricted), [1, 1], "a has other permissions, b is gone");
        let (given, changes) =
            account_a("{ name = \"a\", publish = [\"x\"] }, { name = \"b\" }").after(&restricted).unwrap();
        assert_eq!((lost(&given), changes.len()), ([1, 1], 1), "the second JWT of b is valid");
        let (gone, _) =
            topology("[[account]]\nname = \"B\"\nuser = [{ name = \"c\" }]\n").after(&given).unwrap();
        assert_eq!(lost(&gone), [2, 2]);
        let signed: Vec<_> = gone.signed_accounts().into_iter().map(|account| account.name).collect();
        assert_eq!(signed, ["SYS", "B", "A"]);
        let (back, _) = given.clone().after(&gone).unwrap();
        let signed: Vec<_> = back.signed_accounts().into_iter().map(|account| account.name).collect();
        assert_eq!(
            (lost(&back), signed),
            ([2, 2], vec!["SYS".into(), "A".into(), "B".into()]),
            "A is back, B is gone"
        );
    }

    #[test]
    fn without_an_operator_a_configuration_says_all() {
        let of = |users: &str| {
            let text = format!("[[cluster]]\nname = \"lon\"\n[[account]]\nname = \"A\"\nuser = [{users}]\n");
            from_toml(&text, "x.toml", |_csv| Err(String::new())).unwrap()
        };
        let (after, changes) =
            of("{ name = \"a\" }").after(&of("{ name = \"a\" }, { name = \"b\" }")).unwrap();
        assert_eq!((changes.len(), after.taken_back.of("A", "b")), (1, 0));
    }
}
