//! Records that look alike, and records that are as long as they may be: what a store that compares, trims, normalises or
//! cuts will confuse.

use super::case::Verdict;
use super::samples::{id, own_fault, user};
use crate::model::records::{
    Description, ExternalId, Grant, Granted, GroupId, GroupRecord, Manager, Name, Pattern, PermissionId,
    PermissionRecord, Record, RoleId, RoleRecord, Slug, UserId, UserKey, UserRecord,
};

pub(super) fn group(number: u128, slug: &str, name: &str, description: &str) -> Verdict<Record> {
    let (slug, name) = (Slug::new(slug).map_err(own_fault)?, Name::new(name).map_err(own_fault)?);
    let description = Description::new(description).map_err(own_fault)?;
    Ok(Record::Group(GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, description)))
}

pub(super) fn permission(number: u128, slug: &str, category: &str) -> Verdict<Record> {
    let (slug, name) = (Slug::new(slug).map_err(own_fault)?, Name::new(category).map_err(own_fault)?);
    let (id, description) = (PermissionId::from_uuid(id(number)), Description::default());
    Ok(Record::Permission(PermissionRecord { id, slug, category: Some(name.clone()), name, description }))
}

pub(super) fn role(number: u128, slug: &str, name: &str) -> Verdict<Record> {
    let (slug, name) = (Slug::new(slug).map_err(own_fault)?, Name::new(name).map_err(own_fault)?);
    Ok(Record::Role(RoleRecord { id: RoleId::from_uuid(id(number)), slug, name, description: Description::default() }))
}

/// A user with these texts: its display name, and what the directory with the last name calls it.
fn managed_user(number: u128, name: &str, external_id: &str, manager: &str) -> Verdict<Record> {
    let key = UserKey::new(&format!("managed-{number}")).map_err(own_fault)?;
    let mut user = UserRecord::new(UserId::from_uuid(id(number)), key);
    user.set_name(Some(Name::new(name).map_err(own_fault)?));
    user.set_managed_by(Some(Manager::new(manager).map_err(own_fault)?));
    user.set_external_id(Some(ExternalId::new(external_id).map_err(own_fault)?));
    Ok(Record::User(user))
}

/// A group that the directory with the last name calls so.
fn managed_group(number: u128, slug: &str, external_id: &str, manager: &str) -> Verdict<Record> {
    let (slug, name) = (Slug::new(slug).map_err(own_fault)?, Name::of_slug(slug));
    let mut group = GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, Description::default());
    group.set_managed_by(Some(Manager::new(manager).map_err(own_fault)?));
    group.set_external_id(Some(ExternalId::new(external_id).map_err(own_fault)?));
    Ok(Record::Group(group))
}

/// One record of each kind that has a name, for each of these two texts.
fn named_alike(texts: [&str; 2]) -> Verdict<Vec<Record>> {
    let mut records = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let number = u128::try_from(number).unwrap_or(0);
        records.push(user(10 + number, text)?);
        records.push(group(20 + number, &format!("group-{number}"), text, text)?);
        records.push(role(30 + number, &format!("role-{number}"), text)?);
        records.push(permission(40 + number, &format!("permission-{number}"), text)?);
        records.push(managed_user(100 + number, text, text, "directory")?);
        records.push(managed_user(110 + number, "Managed", "the same id", text)?);
        records.push(managed_group(120 + number, &format!("managed-{number}"), text, "directory")?);
        records.push(managed_group(130 + number, &format!("managed-by-{number}"), "the same id", text)?);
    }
    Ok(records)
}

/// Texts that differ in case.
pub(super) fn in_case() -> Verdict<Vec<Record>> {
    let mut records = named_alike(["Alice@Acme.com", "alice@acme.com"])?;
    records.push(user(80, "STRASSE")?);
    records.push(user(81, "stra\u{df}e")?);
    records.push(user(82, "strasse")?);
    for (number, text) in ["Users:Read", "users:read", "USERS:READ"].into_iter().enumerate() {
        let number = u128::try_from(number).unwrap_or(0);
        records.push(permission(50 + number, text, "Users")?);
        records.push(role(60 + number, text, "Users")?);
        records.push(group(70 + number, text, "Users", "")?);
    }
    Ok(records)
}

/// Texts that differ in a space at the end.
pub(super) fn in_a_space() -> Verdict<Vec<Record>> {
    let mut records = named_alike(["alice", "alice "])?;
    records.push(user(80, " alice")?);
    records.push(user(81, " ")?);
    records.push(group(82, "described", "Described", "ends in a line\n")?);
    records.push(group(83, "described-too", "Described", "ends in a line")?);
    records.push(group(84, "tab", "Described", "\t")?);
    Ok(records)
}

/// Texts that Unicode calls equivalent, or that look the same.
pub(super) fn in_form() -> Verdict<Vec<Record>> {
    let mut records = named_alike(["jos\u{e9}@acme.com", "jose\u{301}@acme.com"])?;
    records.push(user(80, "\u{212b}")?);
    records.push(user(81, "\u{c5}")?);
    records.push(user(82, "\u{ff21}")?);
    records.push(user(83, "zero\u{200b}width")?);
    records.push(user(84, "zerowidth")?);
    records.push(user(85, "\u{1f469}\u{200d}\u{1f4bb}")?);
    Ok(records)
}

/// Texts as long as they may be.
pub(super) fn as_long_as_may_be() -> Verdict<Vec<Record>> {
    // Two of each, alike but for the last character, so that what is cut becomes equal.
    let mut records = Vec::new();
    for (number, end) in ["a", "b"].into_iter().enumerate() {
        let number = u128::try_from(number).unwrap_or(0);
        let long = |bytes: usize| format!("{}{end}", "x".repeat(bytes - 1));
        let wide = |bytes: usize| format!("{}{end}", "\u{20ac}".repeat((bytes - 1) / 3));
        records.push(user(10 + number, &long(320))?);
        records.push(user(15 + number, &wide(320))?);
        records.push(group(20 + number, &long(255), &long(255), &long(4096))?);
        records.push(group(25 + number, &format!("wide-{number}"), &wide(255), &wide(4096))?);
        records.push(managed_user(50 + number, &long(255), &long(255), &long(255))?);
        records.push(managed_user(55 + number, &wide(255), &wide(255), &wide(255))?);
        records.push(managed_group(60 + number, &format!("managed-{number}"), &long(255), &long(255))?);
        records.push(managed_group(65 + number, &format!("managed-wide-{number}"), &wide(255), &wide(255))?);
        records.push(role(30 + number, &long(255), &long(255))?);
        records.push(permission(40 + number, &long(255), &long(255))?);
    }
    Ok(records)
}

/// Patterns that a collation, or a `LIKE`, would take for each other.
pub(super) fn in_pattern() -> Verdict<Vec<Record>> {
    let long = "p".repeat(253);
    let (first, second) = (format!("{long}a*"), format!("{long}b*"));
    let patterns = ["users:*", "Users:*", "USERS:*", "users:**", "*", "%*", "_sers:*", "users:_*", &first, &second];
    let mut records = vec![role(1, "admin", "Admin")?];
    for text in patterns {
        let pattern = Pattern::new(text).map_err(own_fault)?;
        let role = RoleId::from_uuid(id(1));
        records.push(Record::Grant(Grant { role, granted: Granted::Pattern(pattern) }));
    }
    Ok(records)
}

/// All of them, each family for a life of its own.
pub(super) fn families() -> Verdict<Vec<Vec<Record>>> {
    Ok(vec![in_case()?, in_a_space()?, in_form()?, as_long_as_may_be()?, in_pattern()?])
}
