//! Rebasing a plan: the same changes on another state of its tenant, or the reason why not.
//!
//! A rebase never drops or adapts a change. Each change needs the record that it needed before (I4), and passes the same
//! checks as in a transaction. `Draft::apply_again` applies it, and `managed.rs` checks R16. This file checks the rest, which
//! the calls of a transaction check one by one.

mod ends;

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use self::ends::{End, ends, name_of, named, newly_named};
use super::Plan;
use super::draft::{CommitContext, Draft};
use super::managed::{self, Author};
use super::tx::check_conflict;
use crate::model::error::{Asked, EntityKind, Error, ErrorKind, Quoted, Relation, RelationKind, Result};
use crate::model::invariants::{Violation, refused};
use crate::model::records::{Change, Granted, Record, RecordKey};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::table::{Origin, Row, Table};

const GAINED: &str = "has gained relations, which the plan does not remove";
const WHOLE_TENANT: &str = "has changed, and the plan deletes it with everything in it";

/// The change of a plan that does not apply to the newest state, and the record that is there.
///
/// [`RebaseConflict::of`] takes it out of the error of [`Tenant::rebase`](crate::Tenant::rebase).
///
/// # Example
/// ```
/// use rolecall::ErrorKind;
/// use rolecall::plan::RebaseConflict;
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| { tx.create_group("staff")?; tx.create_user("alice")?.done() })?;
/// let (_, plan) = acme.plan(|tx| tx.user("alice")?.join("staff")?.done())?;
/// acme.update(|tx| tx.user("alice")?.join("staff")?.done())?; // somebody else does the same
/// let error = acme.rebase(&plan).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Stale);
/// assert_eq!(
///     error.to_string(),
///     "the tenant has changed since the plan was made: membership of `alice` in `staff` already exists; plan again"
/// );
/// let conflict = RebaseConflict::of(&error).expect("a change does not apply");
/// assert_eq!(conflict.present.as_ref(), conflict.change.after(), "it is done already");
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// The serialised error has it as the member `conflict`.
///
/// # Security
/// The records contain keys and names. They are records that the plan adds, changes or removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RebaseConflict {
    /// The first change that does not apply.
    pub change: Change,
    /// The record with the key of the change in the newest state; `None` if there is none.
    pub present: Option<Record>,
}

impl RebaseConflict {
    /// Returns the conflict of an error, if the error is about one change. Errors of the store have none.
    ///
    /// ```
    /// assert!(rolecall::plan::RebaseConflict::of(&rolecall::Error::rejected("no")).is_none());
    /// ```
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }
}

impl fmt::Display for RebaseConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a change of the plan to a record of kind `{}` does not apply to the newest state",
            self.change.kind()
        )
    }
}

impl StdError for RebaseConflict {}

impl Plan {
    /// Returns a plan with the same changes on another state of the tenant, even of another opening.
    ///
    /// # Errors
    /// [`ForeignPlan`](ErrorKind::ForeignPlan) for a state of another tenant. Otherwise the reason why a change does not
    /// apply.
    ///
    /// # Complexity
    /// A few look-ups for each change, and what a transaction with these changes costs.
    pub(crate) fn rebase_onto(&self, base: Arc<CompiledTenant>, context: CommitContext) -> Result<Self> {
        if base.position.tenant_id != self.base.position.tenant_id {
            let other = "the plan was made by another tenant".to_owned();
            return Err(Error::new(ErrorKind::ForeignPlan).in_words(other).advise("plan again on this one"));
        }
        if base.state.tenant.is_none() {
            return Err(Error::new(ErrorKind::Deleted));
        }
        let mut draft = Draft::new(Arc::clone(&base), context);
        let rebase = Rebase::new(self, &base);
        self.changes.iter().try_for_each(|change| {
            rebase.check(change, &draft).map_err(|error| rebase.refused(error.because(rebase.conflict(change))))
        })?;
        draft.actor.clone_from(&self.envelope.actor);
        draft.note.clone_from(&self.envelope.note);
        draft.guards.clone_from(&self.guards);
        draft.removed_in_vain.clone_from(&self.removed_in_vain);
        match draft.apply_again(&self.changes, &self.acts_for)? {
            Ok(()) => draft.finish(),
            Err(violation) => Err(rebase.refused(rebase.violating(&violation))),
        }
    }
}

struct Rebase<'a> {
    plan: &'a Plan,
    base: &'a CompiledTenant,
    state: &'a State,
    /// The entities that the plan creates.
    created: HashSet<RecordKey>,
}

impl<'a> Rebase<'a> {
    fn new(plan: &'a Plan, base: &'a CompiledTenant) -> Self {
        let created = plan.changes.iter().filter(|change| change.before().is_none() && !change.kind().is_relation());
        Self { plan, base, state: &base.state, created: created.map(Change::key).collect() }
    }

    fn conflict(&self, change: &Change) -> RebaseConflict {
        RebaseConflict { change: change.clone(), present: self.state.record(&change.key()) }
    }

    /// Says why the plan had to be rebased, before the reason why it cannot be.
    fn refused(&self, error: Error) -> Error {
        match error.kind() {
            // The sentence of a stale plan begins with it. The others have nothing to do with the state.
            ErrorKind::Stale | ErrorKind::Internal | ErrorKind::Corrupt | ErrorKind::TooManyEntities => error,
            _ if self.plan.base.position == self.base.position => {
                error.preceded_by("the plan was made with another catalog")
            }
            _ => error.preceded_by("the tenant has changed since the plan was made"),
        }
    }

    /// Checks what can be checked for each change by itself, on the state before all of them.
    fn check(&self, change: &Change, draft: &Draft) -> Result<()> {
        self.check_before(change)?;
        self.check_ends(change)?;
        self.check_catalog_conflict(change)?;
        self.check_new_name(change, draft)?;
        let Plan { changes, acts_for, .. } = self.plan;
        managed::check_among(self.state, changes, change, Author::Plan, |manager| acts_for.contains(manager))
    }

    /// I4: the record before the change is the one that is there.
    fn check_before(&self, change: &Change) -> Result<()> {
        let present = self.state.record(&change.key());
        match (change.before(), &present) {
            (None, None) => Ok(()),
            (Some(before), Some(present)) if is_same(before, present) => {
                let deletes_all = change.key() == RecordKey::Tenant && change.after().is_none();
                if deletes_all && self.plan.base.position != self.base.position {
                    return Err(self.stale(change, WHOLE_TENANT));
                }
                Ok(())
            }
            (Some(_), None) => Err(self.stale(change, "no longer exists")),
            (before, Some(present)) => {
                let windows = window_of(present).zip(change.after().or(before).and_then(window_of));
                let is_done = change.after().is_some_and(|after| is_same(after, present));
                let names = name_of(present).zip(change.after().and_then(name_of));
                let reason = match (before, windows) {
                    (None, Some((found, wanted))) if found != wanted => {
                        format!("already exists with another window ({found})")
                    }
                    (None, _) => match names {
                        Some(((entity, found), (_, wanted))) if found != wanted => {
                            let what = if entity == EntityKind::User { "key" } else { "slug" };
                            format!("already exists with the {what} {}", Quoted(found))
                        }
                        _ => "already exists".to_owned(),
                    },
                    (Some(_), _) if is_done => "has been changed in the same way".to_owned(),
                    (Some(_), Some((found, _))) => format!("has another window ({found})"),
                    (Some(_), None) => "has changed".to_owned(),
                };
                let error = self.stale(change, reason);
                Err(match windows {
                    Some((found, wanted)) if found != wanted => error.instead_of(found, wanted),
                    _ => error,
                })
            }
        }
    }

    /// I1: the entities that a new relation refers to, or a separation or assertion newly names, are there, and the catalog has not removed
    /// them since.
    fn check_ends(&self, change: &Change) -> Result<()> {
        let of_relation = change.after().filter(|_| change.before().is_none()).map(ends);
        for end in of_relation.into_iter().flatten().flatten().chain(newly_named(change)) {
            let is_there = match end.origin {
                Origin::Tenant => self.state.record(&end.key).is_some() || self.created.contains(&end.key),
                _ => is_in_catalog(self.state, &end) || !is_in_catalog(&self.plan.base.state, &end),
            };
            if !is_there {
                let removed = match end.origin {
                    Origin::Tenant => "it was deleted after the plan was made",
                    _ => "it was removed from the catalog",
                };
                let error = Error::not_found(end.entity, self.name(end.entity, end.id)).reason(removed);
                return Err(error.at_revision(self.base.position.revision));
            }
        }
        Ok(())
    }

    /// R9: no entity that the change names has come to share its slug with another since the plan was made. A write by the
    /// slug would be refused, too.
    fn check_catalog_conflict(&self, change: &Change) -> Result<()> {
        let Some(record) = change.before().or_else(|| change.after()) else { return Ok(()) };
        for end in named(record).into_iter().flatten().chain(newly_named(change)) {
            let (now, then) = (self.state, &self.plan.base.state);
            match end.entity {
                EntityKind::Permission => began(&now.permissions, &then.permissions, end.id)?,
                EntityKind::Role => began(&now.roles, &then.roles, end.id)?,
                EntityKind::Tenant
                | EntityKind::Group
                | EntityKind::User
                | EntityKind::Separation
                | EntityKind::Assertion => {}
            }
        }
        Ok(())
    }

    /// A new id or slug belongs to nothing else. A name of another entity of the tenant and of the same kind is found when
    /// the changes are applied, because the plan may free it.
    fn check_new_name(&self, change: &Change, draft: &Draft) -> Result<()> {
        let Some(after) = change.after() else { return Ok(()) };
        if let ([Some(own), None], None) = (named(after), change.before()) {
            if !change.kind().is_relation() && self.state.has_id(own.id) && !self.plan.base.state.has_id(own.id) {
                return Err(draft.exists(own.entity, Asked::by_id(own.id)));
            }
        }
        match (change.before(), after) {
            (Some(Record::Permission(before)), Record::Permission(after)) if before.slug == after.slug => Ok(()),
            (Some(Record::Role(before)), Record::Role(after)) if before.slug == after.slug => Ok(()),
            (_, Record::Permission(after)) => {
                draft.check_permission_slug_in_catalog(&after.slug, Some(&self.plan.base.state))
            }
            (_, Record::Role(after)) => draft.check_role_slug_in_catalog(&after.slug, Some(&self.plan.base.state)),
            _ => Ok(()),
        }
    }

    /// Returns the error for a violation that the changes cause together.
    fn violating(&self, violation: &Violation) -> Error {
        let changes = &self.plan.changes;
        let of_key = |key: &RecordKey| changes.iter().find(|change| change.key() == *key);
        let revision = self.base.position.revision;
        let (error, change) = match violation {
            Violation::TooManyEntities => return Error::new(ErrorKind::TooManyEntities),
            Violation::Internal(_) => return refused(std::slice::from_ref(violation)),
            Violation::Mismatch { key } => match of_key(key) {
                Some(change) if change.after().is_none() => (self.stale(change, GAINED), Some(change)),
                Some(change) => (self.stale(change, "has changed"), Some(change)),
                None => (Error::new(ErrorKind::Stale).advise(PLAN_AGAIN), None),
            },
            Violation::Duplicate { entity, name } => {
                let takes = |change: &&Change| {
                    change.after().is_some_and(|record| name_of(record).is_some_and(|named| named == (*entity, name)))
                };
                (Error::already_exists(*entity, name.as_str()).at_revision(revision), changes.iter().find(takes))
            }
            Violation::DuplicateExternalId { entity, manager, id } => {
                let takes = |change: &&Change| match change.after() {
                    Some(Record::User(user)) => user.external() == Some((manager, id)),
                    Some(Record::Group(group)) => group.external() == Some((manager, id)),
                    _ => false,
                };
                let asked = Asked::by_external_id(manager, id);
                (Error::already_exists(*entity, asked).at_revision(revision), changes.iter().find(takes))
            }
            Violation::Cycle { entity, names } => {
                let closes = |change: &&Change| self.closes(change, *entity, names);
                let first = names.first().map_or("", String::as_str);
                (Error::cycle_of(*entity, first, names.clone()), changes.iter().find(closes))
            }
            Violation::Dangling { edge: key, .. } | Violation::NotOwn { key } | Violation::NotManaged { key } => {
                let error = Error::new(ErrorKind::Stale).reason(violation.to_string()).advise(PLAN_AGAIN);
                (error, of_key(key))
            }
            Violation::NoTenant | Violation::UnknownKind => {
                (Error::new(ErrorKind::Stale).reason(violation.to_string()).advise(PLAN_AGAIN), None)
            }
        };
        match change {
            Some(change) => error.because(self.conflict(change)),
            None => error,
        }
    }

    /// Whether a change adds one of the links around a cycle.
    fn closes(&self, change: &Change, entity: EntityKind, names: &[String]) -> bool {
        let Some(after) = change.after().filter(|_| change.before().is_none()) else { return false };
        let (from, to) = match after {
            Record::Parent(edge) => (edge.group.as_uuid(), edge.parent.as_uuid()),
            Record::Inclusion(edge) => (edge.role.as_uuid(), edge.included.id().as_uuid()),
            Record::Grant(_)
            | Record::Assignment(_)
            | Record::Membership(_)
            | Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => return false,
        };
        // The names around the cycle are those after the plan, which may rename.
        let has = |id, name: &String| {
            let names = [self.state, &self.plan.next.state].map(|state| name_at(state, entity, id));
            names.iter().flatten().any(|other| other == name)
        };
        names.iter().zip(names.iter().skip(1)).any(|(a, b)| has(from, a) && has(to, b))
    }

    /// Returns the error for a change whose record is not as it was.
    fn stale(&self, change: &Change, reason: impl Into<String>) -> Error {
        let error = Error::new(ErrorKind::Stale).reason(reason).advise(PLAN_AGAIN);
        let error = error.at_revision(self.base.position.revision);
        let Some(record) = change.before().or_else(|| change.after()) else { return error };
        if let Some((entity, name)) = name_of(record) {
            return error.about(entity, name.to_owned());
        }
        let [Some(from), to] = ends(record) else { return error };
        let kind = match record {
            Record::Membership(_) => RelationKind::Membership,
            Record::Assignment(_) => RelationKind::Assignment,
            Record::Parent(_) => RelationKind::Parent,
            Record::Inclusion(_) => RelationKind::Inclusion,
            Record::Grant(_) => RelationKind::Grant,
            Record::Tenant(_)
            | Record::Permission(_)
            | Record::Role(_)
            | Record::Group(_)
            | Record::User(_)
            | Record::Separation(_)
            | Record::Assertion(_) => return error,
        };
        let relation = Relation::new(kind, from.entity, self.name(from.entity, from.id));
        match (to, record) {
            (Some(to), _) => error.about(to.entity, self.name(to.entity, to.id)).of_relation(relation),
            (None, Record::Grant(grant)) => match &grant.granted {
                Granted::Pattern(pattern) => {
                    error.about(EntityKind::Permission, pattern.to_string()).of_relation(relation)
                }
                Granted::Permission(_) => error,
            },
            (None, _) => error,
        }
    }

    /// Returns the name of an entity now, or as the plan knew it. The id, if neither has it.
    fn name(&self, entity: EntityKind, id: Uuid) -> String {
        let states = [self.state, &self.plan.next.state, &self.plan.base.state];
        let name = states.into_iter().find_map(|state| name_at(state, entity, id));
        name.unwrap_or_else(|| id.to_string())
    }
}

fn name_at(state: &State, entity: EntityKind, id: Uuid) -> Option<String> {
    match entity {
        EntityKind::Permission => name_in(&state.permissions, state.permissions.by_id(id)),
        EntityKind::Role => name_in(&state.roles, state.roles.by_id(id)),
        EntityKind::Group => name_in(&state.groups, state.groups.by_id(id)),
        EntityKind::User => name_in(&state.users, state.user_by_id(id)),
        EntityKind::Separation => name_in(&state.separations, state.separations.by_id(id)),
        EntityKind::Assertion => name_in(&state.assertions, state.assertions.by_id(id)),
        EntityKind::Tenant => None,
    }
}

const PLAN_AGAIN: &str = "plan again";

fn name_in<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<String> {
    table.row(number?).map(|row| row.name().to_owned())
}

/// Whether two records with one key are the same. The slug of a reference to the catalog is for people to read.
fn is_same(one: &Record, other: &Record) -> bool {
    if one.kind().is_relation() { window_of(one) == window_of(other) } else { one == other }
}

fn is_in_catalog(state: &State, end: &End) -> bool {
    let origin = match end.entity {
        EntityKind::Permission => origin_in(&state.permissions, end.id),
        _ => origin_in(&state.roles, end.id),
    };
    origin == Some(Origin::Catalog)
}

fn origin_in<R: Row<Ids = crate::resolver::tables::hash_index::HashIndex>>(
    table: &Table<R>,
    id: Uuid,
) -> Option<Origin> {
    table.row(table.by_id(id)?).map(Row::origin)
}

/// Refuses an entity that is in conflict now and was not then.
fn began<R: Row<Ids = crate::resolver::tables::hash_index::HashIndex>>(
    now: &Table<R>,
    then: &Table<R>,
    id: Uuid,
) -> Result<()> {
    let is_in_conflict = |table: &Table<R>| table.by_id(id).and_then(|n| table.row(n)).is_some_and(Row::is_in_conflict);
    if is_in_conflict(then) {
        return Ok(());
    }
    let number = now.by_id(id);
    let name = name_in(now, number).unwrap_or_default();
    check_conflict(now, number, || Asked::from(name.as_str())).map(drop)
}
