//! Answers of a moment: those of the reference model, and those that other questions give.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::calls::{GROUPS, INSTANTS, PERMISSIONS, ROLES, at};
use crate::model::catalog::PermissionEntry;
use crate::model::records::{RoleId, Slug, Status, UserId, UserRecord};
use crate::model::reference::{Model, ModelPath, ModelStep};
use crate::resolver::explain::{Path, PathStep};
use crate::resolver::moment::{PermissionSet, Via};
use crate::resolver::snapshot::{CompiledTenant, Snapshot};
use crate::{Decision, PageRequest, Reason, Timestamp, Window};

/// An explanation of a narrowed question has the decision, paths through the roles, and the roles that would give more.
pub(super) fn narrowed_explanation_agrees(
    moment: &crate::Moment<'_>,
    user: UserId,
    roles: &[crate::records::RoleId],
    permission: &str,
) {
    let narrowed = moment.narrowed(user, roles.iter().copied());
    let explanation = narrowed.explain(permission);
    assert_eq!(explanation.decision(), narrowed.decide(permission));
    match explanation.decision() {
        Decision::Allowed => {
            let counting: Vec<_> = narrowed.roles().into_iter().map(|role| role.record.slug).collect();
            assert!(!explanation.paths().is_empty());
            let is_through = |path: &crate::explain::Path| path.names().any(|name| counting.contains(name));
            assert!(explanation.paths().iter().all(is_through), "{explanation} {counting:?}");
        }
        Decision::Denied(Reason::Narrowed) => {
            assert!(!explanation.roles().is_empty() && explanation.paths().is_empty());
            let gives = |role: &crate::explain::GrantingRole| moment.narrowed(user, [role.id]).check(permission);
            assert!(explanation.roles().iter().all(gives), "{explanation}");
        }
        Decision::Denied(_) => assert_eq!(explanation, moment.explain(user, permission)),
    }
}

/// A session is refused exactly if it activates more roles of a set than allowed. Included roles count (R15).
pub(super) fn separated_rightly(
    moment: &crate::Moment<'_>,
    active: &BTreeSet<RoleId>,
    (user, roles): (UserId, &[RoleId]),
    all: &[RoleId],
) {
    let set: Vec<RoleId> = all.iter().copied().skip(roles.len() % 2).step_by(2).collect();
    let expected: BTreeSet<RoleId> = set.iter().copied().filter(|role| active.contains(role)).collect();
    for at_most in 1..set.len() {
        let session = moment.narrowed(user, roles.iter().copied());
        match session.separated("s", u32::try_from(at_most).unwrap(), set.iter().copied()) {
            Ok(_) => assert!(expected.len() <= at_most),
            Err(error) => {
                let violation = error.separation().unwrap();
                assert!(expected.len() > at_most && violation.roles.len() == expected.len(), "{error}");
            }
        }
    }
}

/// The answer of the reference model about a user at an instant with only some of its roles: the permissions, and the roles
/// that count.
pub(super) type Narrowed = BTreeMap<Vec<RoleId>, (BTreeSet<Slug>, BTreeSet<RoleId>)>;

/// A user with some pairs of roles, with none, and with all of them (R15). `known` is what the model has said already.
pub(super) fn narrowed_agrees(
    moment: &crate::Moment<'_>,
    reference: &Model<'_>,
    known: &mut Narrowed,
    user: UserId,
    instant: Timestamp,
) {
    let all: Vec<_> = moment.roles(&PageRequest::of(1_000)).items.iter().map(|role| role.record.id).collect();
    // Other pairs at other instants, because all of them at each would take most of the time of a history.
    let first = usize::try_from(instant.as_micros() / 5_000_000 % 4).unwrap();
    let pairs = all.iter().enumerate().skip(first).step_by(4).map(|(n, role)| vec![*role, all[n * 7 % all.len()]]);
    let decisions = PERMISSIONS.map(|permission| moment.decide(user, permission));
    for (turn, roles) in pairs.chain([Vec::new(), all.clone()]).enumerate() {
        let narrowed = moment.narrowed(user, roles.iter().copied());
        let (expected, active) = known
            .entry(roles.clone())
            .or_insert_with(|| (reference.narrowed(user, &roles, instant), reference.active(user, &roles, instant)));
        assert_eq!(narrowed.effective().slugs(), expected.iter().cloned().collect::<Vec<_>>());
        assert!(narrowed.effective().is_subset(&moment.effective(user)), "never more");
        separated_rightly(moment, active, (user, &roles), &all);
        for (permission, decision) in PERMISSIONS.into_iter().zip(decisions) {
            let is_allowed = expected.iter().any(|slug| slug == permission);
            assert_eq!(narrowed.check(permission), is_allowed);
            assert_eq!(
                narrowed.decide(permission),
                match decision {
                    Decision::Allowed if !is_allowed => Decision::Denied(Reason::Narrowed),
                    decision => decision,
                }
            );
        }
        // Another permission for each choice of roles, because an explanation costs more than all of the above.
        let permission = PERMISSIONS[(first + turn) % PERMISSIONS.len()];
        narrowed_explanation_agrees(moment, user, &roles, permission);
    }
    let everything = moment.narrowed(user, all.iter().copied()).effective();
    assert_eq!(everything, moment.effective(user), "with all its roles");
}

/// Reasons, paths and instants follow from the paths that the reference model finds.
pub(super) fn reasons_agree(
    reference: &Model<'_>,
    timeless: &Model<'_>,
    snapshot: &Snapshot,
    user: &UserRecord,
    permission: &str,
) {
    let all = reference.paths(user.id, permission);
    let known = reference.permissions().any(|(_, slug)| slug == permission);
    let entries = snapshot.0.catalog.definition.permissions().iter();
    let renamed = !known && entries.flat_map(PermissionEntry::renamed_from).any(|slug| slug == permission);
    let active = user.status == Status::Active;
    // The length of a shortest path in whatever windows.
    let shortest = timeless.paths(user.id, permission).iter().map(|path| path.steps.len()).min();
    for instant in INSTANTS.map(at) {
        let moment = snapshot.at(instant);
        let contains = |instant| all.iter().any(|path| path.window.contains(instant));
        let begins = all.iter().filter_map(|path| path.window.start()).filter(|start| *start > instant).min();
        let ended = all.iter().filter_map(|path| path.window.end()).filter(|end| *end <= instant).max();
        let expected = match (begins, ended) {
            _ if renamed => Decision::Denied(Reason::PermissionRenamed),
            _ if !known => Decision::Denied(Reason::UnknownPermission),
            _ if !active => Decision::Denied(Reason::Suspended),
            _ if contains(instant) => Decision::Allowed,
            (Some(from), _) => Decision::Denied(Reason::NotYetActive { from }),
            (None, Some(until)) => Decision::Denied(Reason::Expired { until }),
            (None, None) if shortest.is_some() => Decision::Denied(Reason::NeverActive),
            (None, None) => Decision::Denied(Reason::NoPath),
        };
        let explanation = moment.explain(user.id, permission);
        assert_eq!(explanation.decision(), expected, "{user:?} {permission} at {instant}");
        let never_active = shortest.filter(|_| expected == Decision::Denied(Reason::NeverActive));
        assert_eq!(explanation.never_active().len(), never_active.unwrap_or(0));
        let expected: BTreeSet<ModelPath> = match expected {
            Decision::Allowed => all.iter().filter(|path| path.window.contains(instant)).cloned().collect(),
            Decision::Denied(Reason::Expired { .. } | Reason::NotYetActive { .. }) => all.iter().cloned().collect(),
            Decision::Denied(_) => BTreeSet::new(),
        };
        let found: BTreeSet<ModelPath> = explanation.paths().iter().map(|path| as_model_path(&moment, path)).collect();
        if explanation.has_more_paths() {
            assert!(found.is_subset(&expected) && found.len() == 64);
        } else {
            assert_eq!(found, expected, "{user:?} {permission} at {instant}");
        }
        let edges = all.iter().flat_map(|path| [path.window.start(), path.window.end()]).flatten();
        let change = edges.filter(|edge| *edge > instant && contains(*edge) != contains(instant)).min();
        assert_eq!(moment.valid_until(user.id, permission), change.filter(|_| active && known));
        let windows = moment.access_windows(user.id, permission).unwrap();
        assert_eq!(windows.contains(instant), active && known && contains(instant));
    }
}

fn as_model_path(moment: &crate::Moment<'_>, path: &Path) -> ModelPath {
    let group = |slug| moment.group(slug).unwrap().id;
    let role = |slug: &crate::model::records::Slug, origin, in_conflict| {
        let roles = if in_conflict { moment.roles(&PageRequest::of(1_000)).items } else { Vec::new() };
        let own = roles.into_iter().find(|role| role.slug() == slug && role.origin == origin);
        own.or_else(|| moment.role(slug)).unwrap().record.id
    };
    let steps = path.steps().iter().map(|step| match step {
        PathStep::Member { group: slug, .. } => ModelStep::Member(group(slug)),
        PathStep::Parent { group: slug, .. } => ModelStep::Parent(group(slug)),
        PathStep::Role { role: slug, origin, in_conflict, .. } => ModelStep::Role(role(slug, *origin, *in_conflict)),
        PathStep::Included { role: slug, origin, in_conflict } => {
            ModelStep::Included(role(slug, *origin, *in_conflict))
        }
    });
    ModelPath { steps: steps.collect(), window: path.window(), grant: path.grant().to_owned() }
}

/// Every form of a question gives the check's answer (R4, A9, A19).
pub(super) fn lists_agree(compiled: &Arc<CompiledTenant>) {
    let snapshot = Snapshot(Arc::clone(compiled));
    for instant in INSTANTS.map(at) {
        let moment = snapshot.at(instant);
        let users: Vec<_> = moment.users(&PageRequest::of(1_000)).items;
        for permission in PERMISSIONS.map(|slug| moment.permission(slug)).into_iter().flatten() {
            let can = moment.who_can(permission.record.id);
            let mut listed = Vec::new();
            let mut page = PageRequest::of(2);
            loop {
                let part = can.page(&page);
                listed.extend(part.items.iter().map(|user| user.id));
                let Some(next) = part.next else { break };
                page = page.after(next);
            }
            let allowed: Vec<_> =
                users.iter().filter(|u| moment.check(u.id, permission.record.id)).map(|u| u.id).collect();
            assert_eq!(listed, allowed, "pages of `who_can`, in order of keys");
            assert_eq!(can.len(), allowed.len());
            for user in &users {
                let handle =
                    (moment.user_handle(user.id).unwrap(), moment.permission_handle(permission.record.id).unwrap());
                let check = moment.check(handle.0, handle.1);
                assert_eq!(can.contains(user.id), check);
                explanation_agrees(&snapshot, &user.key, &permission.record.slug, instant, check);
                valid_until_is_right(&snapshot, user.id, permission.record.id, instant, check);
            }
        }
        for user in &users {
            sources_agree(&moment, user.id);
            document_is_right(&snapshot, user.id, instant);
        }
    }
}

fn explanation_agrees(
    snapshot: &Snapshot,
    user: &crate::model::records::UserKey,
    permission: &crate::model::records::Slug,
    instant: Timestamp,
    check: bool,
) {
    let moment = snapshot.at(instant);
    let explanation = moment.explain(user, permission.as_str());
    assert_eq!(explanation.is_allowed(), check);
    assert_eq!(moment.decide(user, permission.as_str()), explanation.decision());
    let paths = explanation.paths();
    let (first, id) = (paths.first().filter(|_| check), moment.user(user).unwrap().id);
    assert_eq!(moment.first_path(user, permission.as_str()).as_ref(), first);
    assert_eq!(moment.first_path(id, permission.as_str()).as_ref(), first);
    let begins = |window: Window| window.start().filter(|start| *start > instant);
    let order = |path: &Path| match (check, begins(path.window())) {
        (true, _) => (None, None),
        (false, Some(start)) => (Some((false, start)), None),
        (false, None) => (Some((true, instant)), path.window().end().map(Reverse)),
    };
    assert!(paths.is_sorted_by_key(|path| (order(path), path.steps().len())), "by time if denied, then shortest first");
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len(), "distinct");
    match explanation.decision() {
        Decision::Allowed => {
            assert!(!paths.is_empty() && paths.iter().all(|p| p.window().contains(instant)));
        }
        Decision::Denied(Reason::Expired { .. } | Reason::NotYetActive { .. }) => assert!(!paths.is_empty()),
        Decision::Denied(_) => assert!(paths.is_empty()),
    }
}

/// No answer changes before the instant given, and if none is given it never changes (R3).
fn valid_until_is_right(
    snapshot: &Snapshot,
    user: crate::model::records::UserId,
    permission: crate::model::records::PermissionId,
    instant: Timestamp,
    check: bool,
) {
    let until = snapshot.at(instant).valid_until(user, permission);
    assert!(until.is_none_or(|until| until > instant));
    for later in INSTANTS.map(at).into_iter().filter(|later| *later > instant && until.is_none_or(|u| *later < u)) {
        assert_eq!(snapshot.at(later).check(user, permission), check);
    }
}

/// The document of a user has its effective permissions. They are the same until the instant given, and then others.
fn document_is_right(snapshot: &Snapshot, user: crate::model::records::UserId, instant: Timestamp) {
    let moment = snapshot.at(instant);
    let document = moment.permissions_document(user).unwrap();
    assert_eq!(document.permissions, moment.effective(user).slugs());
    assert_eq!((document.instant, document.position), (instant, snapshot.position()));
    let until = document.valid_until;
    assert!(until.is_none_or(|until| until > instant));
    for later in INSTANTS.map(at).into_iter().filter(|later| *later > instant && until.is_none_or(|u| *later < u)) {
        assert_eq!(snapshot.at(later).effective(user).slugs(), document.permissions);
    }
    if let Some(until) = until {
        assert_ne!(snapshot.at(until).effective(user).slugs(), document.permissions);
    }
}

/// The groups and roles of a user agree with the members of groups and the holders of roles, whether the user is suspended
/// or not (R4).
fn sources_agree(moment: &crate::Moment<'_>, user: crate::model::records::UserId) {
    let suspended = moment.user(user).unwrap().status == crate::model::records::Status::Suspended;
    let groups = moment.all_groups_of(user);
    let roles = moment.all_roles_of(user);
    let everyone = PageRequest::of(1_000);
    for slug in GROUPS {
        let is_in = groups.iter().any(|g| g.record.slug == slug);
        let members = moment.all_members(slug);
        assert_eq!(members.contains(user), is_in);
        assert_eq!(members.suspended().contains(user), is_in && suspended);
        let here = moment.groups_of(user).into_iter().find(|g| g.record.slug == slug);
        let there = moment.members(slug, &everyone).items.into_iter().find(|m| m.record.id == user);
        let here = here.map(|g| (g.window, g.active, g.suspended));
        assert_eq!(here, there.map(|m| (m.window, m.active, m.suspended)));
        assert!(here.is_none_or(|(_, active, mark)| mark == suspended && (suspended || !active || is_in)));
    }
    // By slug for those that are removed from the catalog, by id for the others: a slug may belong to two.
    let listed = moment.roles(&everyone).items;
    let unlisted = ROLES.into_iter().filter(|slug| listed.iter().all(|role| role.slug() != *slug));
    let unlisted: Vec<_> = unlisted.filter_map(|slug| moment.role(slug)).collect();
    for role in listed.iter().chain(&unlisted).map(|role| role.record.id) {
        let has = roles.iter().any(|r| r.record.id() == role);
        let holders = moment.all_holders(role);
        assert_eq!(holders.contains(user), has);
        assert_eq!(holders.suspended().contains(user), has && suspended);
        let here = moment.roles_of(user).into_iter().find(|r| r.record.id() == role);
        let there = moment.holders(role, &everyone).items.into_iter().find(|h| h.record.id == user);
        let here = here.map(|r| (r.window, r.active, r.suspended));
        assert_eq!(here, there.map(|h| (h.window, h.active, h.suspended)));
        assert!(here.is_none_or(|(_, _, mark)| mark == suspended));
    }
    let marks = groups.iter().map(|g| g.suspended).chain(roles.iter().map(|r| r.suspended));
    assert!(marks.into_iter().all(|mark| mark == suspended));
    let known: BTreeSet<_> = groups.iter().map(|g| &g.record.slug).collect();
    for via in groups.iter().map(|g| &g.via).chain(roles.iter().map(|r| &r.via)) {
        match via {
            Via::Direct => {}
            Via::Group(slug) => assert!(known.contains(slug)),
            Via::Role(slug) => assert!(roles.iter().any(|r| r.record.record.slug == *slug)),
        }
    }
    let union = roles
        .iter()
        .map(|r| moment.effective_of_role(r.record.record.id))
        .fold(None, |all: Option<PermissionSet>, set| Some(all.map_or_else(|| set.clone(), |all| all.union(&set))));
    if let Some(union) = union {
        let effective = moment.effective(user);
        assert!(if suspended { effective.is_empty() } else { effective == union });
    }
}
