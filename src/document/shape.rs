//! The shape of a document: its fields as they are read and written, not checked yet.
//!
//! The field names are the format, and the pointers of mistakes use them. `entry.rs` reads and writes list entries;
//! `values.rs` has the single values.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::entry::{Entry, ListEntry, is_empty, non_null, sorted};
use super::values::{Format, Id, OptionalText, RemovedKind, Status, instant};
use crate::model::error::Asked;
use crate::model::records::Manager;

/// The whole document.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentData {
    pub(super) format: Format,
    pub(super) tenant: Entry<Tenant>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) permissions: Vec<Entry<Permission>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) roles: Vec<Entry<Role>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) groups: Vec<Entry<Group>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) users: Vec<Entry<User>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) separations: Vec<Entry<Separation>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) assertions: Vec<Entry<Assertion>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) removed_from_catalog: Vec<Entry<RemovedFromCatalog>>,
    /// The directories that a replacement acts for (R16). Set by the caller and never serialised.
    #[serde(skip)]
    pub(super) acts_for: Vec<Manager>,
    /// The actors of a guarded import or replacement (R13). Set by the caller and never serialised.
    #[serde(skip)]
    pub(super) guards: Vec<Asked>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<SmolStr>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<SmolStr>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "is_empty")]
    pub(super) description: Option<SmolStr>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) category: Option<SmolStr>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<SmolStr>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "is_empty")]
    pub(super) description: Option<SmolStr>,
    /// The grants: slugs of permissions, and patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) permissions: Vec<SmolStr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) includes: Vec<SmolStr>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<SmolStr>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "is_empty")]
    pub(super) description: Option<SmolStr>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) external_id: OptionalText,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) managed_by: OptionalText,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) parents: Vec<Entry<ParentLink>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) roles: Vec<Entry<Holding>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) members: Vec<Entry<Member>>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) key: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) name: OptionalText,
    #[serde(default, skip_serializing_if = "Status::is_active")]
    pub(super) status: Status,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) external_id: OptionalText,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) managed_by: OptionalText,
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) roles: Vec<Entry<Holding>>,
}

/// A parent of a group.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParentLink {
    pub(super) group: SmolStr,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) from: OptionalText,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) until: OptionalText,
}

/// A role assigned to a user or group.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Holding {
    pub(super) role: SmolStr,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) from: OptionalText,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) until: OptionalText,
}

/// A member of a group.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) user: SmolStr,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) from: OptionalText,
    #[serde(
        default,
        deserialize_with = "non_null",
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant"
    )]
    pub(super) until: OptionalText,
}

/// A separation of duties.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Separation {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "is_empty")]
    pub(super) description: Option<SmolStr>,
    /// How many of the roles one user may hold at most.
    pub(super) at_most: u32,
    /// Slugs of roles.
    #[serde(serialize_with = "sorted")]
    pub(super) roles: Vec<SmolStr>,
}

/// An assertion. Which of the lists it may have depends on what it expects.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assertion {
    pub(super) slug: SmolStr,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "is_empty")]
    pub(super) description: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) binding: bool,
    pub(super) expect: Expect,
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub(super) permission: Option<SmolStr>,
    /// Keys of users.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) users: Vec<SmolStr>,
    /// Slugs of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) groups: Vec<SmolStr>,
    /// Slugs of roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "sorted")]
    pub(super) roles: Vec<SmolStr>,
}

/// The expectation of an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    Allowed,
    Denied,
    Only,
    Separate,
}

impl Expect {
    /// Returns what is wrong with the fields of an assertion: the field, and the message.
    pub(super) fn mistake(
        self,
        has_permission: bool,
        [users, groups]: [usize; 2],
        roles: impl ExactSizeIterator<Item: Ord>,
    ) -> Option<(&'static str, String)> {
        if self == Self::Separate {
            let unused = [("permission", has_permission), ("users", users > 0), ("groups", groups > 0)];
            if let Some((field, _)) = unused.into_iter().find(|(_, is_there)| *is_there) {
                return Some((field, "unexpected, because `separate` is about roles".to_owned()));
            }
            let listed = roles.len();
            let distinct = roles.collect::<BTreeSet<_>>().len();
            return match listed - distinct {
                0 if distinct < 2 => Some(("roles", format!("expected at least 2 roles, found {distinct}"))),
                0 => None,
                _ => Some(("roles", "expected each role once".to_owned())),
            };
        }
        if roles.len() > 0 {
            return Some(("roles", "unexpected, because only `separate` is about roles".to_owned()));
        }
        if !has_permission {
            return Some(("permission", "expected a permission".to_owned()));
        }
        let is_about_some = self == Self::Only || users + groups > 0;
        (!is_about_some).then(|| ("users", "expected a user or a group".to_owned()))
    }
}

/// An entry that was removed from the catalog and is still referred to.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemovedFromCatalog {
    pub(super) kind: RemovedKind,
    pub(super) slug: SmolStr,
    pub(super) id: Id,
}

impl ListEntry for Tenant {
    const EXPECTED: &'static str = "an object with a `slug`";

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn text(&self) -> Option<&str> {
        None
    }

    fn normalize(&mut self) {
        self.name.take_if(|name| *name == self.slug);
    }

    fn order(&self) -> (&str, &str) {
        (&self.slug, "")
    }
}

impl ListEntry for Separation {
    const EXPECTED: &'static str = "an object with `slug`, `at_most` and `roles`";

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn text(&self) -> Option<&str> {
        None
    }

    fn normalize(&mut self) {}

    fn order(&self) -> (&str, &str) {
        (&self.slug, "")
    }
}

impl ListEntry for Assertion {
    const EXPECTED: &'static str = "an object with `slug` and `expect`";

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn text(&self) -> Option<&str> {
        None
    }

    fn normalize(&mut self) {}

    fn order(&self) -> (&str, &str) {
        (&self.slug, "")
    }
}

impl ListEntry for RemovedFromCatalog {
    const EXPECTED: &'static str = "an object with `kind`, `slug` and `id`";

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn text(&self) -> Option<&str> {
        None
    }

    fn normalize(&mut self) {}

    fn order(&self) -> (&str, &str) {
        (self.kind.word(), &self.slug)
    }
}

/// Implements `ListEntry` for the entries that may be a plain string. `bare` tests that all other fields are unset.
macro_rules! entries {
    ($($entry:ident: $expected:literal, $name:ident, |$bare:ident| $is_bare:expr, |$normalize:ident| $tidied:expr;)*) => {$(
        impl ListEntry for $entry {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                Some(Self { $name: text.into(), ..Self::default() })
            }

            fn text(&self) -> Option<&str> {
                let $bare = self;
                $is_bare.then_some(self.$name.as_str())
            }

            fn normalize(&mut self) {
                let $normalize = self;
                $tidied;
            }

            fn order(&self) -> (&str, &str) {
                (&self.$name, "")
            }
        }
    )*};
}

entries! {
    Permission: "a permission's slug, or an object with a `slug`", slug,
        |p| p.id.is_none() && p.name.is_none() && is_empty(&p.description) && p.category.is_none(),
        |p| p.name.take_if(|name| *name == p.slug);
    Role: "a role's slug, or an object with a `slug`", slug,
        |r| r.id.is_none() && r.name.is_none() && is_empty(&r.description) && r.permissions.is_empty() && r.includes.is_empty(),
        |r| r.name.take_if(|name| *name == r.slug);
    Group: "a group's slug, or an object with a `slug`", slug,
        |g| g.id.is_none() && g.name.is_none() && is_empty(&g.description)
            && g.external_id.is_none() && g.managed_by.is_none()
            && g.parents.is_empty() && g.roles.is_empty() && g.members.is_empty(),
        |g| g.name.take_if(|name| *name == g.slug);
    User: "a user's key, or an object with a `key`", key,
        |u| u.id.is_none() && u.name.is_none() && u.status.is_active() && u.external_id.is_none()
            && u.managed_by.is_none() && u.roles.is_empty(),
        |_u| {};
    ParentLink: "a group's slug, or an object with a `group`", group, |p| p.from.is_none() && p.until.is_none(), |_p| {};
    Holding: "a role's slug, or an object with a `role`", role, |h| h.from.is_none() && h.until.is_none(), |_h| {};
    Member: "a user's key, or an object with a `user`", user, |m| m.from.is_none() && m.until.is_none(), |_m| {};
}
