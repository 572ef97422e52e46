//! The records behind a row of the access report: what to ask a history about.

use super::AccessRow;
use crate::model::records::{GroupId, Holder, Pattern, RecordKey, RoleId, Slug};
use crate::resolver::explain::PathStep;
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::table::Origin;

/// Where a path has come to.
enum At {
    User,
    Group(GroupId),
    Role(RoleId, Origin),
}

impl Moment<'_> {
    /// Returns the keys of the records on the path of a row, for [`Tenant::last_change`](crate::Tenant::last_change):
    /// *who granted it, and when?*
    ///
    /// They are the membership, the parent links, the assignment, the inclusions and the grant, in the order of the path. The
    /// inclusions and grants of system roles have no record: the catalog defines them.
    ///
    /// Ask the moment of the report. On another state, the records may be those of other groups or roles that have these
    /// slugs there. `None` if one of the slugs is not there at all.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::store::MemoryStore;
    ///
    /// let store = MemoryStore::default();
    /// let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_actor("setup")?;
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("editor")?.grant("posts:*")?;
    ///     tx.create_group("staff")?.assign("editor")?;
    ///     tx.create_user("alice")?.done()
    /// })?;
    /// acme.update(|tx| {
    ///     tx.set_actor("people-ops")?;
    ///     tx.user("alice")?.join("staff")?.done()
    /// })?;
    /// let now = acme.now();
    /// for row in now.access_report().rows() {
    ///     let records = now.records_behind(&row).expect("the row is of this moment");
    ///     let commits = records.iter().filter_map(|record| acme.last_change(&store, record).transpose());
    ///     let commits = commits.collect::<Result<Vec<_>, _>>()?;
    ///     let granted_by: Vec<String> = commits
    ///         .iter()
    ///         .map(|commit| format!("{} at {}", commit.envelope.actor.as_ref().unwrap(), commit.envelope.at))
    ///         .collect();
    ///     println!("{} {} {}: {}", row.user, row.permission, row.path, granted_by.join(", "));
    ///     assert!(granted_by[0].starts_with("people-ops") && granted_by[1].starts_with("setup"));
    /// }
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(length of the path). For a role whose slug the tenant and the catalog both use (R9), also all roles.
    pub fn records_behind(&self, row: &AccessRow) -> Option<Vec<RecordKey>> {
        let (mut records, mut at) = (Vec::with_capacity(row.path.steps().len() + 1), At::User);
        for step in row.path.steps() {
            at = match (step, at) {
                (PathStep::Member { group, .. }, At::User) => {
                    let group = self.group(group)?.id;
                    records.push(RecordKey::Membership(row.user_id, group));
                    At::Group(group)
                }
                (PathStep::Parent { group, .. }, At::Group(of)) => {
                    let parent = self.group(group)?.id;
                    records.push(RecordKey::Parent(of, parent));
                    At::Group(parent)
                }
                (PathStep::Role { role, origin, .. }, At::User) => {
                    let id = self.role_of(role, *origin)?;
                    records.push(RecordKey::Assignment(id, Holder::User(row.user_id)));
                    At::Role(id, *origin)
                }
                (PathStep::Role { role, origin, .. }, At::Group(group)) => {
                    let id = self.role_of(role, *origin)?;
                    records.push(RecordKey::Assignment(id, Holder::Group(group)));
                    At::Role(id, *origin)
                }
                (PathStep::Included { role, origin, .. }, At::Role(of, includes)) => {
                    let id = self.role_of(role, *origin)?;
                    records.extend((includes == Origin::Tenant).then_some(RecordKey::Inclusion(of, id)));
                    At::Role(id, *origin)
                }
                _ => return None,
            };
        }
        if let At::Role(role, Origin::Tenant) = at {
            let grant = row.path.grant();
            records.push(if Pattern::is_meant(grant) {
                RecordKey::GrantPattern(role, Pattern::new(grant).ok()?)
            } else {
                RecordKey::Grant(role, row.permission_id)
            });
        }
        Some(records)
    }

    /// A slug may belong to a role of the tenant and to one of the catalog (R9).
    fn role_of(&self, slug: &Slug, origin: Origin) -> Option<RoleId> {
        let found = self.role(slug)?;
        if found.origin == origin {
            return Some(found.id());
        }
        let roles = &self.compiled().state.roles;
        roles.rows().find(|row| row.record.slug == *slug && row.origin == origin).map(|row| row.record.id)
    }
}
