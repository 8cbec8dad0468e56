//! The changes between two versions of a topology, if servers can apply them while they run.

use std::fmt;

use super::model::Topology;
use super::spec::{AccountSpec, UserSpec};

/// One change that servers take without a restart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// An account is new.
    AccountAdded(String),
    /// An account was removed; the servers disconnect its clients.
    AccountRemoved(String),
    /// Something about an account is different.
    AccountChanged {
        /// The account.
        account: String,
        /// The part that is different, such as `exports`.
        what: &'static str,
    },
    /// A user is new.
    UserAdded {
        /// Its account.
        account: String,
        /// Its name.
        user: String,
    },
    /// A user was removed; the servers disconnect its clients.
    UserRemoved {
        /// Its account.
        account: String,
        /// Its name.
        user: String,
    },
    /// Something about a user is different.
    UserChanged {
        /// Its account.
        account: String,
        /// Its name.
        user: String,
        /// The part that is different, such as `publish permissions`.
        what: &'static str,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountAdded(account) => write!(formatter, "+ account {account}"),
            Self::AccountRemoved(account) => write!(formatter, "- account {account}"),
            Self::AccountChanged { account, what } => write!(formatter, "~ account {account}: {what}"),
            Self::UserAdded { account, user } => write!(formatter, "+ user {user} of account {account}"),
            Self::UserRemoved { account, user } => write!(formatter, "- user {user} of account {account}"),
            Self::UserChanged { account, user, what } => {
                write!(formatter, "~ user {user} of account {account}: {what}")
            }
        }
    }
}

/// A change that servers cannot make while they run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NeedsRestart {
    /// A part other than accounts.
    #[error(
        "`{0}` cannot change while the super-cluster runs: only accounts, users, permissions and limits can \
         change; end the super-cluster and start it again"
    )]
    Part(&'static str),
}

/// Returns the differences of `new`.
///
/// # Errors
/// The first part that needs a restart.
pub(super) fn difference(old: &Topology, new: &Topology) -> Result<Vec<Change>, NeedsRestart> {
    let (a, b) = (old.spec(), new.spec());
    let fixed = [
        ("cluster", a.clusters == b.clusters),
        ("auth", a.auth == b.auth),
        ("tls", a.tls == b.tls),
        ("jetstream", a.jetstream == b.jetstream),
        ("websocket", a.websocket == b.websocket),
        ("timing", a.timing == b.timing),
        ("distances", a.distances == b.distances),
        ("stream", a.streams == b.streams),
        ("bucket", a.buckets == b.buckets),
        ("services", a.services == b.services),
    ];
    if let Some((part, _)) = fixed.iter().find(|(_, is_same)| !is_same) {
        return Err(NeedsRestart::Part(part));
    }
    let (removed, kept, added) = matched(&a.accounts, &b.accounts, |account| &account.name);
    let removed = removed.into_iter().map(|account| Change::AccountRemoved(account.name.clone()));
    let added = added.into_iter().map(|account| Change::AccountAdded(account.name.clone()));
    Ok(removed.chain(kept.into_iter().flat_map(|(old, new)| in_account(old, new))).chain(added).collect())
}

fn in_account(old: &AccountSpec, new: &AccountSpec) -> Vec<Change> {
    let account = || new.name.clone();
    let same = [
        ("system", old.system == new.system),
        ("JetStream", old.jetstream == new.jetstream),
        ("limits", old.limits == new.limits),
        ("exports", old.exports == new.exports),
        ("imports", old.imports == new.imports),
        ("mappings", old.mappings == new.mappings),
    ];
    let changed = same.iter().filter(|(_, is_same)| !is_same);
    let mut changes: Vec<_> =
        changed.map(|(what, _)| Change::AccountChanged { account: account(), what }).collect();
    let (removed, kept, added) = matched(&old.users, &new.users, |user| &user.name);
    changes.extend(
        removed.into_iter().map(|user| Change::UserRemoved { account: account(), user: user.name.clone() }),
    );
    for (old, new) in kept {
        changes.extend(in_user(old, new).map(|what| Change::UserChanged {
            account: account(),
            user: new.name.clone(),
            what,
        }));
    }
    changes.extend(
        added.into_iter().map(|user| Change::UserAdded { account: account(), user: user.name.clone() }),
    );
    changes
}

fn in_user(old: &UserSpec, new: &UserSpec) -> impl Iterator<Item = &'static str> {
    let same = [
        ("password", old.password == new.password),
        ("publish permissions", old.publish == new.publish),
        ("subscribe permissions", old.subscribe == new.subscribe),
    ];
    same.into_iter().filter(|(_, is_same)| !is_same).map(|(what, _)| what)
}

/// Returns the entries that only the first list has, the pairs, and the entries that only the second list has.
type Matched<'a, T> = (Vec<&'a T>, Vec<(&'a T, &'a T)>, Vec<&'a T>);

fn matched<'a, T>(old: &'a [T], new: &'a [T], name: impl Fn(&T) -> &String) -> Matched<'a, T> {
    let find = |list: &'a [T], item: &T| list.iter().find(|other| name(other) == name(item));
    let removed = old.iter().filter(|item| find(new, item).is_none()).collect();
    let kept = old.iter().filter_map(|item| Some((item, find(new, item)?))).collect();
    let added = new.iter().filter(|item| find(old, item).is_none()).collect();
    (removed, kept, added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::from_toml;

    fn topology(rest: &str) -> Topology {
        let text = format!("[[cluster]]\nname = \"lon\"\n{rest}");
        from_toml(&text, "x.toml", |_csv| Err(String::new())).unwrap()
    }

    #[test]
    fn accounts_and_users_may_change() {
        let old = topology(
            "[[account]]\nname = \"A\"\nuser = [{ name = \"a\" }, { name = \"b\" }]\n[[account]]\nname = \"OLD\"\nuser = [{ name = \"o\" }]\n",
        );
        let new = topology(
            "[[account]]\nname = \"A\"\njetstream = true\nuser = [{ name = \"a\", password = \"s3cr3t\", publish = [\"x\"] }, { name = \"c\" }]\n[[account]]\nname = \"NEW\"\nuser = [{ name = \"n\" }]\n",
        );
        let changes: Vec<_> = difference(&old, &new).unwrap().iter().map(ToString::to_string).collect();
        let expected = [
            "- account OLD",
            "~ account A: JetStream",
            "- user b of account A",
            "~ user a of account A: password",
            "~ user a of account A: publish permissions",
            "+ user c of account A",
            "+ account NEW",
        ];
        assert_eq!(changes, expected);
        assert_eq!(difference(&old, &old), Ok(Vec::new()));
    }

    #[test]
    fn servers_may_not() {
        let error = difference(&topology("servers = 3\n"), &topology("servers = 5\n")).unwrap_err();
        assert_eq!(error, NeedsRestart::Part("cluster"));
        assert!(error.to_string().contains("only accounts"), "{error}");
    }
}
