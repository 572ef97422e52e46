//! The changes of a plan or an update with names, for logs.
//!
//! A change has ids. The names are those of a snapshot before it and of one after it.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use uuid::Uuid;

use super::Plan;
use crate::model::error::{Asked, EntityKind, Quoted};
use crate::model::records::{
    AssertionRecord, Assignment, Change, FieldChange, Grant, Granted, GroupId, Holder, Inclusion, Membership, Parent,
    Pattern, PermissionId, PermissionRef, Record, RecordKey, RecordKind, RoleId, RoleRef, Slug, UserId, Window,
};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Row, Table};
use crate::resolver::snapshot::{CompiledTenant, Snapshot};

/// Whether a record is added, changed or removed.
///
/// ```
/// use rolecall::plan::ChangeKind;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
/// assert_eq!(plan.described().next().unwrap().change, ChangeKind::Added);
/// assert_eq!(ChangeKind::Added.to_string(), "added");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The record does not exist before.
    Added,
    /// The record exists before and after, with other content.
    Changed,
    /// The record does not exist after.
    Removed,
}

/// Writes the kind as in JSON.
impl Display for ChangeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        })
    }
}

/// An entity that a change is about, with its names before and after.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| tx.create_user("alice")?.done())?;
/// let updated = acme.update(|tx| tx.user("alice")?.set_key("alice@acme.com")?.done())?;
/// let alice = updated.described().next().unwrap().subject;
/// assert_eq!((alice.before.as_deref(), alice.after.as_deref()), (Some("alice"), Some("alice@acme.com")));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamedEntity {
    /// The kind of entity.
    pub entity: EntityKind,
    /// The id. It distinguishes a role or permission of the tenant from one of the catalog with the same slug (R9).
    pub id: Uuid,
    /// The slug or key before the change. `None` if the entity did not exist, or the snapshot does not have it.
    pub before: Option<String>,
    /// The slug or key after the change. `None` if the entity does not exist any more, or the snapshot does not have it.
    pub after: Option<String>,
}

/// A change with names, as of before and after: a line of a log, and the same as data.
///
/// [`Updated::described`](crate::authorizer::Updated::described) has those of an update, [`Plan::described`] those of a
/// plan. `Display` writes one line without a line break.
///
/// # Example
/// ```
/// use rolecall::{Timestamp, Window};
///
/// # let clock = rolecall::clock::ManualClock::new("2027-01-01T00:00:00Z".parse()?);
/// # let acme = rolecall::blocking::Authorizer::builder().clock(clock).build().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_group("engineering")?.set_name("Eng")?;
/// #     tx.create_user("alice@acme.com")?;
/// #     tx.create_user("bob")?.done()
/// # })?;
/// let friday: Timestamp = "2027-01-08T17:00:00Z".parse()?;
/// let updated = acme.update(|tx| {
///     tx.user("alice@acme.com")?.join_during("engineering", Window::until(friday))?;
///     tx.user("bob")?.set_key("bob@acme.com")?;
///     tx.group("engineering")?.set_name("Engineering")?.done()
/// })?;
/// let lines: Vec<String> = updated.described().map(|change| change.to_string()).collect();
/// assert_eq!(lines, [
///     "changed group `engineering`: name `Eng` → `Engineering`",
///     "renamed user `bob` to `bob@acme.com`",
///     "added membership of `alice@acme.com` in `engineering` until 2027-01-08T17:00:00Z",
/// ]);
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Security
/// The texts contain the keys of users, which are often e-mail addresses, and display names. A log with them is
/// personal data. All of them are written by [`Quoted`](crate::error::Quoted), so no name can imitate the words around
/// it or begin a line of its own. The data, and its serialised form, has them as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DescribedChange {
    /// Added, changed or removed.
    pub change: ChangeKind,
    /// The kind of the record.
    pub kind: RecordKind,
    /// The entity itself, or the entity that has the relation: the member, the holder of a role, the role that grants or
    /// includes, the subgroup.
    pub subject: NamedEntity,
    /// The other end of a relation: the group of a membership, the role that is assigned or included, the permission
    /// that is granted, the parent group. `None` for an entity, and for the grant of a pattern.
    pub object: Option<NamedEntity>,
    /// The pattern that is granted.
    pub pattern: Option<Pattern>,
    /// The window of a membership, assignment or parent link before the change.
    pub window_before: Option<Window>,
    /// The window of a membership, assignment or parent link after the change.
    pub window_after: Option<Window>,
    /// The other fields that differ, if the record exists before and after.
    pub fields: Vec<FieldChange>,
    /// The lists of roles, users and groups that differ, in a separation or an assertion that exists before and after.
    pub lists: Vec<ListChange>,
}

/// A change of a list of roles, users or groups in a separation or an assertion.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     ["clerk", "approver", "auditor"].iter().try_for_each(|role| tx.create_role(role)?.done())?;
/// #     tx.create_separation("payments", 1, ["clerk", "approver"])?.done()
/// # })?;
/// let updated = acme.update(|tx| tx.separation("payments")?.set_roles(["clerk", "auditor"]))?;
/// let change = updated.described().next().unwrap();
/// assert_eq!((&*change.lists[0].added, &*change.lists[0].removed), (&["auditor".into()][..], &["approver".into()][..]));
/// assert_eq!(change.to_string(), "changed separation `payments`: roles added `auditor` and removed `approver`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListChange {
    /// The name of the list, as in JSON.
    pub field: &'static str,
    /// The kind of the entities.
    pub entity: EntityKind,
    /// The names of those that are only in the list after the change, sorted.
    pub added: Vec<String>,
    /// The names of those that are only in the list before the change, sorted.
    pub removed: Vec<String>,
}

impl Plan {
    /// Returns the changes of the plan with names: one entry for each of [`Plan::changes`], in the same order.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("staff")?;
    /// #     tx.create_user("alice")?.join("staff")?.done()
    /// # })?;
    /// let (_, plan) = acme.plan(|tx| tx.delete_user("alice"))?;
    /// let lines: Vec<String> = plan.described().map(|change| change.to_string()).collect();
    /// assert_eq!(lines, ["deleted user `alice`", "removed membership of `alice` in `staff`"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Looks up the names of each change when it is asked for.
    pub fn described(&self) -> impl Iterator<Item = DescribedChange> + '_ {
        let names = NameLookup { before: &self.base, after: &self.next };
        self.changes.iter().map(move |change| names.describe(change))
    }
}

impl DescribedChange {
    /// Describes a change with the names of these snapshots, such as a commit of the history with the snapshots that an
    /// application has kept.
    ///
    /// The snapshots may be of other revisions than those around the change. An entity that neither of them has is
    /// shown by its id.
    ///
    /// ```
    /// use rolecall::plan::DescribedChange;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let before = acme.snapshot();
    /// let updated = acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let described = DescribedChange::new(&updated.changes[0], &before, &acme.snapshot());
    /// assert_eq!(described.to_string(), "created user `alice`");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn new(change: &Change, before: &Snapshot, after: &Snapshot) -> Self {
        NameLookup { before: &before.0, after: &after.0 }.describe(change)
    }
}

/// Where names are looked up.
struct NameLookup<'a> {
    before: &'a CompiledTenant,
    after: &'a CompiledTenant,
}

impl NameLookup<'_> {
    fn describe(&self, change: &Change) -> DescribedChange {
        let own = |entity, id| own(change, entity, id);
        let user = |id: UserId| self.end(change, EntityKind::User, id.as_uuid());
        let group = |id: GroupId| self.end(change, EntityKind::Group, id.as_uuid());
        let role = |id: RoleId| self.end(change, EntityKind::Role, id.as_uuid());
        let permission = |id: PermissionId| self.end(change, EntityKind::Permission, id.as_uuid());
        let mut granted = None;
        let (subject, object) = match change.key() {
            RecordKey::Tenant => (own(EntityKind::Tenant, self.after.position.tenant_id.as_uuid()), None),
            RecordKey::Permission(id) => (own(EntityKind::Permission, id.as_uuid()), None),
            RecordKey::Role(id) => (own(EntityKind::Role, id.as_uuid()), None),
            RecordKey::Group(id) => (own(EntityKind::Group, id.as_uuid()), None),
            RecordKey::User(id) => (own(EntityKind::User, id.as_uuid()), None),
            RecordKey::Separation(id) => (own(EntityKind::Separation, id.as_uuid()), None),
            RecordKey::Assertion(id) => (own(EntityKind::Assertion, id.as_uuid()), None),
            RecordKey::Grant(by, id) => (role(by), Some(permission(id))),
            RecordKey::GrantPattern(by, pattern) => {
                granted = Some(pattern);
                (role(by), None)
            }
            RecordKey::Inclusion(by, included) => (role(by), Some(role(included))),
            RecordKey::Parent(of, parent) => (group(of), Some(group(parent))),
            RecordKey::Assignment(assigned, Holder::User(id)) => (user(id), Some(role(assigned))),
            RecordKey::Assignment(assigned, Holder::Group(id)) => (group(id), Some(role(assigned))),
            RecordKey::Membership(member, of) => (user(member), Some(group(of))),
        };
        let kind = match (change.before(), change.after()) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        DescribedChange {
            change: kind,
            kind: change.kind(),
            subject,
            object,
            pattern: granted,
            window_before: change.before().and_then(window),
            window_after: change.after().and_then(window),
            fields: change.fields().into_iter().chain(self.permission_of(change)).collect(),
            lists: self.lists_of(change),
        }
    }

    /// The permission that an assertion is about, if it differs.
    fn permission_of(&self, change: &Change) -> Option<FieldChange> {
        let (Record::Assertion(before), Record::Assertion(after)) = (change.before()?, change.after()?) else {
            return None;
        };
        let (before, after) = (before.expected.permission(), after.expected.permission());
        let id = |named: Option<&PermissionRef>| named.map(|named| named.id().as_uuid());
        let name = |tenant, named: Option<&PermissionRef>| {
            named.map(|named| name_of(tenant, EntityKind::Permission, named.id().as_uuid(), named.slug()))
        };
        (id(before) != id(after)).then(|| FieldChange {
            field: "permission",
            before: name(self.before, before),
            after: name(self.after, after),
        })
    }

    /// The lists of a separation or an assertion that differ.
    fn lists_of(&self, change: &Change) -> Vec<ListChange> {
        let (Some(before), Some(after)) = (change.before(), change.after()) else { return Vec::new() };
        let lists = lists(before).into_iter().zip(lists(after));
        let differing = lists.map(|((field, entity, before), (_, _, after))| ListChange {
            field,
            entity,
            added: names_beyond(self.after, entity, &after, &before),
            removed: names_beyond(self.before, entity, &before, &after),
        });
        differing.filter(|list| !list.added.is_empty() || !list.removed.is_empty()).collect()
    }

    /// Names an end of a relation, by the snapshots. The reference itself names an entry of the catalog that they do
    /// not have.
    fn end(&self, change: &Change, entity: EntityKind, id: Uuid) -> NamedEntity {
        let name = |tenant: &CompiledTenant, record: Option<&Record>| {
            let in_reference = || record.and_then(|record| slug_in_reference(record, entity, id)).map(Slug::to_string);
            name_at(&tenant.state, entity, id).or_else(in_reference)
        };
        let (before, after) = (name(self.before, change.before()), name(self.after, change.after()));
        NamedEntity { entity, id, before, after }
    }
}

/// A list in a record: the name of its field, the kind of entity, and the id of each with the slug in the reference.
type NamedList<'a> = (&'static str, EntityKind, Vec<(Uuid, Option<&'a Slug>)>);

/// Returns the entities that a separation or an assertion names, in a fixed order for its kind.
fn lists(record: &Record) -> Vec<NamedList<'_>> {
    match record {
        Record::Separation(separation) => vec![("roles", EntityKind::Role, references(&separation.roles))],
        Record::Assertion(AssertionRecord { expected, .. }) => {
            let users = expected.users().iter().map(|id| (id.as_uuid(), None));
            let groups = expected.groups().iter().map(|id| (id.as_uuid(), None));
            vec![
                ("users", EntityKind::User, users.collect()),
                ("groups", EntityKind::Group, groups.collect()),
                ("roles", EntityKind::Role, references(expected.roles())),
            ]
        }
        _ => Vec::new(),
    }
}

fn references(roles: &[RoleRef]) -> Vec<(Uuid, Option<&Slug>)> {
    roles.iter().map(|role| (role.id().as_uuid(), role.slug())).collect()
}

/// Names the entities of a list that are not in another one, by a snapshot.
fn names_beyond(
    tenant: &CompiledTenant,
    entity: EntityKind,
    list: &[(Uuid, Option<&Slug>)],
    other: &[(Uuid, Option<&Slug>)],
) -> Vec<String> {
    let there: HashSet<Uuid> = other.iter().map(|(id, _)| *id).collect();
    let only_here = list.iter().filter(|(id, _)| !there.contains(id));
    let mut names: Vec<String> = only_here.map(|(id, stored)| name_of(tenant, entity, *id, *stored)).collect();
    names.sort_unstable();
    names
}

/// Names an entity, by a snapshot. A reference to the catalog names an entry that it does not have.
fn name_of(tenant: &CompiledTenant, entity: EntityKind, id: Uuid, stored: Option<&Slug>) -> String {
    let stored = || stored.map_or_else(|| id.to_string(), Slug::to_string);
    name_at(&tenant.state, entity, id).unwrap_or_else(stored)
}

/// Names the entity whose own record changes.
fn own(change: &Change, entity: EntityKind, id: Uuid) -> NamedEntity {
    let name = |record: Option<&Record>| record.and_then(own_name).map(str::to_owned);
    NamedEntity { entity, id, before: name(change.before()), after: name(change.after()) }
}

fn own_name(record: &Record) -> Option<&str> {
    match record {
        Record::Tenant(record) => Some(record.slug.as_str()),
        Record::Permission(record) => Some(record.slug.as_str()),
        Record::Role(record) => Some(record.slug.as_str()),
        Record::Group(record) => Some(record.slug.as_str()),
        Record::User(record) => Some(record.key.as_str()),
        Record::Separation(record) => Some(record.slug.as_str()),
        Record::Assertion(record) => Some(record.slug.as_str()),
        Record::Grant(_) | Record::Inclusion(_) | Record::Parent(_) | Record::Assignment(_) | Record::Membership(_) => {
            None
        }
    }
}

/// Returns the name of an entity in a snapshot. Entries that are removed from the catalog have one while they are
/// referred to.
fn name_at(state: &State, entity: EntityKind, id: Uuid) -> Option<String> {
    fn name<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<String> {
        table.row(number?).map(|row| row.name().to_owned())
    }
    match entity {
        EntityKind::Tenant => state.tenant.as_ref().map(|tenant| tenant.slug.to_string()),
        EntityKind::Permission => name(&state.permissions, state.permissions.by_id(id)),
        EntityKind::Role => name(&state.roles, state.roles.by_id(id)),
        EntityKind::Group => name(&state.groups, state.groups.by_id(id)),
        EntityKind::User => name(&state.users, state.user_by_id(id)),
        EntityKind::Separation => name(&state.separations, state.separations.by_id(id)),
        EntityKind::Assertion => name(&state.assertions, state.assertions.by_id(id)),
    }
}

/// Returns the slug that a reference to the catalog has stored.
fn slug_in_reference(record: &Record, entity: EntityKind, id: Uuid) -> Option<&Slug> {
    match (record, entity) {
        (
            Record::Assignment(Assignment { role, .. }) | Record::Inclusion(Inclusion { included: role, .. }),
            EntityKind::Role,
        ) if role.id().as_uuid() == id => role.slug(),
        (Record::Grant(Grant { granted: Granted::Permission(permission), .. }), EntityKind::Permission) => {
            permission.slug()
        }
        _ => None,
    }
}

fn window(record: &Record) -> Option<Window> {
    match record {
        Record::Parent(Parent { window, .. })
        | Record::Assignment(Assignment { window, .. })
        | Record::Membership(Membership { window, .. }) => Some(*window),
        _ => None,
    }
}

/// Returns the window of a relation that is not always active.
fn limits(window: Option<Window>) -> Option<Window> {
    window.filter(|window| !window.is_always())
}

impl NamedEntity {
    /// Returns the name on one side, or else on the other.
    fn name(&self, before: bool) -> Option<&str> {
        let (first, second) = if before { (&self.before, &self.after) } else { (&self.after, &self.before) };
        first.as_deref().or(second.as_deref())
    }

    /// Shows the kind and the name.
    fn shown(&self, before: bool) -> String {
        let asked = self.name(before).map_or_else(|| Asked::by_id(self.id), Asked::from);
        asked.of(self.entity).to_string()
    }

    /// Shows the name, or the kind with the id.
    fn shown_name(&self, before: bool) -> String {
        self.name(before).map_or_else(|| self.shown(before), |name| Quoted(name).to_string())
    }
}

/// One line, without a line break: the change, the names, and the window or the values that differ.
impl Display for DescribedChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_relation = self.kind.is_relation();
        // A created or deleted entity has one name. A changed one is known by the name before, its relations by the
        // name after.
        let name = match self.change {
            ChangeKind::Added => false,
            ChangeKind::Changed => !is_relation,
            ChangeKind::Removed => true,
        };
        let what = if is_relation { self.relation(name) } else { self.subject.shown(name) };
        match (self.change, is_relation) {
            (ChangeKind::Added, true) => {
                write!(f, "added {what}")?;
                limits(self.window_after).map_or(Ok(()), |window| write!(f, " {window}"))
            }
            (ChangeKind::Removed, true) => {
                write!(f, "removed {what}")?;
                limits(self.window_before).map_or(Ok(()), |window| write!(f, " ({window})"))
            }
            (ChangeKind::Added, false) => write!(f, "created {what}"),
            (ChangeKind::Removed, false) => write!(f, "deleted {what}"),
            (ChangeKind::Changed, _) => self.differences(f, &what),
        }
    }
}

impl DescribedChange {
    fn relation(&self, before: bool) -> String {
        let name = |entity: &NamedEntity| entity.shown_name(before);
        let object = self.object.as_ref().map(name);
        let granted = object.or_else(|| self.pattern.as_ref().map(|pattern| Quoted(pattern.as_str()).to_string()));
        let (subject, object) = (name(&self.subject), granted.unwrap_or_default());
        match self.kind {
            RecordKind::Membership => format!("membership of {subject} in {object}"),
            RecordKind::Parent => format!("parent link of {subject} to {object}"),
            RecordKind::Inclusion => format!("inclusion of {object} in {subject}"),
            RecordKind::Grant => format!("grant of {object} to {}", self.subject.shown(before)),
            // A user and a group may have one name.
            RecordKind::Assignment => format!("assignment of {object} to {}", self.subject.shown(before)),
            RecordKind::Tenant
            | RecordKind::Permission
            | RecordKind::Role
            | RecordKind::Group
            | RecordKind::User
            | RecordKind::Separation
            | RecordKind::Assertion => subject,
        }
    }

    fn differences(&self, f: &mut Formatter<'_>, what: &str) -> fmt::Result {
        let shown =
            |value: &Option<String>| value.as_deref().map_or("none".to_owned(), |text| Quoted(text).to_string());
        if let ([FieldChange { field: "slug" | "key", after, .. }], [], false) =
            (&*self.fields, &*self.lists, self.kind.is_relation())
        {
            return write!(f, "renamed {what} to {}", shown(after));
        }
        write!(f, "changed {what}")?;
        let mut separator = ": ";
        let windows = self.window_before.zip(self.window_after).filter(|(before, after)| before != after);
        if let Some((before, after)) = windows {
            write!(f, "{separator}{before} → {after}")?;
            separator = ", ";
        }
        for FieldChange { field, before, after } in &self.fields {
            write!(f, "{separator}{} {} → {}", field.replace('_', " "), shown(before), shown(after))?;
            separator = ", ";
        }
        for ListChange { field, added, removed, .. } in &self.lists {
            let sides = [("added", added), ("removed", removed)].into_iter().filter(|(_, names)| !names.is_empty());
            let quoted = |names: &[String]| names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>();
            let sides = sides.map(|(what, names)| format!("{what} {}", quoted(names).join(", ")));
            write!(f, "{separator}{field} {}", sides.collect::<Vec<_>>().join(" and "))?;
            separator = ", ";
        }
        Ok(())
    }
}
