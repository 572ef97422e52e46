//! The reference model: rules R1 to R6, R13 to R15 and R17 over plain records, as short and naive as possible.
//!
//! It answers whether, why and when: decisions, paths, and the windows in which a user is allowed. It has no indexes, bit
//! sets or caches. `reference/paths.rs` has the paths, `reference/escalation.rs` is R13,
//! `reference/assertions.rs` R17. Tests compare every snapshot with it, and an auditor can use it as a second opinion.
//! [`Model`] follows the text of the rules, and a snapshot must give the same answers.

mod assertions;
mod escalation;
mod paths;

use std::collections::BTreeSet;

#[cfg(test)]
pub(crate) use self::escalation::covers;
pub use self::escalation::{ModelGainer, ModelRight};
pub use self::paths::{ModelPath, ModelStep};
use crate::model::catalog::{Catalog, RoleEntry};
use crate::model::records::{
    Granted, GroupId, Holder, PermissionId, Record, RoleId, RoleRef, SeparationRecord, Slug, Status, Timestamp, UserId,
    UserRecord,
};

/// The answers that the rules give for a set of records.
///
/// ```
/// use rolecall::catalog::Catalog;
/// use rolecall::reference::Model;
/// use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
///
/// let alice = UserId::random();
/// let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
/// let catalog = Catalog::empty();
/// let model = Model::new(&records, &catalog);
/// assert!(!model.may(alice, "posts:read", Timestamp::UNIX_EPOCH));
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Complexity
/// Every question reads every record, more than once.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    records: &'a [Record],
    catalog: &'a Catalog,
}

impl<'a> Model<'a> {
    /// Creates the model of these records under this catalog.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert_eq!(model.users().count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn new(records: &'a [Record], catalog: &'a Catalog) -> Self {
        Self { records, catalog }
    }

    /// Returns the slugs of the permissions of all roles that a user has (R1). Empty for a suspended or unknown user (R4).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(model.effective(alice, Timestamp::UNIX_EPOCH).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn effective(&self, user: UserId, at: Timestamp) -> BTreeSet<Slug> {
        let active = self.users().any(|u| u.id == user && u.status == Status::Active);
        let roles = if active { self.roles(user, at) } else { BTreeSet::new() };
        self.permissions()
            .filter(|(id, slug)| roles.iter().any(|role| self.grants(*role, *id, slug)))
            .map(|p| p.1)
            .collect()
    }

    /// Returns the slugs of the permissions that a user has with only these of its roles, and with what they include (R15).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, RoleId, Timestamp, UserId, UserKey, UserRecord};
    ///
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    ///
    /// assert!(model.narrowed(alice, &[RoleId::random()], Timestamp::UNIX_EPOCH).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn narrowed(&self, user: UserId, roles: &[RoleId], at: Timestamp) -> BTreeSet<Slug> {
        let roles = self.active(user, roles, at);
        self.permissions()
            .filter(|(id, slug)| roles.iter().any(|role| self.grants(*role, *id, slug)))
            .map(|p| p.1)
            .collect()
    }

    /// Returns the roles that count for a user with only these of its roles: those of them that it has, and what they include
    /// (R15).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, RoleId, Timestamp, UserId, UserKey, UserRecord};
    ///
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    ///
    /// assert!(model.active(alice, &[RoleId::random()], Timestamp::UNIX_EPOCH).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn active(&self, user: UserId, roles: &[RoleId], at: Timestamp) -> BTreeSet<RoleId> {
        let active = self.users().any(|u| u.id == user && u.status == Status::Active);
        let held = if active { self.roles(user, at) } else { BTreeSet::new() };
        closure(roles.iter().copied().filter(|role| held.contains(role)).collect(), |role| self.included(role))
    }

    /// Returns whether a user has the permission with this slug.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(!model.may(alice, "posts:read", Timestamp::UNIX_EPOCH));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn may(&self, user: UserId, permission: &str, at: Timestamp) -> bool {
        self.effective(user, at).iter().any(|slug| slug.as_str() == permission)
    }

    /// Returns all users.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert_eq!(model.users().next().unwrap().key, "alice");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn users(&self) -> impl Iterator<Item = &'a UserRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::User(user) => Some(user),
            _ => None,
        })
    }

    /// Returns all permissions that can be granted (R5, R9): the tenant's own and the catalog's. A slug that both have is
    /// left out.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert_eq!(model.permissions().count(), 0);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permissions(&self) -> impl Iterator<Item = (PermissionId, Slug)> {
        let own = self.records.iter().filter_map(|record| match record {
            Record::Permission(permission) => Some((permission.id, permission.slug.clone())),
            _ => None,
        });
        let all = own.chain(self.catalog.permissions().iter().map(|entry| (entry.id(), entry.slug().clone())));
        let conflicts = self.permission_conflicts();
        all.filter(move |(_, slug)| !conflicts.contains(slug))
    }

    /// Returns the slugs of permissions that belong to the tenant and to the catalog. Such a slug names nothing, and
    /// neither of the two permissions gives anything (R9).
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef};
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Description, Name, PermissionId, PermissionRecord, Record, Slug};
    /// #
    /// // A permission of the tenant.
    /// let slug = Slug::new("posts:read")?;
    /// # let (name, description) = (Name::new("Read")?, Description::default());
    /// let own = PermissionRecord { id: PermissionId::random(), slug, name, description, category: None };
    /// // A catalog that defines its slug.
    /// let permissions = &[PermissionDef::new("posts:read")];
    /// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
    /// let records = [Record::Permission(own)];
    /// let model = Model::new(&records, &catalog);
    /// // Neither can be granted.
    /// assert!(model.permission_conflicts().contains("posts:read") && model.permissions().count() == 0);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permission_conflicts(&self) -> BTreeSet<Slug> {
        let own = self.records.iter().filter_map(|record| match record {
            Record::Permission(permission) => Some(&permission.slug),
            _ => None,
        });
        let is_catalogs = |slug: &&Slug| self.catalog.permissions().iter().any(|entry| entry.slug() == *slug);
        own.filter(is_catalogs).cloned().collect()
    }

    /// Returns the groups of a user: those joined directly, and their active parent groups at any depth (R1). A membership
    /// or parent link has effect only inside its window (R3). Those of a suspended user are listed, too (R4).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(model.groups(alice, Timestamp::UNIX_EPOCH).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
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

    /// Returns the roles of a user: those assigned directly or through groups, and all roles that they include (R1). Those
    /// of a suspended user are listed, too, although they give nothing (R4).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(model.roles(alice, Timestamp::UNIX_EPOCH).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
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

    /// Returns whether a role itself grants a permission: by id, or by a pattern that matches its current slug (R5).
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

    /// Returns all separations of duties.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # let catalog = Catalog::empty();
    /// let model = Model::new(&[], &catalog);
    /// assert_eq!(model.separations().count(), 0);
    /// ```
    pub fn separations(&self) -> impl Iterator<Item = &'a SeparationRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::Separation(separation) => Some(separation),
            _ => None,
        })
    }

    /// Returns the roles of a separation that a user holds at an instant, suspended or not (R14).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::records::*;
    /// # use rolecall::reference::Model;
    /// let (alice, role) = (UserId::random(), RoleRef::Own(RoleId::random()));
    /// let (slug, description) = (Slug::new("payments")?, Description::default());
    /// let (id, at_most, roles) = (SeparationId::random(), 1.try_into().unwrap(), vec![role.clone()]);
    /// let separation = SeparationRecord { id, slug, description, at_most, roles };
    /// let assigned = Assignment { role: role.clone(), holder: Holder::User(alice), window: Window::ALWAYS };
    /// let records = [Record::Assignment(assigned), Record::Separation(separation.clone())];
    /// let catalog = Catalog::empty();
    /// let model = Model::new(&records, &catalog);
    /// assert_eq!(model.held_of(&separation, alice, Timestamp::UNIX_EPOCH), [role.id()].into());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn held_of(&self, separation: &SeparationRecord, user: UserId, at: Timestamp) -> BTreeSet<RoleId> {
        self.roles(user, at).into_iter().filter(|role| separation.names(*role)).collect()
    }

    /// Returns the referenced roles that were removed from the catalog. Such references are kept and grant nothing (R9).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(model.roles_removed_from_catalog().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles_removed_from_catalog(&self) -> BTreeSet<RoleId> {
        let references = self.records.iter().filter_map(|record| match record {
            Record::Inclusion(edge) => Some(&edge.included),
            Record::Assignment(edge) => Some(&edge.role),
            _ => None,
        });
        let separated = self.separations().flat_map(|separation| &separation.roles);
        let known = |id| self.catalog.roles().iter().any(|entry| entry.id() == id);
        let removed_from_catalog = |role: &&RoleRef| matches!(role, RoleRef::Catalog { id, .. } if !known(*id));
        let asserted = self.assertions().flat_map(|assertion| assertion.expected.roles());
        references.chain(separated).chain(asserted).filter(removed_from_catalog).map(RoleRef::id).collect()
    }
}

/// Returns everything reachable from these, themselves included.
fn closure<T: Copy + Ord, I: Iterator<Item = T>>(from: BTreeSet<T>, next: impl Fn(T) -> I) -> BTreeSet<T> {
    let mut reached = from.clone();
    let mut todo: Vec<T> = from.into_iter().collect();
    while let Some(node) = todo.pop() {
        todo.extend(next(node).filter(|to| reached.insert(*to)));
    }
    reached
}
