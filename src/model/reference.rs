//! The meaning by the book: R1 to R6 over plain records, naive, slow and short. No number, no bit, no index, no window
//! edge remembered. It is the oracle of the tests, and an auditor's second opinion: what [`Model`] says is what the
//! rules say, and a snapshot must say the same.

use std::collections::BTreeSet;

use crate::model::catalog::{Catalog, RoleEntry};
use crate::model::records::{
    Granted, GroupId, Holder, PermissionId, Record, RoleId, RoleRef, Slug, Status, Timestamp, UserId, UserRecord,
};

/// A set of records, and what it means.
///
/// # Complexity
/// Every question looks at every record, more than once.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    records: &'a [Record],
    catalog: &'a Catalog,
}

impl<'a> Model<'a> {
    /// The meaning of these records under this catalog.
    pub fn new(records: &'a [Record], catalog: &'a Catalog) -> Self {
        Self { records, catalog }
    }

    /// R1: the permissions of all roles that a user holds, by slug. R4: none for who is suspended, or unknown.
    pub fn effective(&self, user: UserId, at: Timestamp) -> BTreeSet<Slug> {
        let active = self.users().any(|u| u.id == user && u.status == Status::Active);
        let roles = if active { self.roles(user, at) } else { BTreeSet::new() };
        self.permissions()
            .filter(|(id, slug)| roles.iter().any(|role| self.grants(*role, *id, slug)))
            .map(|p| p.1)
            .collect()
    }

    /// Whether a user may do something, named by slug.
    pub fn may(&self, user: UserId, permission: &str, at: Timestamp) -> bool {
        self.effective(user, at).iter().any(|slug| slug.as_str() == permission)
    }

    /// All users.
    pub fn users(&self) -> impl Iterator<Item = &'a UserRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::User(user) => Some(user),
            _ => None,
        })
    }

    /// All permissions that can be granted: the tenant's own and the catalog's (R5, R9).
    pub fn permissions(&self) -> impl Iterator<Item = (PermissionId, Slug)> {
        let own = self.records.iter().filter_map(|record| match record {
            Record::Permission(permission) => Some((permission.id, permission.slug.clone())),
            _ => None,
        });
        own.chain(self.catalog.permissions().iter().map(|entry| (entry.id(), entry.slug().clone())))
    }

    /// The groups that a user is in: directly, or through sub-groups (R1). R3: a membership or a parent link counts inside
    /// its window.
    pub fn groups(&self, user: UserId, at: Timestamp) -> BTreeSet<GroupId> {
        let direct = self.records.iter().filter_map(|record| match record {
            Record::Membership(m) if m.user == user && m.window.contains(at) => Some(m.group),
            _ => None,
        });
        let parents = |group| {
            self.records.iter().filter_map(move |record| match record {
                Record::Parent(edge) if edge.group == group && edge.window.contains(at) => Some(edge.parent),
                _ => None,
            })
        };
        closure(direct.collect(), parents)
    }

    /// The roles that a user holds: directly or through groups, and all that those include (R1).
    pub fn roles(&self, user: UserId, at: Timestamp) -> BTreeSet<RoleId> {
        let groups = self.groups(user, at);
        let assigned = self.records.iter().filter_map(|record| match record {
            Record::Assignment(a) if a.window.contains(at) => match a.holder {
                Holder::User(holder) => (holder == user).then(|| a.role.id()),
                Holder::Group(holder) => groups.contains(&holder).then(|| a.role.id()),
            },
            _ => None,
        });
        closure(assigned.collect(), |role| self.included(role))
    }

    fn included(&self, role: RoleId) -> impl Iterator<Item = RoleId> {
        let own = self.records.iter().filter_map(move |record| match record {
            Record::Inclusion(edge) if edge.role == role => Some(edge.included.id()),
            _ => None,
        });
        own.chain(self.catalog.included(role).map(RoleEntry::id))
    }

    /// Whether a role itself grants a permission: by id, or by a pattern that matches its present slug (R5).
    fn grants(&self, role: RoleId, permission: PermissionId, slug: &Slug) -> bool {
        let own = self.records.iter().any(|record| match record {
            Record::Grant(grant) if grant.role == role => match &grant.granted {
                Granted::Permission(reference) => reference.id() == permission,
                Granted::Pattern(pattern) => pattern.matches(slug.as_str()),
            },
            _ => false,
        });
        let system = || {
            let patterns = self.catalog.roles().iter().filter(|entry| entry.id() == role).flat_map(RoleEntry::patterns);
            self.catalog.granted(role).any(|entry| entry.id() == permission)
                || patterns.into_iter().any(|pattern| pattern.matches(slug.as_str()))
        };
        own || system()
    }

    /// References to what has left the catalog: they are kept, and give nothing (R9).
    pub fn roles_removed_from_catalog(&self) -> BTreeSet<RoleId> {
        let references = self.records.iter().filter_map(|record| match record {
            Record::Inclusion(edge) => Some(&edge.included),
            Record::Assignment(edge) => Some(&edge.role),
            _ => None,
        });
        let known = |id| self.catalog.roles().iter().any(|entry| entry.id() == id);
        let removed_from_catalog = |role: &&RoleRef| matches!(role, RoleRef::Catalog { id, .. } if !known(*id));
        references.filter(removed_from_catalog).map(RoleRef::id).collect()
    }
}

/// Everything that is reached from these, themselves included.
fn closure<T: Copy + Ord, I: Iterator<Item = T>>(from: BTreeSet<T>, next: impl Fn(T) -> I) -> BTreeSet<T> {
    let mut reached = from.clone();
    let mut todo: Vec<T> = from.into_iter().collect();
    while let Some(node) = todo.pop() {
        todo.extend(next(node).filter(|to| reached.insert(*to)));
    }
    reached
}
