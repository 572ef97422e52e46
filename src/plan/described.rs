//! The changes of a plan or an update with names, for logs.
//!
//! A change has ids. The names are those of a snapshot before it and of one after it (`described/names.rs`).

mod names;

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use uuid::Uuid;

use self::names::NameLookup;
use super::Plan;
use crate::model::error::{Asked, EntityKind, Quoted};
use crate::model::records::{Change, FieldChange, Pattern, RecordKind, Window};
use crate::resolver::snapshot::Snapshot;

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
    pub lists: Vec<DescribedListChange>,
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
pub struct DescribedListChange {
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
        for DescribedListChange { field, added, removed, .. } in &self.lists {
            let sides = [("added", added), ("removed", removed)].into_iter().filter(|(_, names)| !names.is_empty());
            let quoted = |names: &[String]| names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>();
            let sides = sides.map(|(what, names)| format!("{what} {}", quoted(names).join(", ")));
            write!(f, "{separator}{field} {}", sides.collect::<Vec<_>>().join(" and "))?;
            separator = ", ";
        }
        Ok(())
    }
}
