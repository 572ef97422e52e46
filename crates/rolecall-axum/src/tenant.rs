//! The tenant of a request: where it is named, and the layer that opens it and takes one moment.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::RequestPartsExt;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rolecall::records::{Position, TenantSlug};
use rolecall::{Authorizer, Moment, Snapshot, Tenant, Timestamp};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Problem, Subject};

/// Where a request names its tenant.
///
/// ```
/// use axum::http::HeaderName;
/// use rolecall_axum::TenantSource;
///
/// TenantSource::path("tenant"); // /t/{tenant}/posts
/// TenantSource::header(HeaderName::from_static("x-tenant")); // x-tenant: acme
/// TenantSource::host(".example.com"); // acme.example.com
/// ```
///
/// # Security
/// All three come from the client. Whether the subject may do something in that tenant is decided there, by the
/// permission.
#[derive(Clone, Debug)]
pub struct TenantSource(Source);

#[derive(Clone, Debug)]
enum Source {
    Path(Arc<str>),
    Header(HeaderName),
    Host(Arc<str>),
}

impl TenantSource {
    /// The parameter of the route with this name.
    ///
    /// ```
    /// rolecall_axum::TenantSource::path("tenant"); // /t/{tenant}/posts
    /// ```
    pub fn path(parameter: impl Into<Arc<str>>) -> Self {
        Self(Source::Path(parameter.into()))
    }

    /// A header.
    ///
    /// ```
    /// rolecall_axum::TenantSource::header(axum::http::HeaderName::from_static("x-tenant"));
    /// ```
    pub fn header(name: HeaderName) -> Self {
        Self(Source::Header(name))
    }

    /// The host without this suffix and without the port: `acme` in `acme.example.com:8080` for `.example.com`.
    ///
    /// ```
    /// rolecall_axum::TenantSource::host(".example.com");
    /// ```
    pub fn host(suffix: impl Into<Arc<str>>) -> Self {
        Self(Source::Host(suffix.into()))
    }

    /// The slug in a request, or `None` if there is none or it is not a valid one.
    async fn slug(&self, parts: &mut Parts) -> Option<TenantSlug> {
        match &self.0 {
            Source::Path(parameter) => {
                let parameters = parts.extract::<RawPathParams>().await.ok()?;
                let (_, slug) = parameters.iter().find(|(name, _)| *name == &**parameter)?;
                slug.parse().ok()
            }
            Source::Header(name) => {
                let mut values = parts.headers.get_all(name).iter();
                // Of two, a proxy may have looked at the other one.
                let only = values.next().filter(|_| values.next().is_none())?;
                only.to_str().ok()?.parse().ok()
            }
            Source::Host(suffix) => {
                let host = match parts.uri.host() {
                    Some(host) => host,
                    None => parts.headers.get(HOST)?.to_str().ok()?,
                };
                let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
                host.strip_suffix(&**suffix)?.parse().ok()
            }
        }
    }
}

/// The tenant of a request and its moment. [`TenantLayer`] puts it into the extensions; it is an extractor, too.
///
/// ```
/// use rolecall_axum::RequestTenant;
///
/// async fn revision(request: RequestTenant) -> String {
///     request.moment().snapshot().revision().to_string()
/// }
/// # let _ = revision;
/// ```
#[derive(Clone)]
pub struct RequestTenant {
    tenant: Tenant,
    snapshot: Snapshot,
    instant: Timestamp,
    pub(crate) challenge: HeaderValue,
}

impl RequestTenant {
    /// Takes the moment.
    fn new(tenant: Tenant, challenge: HeaderValue) -> Self {
        let now = tenant.now();
        let (snapshot, instant) = (now.snapshot(), now.instant());
        drop(now);
        Self { tenant, snapshot, instant, challenge }
    }

    /// Returns the tenant, for changes and for questions about its present state.
    ///
    /// ```
    /// async fn leave(request: rolecall_axum::RequestTenant) -> Result<(), rolecall_axum::Problem> {
    ///     request.tenant().update(|tx| tx.user("alice")?.leave("staff")?.done()).await?;
    ///     Ok(())
    /// }
    /// # let _ = leave;
    /// ```
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Returns the moment of the request, on which all its questions are asked.
    ///
    /// ```
    /// async fn check(request: rolecall_axum::RequestTenant) -> String {
    ///     request.moment().check("alice", "posts:read").to_string()
    /// }
    /// # let _ = check;
    /// ```
    ///
    /// # Complexity
    /// Copies a pointer. The moment is not `Sync`, so take it where it is used instead of borrowing it across an `await`.
    pub fn moment(&self) -> Moment<'static> {
        self.snapshot.at(self.instant)
    }
}

impl fmt::Debug for RequestTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTenant").field("tenant", &self.tenant.tenant_id()).finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(no_layer)
    }
}

/// The application forgot the layer.
pub(crate) fn no_layer() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "no `TenantLayer` is around this route")
}

/// The layer that opens the tenant of each request, and takes the moment of the request.
///
/// Add it with `route_layer`, because a path has parameters only after it was routed. Authentication must be added after
/// it, so that it runs before it.
///
/// ```
/// use axum::{Router, routing::get};
/// use rolecall_axum::{RequestTenant, TenantLayer, TenantSource};
///
/// # let authorizer = rolecall::Authorizer::builder().build();
/// let app: Router = Router::new()
///     .route("/t/{tenant}", get(|request: RequestTenant| async move { format!("{:?}", request.tenant().name()) }))
///     .route_layer(TenantLayer::new(authorizer, TenantSource::path("tenant")));
/// # let _ = app;
/// ```
///
/// # Errors
/// 401 without a [`Subject`], before the store is asked. 404 if the tenant does not exist, even if its name is not a valid
/// slug. 503 if the store cannot be reached.
///
/// # Complexity
/// An open tenant is found in memory. Otherwise the store is asked, and the tenant loaded.
#[derive(Clone, Debug)]
pub struct TenantLayer {
    authorizer: Authorizer,
    source: TenantSource,
    challenge: HeaderValue,
    needs_subject: bool,
    position_header: Option<HeaderName>,
}

impl TenantLayer {
    /// Opens tenants with this authorizer. Give it a [runtime](rolecall::AuthorizerBuilder::runtime), so that a client
    /// which hangs up leaves no commit in doubt.
    ///
    /// ```
    /// use rolecall_axum::{TenantLayer, TenantSource};
    ///
    /// # let authorizer = rolecall::Authorizer::builder().build();
    /// TenantLayer::new(authorizer, TenantSource::path("tenant"));
    /// ```
    pub fn new(authorizer: Authorizer, source: TenantSource) -> Self {
        Self {
            authorizer,
            source,
            challenge: HeaderValue::from_static("Bearer"),
            needs_subject: true,
            position_header: None,
        }
    }

    /// Sets the value of `WWW-Authenticate` in a 401. It is `Bearer` otherwise.
    ///
    /// ```
    /// # use rolecall_axum::{TenantLayer, TenantSource};
    /// # let layer = TenantLayer::new(rolecall::Authorizer::builder().build(), TenantSource::path("tenant"));
    /// layer.challenge(axum::http::HeaderValue::from_static("Basic realm=\"acme\""));
    /// ```
    #[must_use]
    pub fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.challenge = challenge;
        self
    }

    /// Lets requests without a [`Subject`] through, for routes that need no permission. A route that needs one still
    /// answers 401.
    ///
    /// ```
    /// # use rolecall_axum::{TenantLayer, TenantSource};
    /// # let layer = TenantLayer::new(rolecall::Authorizer::builder().build(), TenantSource::path("tenant"));
    /// layer.allow_anonymous();
    /// ```
    ///
    /// # Security
    /// Anybody can then find out which tenants exist.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.needs_subject = false;
        self
    }

    /// Lets a client that talks to several instances see at least what it has seen before. Each answer of a handler has the
    /// [position](rolecall::Snapshot::position) of the tenant in this header; those of the layer itself (401, 404, 503) have none. A request that sends it back waits until this
    /// instance has that state, before its moment is taken.
    ///
    /// ```
    /// # use rolecall_axum::{TenantLayer, TenantSource};
    /// # let layer = TenantLayer::new(rolecall::Authorizer::builder().build(), TenantSource::path("tenant"));
    /// layer.position_header(axum::http::HeaderName::from_static("x-position"));
    /// ```
    ///
    /// A position of another tenant is ignored.
    ///
    /// # Errors
    /// 400 if the header is not a position. 503 if the store does not have that state, or cannot be asked.
    ///
    /// # Complexity
    /// As [`Tenant::at_least`]: a call to the store if the state is not there yet, also for a position that a client made up.
    #[must_use]
    pub fn position_header(mut self, name: HeaderName) -> Self {
        self.position_header = Some(name);
        self
    }

    /// Waits for the position in the request, if it has one.
    async fn catch_up(&self, parts: &Parts, tenant: &Tenant) -> Result<(), Problem> {
        let Some(name) = &self.position_header else { return Ok(()) };
        let Some(value) = parts.headers.get(name) else { return Ok(()) };
        let position = value.to_str().ok().and_then(|text| text.parse::<Position>().ok());
        let Some(position) = position else {
            let title = format!("the header `{name}` is not a position");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", title));
        };
        if position.tenant_id != tenant.tenant_id() {
            return Ok(());
        }
        tenant.at_least(position).await.map(drop).map_err(Problem::behind)
    }

    /// Tells the client which state it has seen.
    fn add_position(&self, tenant: &Tenant, response: &mut Response) {
        if let Some(name) = &self.position_header {
            if let Ok(value) = HeaderValue::try_from(tenant.snapshot().position().to_string()) {
                response.headers_mut().insert(name.clone(), value);
            }
        }
    }

    async fn open(&self, request: Request) -> Result<(Request, Tenant), Problem> {
        let (mut parts, body) = request.into_parts();
        if self.needs_subject && parts.extensions.get::<Subject>().is_none() {
            return Err(Problem::unauthenticated(self.challenge.clone()));
        }
        let slug = self.source.slug(&mut parts).await;
        let slug = slug.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "tenant not found"))?;
        let tenant = self.authorizer.tenant(slug.as_str()).await?;
        self.catch_up(&parts, &tenant).await?;
        parts.extensions.insert(RequestTenant::new(tenant.clone(), self.challenge.clone()));
        Ok((Request::from_parts(parts, body), tenant))
    }
}

impl<S> Layer<S> for TenantLayer {
    type Service = TenantService<S>;

    fn layer(&self, inner: S) -> TenantService<S> {
        TenantService { layer: self.clone(), inner }
    }
}

/// A route with its tenant. Made by [`TenantLayer`].
///
/// ```
/// use rolecall_axum::{TenantLayer, TenantService, TenantSource};
/// use tower_layer::Layer;
///
/// let layer = TenantLayer::new(rolecall::Authorizer::builder().build(), TenantSource::path("tenant"));
/// let service: TenantService<()> = layer.layer(());
/// # let _ = service;
/// ```
#[derive(Clone, Debug)]
pub struct TenantService<S> {
    layer: TenantLayer,
    inner: S,
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for TenantService<S>
where
    S: Service<Request<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Answer {
        // The service that was polled ready is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            match layer.open(request).await {
                Ok((request, tenant)) => {
                    let mut response = inner.call(request).await?.into_response();
                    layer.add_position(&tenant, &mut response);
                    Ok(response)
                }
                Err(problem) => Ok(problem.into_response()),
            }
        })
    }
}
