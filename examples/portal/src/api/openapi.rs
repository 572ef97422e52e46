//! The description of the API for clients and tools: OpenAPI 3.1, made from the handlers.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Required, ResponseBuilder, Type,
};

use crate::state::PortalState;

/// `/openapi.json`.
pub fn router() -> Router<PortalState> {
    Router::new().route("/openapi.json", get(|| async { Json(description()) }))
}

/// Makes the description.
pub fn description() -> OpenApi {
    let mut api = super::documented().split_for_parts().1;
    api.info = InfoBuilder::new()
        .title("rolecall portal")
        .version("1")
        .description(Some(
            "Groups, users, roles and permissions of a tenant. Errors are problem details (RFC 9457). Every call that changes \
             something can be previewed with `?preview=true`: nothing is committed, and the answer says what would change and \
             who would gain or lose what.",
        ))
        .build();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    api.components.get_or_insert_with(Components::new).add_security_scheme("token", bearer);
    api.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    let tenant = || {
        ParameterBuilder::new()
            .name("tenant")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("The slug of the tenant."))
    };
    let problem = || {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new())).build();
        ResponseBuilder::new().content("application/problem+json", content)
    };
    let problems = [
        ("401", "The request does not have a valid token."),
        ("403", "The token's user may not do this, or would give a right that it does not hold."),
        ("404", "The tenant, or what the request names, does not exist."),
        ("409", "The change contradicts the state of the tenant."),
        ("412", "The tag in `If-Match` is no longer current."),
        ("422", "The request is well-formed and invalid."),
        ("503", "The tenant or its store is out of service."),
    ];
    for (path, item) in &mut api.paths.paths {
        item.parameters.get_or_insert_with(Vec::new).push(tenant().build());
        let name: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations.into_iter().filter_map(|(m, operation)| Some((m, operation.as_mut()?))) {
            // Names of functions repeat, and these ids must not.
            operation.operation_id = Some(format!("{method}{name}"));
            for (status, text) in problems {
                operation.responses.responses.insert(status.to_owned(), problem().description(text).build().into());
            }
        }
    }
    api
}
