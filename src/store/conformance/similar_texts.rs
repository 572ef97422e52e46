//! Records with similar texts and with the longest texts, which a store confuses if it folds, trims, normalises or
//! truncates.

use super::case::CaseResult;
use super::samples::{id, suite_bug, user};
use crate::model::records::{
    Description, ExternalId, Grant, Granted, GroupId, GroupRecord, Manager, Name, Pattern, PermissionId,
    PermissionRecord, Record, RoleId, RoleRecord, Slug, UserId, UserKey, UserRecord,
};

pub(super) fn group(number: u128, slug: &str, name: &str, description: &str) -> CaseResult<Record> {
    let (slug, name) = (Slug::new(slug).map_err(suite_bug)?, Name::new(name).map_err(suite_bug)?);
    let description = Description::new(description).map_err(suite_bug)?;
    Ok(Record::Group(GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, description)))
}

pub(super) fn permission(number: u128, slug: &str, category: &str) -> CaseResult<Record> {
    let (slug, name) = (Slug::new(slug).map_err(suite_bug)?, Name::new(category).map_err(suite_bug)?);
    let (id, description) = (PermissionId::from_uuid(id(number)), Description::default());
    Ok(Record::Permission(PermissionRecord { id, slug, category: Some(name.clone()), name, description }))
}

pub(super) fn role(number: u128, slug: &str, name: &str) -> CaseResult<Record> {
    let (slug, name) = (Slug::new(slug).map_err(suite_bug)?, Name::new(name).map_err(suite_bug)?);
    Ok(Record::Role(RoleRecord { id: RoleId::from_uuid(id(number)), slug, name, description: Description::default() }))
}

/// A user with these texts: its display name, and what the directory with the last name calls it.
fn managed_user(number: u128, name: &str, external_id: &str, manager: &str) -> CaseResult<Record> {
    let key = UserKey::new(&format!("managed-{number}")).map_err(suite_bug)?;
    let mut user = UserRecord::new(UserId::from_uuid(id(number)), key);
    user.set_name(Some(Name::new(name).map_err(suite_bug)?));
    user.set_managed_by(Some(Manager::new(manager).map_err(suite_bug)?));
    user.set_external_id(Some(ExternalId::new(external_id).map_err(suite_bug)?));
    Ok(Record::User(user))
}

/// A group that the directory with the last name calls so.
fn managed_group(number: u128, slug: &str, external_id: &str, manager: &str) -> CaseResult<Record> {
    let (slug, name) = (Slug::new(slug).map_err(suite_bug)?, Name::of_slug(slug));
    let mut group = GroupRecord::new(GroupId::from_uuid(id(number)), slug, name, Description::default());
    group.set_managed_by(Some(Manager::new(manager).map_err(suite_bug)?));
    group.set_external_id(Some(ExternalId::new(external_id).map_err(suite_bug)?));
    Ok(Record::Group(group))
}

/// One record of each kind that has a name, for each of these two texts.
fn records_named(texts: [&str; 2]) -> CaseResult<Vec<Record>> {
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
pub(super) fn differing_in_case() -> CaseResult<Vec<Record>> {
    let mut records = records_named(["Alice@Acme.com", "alice@acme.com"])?;
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

/// Texts that differ in a trailing space.
pub(super) fn differing_in_trailing_space() -> CaseResult<Vec<Record>> {
    let mut records = records_named(["alice", "alice "])?;
    records.push(user(80, " alice")?);
    records.push(user(81, " ")?);
    records.push(group(82, "described", "Described", "ends in a line\n")?);
    records.push(group(83, "described-too", "Described", "ends in a line")?);
    records.push(group(84, "tab", "Described", "\t")?);
    Ok(records)
}

/// Texts that are equivalent in Unicode or look the same.
pub(super) fn differing_in_unicode_form() -> CaseResult<Vec<Record>> {
    let mut records = records_named(["jos\u{e9}@acme.com", "jose\u{301}@acme.com"])?;
    records.push(user(80, "\u{212b}")?);
    records.push(user(81, "\u{c5}")?);
    records.push(user(82, "\u{ff21}")?);
    records.push(user(83, "zero\u{200b}width")?);
    records.push(user(84, "zerowidth")?);
    records.push(user(85, "\u{1f469}\u{200d}\u{1f4bb}")?);
    Ok(records)
}

/// The longest texts.
pub(super) fn longest_texts() -> CaseResult<Vec<Record>> {
    // Two of each, differing only in the last character, so that truncation makes them equal.
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

/// Patterns that a collation or a `LIKE` would confuse.
pub(super) fn similar_patterns() -> CaseResult<Vec<Record>> {
    let long = "p".repeat(253);
    let (first, second) = (format!("{long}a*"), format!("{long}b*"));
    let patterns = ["users:*", "Users:*", "USERS:*", "users:**", "*", "%*", "_sers:*", "users:_*", &first, &second];
    let mut records = vec![role(1, "admin", "Admin")?];
    for text in patterns {
        let pattern = Pattern::new(text).map_err(suite_bug)?;
        let role = RoleId::from_uuid(id(1));
        records.push(Record::Grant(Grant { role, granted: Granted::Pattern(pattern) }));
    }
    Ok(records)
}

/// All of these records, one list for each tenant.
pub(super) fn families() -> CaseResult<Vec<Vec<Record>>> {
    Ok(vec![
        differing_in_case()?,
        differing_in_trailing_space()?,
        differing_in_unicode_form()?,
        longest_texts()?,
        similar_patterns()?,
    ])
}
