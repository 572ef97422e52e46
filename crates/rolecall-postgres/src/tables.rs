//! Which kind of record is in which table: one entry for each table, with its columns and both directions of the mapping.
//!
//! A new kind of record needs one entry here and a migration. The test below names kinds without a table.
//!
//! The tenant record is in `tenants`, together with the tenant's position, so it has no entry.

mod columns;
mod fields;

use std::num::NonZeroU32;

use rolecall::records::{
    AssertionRecord, Assignment, Expectation, Grant, Granted, GroupRecord, Holder, Inclusion, Membership, ParentLink,
    PermissionRecord, PermissionRef, Record, RecordKind, RoleRecord, RoleRef, SeparationRecord, Status, UserRecord,
    Window,
};

use self::columns::ColumnRole::{Key, Optional, Required};
use self::columns::ColumnType::{Boolean, Integer, Text, Texts, Uuids};
use self::columns::{
    CATALOG_SLUG, DESCRIPTION, EXTERNAL_ID, FROM, ID, MANAGED_BY, NAME, SLUG, UNTIL, column, key, optional_text, text,
};
pub(crate) use self::columns::{Column, ColumnRole, ColumnType};
pub(crate) use self::fields::{Fields, Unreadable};
use crate::value::Cell;

/// A table of records. Each has the column `tenant_id` before those that are listed.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) kind: RecordKind,
    pub(crate) comment: &'static str,
    pub(crate) columns: &'static [Column],
    /// Returns the cells of a record, or `None` if its rows are in another table.
    pub(crate) write: for<'a> fn(&'a Record) -> Option<Vec<Cell<'a>>>,
    pub(crate) read: fn(&Fields<'_>) -> Result<Record, Unreadable>,
}

/// All tables of records, in the order of their kinds: a load reads them in this order.
pub(crate) static TABLES: &[Table] = &[
    Table {
        name: "permissions",
        kind: RecordKind::Permission,
        comment: "Permissions that the tenant defines itself. Those of the application's catalog are in its code.",
        columns: &[ID, SLUG, NAME, DESCRIPTION, optional_text("category", "Heading in lists.")],
        write: |record| match record {
            Record::Permission(r) => Some(vec![
                Cell::id(r.id),
                Cell::Text(r.slug.as_str()),
                Cell::Text(r.name.as_str()),
                Cell::Text(r.description.as_str()),
                Cell::text(r.category.as_ref().map(AsRef::as_ref)),
            ]),
            _ => None,
        },
        read: |row| {
            Ok(Record::Permission(PermissionRecord {
                id: row.id(0)?,
                slug: row.text(1)?,
                name: row.text(2)?,
                description: row.text(3)?,
                category: row.optional_text(4)?,
            }))
        },
    },
    Table {
        name: "roles",
        kind: RecordKind::Role,
        comment: "Roles that the tenant defines itself. System roles are in the application's catalog.",
        columns: &[ID, SLUG, NAME, DESCRIPTION],
        write: |record| match record {
            Record::Role(r) => Some(vec![
                Cell::id(r.id),
                Cell::Text(r.slug.as_str()),
                Cell::Text(r.name.as_str()),
                Cell::Text(r.description.as_str()),
            ]),
            _ => None,
        },
        read: |row| {
            Ok(Record::Role(RoleRecord {
                id: row.id(0)?,
                slug: row.text(1)?,
                name: row.text(2)?,
                description: row.text(3)?,
            }))
        },
    },
    Table {
        name: "groups",
        kind: RecordKind::Group,
        comment: "Groups of users.",
        columns: &[ID, SLUG, NAME, DESCRIPTION, EXTERNAL_ID, MANAGED_BY],
        write: |record| match record {
            Record::Group(r) => Some(vec![
                Cell::id(r.id),
                Cell::Text(r.slug.as_str()),
                Cell::Text(r.name.as_str()),
                Cell::Text(r.description.as_str()),
                Cell::text(r.external_id().map(AsRef::as_ref)),
                Cell::text(r.managed_by().map(AsRef::as_ref)),
            ]),
            _ => None,
        },
        read: |row| {
            let mut group = GroupRecord::new(row.id(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
            group.set_external_id(row.optional_text(4)?);
            group.set_managed_by(row.optional_text(5)?);
            Ok(Record::Group(group))
        },
    },
    Table {
        name: "users",
        kind: RecordKind::User,
        comment: "Users. The application knows a user by its key.",
        columns: &[
            ID,
            text("key", "The application's name of the user, such as an e-mail address; unique in the tenant."),
            optional_text("name", "Display name; null: the key is shown."),
            text("status", "active, or suspended: a suspended user may do nothing."),
            EXTERNAL_ID,
            MANAGED_BY,
        ],
        write: |record| match record {
            Record::User(r) => Some(vec![
                Cell::id(r.id),
                Cell::Text(r.key.as_str()),
                Cell::text(r.display_name().map(AsRef::as_ref)),
                Cell::Text(match r.status {
                    Status::Active => "active",
                    Status::Suspended => "suspended",
                }),
                Cell::text(r.external_id().map(AsRef::as_ref)),
                Cell::text(r.managed_by().map(AsRef::as_ref)),
            ]),
            _ => None,
        },
        read: |row| {
            let status = match row.get::<&str>(3)? {
                "active" => Status::Active,
                "suspended" => Status::Suspended,
                other => return Err(row.unreadable(3, format!("expected active or suspended, found {other:?}"))),
            };
            let mut user = UserRecord::new(row.id(0)?, row.text(1)?).with_status(status);
            user.set_name(row.optional_text(2)?);
            user.set_external_id(row.optional_text(4)?);
            user.set_managed_by(row.optional_text(5)?);
            Ok(Record::User(user))
        },
    },
    Table {
        name: "grants",
        kind: RecordKind::Grant,
        comment: "Permissions that a role grants. Patterns of permissions are in pattern_grants.",
        columns: &[
            key("role_id", "The role, in the table roles."),
            key("permission_id", "The permission, in the table permissions or in the application's catalog."),
            optional_text(
                "catalog_slug",
                "Null: the permission is in the table permissions. Else it is in the application's catalog, and had this slug when the row was written.",
            ),
        ],
        write: |record| match record {
            Record::Grant(Grant { role, granted: Granted::Permission(permission) }) => {
                Some(vec![Cell::id(*role), Cell::id(permission.id()), Cell::text(permission_slug(permission))])
            }
            _ => None,
        },
        read: |row| {
            let granted = Granted::Permission(row.permission(1, 2)?);
            Ok(Record::Grant(Grant { role: row.id(0)?, granted }))
        },
    },
    Table {
        name: "pattern_grants",
        kind: RecordKind::Grant,
        comment: "Patterns of permissions that a role grants.",
        columns: &[
            key("role_id", "The role, in the table roles."),
            column("pattern", Text, Key, "Matches slugs of permissions; * stands for any characters."),
        ],
        write: |record| match record {
            Record::Grant(Grant { role, granted: Granted::Pattern(pattern) }) => {
                Some(vec![Cell::id(*role), Cell::Text(pattern.as_str())])
            }
            _ => None,
        },
        read: |row| Ok(Record::Grant(Grant { role: row.id(0)?, granted: Granted::Pattern(row.text(1)?) })),
    },
    Table {
        name: "inclusions",
        kind: RecordKind::Inclusion,
        comment: "Roles that include other roles.",
        columns: &[
            key("role_id", "The including role, in the table roles."),
            key("included_id", "The included role, in the table roles or in the application's catalog."),
            CATALOG_SLUG,
        ],
        write: |record| match record {
            Record::Inclusion(r) => {
                Some(vec![Cell::id(r.role), Cell::id(r.included.id()), Cell::text(catalog_slug(&r.included))])
            }
            _ => None,
        },
        read: |row| Ok(Record::Inclusion(Inclusion { role: row.id(0)?, included: row.role(1, 2)? })),
    },
    Table {
        name: "parents",
        kind: RecordKind::Parent,
        comment: "Parent groups of groups: a member of the group is a member of the parent, too.",
        columns: &[key("group_id", "The subgroup."), key("parent_id", "The parent group."), FROM, UNTIL],
        write: |record| match record {
            Record::Parent(r) => {
                let [from, until] = window(r.window);
                Some(vec![Cell::id(r.group), Cell::id(r.parent), from, until])
            }
            _ => None,
        },
        read: |row| Ok(Record::Parent(ParentLink { group: row.id(0)?, parent: row.id(1)?, window: row.window(2, 3)? })),
    },
    Table {
        name: "assignments",
        kind: RecordKind::Assignment,
        comment: "Roles of users and of groups.",
        columns: &[
            key("role_id", "The role, in the table roles or in the application's catalog."),
            column("holder", Text, Key, "user or group: the table of the holder."),
            key("holder_id", "The user or group that has the role."),
            CATALOG_SLUG,
            FROM,
            UNTIL,
        ],
        write: |record| match record {
            Record::Assignment(r) => {
                let [from, until] = window(r.window);
                let (holder, id) = match r.holder {
                    Holder::User(user) => ("user", Cell::id(user)),
                    Holder::Group(group) => ("group", Cell::id(group)),
                };
                let slug = Cell::text(catalog_slug(&r.role));
                Some(vec![Cell::id(r.role.id()), Cell::Text(holder), id, slug, from, until])
            }
            _ => None,
        },
        read: |row| {
            let holder = match row.get::<&str>(1)? {
                "user" => Holder::User(row.id(2)?),
                "group" => Holder::Group(row.id(2)?),
                other => return Err(row.unreadable(1, format!("expected user or group, found {other:?}"))),
            };
            Ok(Record::Assignment(Assignment { role: row.role(0, 3)?, holder, window: row.window(4, 5)? }))
        },
    },
    Table {
        name: "memberships",
        kind: RecordKind::Membership,
        comment: "Direct members of groups.",
        columns: &[key("user_id", "The member."), key("group_id", "The group."), FROM, UNTIL],
        write: |record| match record {
            Record::Membership(r) => {
                let [from, until] = window(r.window);
                Some(vec![Cell::id(r.user), Cell::id(r.group), from, until])
            }
            _ => None,
        },
        read: |row| {
            Ok(Record::Membership(Membership { user: row.id(0)?, group: row.id(1)?, window: row.window(2, 3)? }))
        },
    },
    Table {
        name: "separations",
        kind: RecordKind::Separation,
        comment: "Separations of duties: sets of roles of which one user may hold only some.",
        columns: &[
            ID,
            SLUG,
            DESCRIPTION,
            column("at_most", Integer, Required, "How many of the roles one user may hold at any instant."),
            column("role_ids", Uuids, Required, "The roles, in the table roles or in the application's catalog."),
            column("catalog_slugs", Texts, Required, "For each of role_ids, as catalog_slug of other tables."),
        ],
        write: |record| match record {
            Record::Separation(r) => Some(vec![
                Cell::id(r.id),
                Cell::Text(r.slug.as_str()),
                Cell::Text(r.description.as_str()),
                Cell::Integer(i64::from(r.at_most.get())),
                Cell::Uuids(r.roles.iter().map(|role| role.id().as_uuid()).collect()),
                Cell::Texts(r.roles.iter().map(catalog_slug).collect()),
            ]),
            _ => None,
        },
        read: |row| {
            let at_most = u32::try_from(row.get::<i64>(3)?).ok().and_then(NonZeroU32::new);
            Ok(Record::Separation(SeparationRecord {
                id: row.id(0)?,
                slug: row.text(1)?,
                description: row.text(2)?,
                at_most: at_most.ok_or_else(|| row.unreadable(3, "expected a number from 1 to 4294967295"))?,
                roles: row.roles(4, 5)?,
            }))
        },
    },
    Table {
        name: "assertions",
        kind: RecordKind::Assertion,
        comment: "Assertions: what the tenant is expected to allow and to deny.",
        columns: &[
            ID,
            SLUG,
            DESCRIPTION,
            column("binding", Boolean, Required, "Whether a commit after which the assertion fails is refused."),
            text(
                "expected",
                "allowed, denied or only: who may have a permission. separate: roles that nobody combines.",
            ),
            column("permission_id", ColumnType::Uuid, Optional, "The permission; null: separate."),
            optional_text("permission_slug", "As catalog_slug of grants, for permission_id."),
            column("user_ids", Uuids, Required, "The users that may, or may not."),
            column("group_ids", Uuids, Required, "The groups that may, or may not."),
            column("role_ids", Uuids, Required, "The roles; empty unless separate."),
            column("catalog_slugs", Texts, Required, "For each of role_ids, as catalog_slug of other tables."),
        ],
        write: |record| match record {
            Record::Assertion(r) => {
                let expected = match &r.expected {
                    Expectation::Allowed { .. } => "allowed",
                    Expectation::Denied { .. } => "denied",
                    Expectation::Only { .. } => "only",
                    Expectation::Separate { .. } => "separate",
                    _ => return None, // of a later release
                };
                let (users, groups, roles) = (r.expected.users(), r.expected.groups(), r.expected.roles());
                let permission = r.expected.permission();
                Some(vec![
                    Cell::id(r.id),
                    Cell::Text(r.slug.as_str()),
                    Cell::Text(r.description.as_str()),
                    Cell::Boolean(r.binding),
                    Cell::Text(expected),
                    permission.map_or(Cell::Null, |permission| Cell::id(permission.id())),
                    Cell::text(permission.and_then(permission_slug)),
                    Cell::Uuids(users.iter().map(|user| user.as_uuid()).collect()),
                    Cell::Uuids(groups.iter().map(|group| group.as_uuid()).collect()),
                    Cell::Uuids(roles.iter().map(|role| role.id().as_uuid()).collect()),
                    Cell::Texts(roles.iter().map(catalog_slug).collect()),
                ])
            }
            _ => None,
        },
        read: |row| {
            let (users, groups) = (row.ids(7)?, row.ids(8)?);
            let expected = match row.get::<&str>(4)? {
                "allowed" => Expectation::Allowed { permission: row.permission(5, 6)?, users, groups },
                "denied" => Expectation::Denied { permission: row.permission(5, 6)?, users, groups },
                "only" => Expectation::Only { permission: row.permission(5, 6)?, users, groups },
                "separate" => Expectation::Separate { roles: row.roles(9, 10)? },
                other => {
                    return Err(
                        row.unreadable(4, format!("expected allowed, denied, only or separate, found {other:?}"))
                    );
                }
            };
            Ok(Record::Assertion(AssertionRecord {
                id: row.id(0)?,
                slug: row.text(1)?,
                description: row.text(2)?,
                binding: row.get(3)?,
                expected,
            }))
        },
    },
];

/// Returns the number of a record's table and its cells. `None` for a tenant record and for a kind without a table.
pub(crate) fn row(record: &Record) -> Option<(usize, Vec<Cell<'_>>)> {
    let kind = record.kind();
    let mut tables = TABLES.iter().enumerate().filter(|(_, table)| table.kind == kind);
    tables.find_map(|(number, table)| Some((number, (table.write)(record)?)))
}

fn catalog_slug(role: &RoleRef) -> Option<&str> {
    match role {
        RoleRef::Own(_) => None,
        RoleRef::Catalog { slug, .. } => Some(slug.as_str()),
    }
}

fn permission_slug(permission: &PermissionRef) -> Option<&str> {
    match permission {
        PermissionRef::Own(_) => None,
        PermissionRef::Catalog { slug, .. } => Some(slug.as_str()),
    }
}

fn window(window: Window) -> [Cell<'static>; 2] {
    [Cell::instant(window.start()), Cell::instant(window.end())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_has_a_table() {
        for kind in RecordKind::ALL.iter().filter(|kind| **kind != RecordKind::Tenant) {
            assert!(TABLES.iter().any(|table| table.kind == *kind), "records of kind `{kind}` have no table");
        }
    }

    #[test]
    fn tables_are_in_the_order_of_their_kinds_and_begin_with_their_keys() {
        assert!(TABLES.is_sorted_by_key(|table| table.kind));
        for table in TABLES {
            let keys = table.columns.iter().take_while(|column| column.role == Key).count();
            assert!(keys > 0 && table.columns.iter().skip(keys).all(|column| column.role != Key), "{}", table.name);
        }
    }
}
