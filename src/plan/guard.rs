//! The guard: a guarded transaction gives nobody a right that its actor lacks (R13).
//!
//! The plan is judged as a whole, the state before it against the state after it. Each change is judged at the edge or
//! entity that it changes: the rights that would be gained there, against those that the actor holds. A right that is
//! gained elsewhere is gained through one of these places, so no user is visited. `resolver/snapshot/rights.rs` computes
//! the rights. A separation of duties (R14) or binding assertion (R17) that the plan loosens counts as a right that
//! nobody holds.

#[cfg(feature = "json")]
use uuid::Uuid;

use super::Plan;
use super::described::DescribedChange;
#[cfg(feature = "json")]
use crate::model::error::AskedBy;
use crate::model::error::{Asked, EntityKind, Error, MissingRight, Result, RightKind};
use crate::model::internal_fault::{must, watch};
use crate::model::records::{
    AssertionRecord, Change, Expectation, Granted, GroupId, Holder, PermissionRecord, PermissionRef, Record, RoleId,
    RoleRef, SeparationRecord, Slug, Status, UserId, UserRecord, Window, WindowSet,
};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::rights::{Gainer, Right, Rights};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::timeline::Timeline;

/// After this many missing rights, the others are only counted.
const MOST_LISTED: usize = 100;

/// The actor of a guarded transaction.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    asked: Asked,
    /// `None` if the transaction began with a state without this user. Such an actor holds no rights.
    actor: Option<UserId>,
}

impl Guard {
    pub(super) fn new(base: &CompiledTenant, actor: Option<u32>, asked: impl FnOnce() -> Asked) -> Self {
        let row = actor.and_then(|number| base.state.users.row(number));
        let asked = row.map_or_else(asked, |row| Asked::from(row.key().as_str()));
        Self { asked, actor: row.map(UserRow::id) }
    }

    /// The guard of an actor that was named before the state was known. A handle names nobody then.
    #[cfg(feature = "json")]
    pub(crate) fn of_asked(base: &CompiledTenant, asked: &Asked) -> Self {
        let state = &base.state;
        let actor = match &asked.by {
            AskedBy::Name => state.users.by_name(&asked.text),
            AskedBy::Id => Uuid::parse_str(&asked.text).ok().and_then(|id| state.user_by_id(id)),
            AskedBy::ExternalId { manager } => state.users.by_external((manager, &asked.text)),
            AskedBy::Handle | AskedBy::Variant => None,
        };
        Self::new(base, actor, || asked.clone())
    }

    /// The number of the actor, or the reason why it holds nothing.
    fn actor_in(&self, state: &State) -> Result<u32, &'static str> {
        let number = self.actor.and_then(|actor| state.user_by_id(actor.as_uuid())).ok_or("who does not exist")?;
        if state.is_suspended(number) { Err("who is suspended") } else { Ok(number) }
    }
}

/// Checks that a plan gives nobody a right that one of its actors lacks (R13).
pub(super) fn check(plan: &Plan) -> Result<()> {
    plan.guards.iter().try_for_each(|guard| {
        let actor = guard.actor_in(&plan.base.state);
        let missing = watch(|| {
            let mut check = GuardCheck::new(plan, actor.ok());
            plan.changes.iter().for_each(|change| check.examine(change));
            check.missing
        })?;
        if missing.listed.is_empty() {
            return Ok(());
        }
        let error = Error::escalation(guard.asked.clone(), missing.listed, missing.unlisted);
        Err(actor.err().into_iter().fold(error, Error::reason))
    })
}

#[derive(Default)]
struct Missing {
    listed: Vec<MissingRight>,
    unlisted: usize,
}

struct GuardCheck<'a> {
    plan: &'a Plan,
    after: &'a State,
    rights: Rights<'a>,
    missing: Missing,
}

impl<'a> GuardCheck<'a> {
    fn new(plan: &'a Plan, actor: Option<u32>) -> Self {
        let (before, after) = (&plan.base.state, &plan.next.state);
        Self { plan, after, rights: Rights::new(before, after, plan.envelope.at, actor), missing: Missing::default() }
    }

    fn examine(&mut self, change: &Change) {
        let after = self.after;
        let user = |id: UserId| must(after.user_by_id(id.as_uuid()), NEAR_END);
        let group = |id: GroupId| must(after.groups.by_id(id.as_uuid()), NEAR_END);
        let role = |id: RoleId| must(after.roles.by_id(id.as_uuid()), NEAR_END);
        match (change.before(), change.after()) {
            (Some(Record::Permission(before)), _) => self.permission(change, before),
            (Some(Record::User(before)), Some(Record::User(record))) if takes_over(before, record) => {
                if let Some(number) = user(record.id) {
                    self.whole_user(change, number);
                }
            }
            (_, Some(Record::Membership(edge))) => {
                if let (Some(user), Some(group)) = (user(edge.user), group(edge.group)) {
                    self.edge(change, Gainer::User(user), Source::Group(group), edge.window);
                }
            }
            (_, Some(Record::Assignment(edge))) => {
                let holder = match edge.holder {
                    Holder::User(id) => user(id).map(Gainer::User),
                    Holder::Group(id) => group(id).map(Gainer::Group),
                };
                if let (Some(holder), Some(role)) = (holder, role(edge.role.id())) {
                    self.edge(change, holder, Source::Role(role), edge.window);
                }
            }
            (_, Some(Record::Parent(edge))) => {
                if let (Some(of), Some(parent)) = (group(edge.group), group(edge.parent)) {
                    self.edge(change, Gainer::Group(of), Source::Group(parent), edge.window);
                }
            }
            (_, Some(Record::Inclusion(edge))) => {
                if let (Some(by), Some(included)) = (role(edge.role), role(edge.included.id())) {
                    self.edge(change, Gainer::Role(by), Source::Role(included), Window::ALWAYS);
                }
            }
            (_, Some(Record::Grant(edge))) => {
                if let Some(by) = role(edge.role) {
                    self.grant(change, by, &edge.granted);
                }
            }
            (Some(Record::Separation(before)), after) => self.separation(change, before, after),
            (Some(Record::Assertion(before)), after) => self.assertion(change, before, after),
            // A new or renamed entity has no rights of its own, and a removed one gives none. A new separation takes away.
            (
                _,
                None
                | Some(
                    Record::Tenant(_)
                    | Record::Permission(_)
                    | Record::Role(_)
                    | Record::Group(_)
                    | Record::User(_)
                    | Record::Separation(_)
                    | Record::Assertion(_),
                ),
            ) => {}
        }
    }

    fn grant(&mut self, change: &Change, by: u32, granted: &Granted) {
        let right = match granted {
            Granted::Permission(permission) => {
                let number = must(self.after.permissions.by_id(permission.id().as_uuid()), NEAR_END);
                number.map(|number| self.rights.by_name(number))
            }
            Granted::Pattern(pattern) => Some(Right::Pattern(pattern.clone())),
        };
        if let Some(right) = right {
            let lacking = self.rights.lacking_right(right);
            self.gain(change, Gainer::Role(by), &lacking);
        }
    }

    fn separation(&mut self, change: &Change, before: &SeparationRecord, after: Option<&Record>) {
        let after = after.and_then(|record| match record {
            Record::Separation(after) => Some(after),
            _ => None,
        });
        if is_loosened(before, after) {
            let name = &after.unwrap_or(before).slug;
            self.loosened(change, RightKind::LooserSeparation, EntityKind::Separation, &before.slug, name);
        }
    }

    fn assertion(&mut self, change: &Change, before: &AssertionRecord, after: Option<&Record>) {
        let after = after.and_then(|record| match record {
            Record::Assertion(after) => Some(after),
            _ => None,
        });
        if is_weakened(before, after) {
            let name = &after.unwrap_or(before).slug;
            self.loosened(change, RightKind::LooserAssertion, EntityKind::Assertion, &before.slug, name);
        }
    }

    /// A relation leads to rights.
    fn edge(&mut self, change: &Change, gainer: Gainer, to: Source, during: Window) {
        let lacking = self.rights.lacking_over(to, during);
        self.gain(change, gainer, &lacking);
    }

    /// The slug of a permission changes, or it stops being in conflict with an entry of the catalog (R9). That is new for
    /// the roles that grant one of the two by name.
    fn permission(&mut self, change: &Change, before: &PermissionRecord) {
        let permissions = &self.after.permissions;
        let own = permissions.by_id(before.id.as_uuid());
        let is_catalogs = |number: &u32| permissions.row(*number).is_some_and(|row| row.origin == Origin::Catalog);
        let entry = permissions.by_name(before.slug.as_str()).filter(is_catalogs);
        for permission in
            own.into_iter().chain(entry).filter(|number| self.rights.is_new_by_name(*number)).collect::<Vec<_>>()
        {
            let lacking = self.rights.lacking_right(self.rights.by_name(permission));
            for role in self.after.reverse_grants.of(permission) {
                self.gain(change, Gainer::Role(role), &lacking);
            }
        }
    }

    /// Somebody can use everything that a user holds, and could not before.
    fn whole_user(&mut self, change: &Change, user: u32) {
        let Some(row) = must(self.after.users.row(user), NEAR_END) else { return };
        for (source, edge) in row.sources() {
            let lacking = self.rights.lacking_over(source, edge.window);
            let nothing = Timeline::new(self.plan.envelope.at);
            self.report(change, Gainer::User(user), &lacking, &nothing);
        }
    }

    fn loosened(&mut self, change: &Change, kind: RightKind, entity: EntityKind, before: &Slug, after: &Slug) {
        if self.missing.listed.len() == MOST_LISTED {
            self.missing.unlisted += 1;
            return;
        }
        self.missing.listed.push(MissingRight {
            right: before.to_string(),
            kind,
            windows: vec![Window::ALWAYS.to_string()],
            entity,
            name: after.to_string(),
            change: self.text_of(change),
        });
    }

    fn gain(&mut self, change: &Change, gainer: Gainer, lacking: &Timeline) {
        if !lacking.is_empty() {
            let before = self.rights.before(gainer);
            self.report(change, gainer, lacking, &before);
        }
    }

    /// Reports the rights that the actor lacks and that the gainer did not have before.
    fn report(&mut self, change: &Change, gainer: Gainer, lacking: &Timeline, before: &Timeline) {
        let windows = |number| -> WindowSet {
            let steps = lacking.steps().filter(|(_, rights)| rights.contains(number));
            steps.flat_map(|(window, _)| self.rights.uncovered(number, window, before)).collect()
        };
        let numbers = lacking.numbers();
        let all = numbers.iter().map(|number| (number, windows(number))).filter(|(_, windows)| !windows.is_empty());
        let mut new: Vec<(u32, WindowSet)> = all.collect();
        let room = MOST_LISTED.saturating_sub(self.missing.listed.len());
        self.missing.unlisted += new.len().saturating_sub(room);
        new.truncate(room);
        let right = |(number, _): &(u32, WindowSet)| must(self.rights.right(*number), "every right has a number");
        let described = new.iter().filter_map(|one| Some(self.describe(change, gainer, right(one)?, &one.1)));
        let mut described: Vec<MissingRight> = described.collect();
        described.sort_by(|a, b| (&a.right, a.kind).cmp(&(&b.right, b.kind)));
        self.missing.listed.append(&mut described);
    }

    fn describe(&self, change: &Change, gainer: Gainer, right: &Right, windows: &WindowSet) -> MissingRight {
        let state = self.after;
        let (entity, name) = match gainer {
            Gainer::User(number) => (EntityKind::User, state.users.name_at(number)),
            Gainer::Group(number) => (EntityKind::Group, state.groups.name_at(number)),
            Gainer::Role(number) => (EntityKind::Role, state.roles.name_at(number)),
        };
        let (kind, right) = match right {
            Right::Permission(n) | Right::FormerPermission(n) => (RightKind::Permission, state.permissions.name_at(*n)),
            Right::UnavailablePermission(n) => (RightKind::UnavailablePermission, state.permissions.name_at(*n)),
            Right::Pattern(pattern) => (RightKind::Pattern, pattern.as_str()),
            Right::UnavailableRole(n) => (RightKind::UnavailableRole, state.roles.name_at(*n)),
        };
        MissingRight {
            right: right.to_owned(),
            kind,
            windows: windows.windows().iter().map(Window::to_string).collect(),
            entity,
            name: name.to_owned(),
            change: self.text_of(change),
        }
    }

    fn text_of(&self, change: &Change) -> String {
        DescribedChange::new(change, &self.plan.base(), &self.plan.preview()).to_string()
    }
}

/// Whether a separation allows something that it did not allow before: it is gone, allows more of its roles, or no longer
/// names one of them.
fn is_loosened(before: &SeparationRecord, after: Option<&SeparationRecord>) -> bool {
    after.is_none_or(|after| {
        let names_all = before.roles.iter().map(RoleRef::id).all(|role| after.names(role));
        after.at_most > before.at_most || !names_all
    })
}

/// Whether a binding assertion refuses less than before: it is gone, no longer binding, or allows something that it did not
/// allow.
fn is_weakened(before: &AssertionRecord, after: Option<&AssertionRecord>) -> bool {
    fn all<T: PartialEq>(these: &[T], others: &[T]) -> bool {
        these.iter().all(|one| others.contains(one))
    }
    if !before.binding {
        return false;
    }
    let Some(after) = after.filter(|after| after.binding) else { return true };
    let (before, after) = (&before.expected, &after.expected);
    if before.permission().map(PermissionRef::id) != after.permission().map(PermissionRef::id) {
        return true;
    }
    let names_all = || all(before.users(), after.users()) && all(before.groups(), after.groups());
    match (before, after) {
        (Expectation::Allowed { .. }, Expectation::Allowed { .. })
        | (Expectation::Denied { .. }, Expectation::Denied { .. }) => !names_all(),
        (Expectation::Only { .. }, Expectation::Only { .. }) => {
            !(all(after.users(), before.users()) && all(after.groups(), before.groups()))
        }
        (Expectation::Separate { roles: before }, Expectation::Separate { roles: after }) => {
            let is_named = |role: &RoleRef| after.iter().any(|other| other.id() == role.id());
            !before.iter().all(is_named)
        }
        _ => true,
    }
}

/// Whether a change of a user gives its rights to somebody who could not use them before: the user itself after a
/// suspension, or the holder of the new key or external id.
fn takes_over(before: &UserRecord, after: &UserRecord) -> bool {
    let is_active_again = (before.status, after.status) == (Status::Suspended, Status::Active);
    let has_another_external_id = after.external().is_some() && before.external() != after.external();
    is_active_again || before.key != after.key || has_another_external_id
}
