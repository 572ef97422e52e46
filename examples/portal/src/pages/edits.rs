//! The changes of the forms: each is a function on a transaction, which returns the page to go to.

use rolecall::moment::WithOrigin;
use rolecall::records::{GroupId, Manager, PermissionId, RoleId, RoleRecord, UserId};
use rolecall::{Error, ErrorKind, Moment, Tx};
use serde::Serialize;

use super::change::{Planned, with_notice};
use super::fields::{Fields, Refusal};
use crate::api::request::Update;
use crate::api::views::tag_of;
use crate::authzen::specific;
use crate::deletion::{Deletion, LeftOut};
use crate::directories::{self, Target};

pub(super) fn short_hash(value: &impl Serialize) -> String {
    tag_of(value).trim_matches('"').to_owned()
}

/// The version of a group: its record, its direct roles and its parents. Members are not part of it, because a form adds and
/// removes each of them by itself.
pub(super) fn group_version(moment: &Moment<'_>, group: GroupId) -> String {
    let roles: Vec<_> = moment.roles_of_group(group).iter().map(|role| (role.record.id(), role.window)).collect();
    let parents: Vec<_> = moment.parents_of(group).iter().map(|parent| (parent.record.id, parent.window)).collect();
    short_hash(&(moment.group(group), roles, parents))
}

/// The version of a user: its record and its direct roles.
pub(super) fn user_version(moment: &Moment<'_>, user: UserId) -> String {
    let roles: Vec<_> = moment.roles_of(user).iter().map(|role| (role.record.id(), role.window)).collect();
    short_hash(&(moment.user(user), roles))
}

/// Compares the version in the form with the present one.
fn judge(fields: &Fields, current: &str, what: &str) -> Result<(), Refusal> {
    match fields.get("version") {
        // Only the button of a conflict's page sends it, and only with a preview, whose result is judged by `seen`.
        "any" if fields.is_preview() || !fields.get("seen").is_empty() => Ok(()),
        version if version == current => Ok(()),
        _ => Err(Refusal::Conflict(format!("The {what} has changed since the page was shown"))),
    }
}

/// Creates a group. Returns its page. `groups` is the path of the list of groups.
pub(super) fn create_group(tx: &Tx, fields: &Fields, groups: &str) -> Result<String, Refusal> {
    let name = fields.required("name", "Enter a name")?;
    let group = match fields.get("slug") {
        "" => tx.create_group_with_name(name)?,
        slug => tx.create_group(slug)?,
    };
    let id = group.set_name(name)?.set_description(fields.get("description"))?.id()?;
    if let Ok(parent) = fields.get("parent").parse::<GroupId>() {
        tx.group(id)?.add_parent(parent)?;
    }
    Ok(with_notice(&format!("{groups}/{id}"), "created"))
}

/// Deletes a group or a role, or does what the preview of that plans.
fn delete(tx: &Tx, fields: &Fields, deletion: Deletion) -> Result<Option<LeftOut>, Refusal> {
    if fields.is_preview() {
        return Ok(deletion.preview(tx)?);
    }
    deletion.make(tx)?;
    Ok(None)
}

/// Makes the change that the field `do` names, on a group. Returns the tab to go to.
fn group_change(tx: &Tx, fields: &Fields, group: GroupId) -> Result<&'static str, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.group(group)?;
    Ok(match fields.get("do") {
        "edit" => {
            edit.set_name(fields.required("name", "Enter a name")?)?.set_slug(fields.get("slug"))?;
            edit.set_description(fields.get("description"))?;
            "/settings"
        }
        "add-members" => {
            let (users, window) = (fields.some_ids::<UserId>("user", "user")?, fields.window(tx.instant())?);
            for user in users {
                edit.add_member_during(user, window)?;
            }
            ""
        }
        "remove-members" => {
            for user in fields.some_ids::<UserId>("user", "member")? {
                edit.remove_member(user)?;
            }
            ""
        }
        "set-window" => {
            let user = fields.get("user").parse::<UserId>()?;
            let before = moment.groups_of(user).iter().find(|entry| entry.record.id == group).map(|entry| entry.window);
            let Some(before) = before.filter(|before| before.to_string() == fields.get("was")) else {
                return Err(Refusal::Conflict("The membership has changed since the page was shown".to_owned()));
            };
            edit.set_member_window(user, fields.window_instead_of(before, tx.instant())?)?;
            ""
        }
        "assign" => {
            let (roles, window) = (fields.some_ids::<RoleId>("role", "role")?, fields.window(tx.instant())?);
            for role in roles {
                edit.assign_during(role, window)?;
            }
            "/roles"
        }
        "unassign" => {
            for role in fields.some_ids::<RoleId>("role", "role")? {
                edit.unassign(role)?;
            }
            "/roles"
        }
        "add-parent" => {
            let slug = fields.get("parent");
            let parent = moment.group(slug).map(|parent| parent.id);
            let parent = parent.ok_or_else(|| Refusal::mistake(Some("parent"), "No group has this slug"))?;
            edit.add_parent(parent)?;
            "/subgroups"
        }
        "remove-parent" => {
            edit.remove_parent(fields.get("parent").parse::<GroupId>()?)?;
            "/subgroups"
        }
        _ => return Err(unknown_action()),
    })
}

/// Changes a group. Returns the page to go to. `groups` is the path of the list of groups.
pub(super) fn change_group(tx: &Tx, fields: &Fields, group: GroupId, groups: &str) -> Result<Planned, Refusal> {
    tx.group(group)?;
    judge(fields, &group_version(&tx.base().at(tx.instant()), group), "group")?;
    if fields.get("do") == "delete" {
        let left_out = delete(tx, fields, Deletion::Group(group))?;
        return Ok(Planned { to: with_notice(groups, "deleted"), left_out });
    }
    let tab = group_change(tx, fields, group)?;
    Ok(with_notice(&format!("{groups}/{group}{tab}"), "saved").into())
}

/// Creates a user. Returns its page. `users` is the path of the list of users.
pub(super) fn create_user(tx: &Tx, fields: &Fields, users: &str) -> Result<String, Refusal> {
    let id = tx.create_user(fields.required("key", "Enter a key")?)?.set_name(fields.optional("name"))?.id()?;
    Ok(with_notice(&format!("{users}/{id}"), "user-created"))
}

/// Changes a user. Returns the page to go to. `users` is the path of the list of users.
pub(super) fn change_user(tx: &Tx, fields: &Fields, user: UserId, users: &str) -> Result<String, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.user(user)?;
    judge(fields, &user_version(&moment, user), "user")?;
    let tab = match fields.get("do") {
        "assign" => {
            let (roles, window) = (fields.some_ids::<RoleId>("role", "role")?, fields.window(tx.instant())?);
            for role in roles {
                edit.assign_during(role, window)?;
            }
            ""
        }
        "unassign" => {
            for role in fields.some_ids::<RoleId>("role", "role")? {
                edit.unassign(role)?;
            }
            ""
        }
        "edit" => {
            edit.set_key(fields.required("key", "Enter a key")?)?.set_name(fields.optional("name"))?;
            "/settings"
        }
        "suspend" => {
            edit.suspend()?;
            "/settings"
        }
        "activate" => {
            edit.activate()?;
            "/settings"
        }
        "delete" => {
            tx.delete_user(user)?;
            return Ok(with_notice(users, "user-deleted"));
        }
        _ => return Err(unknown_action()),
    };
    Ok(with_notice(&format!("{users}/{user}{tab}"), "saved"))
}

/// Hands a user or group to a directory, or releases it. Returns the page to go to. `actor` is the signed-in user, and
/// `is_known` says whether a directory has a token.
pub(super) fn change_directory(
    tx: &Tx,
    fields: &Fields,
    actor: UserId,
    target: Target,
    is_known: impl Fn(&str) -> bool,
    done: &str,
) -> Result<String, Refusal> {
    let moment = tx.base().at(tx.instant());
    match target {
        Target::User(user) => judge(fields, &user_version(&moment, user), "user")?,
        Target::Group(group) => judge(fields, &group_version(&moment, group), "group")?,
    }
    match fields.get("do") {
        "hand-over" => {
            let directory = fields.required("directory", "Enter the name of the directory")?;
            if !is_known(directory) {
                let text = super::layout::capitalised(&directories::unknown(directory));
                return Err(Refusal::mistake(Some("directory"), text));
            }
            directories::may_hand_over(&moment, actor, target)?;
            let id = fields.optional("external-id").map_or(Update::Keep, |id| Update::Set(id.to_owned()));
            directories::hand_over(tx, target, directory, &id).map_err(|error| directory_mistake(error, directory))?;
        }
        "release" => directories::release(tx, target)?,
        _ => return Err(unknown_action()),
    }
    Ok(with_notice(done, "saved"))
}

/// A name or an id that cannot be is a mistake of its field.
fn directory_mistake(error: Error, directory: &str) -> Refusal {
    let field = match (error.kind(), Manager::new(directory).is_ok()) {
        (ErrorKind::Invalid, false) => "directory",
        (ErrorKind::Invalid | ErrorKind::AlreadyExists, _) => "external-id",
        _ => return error.into(),
    };
    Refusal::mistake(Some(field), super::layout::capitalised(&error.to_string()))
}

/// The version of a role: its record, its grants and what it includes.
pub(super) fn role_version(moment: &Moment<'_>, role: RoleId) -> String {
    let (grants, includes) = (moment.grants_of(role), moment.includes_of(role));
    let roles: Vec<_> = includes.iter().map(WithOrigin::<RoleRecord>::id).collect();
    short_hash(&(moment.role(role).map(|role| role.record), grants.items, roles))
}

/// Creates a role. Returns its page. `roles` is the path of the list of roles.
pub(super) fn create_role(tx: &Tx, fields: &Fields, roles: &str) -> Result<String, Refusal> {
    let name = fields.required("name", "Enter a name")?;
    let role = match fields.get("slug") {
        "" => tx.create_role_with_name(name)?,
        slug => tx.create_role(slug)?,
    };
    let id = role.set_name(name)?.set_description(fields.get("description"))?.id()?;
    // A role without grants is of no use yet.
    Ok(with_notice(&format!("{roles}/{id}/settings"), "role-created"))
}

/// Changes a role. Returns the page to go to. `roles` is the path of the list of roles.
pub(super) fn change_role(tx: &Tx, fields: &Fields, role: RoleId, roles: &str) -> Result<Planned, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.role(role)?;
    judge(fields, &role_version(&moment, role), "role")?;
    match fields.get("do") {
        "edit" => {
            edit.set_name(fields.required("name", "Enter a name")?)?.set_slug(fields.get("slug"))?;
            edit.set_description(fields.get("description"))?;
        }
        "grant" => {
            let grant = fields.required("grant", "Enter a permission or a pattern")?;
            edit.grant(grant).map_err(|error| named("grant", error))?;
        }
        "revoke" => {
            for grant in fields.all("grant") {
                edit.revoke(grant)?;
            }
        }
        "include" => {
            let slug = fields.required("include", "Enter the slug of a role")?;
            edit.include(slug).map_err(|error| named("include", error))?;
        }
        "exclude" => {
            for included in fields.some_ids::<RoleId>("role", "role")? {
                edit.exclude(included)?;
            }
        }
        "delete" => {
            let left_out = delete(tx, fields, Deletion::Role(role))?;
            return Ok(Planned { to: with_notice(roles, "role-deleted"), left_out });
        }
        _ => return Err(unknown_action()),
    }
    Ok(with_notice(&format!("{roles}/{role}/settings"), "saved").into())
}

/// The version of a permission: its record.
pub(super) fn permission_version(moment: &Moment<'_>, permission: PermissionId) -> String {
    short_hash(&moment.permission(permission).map(|permission| permission.record))
}

/// Creates a permission. Returns its page. `permissions` is the path of the list of permissions.
pub(super) fn create_permission(tx: &Tx, fields: &Fields, permissions: &str) -> Result<String, Refusal> {
    let permission = tx.create_permission(fields.required("slug", "Enter a slug")?)?;
    if let Some(name) = fields.optional("name") {
        permission.set_name(name)?;
    }
    permission.set_description(fields.get("description"))?.set_category(fields.optional("category"))?;
    Ok(with_notice(&format!("{permissions}/{}", permission.id()?), "permission-created"))
}

/// Changes a permission. Returns the page to go to. `permissions` is the path of the list of permissions.
/// `actor` is the signed-in user, for what AuthZEN decides by a permission of one resource.
pub(super) fn change_permission(
    tx: &Tx,
    fields: &Fields,
    actor: UserId,
    permission: PermissionId,
    permissions: &str,
) -> Result<String, Refusal> {
    let moment = tx.base().at(tx.instant());
    let edit = tx.permission(permission)?;
    judge(fields, &permission_version(&moment, permission), "permission")?;
    match fields.get("do") {
        "edit" => {
            if moment.permission(permission).is_some_and(|before| before.slug() != fields.get("slug")) {
                specific::may_end(&moment, actor, permission)?;
            }
            edit.set_name(fields.required("name", "Enter a name")?)?.set_slug(fields.get("slug"))?;
            edit.set_description(fields.get("description"))?.set_category(fields.optional("category"))?;
        }
        "delete" => {
            specific::may_end(&moment, actor, permission)?;
            tx.delete_permission(permission)?;
            return Ok(with_notice(permissions, "permission-deleted"));
        }
        _ => return Err(unknown_action()),
    }
    Ok(with_notice(&format!("{permissions}/{permission}/settings"), "saved"))
}

fn unknown_action() -> Refusal {
    Refusal::mistake(None, "The form does not say what to do")
}

/// The typed name does not exist, or cannot be used: a mistake of this field, and not a conflict.
fn named(field: &'static str, error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Cycle => {
            Refusal::mistake(Some(field), super::layout::capitalised(&error.to_string()))
        }
        _ => error.into(),
    }
}
