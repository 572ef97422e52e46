//! The changed fields of a record, as text.
//!
//! Deliberately absent: ids, which never change, and windows, which are not text.

use serde::Serialize;

use super::{
    AssertionRecord, Assignment, Change, Description, ExternalId, Grant, Granted, GroupRecord, Inclusion, Manager,
    Membership, Name, ParentLink, PermissionRecord, PermissionRef, Record, RoleRecord, RoleRef, SeparationRecord, Slug,
    TenantRecord, UserRecord,
};

/// A field of a record whose value differs before and after a change.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| tx.create_group("staff")?.set_name("Staff")?.done())?;
/// let updated = acme.update(|tx| tx.group("staff")?.set_name("Everyone")?.done())?;
/// let change = updated.described().next().unwrap();
/// assert_eq!(change.fields[0].field, "name");
/// assert_eq!(change.fields[0].after.as_deref(), Some("Everyone"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// The name of the field, as in JSON.
    pub field: &'static str,
    /// The value before the change. `None` if the field was empty.
    pub before: Option<String>,
    /// The value after the change. `None` if the field is empty.
    pub after: Option<String>,
}

impl Change {
    /// Returns the fields that differ, if the record exists before and after, without its window.
    pub(crate) fn fields(&self) -> Vec<FieldChange> {
        let (Some(before), Some(after)) = (self.before(), self.after()) else { return Vec::new() };
        let pairs = fields(before).into_iter().zip(fields(after));
        let differing = pairs.filter(|((_, before), (_, after))| before != after);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let texts = differing.map(|((field, before), (_, after))| FieldChange {
            field,
            before: owned(before),
            after: owned(after),
        });
        texts.chain(at_most(before, after)).collect()
    }
}

/// The only field that is a number.
fn at_most(before: &Record, after: &Record) -> Option<FieldChange> {
    let (Record::Separation(before), Record::Separation(after)) = (before, after) else { return None };
    let text = |record: &SeparationRecord| Some(record.at_most.to_string());
    let change = FieldChange { field: "at_most", before: text(before), after: text(after) };
    (before.at_most != after.at_most).then_some(change)
}

type Fields<'a> = Vec<(&'static str, Option<&'a str>)>;

/// Returns the fields of a record in a fixed order for its kind. Every field is named, so that the compiler asks for a
/// new one.
fn fields(record: &Record) -> Fields<'_> {
    match record {
        Record::Tenant(TenantRecord { slug, name }) => {
            vec![("slug", Some(slug.as_str())), ("name", Some(name.as_str()))]
        }
        Record::Permission(PermissionRecord { id: _, slug, name, description, category }) => vec![
            ("slug", Some(slug.as_str())),
            ("name", Some(name.as_str())),
            ("description", shown(description)),
            ("category", category.as_ref().map(Name::as_str)),
        ],
        Record::Role(RoleRecord { id: _, slug, name, description }) => {
            vec![("slug", Some(slug.as_str())), ("name", Some(name.as_str())), ("description", shown(description))]
        }
        Record::Group(group @ GroupRecord { id: _, slug, name, description, directory: _ }) => vec![
            ("slug", Some(slug.as_str())),
            ("name", Some(name.as_str())),
            ("description", shown(description)),
            ("external_id", group.external_id().map(ExternalId::as_str)),
            ("managed_by", group.managed_by().map(Manager::as_str)),
        ],
        Record::User(user @ UserRecord { id: _, key, status, profile: _ }) => vec![
            ("key", Some(key.as_str())),
            ("name", user.display_name().map(Name::as_str)),
            ("status", Some(status.word())),
            ("external_id", user.external_id().map(ExternalId::as_str)),
            ("managed_by", user.managed_by().map(Manager::as_str)),
        ],
        // The entities that a separation or an assertion names are ids here. A described change has the names.
        Record::Separation(SeparationRecord { id: _, slug, description, at_most: _, roles: _ }) => {
            vec![("slug", Some(slug.as_str())), ("description", shown(description))]
        }
        Record::Assertion(AssertionRecord { id: _, slug, description, binding, expected }) => vec![
            ("slug", Some(slug.as_str())),
            ("description", shown(description)),
            ("binding", Some(if *binding { "true" } else { "false" })),
            ("expect", Some(expected.word())),
        ],
        Record::Grant(Grant { role: _, granted: Granted::Permission(permission) }) => {
            vec![("slug", permission.slug().map(Slug::as_str))]
        }
        Record::Inclusion(Inclusion { role: _, included: role })
        | Record::Assignment(Assignment { role, holder: _, window: _ }) => {
            vec![("slug", role.slug().map(Slug::as_str))]
        }
        Record::Grant(Grant { role: _, granted: Granted::Pattern(_) })
        | Record::Parent(ParentLink { group: _, parent: _, window: _ })
        | Record::Membership(Membership { user: _, group: _, window: _ }) => Vec::new(),
    }
}

/// A description can be empty, and is then like a field without a value.
fn shown(description: &Description) -> Option<&str> {
    Some(description.as_str()).filter(|text| !text.is_empty())
}

impl RoleRef {
    /// Returns the slug of the entry of the catalog when the reference was stored; `None` for the tenant's own.
    pub(crate) fn slug(&self) -> Option<&Slug> {
        match self {
            Self::Own(_) => None,
            Self::Catalog { slug, .. } => Some(slug),
        }
    }
}

impl PermissionRef {
    /// Returns the slug of the entry of the catalog when the reference was stored; `None` for the tenant's own.
    pub(crate) fn slug(&self) -> Option<&Slug> {
        match self {
            Self::Own(_) => None,
            Self::Catalog { slug, .. } => Some(slug),
        }
    }
}
