//! The description of the API for clients and tools: OpenAPI 3.1, made from the handlers.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Required, ResponseBuilder, Type,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::PortalState;

/// `/openapi.json`, and Swagger UI on `/api-docs` to try the calls.
pub fn router() -> Router<PortalState> {
    let config = Config::new(["/openapi.json"]).try_it_out_enabled(true).display_request_duration(true);
    let page = Router::from(SwaggerUi::new("/api-docs").config(config)).layer(middleware::from_fn(allow_its_styles));
    Router::new().route("/openapi.json", get(|| async { Json(description()) })).merge(page)
}

/// Swagger UI sets styles in attributes, and has its icons in the style sheet. The pages allow neither.
async fn allow_its_styles(request: Request, next: Next) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response
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
             who would gain or lose what. Another parameter is refused, so that a mistyped one commits nothing.",
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
        ("422", "The request is well-formed and invalid, or has a parameter that the call does not know."),
        ("503", "The tenant or its store is out of service."),
    ];
    for (path, item) in &mut api.paths.paths {
        item.parameters.get_or_insert_with(Vec::new).push(tenant().build().into());
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
