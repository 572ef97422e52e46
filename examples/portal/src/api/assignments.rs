//! Roles of a user or a group. Their calls differ in the path and the permission only.

use rolecall::moment::{WithOrigin, WithWindow};
use rolecall::records::{Holder, RoleId, RoleRecord};
use rolecall::{Moment, Timestamp, Tx, Window};
use rolecall_axum::{Problem, RequiredPermission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::change::{Changing, Condition, Counted};
use super::groups::judged_group;
use super::request::{ListChange, PartParameters, TenantPath, found, id, window};
use super::users::judged_user;
use super::views::{Active, ListPage, Role, at};

/// A role that is assigned to a group or to a user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    /// The role.
    role_id: String,
    /// The role's slug.
    slug: String,
    /// The role's display name.
    name: String,
    /// When the assignment is active.
    #[serde(flatten)]
    window: Active,
}

impl From<WithWindow<WithOrigin<RoleRecord>>> for Assigned {
    fn from(held: WithWindow<WithOrigin<RoleRecord>>) -> Self {
        let (role, window) = (Role::from(held.record), Active::new(held.window, held.active));
        Self { role_id: role.id, slug: role.slug, name: role.name, window }
    }
}

/// A role to assign, always or in a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewAssignment {
    /// The role's id.
    role_id: String,
    /// The first instant, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first instant after the end, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// The roles that are assigned to a user or group directly.
fn roles_of(moment: &Moment<'_>, holder: Holder) -> Vec<WithWindow<WithOrigin<RoleRecord>>> {
    match holder {
        Holder::User(user) => moment.roles_of(user).items,
        Holder::Group(group) => moment.roles_of_group(group).items,
    }
}

fn assigned(moment: &Moment<'_>, holder: Holder, role: RoleId) -> Option<Assigned> {
    roles_of(moment, holder).into_iter().find(|held| held.record.id() == role).map(Assigned::from)
}

/// Refuses a holder that does not exist, or that the condition of the request does not fit.
fn judge(tx: &Tx, condition: &Condition, holder: Holder) -> Result<(), Problem> {
    match holder {
        Holder::User(user) => judged_user(tx, condition, user).map(drop),
        Holder::Group(group) => judged_group(tx, condition, group).map(drop),
    }
}

fn unassign_one(tx: &Tx, holder: Holder, role: RoleId) -> rolecall::Result<()> {
    match holder {
        Holder::User(user) => tx.user(user)?.unassign(role)?.done(),
        Holder::Group(group) => tx.group(group)?.unassign(role)?.done(),
    }
}

fn assign_one(tx: &Tx, holder: Holder, role: RoleId, window: Window) -> rolecall::Result<()> {
    match holder {
        Holder::User(user) => tx.user(user)?.assign_during(role, window)?.done(),
        Holder::Group(group) => tx.group(group)?.assign_during(role, window)?.done(),
    }
}

/// Lists the roles.
pub(super) fn list(moment: &Moment<'_>, holder: Holder, part: &PartParameters) -> Answer {
    match holder {
        Holder::User(user) => found(moment.user(user), "user").map(drop)?,
        Holder::Group(group) => found(moment.group(group), "group").map(drop)?,
    }
    Ok(at(moment, ListPage::<Assigned>::part(roles_of(moment, holder), part)?))
}

/// Reads an assignment.
pub(super) fn read(moment: &Moment<'_>, holder: Holder, role: RoleId) -> Answer {
    Ok(at(moment, found(assigned(moment, holder, role), "assignment")?))
}

/// Assigns a role. 200 if it is assigned already, 409 if in another window.
pub(super) async fn assign<R: RequiredPermission + 'static>(
    changing: Changing<R>,
    tenant: &TenantPath,
    holder: Holder,
    new: NewAssignment,
) -> Answer {
    let (role, window) = (id::<RoleId>(&new.role_id)?, window(new.from, new.until)?);
    let done = changing.apply(move |tx, condition| {
        judge(tx, condition, holder)?;
        let is_new = assigned(&tx.base().at(tx.instant()), holder, role).is_none();
        assign_one(tx, holder, role, window)?;
        Ok((found(assigned(&tx.preview().at(tx.instant()), holder, role), "assignment")?, is_new))
    });
    let holder = match holder {
        Holder::User(user) => format!("users/{user}"),
        Holder::Group(group) => format!("groups/{group}"),
    };
    Ok(done.await?.ensured(|_| format!("{}/{holder}/roles/{role}", tenant.base())))
}

/// Assigns roles and takes others away, all of them or none.
pub(super) async fn change<R: RequiredPermission + 'static>(
    changing: Changing<R>,
    holder: Holder,
    new: ListChange,
) -> Answer {
    let (add, remove, window) = new.parsed::<RoleId>()?;
    let changed = changing.apply(move |tx, condition| {
        judge(tx, condition, holder)?;
        let before = roles_of(&tx.base().at(tx.instant()), holder);
        let counted = Counted::of(&add, &remove, |role| before.iter().any(|held| held.record.id() == *role));
        remove.iter().try_for_each(|role| unassign_one(tx, holder, *role))?;
        add.iter().try_for_each(|role| assign_one(tx, holder, *role, window))?;
        Ok(counted)
    });
    Ok(changed.await?.done())
}

/// Takes a role away. One that is not assigned is not an error.
pub(super) async fn unassign<R: RequiredPermission + 'static>(
    changing: Changing<R>,
    holder: Holder,
    role: RoleId,
) -> Answer {
    let removed = changing.apply(move |tx, condition| {
        judge(tx, condition, holder)?;
        Ok(unassign_one(tx, holder, role)?)
    });
    Ok(removed.await?.removed())
}
