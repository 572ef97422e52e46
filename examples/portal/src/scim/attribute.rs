//! The attributes of users and groups: which the portal keeps, and which it knows and does not keep.

use scim_v2::filter::AttrPath;

/// The schema of users.
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// The schema of groups.
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The path of all of them.
    pub(crate) fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Id,
    ExternalId,
    /// The key of a user.
    UserName,
    DisplayName,
    Active,
    /// The groups of a user, which only the groups' lists of members change.
    Groups,
    Members,
    /// Made by the portal: `meta` and `schemas`.
    Meta,
    /// Known, and not kept: profiles are the application's.
    Ignored,
}

/// The attributes of RFC 7643, section 4.1, that the portal does not keep.
const IGNORED: [&str; 18] = [
    "addresses",
    "emails",
    "entitlements",
    "ims",
    "locale",
    "name",
    "nickname",
    "password",
    "phonenumbers",
    "photos",
    "preferredlanguage",
    "profileurl",
    "roles",
    "timezone",
    "title",
    "userstatus",
    "usertype",
    "x509certificates",
];

impl Attribute {
    /// Finds an attribute by its name, whatever its case, with or without its schema. Everything of another schema is
    /// ignored: extensions are for profiles.
    pub(crate) fn find(kind: ResourceKind, path: &AttrPath) -> Option<Self> {
        if path.uri.as_ref().is_some_and(|uri| !uri.eq_ignore_ascii_case(kind.schema())) {
            return Some(Self::Ignored);
        }
        let name = path.name.to_ascii_lowercase();
        match (kind, name.as_str()) {
            (_, "id") => Some(Self::Id),
            (_, "externalid") => Some(Self::ExternalId),
            (_, "displayname") => Some(Self::DisplayName),
            (_, "meta" | "schemas") => Some(Self::Meta),
            (ResourceKind::User, "username") => Some(Self::UserName),
            (ResourceKind::User, "active") => Some(Self::Active),
            (ResourceKind::User, "groups") => Some(Self::Groups),
            (ResourceKind::Group, "members") => Some(Self::Members),
            (ResourceKind::User, name) if IGNORED.contains(&name) => Some(Self::Ignored),
            _ => None,
        }
    }
}
