//! Assertions, by the text of R17.

use std::collections::BTreeSet;

use super::Model;
use crate::model::records::{
    AssertionId, AssertionRecord, Expectation, GroupId, PermissionRef, Record, RoleRef, Status, Timestamp, UserId,
    UserRecord,
};

impl<'a> Model<'a> {
    /// Returns all assertions that the tenant carries.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # let catalog = Catalog::empty();
    /// assert_eq!(Model::new(&[], &catalog).assertions().count(), 0);
    /// ```
    pub fn assertions(&self) -> impl Iterator<Item = &'a AssertionRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::Assertion(assertion) => Some(assertion),
            _ => None,
        })
    }

    /// Returns by how much an assertion fails for a user at an instant: 0 if it holds. It is more than 1 only for roles kept
    /// apart: the number that the user holds.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::records::*;
    /// # use rolecall::reference::Model;
    /// let (alice, pay) = (UserRecord::new(UserId::random(), UserKey::new("alice")?), PermissionId::random());
    /// let expected = Expectation::Allowed { permission: PermissionRef::Own(pay), users: vec![alice.id], groups: vec![] };
    /// let (id, slug, description) = (AssertionId::random(), Slug::new("alice-pays")?, Description::default());
    /// let assertion = AssertionRecord { id, slug, description, binding: false, expected };
    /// let (records, catalog) = ([Record::User(alice.clone())], Catalog::empty());
    /// assert_eq!(Model::new(&records, &catalog).failure(&assertion, &alice, Timestamp::UNIX_EPOCH), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn failure(&self, assertion: &AssertionRecord, user: &UserRecord, at: Timestamp) -> usize {
        let expected = &assertion.expected;
        let slug = expected.permission().and_then(|named| self.permissions().find(|(id, _)| *id == named.id()));
        let may = slug.is_some_and(|(_, slug)| self.may(user.id, slug.as_str(), at));
        let is_named = expected.users().contains(&user.id);
        let named_groups: BTreeSet<GroupId> = expected.groups().iter().copied().collect();
        let is_member = !self.groups(user.id, at).is_disjoint(&named_groups);
        let fails = match expected {
            Expectation::Allowed { .. } => (is_named || is_member && user.status == Status::Active) && !may,
            Expectation::Denied { .. } => (is_named || is_member) && may,
            Expectation::Only { .. } => !(is_named || is_member) && may,
            Expectation::Separate { roles } => {
                let named: BTreeSet<_> = roles.iter().map(RoleRef::id).collect();
                let held = self.roles(user.id, at).intersection(&named).count();
                return if held > 1 { held } else { 0 };
            }
        };
        usize::from(fails)
    }

    /// Returns the binding assertions that expect less after a transaction (R17): those that are deleted, no longer binding,
    /// or allow something that they did not allow. This model is the state before the transaction.
    ///
    /// A guarded transaction is refused if there is one, whatever the actor holds.
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # let catalog = Catalog::empty();
    /// let model = Model::new(&[], &catalog);
    /// assert!(model.weakened(&model).is_empty());
    /// ```
    pub fn weakened(&self, after: &Self) -> BTreeSet<AssertionId> {
        let is_kept = |before: &&AssertionRecord| {
            after.assertions().any(|after| after.id == before.id && after.binding && expects(after, before))
        };
        let binding = self.assertions().filter(|assertion| assertion.binding);
        binding.filter(|before| !is_kept(before)).map(|before| before.id).collect()
    }
}

/// Whether an assertion expects everything that another one does.
fn expects(this: &AssertionRecord, other: &AssertionRecord) -> bool {
    let (this, other) = (&this.expected, &other.expected);
    let users = |of: &Expectation| of.users().iter().copied().collect::<BTreeSet<UserId>>();
    let groups = |of: &Expectation| of.groups().iter().copied().collect::<BTreeSet<GroupId>>();
    let roles = |of: &Expectation| of.roles().iter().map(RoleRef::id).collect::<BTreeSet<_>>();
    let more = users(this).is_superset(&users(other)) && groups(this).is_superset(&groups(other));
    let fewer = users(this).is_subset(&users(other)) && groups(this).is_subset(&groups(other));
    let same_permission = this.permission().map(PermissionRef::id) == other.permission().map(PermissionRef::id);
    match (this, other) {
        (Expectation::Allowed { .. }, Expectation::Allowed { .. })
        | (Expectation::Denied { .. }, Expectation::Denied { .. }) => same_permission && more,
        (Expectation::Only { .. }, Expectation::Only { .. }) => same_permission && fewer,
        (Expectation::Separate { .. }, Expectation::Separate { .. }) => roles(this).is_superset(&roles(other)),
        _ => false,
    }
}
