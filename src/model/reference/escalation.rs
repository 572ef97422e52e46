//! R13 over plain records: what a transaction gives and its actor does not hold, by comparing everything with everything.

use std::collections::BTreeSet;

use super::{Model, closure};
use crate::model::catalog::RoleEntry;
use crate::model::records::{
    Granted, GroupId, Holder, Pattern, PermissionId, Record, RoleId, RoleRef, SeparationId, SeparationRecord, Slug,
    Status, Timestamp, UserId, UserRecord,
};

/// A user, group or role that can gain a right in the reference model: it uses the right or passes it on.
///
/// ```
/// use rolecall::records::UserId;
/// use rolecall::reference::ModelGainer;
///
/// let alice = UserId::random();
/// assert_eq!(ModelGainer::User(alice), ModelGainer::User(alice));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelGainer {
    /// A user, suspended or not.
    User(UserId),
    /// A group.
    Group(GroupId),
    /// A role.
    Role(RoleId),
}

/// A right in the reference model.
///
/// ```
/// use rolecall::records::Pattern;
/// use rolecall::reference::ModelRight;
///
/// let pattern = Pattern::new("posts:*")?;
/// assert_eq!(ModelRight::Pattern(pattern.clone()), ModelRight::Pattern(pattern));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelRight {
    /// A permission by name, under its slug.
    Permission(PermissionId, Slug),
    /// A pattern.
    Pattern(Pattern),
    /// A permission that the catalog lacks, or whose slug is in conflict.
    UnavailablePermission(PermissionId),
    /// A role that the catalog lacks.
    UnavailableRole(RoleId),
}

impl Model<'_> {
    /// Returns what somebody has at an instant after a transaction and not before it, and what the actor of the transaction
    /// does not hold before it (R13). This model is the state before the transaction.
    ///
    /// A guarded transaction is refused if there is such an instant from the transaction on.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::{Model, ModelGainer};
    /// # use rolecall::records::{Grant, Granted, Pattern, Record, RoleId, RoleRecord, Timestamp, UserId, UserKey, UserRecord};
    /// #
    ///
    /// # let (alice, role) = (UserId::random(), RoleId::random());
    /// # let catalog = Catalog::empty();
    /// # let (slug, name, description) = ("editor".parse()?, "Editor".parse()?, Default::default());
    /// # let editor = RoleRecord { id: role, slug, name, description };
    ///
    /// let before = [Record::User(UserRecord::new(alice, UserKey::new("alice")?)), Record::Role(editor)];
    /// let grant = Grant { role, granted: Granted::Pattern(Pattern::new("posts:*")?) };
    /// let after = [&before[..], &[Record::Grant(grant)]].concat();
    ///
    /// let (before, after) = (Model::new(&before, &catalog), Model::new(&after, &catalog));
    /// let escalations = before.escalations(&after, alice, Timestamp::UNIX_EPOCH);
    /// assert_eq!(escalations.first().unwrap().0, ModelGainer::Role(role));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Reads every record for each user, group and role.
    pub fn escalations(&self, after: &Self, actor: UserId, at: Timestamp) -> BTreeSet<(ModelGainer, ModelRight)> {
        let is_active = self.users().any(|user| user.id == actor && user.status == Status::Active);
        let held = if is_active { self.rights(ModelGainer::User(actor), at) } else { BTreeSet::new() };
        let mut escalations = BTreeSet::new();
        for gainer in after.gainers() {
            let before = if self.is_taken_over(after, gainer) { BTreeSet::new() } else { self.rights(gainer, at) };
            for right in after.rights(gainer, at) {
                let is_new = !before.contains(&right) && !before.iter().any(|other| covers(other, &right));
                let is_held = held.iter().any(|other| covers(other, &right));
                if is_new && !is_held {
                    escalations.insert((gainer, right));
                }
            }
        }
        escalations
    }

    /// Returns the separations of duties that forbid less after a transaction (R14). They are deleted, allow more of their
    /// roles, or no longer name one of them. This model is the state before the transaction.
    ///
    /// A guarded transaction is refused if there is one, whatever the actor holds.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::records::*;
    /// # use rolecall::reference::Model;
    /// let roles = [(); 2].map(|()| RoleRef::Own(RoleId::random())).to_vec();
    /// let (slug, description) = (Slug::new("payments")?, Description::default());
    /// let (id, at_most) = (SeparationId::random(), 1.try_into().unwrap());
    /// let before = [Record::Separation(SeparationRecord { id, slug, description, at_most, roles })];
    /// let catalog = Catalog::empty();
    /// let (before, after) = (Model::new(&before, &catalog), Model::new(&[], &catalog));
    /// assert_eq!((before.loosened(&after), before.loosened(&before)), ([id].into(), [].into()));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn loosened(&self, after: &Self) -> BTreeSet<SeparationId> {
        let is_kept = |before: &&SeparationRecord| {
            after.separations().any(|after| {
                let ids =
                    |separation: &SeparationRecord| separation.roles.iter().map(RoleRef::id).collect::<BTreeSet<_>>();
                after.id == before.id && after.at_most <= before.at_most && ids(after).is_superset(&ids(before))
            })
        };
        self.separations().filter(|before| !is_kept(before)).map(|before| before.id).collect()
    }

    /// Returns what these have or pass on at an instant, suspended or not.
    pub(crate) fn rights(&self, of: ModelGainer, at: Timestamp) -> BTreeSet<ModelRight> {
        let roles = match of {
            ModelGainer::User(user) => self.roles(user, at),
            ModelGainer::Group(group) => {
                let parents = |group| {
                    self.records.iter().filter_map(move |record| match record {
                        Record::Parent(edge) if edge.group == group && edge.window.contains(at) => Some(edge.parent),
                        _ => None,
                    })
                };
                let groups = closure(BTreeSet::from([group]), parents);
                let assigned = self.records.iter().filter_map(|record| match record {
                    Record::Assignment(a) if a.window.contains(at) => match a.holder {
                        Holder::Group(holder) => groups.contains(&holder).then(|| a.role.id()),
                        Holder::User(_) => None,
                    },
                    _ => None,
                });
                closure(assigned.collect(), |role| self.included(role))
            }
            ModelGainer::Role(role) => closure(BTreeSet::from([role]), |role| self.included(role)),
        };
        roles.into_iter().flat_map(|role| self.granted_by(role)).collect()
    }

    fn granted_by(&self, role: RoleId) -> Vec<ModelRight> {
        let permission = |id| match self.permissions().find(|(other, _)| *other == id) {
            Some((id, slug)) => ModelRight::Permission(id, slug),
            None => ModelRight::UnavailablePermission(id),
        };
        let own = self.records.iter().filter_map(|record| match record {
            Record::Grant(grant) if grant.role == role => Some(match &grant.granted {
                Granted::Permission(reference) => permission(reference.id()),
                Granted::Pattern(pattern) => ModelRight::Pattern(pattern.clone()),
            }),
            _ => None,
        });
        let entry = self.catalog.roles().iter().filter(|entry| entry.id() == role);
        let patterns = entry.clone().flat_map(RoleEntry::patterns).cloned().map(ModelRight::Pattern);
        let by_name = self.catalog.granted(role).map(|granted| permission(granted.id()));
        let is_known = entry.count() > 0
            || self.records.iter().any(|record| matches!(record, Record::Role(own) if own.id == role));
        let unavailable = (!is_known).then_some(ModelRight::UnavailableRole(role));
        own.chain(patterns).chain(by_name).chain(unavailable).collect()
    }

    fn gainers(&self) -> impl Iterator<Item = ModelGainer> {
        let own = self.records.iter().filter_map(|record| match record {
            Record::User(user) => Some(ModelGainer::User(user.id)),
            Record::Group(group) => Some(ModelGainer::Group(group.id)),
            Record::Role(role) => Some(ModelGainer::Role(role.id)),
            _ => None,
        });
        own.chain(self.catalog.roles().iter().map(|entry| ModelGainer::Role(entry.id())))
    }

    /// Whether somebody else can use the rights of a user afterwards, or the user itself after a suspension.
    fn is_taken_over(&self, after: &Self, gainer: ModelGainer) -> bool {
        let record = |model: &Self| -> Option<UserRecord> {
            model.users().find(|user| ModelGainer::User(user.id) == gainer).cloned()
        };
        let (Some(before), Some(after)) = (record(self), record(after)) else { return false };
        before.status == Status::Suspended && after.status == Status::Active
            || before.key != after.key
            || after.external().is_some() && before.external() != after.external()
    }
}

/// Whether everything that a right gives is given by another one. Nobody holds what is unavailable.
pub(crate) fn covers(right: &ModelRight, other: &ModelRight) -> bool {
    match (right, other) {
        (ModelRight::Permission(..), ModelRight::Permission(..)) => right == other,
        (ModelRight::Pattern(pattern), ModelRight::Permission(_, slug)) => matches(pattern.as_str(), slug.as_str()),
        (ModelRight::Pattern(pattern), ModelRight::Pattern(other)) => matches(pattern.as_str(), other.as_str()),
        _ => false,
    }
}

/// The definition of a pattern: a star matches nothing, or one more character, which may be a star of another
/// pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut rest, mut text_rest) = (pattern.chars(), text.chars());
    match (rest.next(), text_rest.next()) {
        (None, None) => true,
        (Some('*'), Some(_)) => matches(rest.as_str(), text) || matches(pattern, text_rest.as_str()),
        (Some('*'), None) => matches(rest.as_str(), text),
        (Some(one), Some(other)) => one == other && matches(rest.as_str(), text_rest.as_str()),
        _ => false,
    }
}
