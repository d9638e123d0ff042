//! Who may do what in a database: its `_security` and who asks in, rights out.
//!
//! CouchDB knows members and administrators of a database. Beside them stand grants: rights one by one, to names and
//! roles, for the whole database or for the documents that a selector (or a named feed's) takes. What applies adds up;
//! what nothing gives is refused.

#[cfg(test)]
mod tests;

use crate::selector::Selector;
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

/// The role that administrators of a server have.
pub const SERVER_ADMIN: &str = "_admin";

/// Some of the rights in a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// To see documents, and ask questions about them.
    pub const READ: Rights = Rights(1);
    /// To change documents.
    pub const WRITE: Rights = Rights(2);
    /// To bring revisions that were made elsewhere.
    pub const REPLICATE_IN: Rights = Rights(4);
    /// To take revisions along, with their history.
    pub const REPLICATE_OUT: Rights = Rights(8);
    /// To change design documents, `_security` and settings, to purge and to compact.
    pub const CONFIGURE: Rights = Rights(16);
    /// What members have.
    pub const MEMBER: Rights = Rights(1 | 2 | 4 | 8);
    /// All of them.
    pub const ALL: Rights = Rights(31);

    /// Each with its name in `_security`.
    pub const NAMES: [(&'static str, Rights); 5] = [
        ("read", Rights::READ),
        ("write", Rights::WRITE),
        ("replicate-in", Rights::REPLICATE_IN),
        ("replicate-out", Rights::REPLICATE_OUT),
        ("configure", Rights::CONFIGURE),
    ];

    /// These and others.
    pub const fn or(self, others: Rights) -> Rights {
        Rights(self.0 | others.0)
    }

    /// Whether it has one of these at least.
    pub const fn any_of(self, rights: Rights) -> bool {
        self.0 & rights.0 != 0
    }

    /// Whether it has them all.
    pub const fn all_of(self, rights: Rights) -> bool {
        self.0 & rights.0 == rights.0
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, others: Rights) -> Rights {
        self.or(others)
    }
}

impl BitAnd for Rights {
    type Output = Rights;
    fn bitand(self, others: Rights) -> Rights {
        Rights(self.0 & others.0)
    }
}

impl fmt::Display for Rights {
    /// Their names, with "or" between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Rights::NAMES.iter().filter(|(_, right)| self.any_of(*right));
        if let Some((name, _)) = names.next() {
            f.write_str(name)?;
        }
        names.try_for_each(|(name, _)| write!(f, " or {name}"))
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// `None`: nobody knows.
    pub name: Option<&'a str>,
    /// With [`SERVER_ADMIN`] an administrator of the server.
    pub roles: &'a [String],
}

impl Identity<'_> {
    /// Whether it may do everything everywhere.
    pub fn is_server_admin(&self) -> bool {
        self.roles.iter().any(|role| role == SERVER_ADMIN)
    }
}

/// Names and roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Of users.
    pub names: Vec<String>,
    /// That users have.
    pub roles: Vec<String>,
}

impl Group {
    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.roles.is_empty()
    }

    fn has(&self, who: Identity<'_>) -> bool {
        who.name
            .is_some_and(|name| self.names.iter().any(|known| known == name))
            || who.roles.iter().any(|role| self.roles.contains(role))
    }
}

/// To which documents a grant is bound.
#[derive(Clone, Debug)]
pub enum Only {
    /// Those that match.
    Selector(Arc<Selector>),
    /// Those that match the selector of a named feed of the database: `design/name`.
    Feed(String),
}

impl PartialEq for Only {
    fn eq(&self, other: &Only) -> bool {
        match (self, other) {
            (Only::Selector(one), Only::Selector(other)) => {
                Arc::ptr_eq(one, other) || one.canonical() == other.canonical()
            }
            (Only::Feed(one), Only::Feed(other)) => one == other,
            _ => false,
        }
    }
}

/// Rights that some have beside members and administrators.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// To whom.
    pub to: Group,
    /// Which. Bound to documents, it is never [`Rights::CONFIGURE`].
    pub rights: Rights,
    /// `None`: for the whole database.
    pub only: Option<Only>,
}

/// `_security` of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// Have all rights.
    pub admins: Group,
    /// Have [`Rights::MEMBER`]. Nobody in it means everybody, as in CouchDB, unless `grants` are given.
    pub members: Group,
    /// Beside them. An empty list is one all the same: who takes the last grant away does not let everybody in.
    pub grants: Option<Vec<Grant>>,
}

/// What someone may do in a database.
#[derive(Clone, Debug, PartialEq)]
pub struct Access<'a> {
    /// With all documents.
    pub whole: Rights,
    /// With some.
    pub parts: Vec<(Rights, &'a Only)>,
}

impl Access<'_> {
    /// Every right there is, with whatever documents.
    pub fn any(&self) -> Rights {
        self.parts
            .iter()
            .fold(self.whole, |any, (rights, _)| any | *rights)
    }
}

impl Security {
    /// What CouchDB 3 gives a new database: for server administrators alone.
    pub fn closed() -> Security {
        let admins = || Group {
            names: Vec::new(),
            roles: vec![SERVER_ADMIN.to_owned()],
        };
        Security {
            admins: admins(),
            members: admins(),
            grants: None,
        }
    }

    /// What someone may do.
    pub fn access(&self, who: Identity<'_>) -> Access<'_> {
        if who.is_server_admin() || self.admins.has(who) {
            return Access {
                whole: Rights::ALL,
                parts: Vec::new(),
            };
        }
        let is_public = self.members.is_empty() && self.grants.is_none();
        let mut whole = match is_public || self.members.has(who) {
            true => Rights::MEMBER,
            false => Rights::NONE,
        };
        let granted = || self.grants.iter().flatten().filter(|grant| grant.to.has(who));
        for grant in granted().filter(|grant| grant.only.is_none()) {
            whole = whole | grant.rights;
        }
        let parts = granted().filter_map(|grant| {
            let only = grant.only.as_ref()?;
            // What is had of the whole is not bound.
            (!whole.all_of(grant.rights)).then_some((grant.rights, only))
        });
        Access {
            whole,
            parts: parts.collect(),
        }
    }
}
