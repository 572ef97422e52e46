//! Deletions of groups and roles that very many users have, as previews plan them.
//!
//! The plan of such a deletion has a change for each of these users. It takes several times as long as a page may. The deletion
//! itself is then an operation (`operations.rs`). The preview would not list the changes anyway. So the preview plans what takes
//! the same access away. The group leaves its parents and subgroups and loses its roles. The role loses its grants, leaves the
//! roles that it includes and that include it, and is unassigned from groups. Nobody has anything through them after that. The
//! users are only counted.
//!
//! The guard, the separations of duties and the binding assertions judge both plans alike, because both lead to the same access.
//! An entity that a directory manages, or that an assertion or a separation names, may not be deleted: then the deletion
//! itself is planned, and its error says why.

use rolecall::assertions::Assertion;
use rolecall::error::Quoted;
use rolecall::moment::Origin;
use rolecall::records::{GroupId, Pattern, RoleId};
use rolecall::{Moment, PageRequest, Result, Tx};

/// The deletion of a group or a role with more users is not planned for its preview, and may become an operation. A change of more
/// members by SCIM has a thread of its own.
pub(crate) const MOST_PLANNED: usize = 200;

/// A group or a role to delete.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deletion {
    Group(GroupId),
    Role(RoleId),
}

/// The lines of a preview that its plan leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Before the lines of the plan.
    first: String,
    /// After them.
    last: String,
}

impl LeftOut {
    /// Adds these lines to those of the plan.
    pub(crate) fn complete(&self, lines: &mut Vec<String>) {
        lines.insert(0, self.first.clone());
        lines.push(self.last.clone());
    }
}

impl Deletion {
    /// The title of the deletion while it goes on: ``Deleting the group `Staff` ``. `None` if few users have what is deleted, so
    /// that it takes no longer than other changes.
    pub(crate) fn title_if_long(self, moment: &Moment<'_>) -> Option<String> {
        let (users, title) = match self {
            Self::Group(group) => (
                moment.member_count(group)?,
                format!("Deleting the group {}", Quoted(moment.group(group)?.name.as_str())),
            ),
            Self::Role(role) => (
                moment.holder_count(role)?,
                format!("Deleting the role {}", Quoted(moment.role(role)?.name().as_str())),
            ),
        };
        (users > MOST_PLANNED).then_some(title)
    }

    /// Deletes it.
    pub(crate) fn make(self, tx: &Tx) -> Result<()> {
        match self {
            Self::Group(group) => tx.delete_group(group),
            Self::Role(role) => tx.delete_role(role),
        }
    }

    /// Does what the preview plans: deletes it, or takes away what many users have through it. The transaction must not have
    /// changed anything before.
    pub(crate) fn preview(self, tx: &Tx) -> Result<Option<LeftOut>> {
        self.preview_beyond(tx, MOST_PLANNED)
    }

    fn preview_beyond(self, tx: &Tx, most: usize) -> Result<Option<LeftOut>> {
        let base = tx.base();
        let moment = base.at(tx.instant());
        let left_out = match self {
            Self::Group(group) => empty_group(tx, &moment, group, most)?,
            Self::Role(role) => empty_role(tx, &moment, role, most)?,
        };
        if left_out.is_none() {
            self.make(tx)?;
        }
        Ok(left_out)
    }
}

/// Takes everything from a group but its members. `None`, and nothing is changed, if the deletion itself must be planned.
fn empty_group(tx: &Tx, moment: &Moment<'_>, group: GroupId, most: usize) -> Result<Option<LeftOut>> {
    let members = moment.member_count(group).unwrap_or(0);
    let Some(record) = moment.group(group).filter(|_| members > most) else { return Ok(None) };
    let subgroups = moment.subgroups(group, &PageRequest::of(moment.subgroup_count(group).unwrap_or(0))).items;
    let is_managed =
        subgroups.iter().map(|subgroup| &subgroup.record).chain([&record]).any(|g| g.managed_by().is_some());
    let is_asserted = moment.assertions().iter().any(|assertion| match &assertion.expected {
        Assertion::Allowed { groups, .. } | Assertion::Denied { groups, .. } | Assertion::Only { groups, .. } => {
            groups.iter().any(|slug| record.slug == **slug)
        }
        Assertion::Separate { .. } => false,
        // A kind of assertion that this code does not know.
        _ => true,
    });
    if is_managed || is_asserted {
        return Ok(None);
    }
    let edit = tx.group(group)?;
    edit.set_parents::<GroupId>([])?;
    edit.set_roles::<RoleId>([])?;
    for subgroup in &subgroups {
        tx.group(subgroup.record.id)?.remove_parent(group)?;
    }
    let slug = Quoted(record.slug.as_str());
    Ok(Some(LeftOut {
        first: format!("deleted group {slug}"),
        last: format!("removed {members} memberships in {slug}"),
    }))
}

/// Takes everything from a role but the users to whom it is assigned. `None`, and nothing is changed, if the deletion itself must be
/// planned.
fn empty_role(tx: &Tx, moment: &Moment<'_>, role: RoleId, most: usize) -> Result<Option<LeftOut>> {
    let holders = moment.holder_count(role).unwrap_or(0);
    let Some(found) = moment.role(role).filter(|_| holders > most) else { return Ok(None) };
    let is_separated =
        moment.separations().iter().any(|separation| separation.roles.iter().any(|one| one.id() == role));
    let is_asserted = moment.assertions().iter().any(|assertion| match &assertion.expected {
        Assertion::Separate { roles } => roles.iter().any(|slug| *found.slug() == **slug),
        Assertion::Allowed { .. } | Assertion::Denied { .. } | Assertion::Only { .. } => false,
        // As above.
        _ => true,
    });
    if found.origin != Origin::Tenant || is_separated || is_asserted {
        return Ok(None);
    }
    let edit = tx.role(role)?;
    edit.set_grants::<Pattern>([])?;
    edit.set_includes::<RoleId>([])?;
    for includer in &moment.includers_of(role) {
        tx.role(includer.id())?.exclude(role)?;
    }
    let all = PageRequest::of(moment.counts().map_or(0, |counts| counts.groups));
    for group in &moment.groups_with(role, &all).items {
        tx.group(group.record.id)?.unassign(role)?;
    }
    let slug = Quoted(found.slug().as_str());
    Ok(Some(LeftOut {
        first: format!("deleted role {slug}"),
        last: format!("removed {holders} assignments of {slug} to users"),
    }))
}

#[cfg(test)]
mod tests {
    use rolecall::blocking::{Authorizer, Tenant};
    use rolecall::records::{RecordKind, Window};
    use rolecall::{Error, ErrorKind, Plan};

    use super::*;

    /// Numbers that look random.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, most: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % most
        }
    }

    /// An organisation with relations of all kinds, some of them within windows.
    fn organisation(seed: u64) -> Result<Tenant> {
        let tenant = Authorizer::in_memory().create_tenant("acme", "Acme")?;
        let now = tenant.now().instant();
        let day = std::time::Duration::from_secs(24 * 3600);
        let windows = [
            Window::ALWAYS,
            Window::ALWAYS,
            Window::until(now.saturating_add(day)),
            Window::from(now.saturating_add(day)),
        ];
        tenant.update(|tx| {
            let mut random = Numbers(seed);
            for n in 0..6 {
                tx.create_permission(&format!("area{n}:read"))?;
                let role = tx.create_role(&format!("role-{n}"))?;
                role.grant(format!("area{n}:*").as_str())?
                    .grant(format!("area{}:read", random.below(n + 1)).as_str())?;
                if n > 0 {
                    role.include(format!("role-{}", random.below(n)).as_str())?;
                }
                let group = tx.create_group(&format!("group-{n}"))?;
                for _ in 0..random.below(3) {
                    if n > 0 {
                        let parent = format!("group-{}", random.below(n));
                        group.ensure_parent(parent.as_str(), Window::ALWAYS)?;
                    }
                    group.ensure_assignment(format!("role-{}", random.below(n + 1)).as_str(), Window::ALWAYS)?;
                }
            }
            for n in 0..12 {
                let user = tx.create_user(&format!("user-{n:02}"))?;
                for place in 0..6 {
                    let window = |random: &mut Numbers| windows[usize::try_from(random.below(4)).unwrap_or(0)];
                    if random.below(3) == 0 {
                        user.join_during(format!("group-{place}").as_str(), window(&mut random))?;
                    }
                    if random.below(6) == 0 {
                        user.assign_during(format!("role-{place}").as_str(), window(&mut random))?;
                    }
                }
                if random.below(8) == 0 {
                    user.suspend()?;
                }
            }
            Ok(())
        })?;
        Ok(tenant)
    }

    fn all(tenant: &Tenant) -> Vec<(Deletion, RecordKind)> {
        let now = tenant.now();
        let groups = now.groups(&PageRequest::of(100)).items.into_iter().map(|group| Deletion::Group(group.id));
        let roles = now.roles(&PageRequest::of(100)).items.into_iter().map(|role| Deletion::Role(role.id()));
        let groups = groups.map(|group| (group, RecordKind::Membership));
        groups.chain(roles.map(|role| (role, RecordKind::Assignment))).collect()
    }

    fn effect(plan: &Plan) -> (Vec<String>, Vec<String>) {
        let access = plan.access_changes(plan.instant()).map(|change| change.to_string()).collect();
        (access, plan.warnings().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_preview_shows_the_effect_of_the_deletion_itself() -> Result<()> {
        let mut losers = 0;
        for seed in 0..40 {
            let tenant = organisation(seed)?;
            for (deletion, kind) in all(&tenant) {
                let ((), planned) = tenant.plan(|tx| deletion.make(tx))?;
                let (left_out, previewed) = tenant.plan(|tx| deletion.preview_beyond(tx, 0))?;
                assert_eq!(effect(&previewed), effect(&planned), "{seed} {deletion:?}");
                losers += effect(&planned).0.len();
                let Some(left_out) = left_out else {
                    assert_eq!(previewed.changes(), planned.changes());
                    continue;
                };
                // Every line is the same, but those about single users are one line with their number.
                let mut lines: Vec<String> = previewed.described().map(|change| change.to_string()).collect();
                left_out.complete(&mut lines);
                let last = lines.pop().unwrap();
                let is_of_user = |line: &str| line.contains("to user `") || line.starts_with("removed membership");
                let (of_users, others): (Vec<String>, Vec<String>) =
                    planned.described().map(|change| change.to_string()).partition(|line| is_of_user(line));
                assert_eq!(lines, others, "{seed} {deletion:?}");
                assert!(last.starts_with(&format!("removed {} ", of_users.len())), "{last}");
                assert!(planned.count(kind).removed >= of_users.len());
            }
        }
        assert!(losers > 100, "{losers} users lose something");
        Ok(())
    }

    #[test]
    fn a_preview_of_a_forbidden_deletion_has_the_error_of_the_deletion() -> Result<()> {
        let tenant = organisation(7)?;
        tenant.update(|tx| {
            for slug in ["payer", "approver", "author", "reviewer"] {
                tx.create_role(slug)?;
            }
            tx.user("user-00")?.assign("payer")?.assign("author")?;
            tx.create_separation("payments", 1, ["payer", "approver"])?;
            tx.create_assertion("reviews", &Assertion::Separate { roles: vec!["author".into(), "reviewer".into()] })?;
            let (permission, groups) = ("area5:read".to_owned(), vec!["group-5".to_owned()]);
            tx.create_assertion("reports", &Assertion::Allowed { permission, users: vec![], groups })?.done()
        })?;
        tenant.update(|tx| {
            tx.set_manager("okta")?;
            tx.group("group-4")?.set_managed_by(Some("okta"))?.done()
        })?;
        let mut refused = Vec::new();
        for (deletion, _) in all(&tenant) {
            let planned = tenant.plan(|tx| deletion.make(tx)).map(drop);
            let previewed = tenant.plan(|tx| deletion.preview_beyond(tx, 0)).map(drop);
            let told = |error: Option<Error>| error.map(|error| (error.kind(), error.to_string()));
            refused.extend(planned.as_ref().err().map(Error::kind));
            assert_eq!(told(previewed.err()), told(planned.err()), "{deletion:?}");
        }
        let managed = refused.iter().filter(|kind| **kind == ErrorKind::Managed).count();
        // The group of okta, and what names `group-5`, two roles that are separated and two that an assertion separates.
        assert!(managed > 0 && refused.len() - managed == 5, "{refused:?}");
        Ok(())
    }
}
