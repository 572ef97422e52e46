//! The organisation document, as far as imports write it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

/// A tenant. Entities are found by their slug or key.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Output {
    format: Format,
    tenant: Tenant,
    #[serde(serialize_with = "values", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) permissions: BTreeMap<String, Permission>,
    #[serde(serialize_with = "values", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) roles: BTreeMap<String, Role>,
    #[serde(serialize_with = "values", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) groups: BTreeMap<String, Group>,
    #[serde(serialize_with = "values", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) users: BTreeMap<String, User>,
}

#[derive(Clone, Debug, Default)]
struct Format;

#[derive(Clone, Debug, Default, Serialize)]
struct Tenant {
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Permission {
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Role {
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) permissions: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) includes: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Group {
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) parents: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) roles: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) members: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct User {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(rename = "status", serialize_with = "suspended", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_suspended: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) roles: BTreeSet<String>,
}

impl Output {
    pub(crate) fn new(slug: String, name: Option<String>) -> Self {
        Self { tenant: Tenant { slug, name }, ..Self::default() }
    }

    pub(crate) fn permission(&mut self, slug: &str) -> &mut Permission {
        let new = || Permission { slug: slug.to_owned(), ..Permission::default() };
        self.permissions.entry(slug.to_owned()).or_insert_with(new)
    }

    pub(crate) fn role(&mut self, slug: &str) -> &mut Role {
        let new = || Role { slug: slug.to_owned(), ..Role::default() };
        self.roles.entry(slug.to_owned()).or_insert_with(new)
    }

    pub(crate) fn group(&mut self, slug: &str) -> &mut Group {
        let new = || Group { slug: slug.to_owned(), ..Group::default() };
        self.groups.entry(slug.to_owned()).or_insert_with(new)
    }

    pub(crate) fn user(&mut self, key: &str) -> &mut User {
        let new = || User { key: key.to_owned(), ..User::default() };
        self.users.entry(key.to_owned()).or_insert_with(new)
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

fn values<V: Serialize, S: Serializer>(map: &BTreeMap<String, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn suspended<S: Serializer>(_: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("suspended")
}
