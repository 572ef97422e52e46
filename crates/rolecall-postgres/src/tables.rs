//! Which kind of record is in which table: one entry for each table, with its columns and both directions of the mapping.
//!
//! A new kind of record needs one entry here and a migration. The test below names kinds without a table.
//!
//! The tenant record is in `tenants`, together with the tenant's position, so it has no entry.

use std::fmt;
use std::num::NonZeroU32;

use postgres_types::{FromSql, Type};
use rolecall::records::{
    AssertionRecord, Assignment, Expectation, Grant, Granted, GroupRecord, Holder, Inclusion, Membership, Parent,
    PermissionRecord, PermissionRef, Record, RecordKind, RoleRecord, RoleRef, SeparationRecord, Status, UserRecord,
    Window,
};
use uuid::Uuid;

use crate::connection::Row;
use crate::value::{Cell, Micros};

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

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) ty: ColumnType,
    pub(crate) role: ColumnRole,
    pub(crate) comment: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Uuid,
    Text,
    Boolean,
    Integer,
    Instant,
    Uuids,
    Texts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnRole {
    /// Part of the primary key.
    Key,
    Required,
    Optional,
}

impl ColumnType {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Integer => "bigint",
            Self::Instant => "timestamptz",
            Self::Uuids => "uuid[]",
            Self::Texts => "text[]",
        }
    }

    /// The type of one value.
    pub(crate) fn single(self) -> Type {
        match self {
            Self::Uuid => Type::UUID,
            Self::Text => Type::TEXT,
            Self::Boolean => Type::BOOL,
            Self::Integer => Type::INT8,
            Self::Instant => Type::TIMESTAMPTZ,
            Self::Uuids => Type::UUID_ARRAY,
            Self::Texts => Type::TEXT_ARRAY,
        }
    }

    /// The type of an array with one element for each row, and whether its elements are literals.
    pub(crate) fn array(self) -> (Type, bool) {
        match self {
            Self::Uuid => (Type::UUID_ARRAY, false),
            Self::Text => (Type::TEXT_ARRAY, false),
            Self::Boolean => (Type::BOOL_ARRAY, false),
            Self::Integer => (Type::INT8_ARRAY, false),
            Self::Instant => (Type::TIMESTAMPTZ_ARRAY, false),
            Self::Uuids | Self::Texts => (Type::TEXT_ARRAY, true),
        }
    }
}

use ColumnRole::{Key, Optional, Required};
use ColumnType::{Boolean, Instant, Integer, Text, Texts, Uuids};

const fn column(name: &'static str, ty: ColumnType, role: ColumnRole, comment: &'static str) -> Column {
    Column { name, ty, role, comment }
}

const fn key(name: &'static str, comment: &'static str) -> Column {
    column(name, ColumnType::Uuid, Key, comment)
}

const fn text(name: &'static str, comment: &'static str) -> Column {
    column(name, Text, Required, comment)
}

const fn optional_text(name: &'static str, comment: &'static str) -> Column {
    column(name, Text, Optional, comment)
}

const ID: Column = key("id", "Never changes.");
const SLUG: Column = text("slug", "Machine-readable name, unique among the rows of the tenant after each commit.");
const NAME: Column = text("name", "Name for people.");
const DESCRIPTION: Column = text("description", "Description for people; may be empty.");
const EXTERNAL_ID: Column = optional_text("external_id", "Id in the directory that manages the row.");
const MANAGED_BY: Column = optional_text("managed_by", "Directory that manages the row; null: the tenant itself.");
const FROM: Column = column("active_from", Instant, Optional, "First instant of the window; null: since ever.");
const UNTIL: Column =
    column("active_until", Instant, Optional, "First instant after the window; null: without an end.");
const CATALOG_SLUG: Column = optional_text(
    "catalog_slug",
    "Null: the role is in the table roles. Else the role is in the application's catalog, and had this slug when the row was written.",
);

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
        read: |row| Ok(Record::Parent(Parent { group: row.id(0)?, parent: row.id(1)?, window: row.window(2, 3)? })),
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

/// The columns of a row, without `tenant_id`.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) table: &'static Table,
    pub(crate) row: &'a Row,
}

/// A row that is not a record: somebody else wrote it.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Fields<'a> {
    fn get<T: FromSql<'a>>(&self, at: usize) -> Result<T, Unreadable> {
        self.row.try_get(at).map_err(|error| self.unreadable(at, error))
    }

    fn id<T: From<Uuid>>(&self, at: usize) -> Result<T, Unreadable> {
        self.get::<Uuid>(at).map(T::from)
    }

    fn text<T: TryFrom<&'a str, Error = rolecall::Error>>(&self, at: usize) -> Result<T, Unreadable> {
        T::try_from(self.get(at)?).map_err(|error| self.unreadable(at, error))
    }

    fn optional_text<T: TryFrom<&'a str, Error = rolecall::Error>>(&self, at: usize) -> Result<Option<T>, Unreadable> {
        let text = self.get::<Option<&str>>(at)?;
        text.map(T::try_from).transpose().map_err(|error| self.unreadable(at, error))
    }

    fn role(&self, id: usize, slug: usize) -> Result<RoleRef, Unreadable> {
        Ok(match self.optional_text(slug)? {
            None => RoleRef::Own(self.id(id)?),
            Some(slug) => RoleRef::Catalog { id: self.id(id)?, slug },
        })
    }

    fn permission(&self, id: usize, slug: usize) -> Result<PermissionRef, Unreadable> {
        Ok(match self.optional_text(slug)? {
            None => PermissionRef::Own(self.id(id)?),
            Some(slug) => PermissionRef::Catalog { id: self.id(id)?, slug },
        })
    }

    fn ids<T: From<Uuid>>(&self, at: usize) -> Result<Vec<T>, Unreadable> {
        Ok(self.get::<Vec<Uuid>>(at)?.into_iter().map(T::from).collect())
    }

    fn roles(&self, ids: usize, slugs: usize) -> Result<Vec<RoleRef>, Unreadable> {
        let (all, texts) = (self.get::<Vec<Uuid>>(ids)?, self.get::<Vec<Option<&str>>>(slugs)?);
        if all.len() != texts.len() {
            return Err(self.unreadable(slugs, format!("expected {} elements, found {}", all.len(), texts.len())));
        }
        let role = |(id, slug): (Uuid, Option<&str>)| match slug {
            None => Ok(RoleRef::Own(id.into())),
            Some(slug) => Ok(RoleRef::Catalog {
                id: id.into(),
                slug: slug.try_into().map_err(|error| self.unreadable(slugs, error))?,
            }),
        };
        all.into_iter().zip(texts).map(role).collect()
    }

    fn window(&self, from: usize, until: usize) -> Result<Window, Unreadable> {
        let instant = |at| {
            let micros = self.get::<Option<Micros>>(at)?;
            micros.map(TryInto::try_into).transpose().map_err(|error: String| self.unreadable(at, error))
        };
        match (instant(from)?, instant(until)?) {
            (None, None) => Ok(Window::ALWAYS),
            (start, end) => Window::new(start, end).map_err(|error| self.unreadable(until, error)),
        }
    }

    /// Names the row by its key, and the column.
    fn unreadable(&self, at: usize, why: impl fmt::Display) -> Unreadable {
        let columns = self.table.columns;
        let key = columns.iter().enumerate().filter(|(_, column)| column.role == Key).map(|(at, column)| {
            let value = match column.ty {
                ColumnType::Uuid => self.row.try_get::<Uuid>(at).map(|id| id.to_string()),
                _ => self.row.try_get::<&str>(at).map(|text| format!("{text:?}")),
            };
            format!("{} {}", column.name, value.unwrap_or_else(|_| "?".to_owned()))
        });
        let key = key.collect::<Vec<_>>().join(", ");
        let column = columns.get(at).map_or("?", |column| column.name);
        Unreadable(format!("table {}, row with {key}: column {column}: {why}", self.table.name))
    }
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
