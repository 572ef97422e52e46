//! The features of the portal, for clients: its configuration, the types of resources, and their schemas (RFC 7643, sections
//! 5 to 7).

use axum::extract::RawQuery;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::attribute::{GROUP, ResourceKind, USER};
use super::error::ScimError;
use super::query::MOST_RESULTS;
use super::{Answer, ResourcePath, Scope, json_answer, list_response};

/// Filters are not for these (RFC 7644, section 4).
fn without_filter(query: Option<&str>) -> Result<(), ScimError> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    if pairs.any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::new(StatusCode::FORBIDDEN, "filters are not offered here"));
    }
    Ok(())
}

fn all(resources: Vec<Value>) -> Value {
    list_response(resources.len(), 1, resources)
}

/// Describes what is offered.
pub(super) async fn config(scope: Scope) -> Answer {
    Ok(json_answer(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST_RESULTS },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of a directory, in the header `Authorization`.",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", scope.base()) },
    })))
}

fn type_of(scope: &Scope, kind: ResourceKind) -> Value {
    let name = kind.name();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": kind.endpoint(),
        "schema": kind.schema(),
        "meta": { "resourceType": "ResourceType", "location": format!("{}/ResourceTypes/{name}", scope.base()) },
    })
}

/// Lists the types of resources.
pub(super) async fn resource_types(scope: Scope, RawQuery(query): RawQuery) -> Answer {
    without_filter(query.as_deref())?;
    let types = [ResourceKind::User, ResourceKind::Group].map(|kind| type_of(&scope, kind));
    Ok(json_answer(all(types.to_vec())))
}

/// Describes a type of resources.
pub(super) async fn resource_type(scope: Scope, path: ResourcePath) -> Answer {
    let kind = [ResourceKind::User, ResourceKind::Group].into_iter().find(|kind| kind.name() == path.id);
    kind.map(|kind| json_answer(type_of(&scope, kind))).ok_or_else(ScimError::not_found)
}

/// An attribute with one value.
fn single(name: &str, kind: &str, description: &str) -> Value {
    json!({
        "name": name, "type": kind, "multiValued": false, "description": description, "required": false,
        "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "none",
    })
}

fn with(mut attribute: Value, changes: Value) -> Value {
    if let (Value::Object(attribute), Value::Object(changes)) = (&mut attribute, changes) {
        attribute.extend(changes);
    }
    attribute
}

/// The attributes of an entry that refers to another resource.
fn reference(mutability: &str, types: &[&str], kinds: &[&str]) -> Vec<Value> {
    let fixed = json!({ "mutability": mutability, "caseExact": true });
    vec![
        with(single("value", "string", "The id."), fixed.clone()),
        with(with(single("$ref", "reference", "The URL."), fixed.clone()), json!({ "referenceTypes": types })),
        with(with(single("type", "string", "What it is."), fixed), json!({ "canonicalValues": kinds })),
    ]
}

fn attributes(kind: ResourceKind) -> Value {
    // A name is required, and a user is active or not: none of them can be removed.
    let required = json!({ "required": true });
    match kind {
        ResourceKind::User => {
            let mut group = reference("readOnly", &["Group"], &["direct"]);
            group.push(with(single("display", "string", "The name for people."), json!({ "mutability": "readOnly" })));
            json!([
                with(
                    single("userName", "string", "The user's key in the application, in lower case."),
                    json!({ "required": true, "uniqueness": "server" }),
                ),
                single("displayName", "string", "The name for people."),
                with(
                    single("active", "boolean", "Whether the user may do anything. A new user without it is active."),
                    required,
                ),
                with(
                    single("groups", "complex", "The groups of this directory that the user is a direct member of."),
                    json!({
                        "multiValued": true, "mutability": "readOnly",
                        "subAttributes": group,
                    }),
                ),
            ])
        }
        ResourceKind::Group => json!([
            with(single("displayName", "string", "The name for people."), required),
            with(
                single("members", "complex", "Direct members: users, and groups of this directory."),
                json!({ "multiValued": true, "subAttributes": reference("immutable", &["User", "Group"], &["User", "Group"]) }),
            ),
        ]),
    }
}

fn schema_of(scope: &Scope, kind: ResourceKind) -> Value {
    let id = kind.schema();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": kind.name(),
        "description": if id == USER { "A user of the tenant." } else { "A group of the tenant." },
        "attributes": attributes(kind),
        "meta": { "resourceType": "Schema", "location": format!("{}/Schemas/{id}", scope.base()) },
    })
}

/// Lists the schemas.
pub(super) async fn schemas(scope: Scope, RawQuery(query): RawQuery) -> Answer {
    without_filter(query.as_deref())?;
    let schemas = [ResourceKind::User, ResourceKind::Group].map(|kind| schema_of(&scope, kind));
    Ok(json_answer(all(schemas.to_vec())))
}

/// Describes a schema.
pub(super) async fn schema(scope: Scope, path: ResourcePath) -> Answer {
    let kind = match path.id.as_str() {
        USER => ResourceKind::User,
        GROUP => ResourceKind::Group,
        _ => return Err(ScimError::not_found()),
    };
    Ok(json_answer(schema_of(&scope, kind)))
}
