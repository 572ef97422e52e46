//! The columns of the tables: their types, their roles, and those that several tables have.

use postgres_types::Type;

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

pub(super) const fn column(name: &'static str, ty: ColumnType, role: ColumnRole, comment: &'static str) -> Column {
    Column { name, ty, role, comment }
}

pub(super) const fn key(name: &'static str, comment: &'static str) -> Column {
    column(name, ColumnType::Uuid, ColumnRole::Key, comment)
}

pub(super) const fn text(name: &'static str, comment: &'static str) -> Column {
    column(name, ColumnType::Text, ColumnRole::Required, comment)
}

pub(super) const fn optional_text(name: &'static str, comment: &'static str) -> Column {
    column(name, ColumnType::Text, ColumnRole::Optional, comment)
}

pub(super) const ID: Column = key("id", "Never changes.");
pub(super) const SLUG: Column =
    text("slug", "Machine-readable name, unique among the rows of the tenant after each commit.");
pub(super) const NAME: Column = text("name", "Name for people.");
pub(super) const DESCRIPTION: Column = text("description", "Description for people; may be empty.");
pub(super) const EXTERNAL_ID: Column = optional_text("external_id", "Id in the directory that manages the row.");
pub(super) const MANAGED_BY: Column =
    optional_text("managed_by", "Directory that manages the row; null: the tenant itself.");
pub(super) const FROM: Column =
    column("active_from", ColumnType::Instant, ColumnRole::Optional, "First instant of the window; null: since ever.");
pub(super) const UNTIL: Column = column(
    "active_until",
    ColumnType::Instant,
    ColumnRole::Optional,
    "First instant after the window; null: without an end.",
);
pub(super) const CATALOG_SLUG: Column = optional_text(
    "catalog_slug",
    "Null: the role is in the table roles. Else the role is in the application's catalog, and had this slug when the row was written.",
);
