//! The operations of PATCH (RFC 7644, section 3.5.2). Entra and Okta send them capitalised, without a path, and with the
//! members to remove as a value.

use rolecall::error::Quoted;
use scim_v2::filter::PatchPath;
use serde_json::Value;

use super::attribute::{Attribute, ResourceKind};
use super::body::{self, Attributes};
use super::error::ScimError;
use super::filter::values;

/// So many operations at most in one request. One operation can have many members.
const MOST_OPERATIONS: usize = 1_000;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Add,
    Replace,
    Remove,
}

/// An operation on one attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    pub(crate) attribute: Attribute,
    /// The ids in `members[value eq "…"]`.
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) value: Option<Value>,
}

/// Reads the operations of a body, in their order, without those on attributes that the portal does not keep.
pub(crate) fn operations(resource: ResourceKind, mut body: Attributes) -> Result<Vec<Operation>, ScimError> {
    let Some(Value::Array(list)) = body.remove("operations") else {
        return Err(ScimError::invalid_syntax("expected an array as `Operations`"));
    };
    if list.len() > MOST_OPERATIONS {
        let detail = format!("expected at most {MOST_OPERATIONS} operations, found {}", list.len());
        return Err(ScimError::too_many(detail));
    }
    let mut operations = Vec::new();
    for operation in list {
        let mut operation = body::object(operation)?;
        let name = body::text("op", operation.remove("op").unwrap_or_default())?.unwrap_or_default();
        let kind = match name.to_ascii_lowercase().as_str() {
            "add" => Kind::Add,
            "replace" => Kind::Replace,
            "remove" => Kind::Remove,
            _ => return Err(ScimError::invalid_syntax("expected `add`, `replace` or `remove` as `op`")),
        };
        let value = operation.remove("value");
        match body::text("path", operation.remove("path").unwrap_or_default())? {
            Some(path) => operations.extend(on_path(resource, kind, &path, value, IsNamed::ByPath)?),
            None => each(resource, kind, value, &mut operations)?,
        }
    }
    Ok(operations)
}

/// Whether a client means exactly this attribute, or sends it along with others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsNamed {
    ByPath,
    ByValue,
}

/// Without a path, the value has the attributes by their names, or by paths, or those of a schema in an object.
fn each(
    resource: ResourceKind,
    kind: Kind,
    value: Option<Value>,
    operations: &mut Vec<Operation>,
) -> Result<(), ScimError> {
    if kind == Kind::Remove {
        return Err(ScimError::no_target("`remove` needs a `path`"));
    }
    let value = value.ok_or_else(|| ScimError::invalid_value("`value` is missing"))?;
    for (name, value) in body::object(value)? {
        if name.eq_ignore_ascii_case(resource.schema()) {
            for (name, value) in body::object(value)? {
                operations.extend(on_path(resource, kind, &name, Some(value), IsNamed::ByValue)?);
            }
        } else {
            operations.extend(on_path(resource, kind, &name, Some(value), IsNamed::ByValue)?);
        }
    }
    Ok(())
}

fn on_path(
    resource: ResourceKind,
    kind: Kind,
    path: &str,
    value: Option<Value>,
    named: IsNamed,
) -> Result<Option<Operation>, ScimError> {
    let parsed: PatchPath = path
        .parse()
        .map_err(|error: scim_v2::filter::ParseError| ScimError::invalid_path(format!("malformed path: {error}")))?;
    let invalid = || ScimError::invalid_path(format!("{} cannot be changed", Quoted(&parsed.to_string())));
    let (name, filter, sub) = match &parsed {
        PatchPath::Attr(path) => (path, None, path.sub_attr.as_ref()),
        PatchPath::Value(path) => (&path.attr, Some(&path.filter), path.sub_attr.as_ref()),
    };
    let attribute = Attribute::find(resource, name).ok_or_else(invalid)?;
    match attribute {
        Attribute::Ignored => return Ok(None),
        Attribute::Id | Attribute::Meta | Attribute::Groups if named == IsNamed::ByValue => return Ok(None),
        Attribute::Id | Attribute::Meta | Attribute::Groups => {
            return Err(ScimError::mutability(format!("{} is read-only", Quoted(&parsed.to_string()))));
        }
        Attribute::Members if sub.is_some() => {
            return Err(ScimError::mutability("a member is added or removed as a whole"));
        }
        _ if sub.is_some() => return Err(invalid()),
        _ => {}
    }
    let ids = match filter {
        None => None,
        Some(filter) if attribute == Attribute::Members => {
            Some(values(filter).ok_or_else(|| ScimError::invalid_filter("expected `members[value eq \"…\"]`"))?)
        }
        Some(_) => return Err(invalid()),
    };
    if ids.is_some() && kind != Kind::Remove {
        return Err(ScimError::mutability("a member is added or removed as a whole"));
    }
    if kind != Kind::Remove && value.is_none() {
        return Err(ScimError::invalid_value("`value` is missing"));
    }
    Ok(Some(Operation { kind, attribute, ids, value }))
}
