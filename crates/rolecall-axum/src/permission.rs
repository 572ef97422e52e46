//! Required permissions: a layer for routes, and an extractor for handlers. Both ask on the moment of the request.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use rolecall::snapshot::AsPermission;
use rolecall::{Decision, Moment, Tenant};
use tower_layer::Layer;
use tower_service::Service;

use crate::tenant::Answer;
use crate::{Problem, RequestTenant, Subject};

/// Decides one request: 401 without a subject, 403 or 503 if the permission is denied.
fn decide(
    request: &RequestTenant,
    subject: Option<&Subject>,
    permission: impl AsPermission + fmt::Display,
) -> Result<Subject, Problem> {
    let subject = subject.ok_or_else(|| Problem::unauthenticated(request.challenge.clone()))?;
    let shown = permission.to_string();
    match subject.decide(&request.moment(), permission) {
        Decision::Allowed => Ok(subject.clone()),
        Decision::Denied(reason) => Err(Problem::denied(reason, shown)),
    }
}

/// The layer that passes a request on if its subject has a permission. For `route_layer`, inside of a
/// [`TenantLayer`](crate::TenantLayer).
///
/// The permission is a slug or a variant of the application's catalog.
///
/// ```
/// use axum::{Router, routing::get};
/// use rolecall_axum::RequirePermission;
///
/// let app: Router = Router::new()
///     .route("/t/{tenant}/posts", get(|| async { "posts" }))
///     .route_layer(RequirePermission::new("posts:read"));
/// # let _ = app;
/// ```
///
/// # Errors
/// 401 without a [`Subject`]. 403 if the permission is denied or does not exist. 503 if the tenant is in doubt, out of
/// service or not confirmed for too long, and 404 if it was deleted. 500 without a [`TenantLayer`](crate::TenantLayer) around it.
#[derive(Clone, Copy, Debug)]
pub struct RequirePermission<P>(P);

impl<P: AsPermission + fmt::Display + Clone> RequirePermission<P> {
    /// Requires this permission.
    ///
    /// ```
    /// rolecall_axum::RequirePermission::new("posts:read");
    /// ```
    pub const fn new(permission: P) -> Self {
        Self(permission)
    }
}

impl<P: Clone, S> Layer<S> for RequirePermission<P> {
    type Service = RequirePermissionService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequirePermissionService { permission: self.0.clone(), inner }
    }
}

/// A route that requires a permission. Made by [`RequirePermission`].
///
/// ```
/// use rolecall_axum::{RequirePermission, RequirePermissionService};
/// use tower_layer::Layer;
///
/// let service: RequirePermissionService<&str, ()> = RequirePermission::new("posts:read").layer(());
/// # let _ = service;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequirePermissionService<P, S> {
    permission: P,
    inner: S,
}

impl<P, S> Service<Request> for RequirePermissionService<P, S>
where
    P: AsPermission + fmt::Display + Clone,
    S: Service<Request<Body>, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Answer {
        let extensions = request.extensions();
        let decided = match extensions.get::<RequestTenant>() {
            Some(tenant) => decide(tenant, extensions.get(), self.permission.clone()),
            None => Err(crate::tenant::no_layer()),
        };
        match decided {
            Ok(_) => {
                let answer = self.inner.call(request);
                Box::pin(async move { answer.await.map(IntoResponse::into_response) })
            }
            Err(problem) => Box::pin(std::future::ready(Ok(problem.into_response()))),
        }
    }
}

/// A permission as a type, so that [`Permitted`] can name it in the signature of a handler.
///
/// ```
/// use rolecall_axum::RequiredPermission;
///
/// rolecall::catalog! {
///     pub enum Permission { PostsRead = "posts:read" }
/// }
///
/// /// By the variant of a catalog.
/// struct PostsRead;
///
/// impl RequiredPermission for PostsRead {
///     type Permission = Permission;
///     const PERMISSION: Permission = Permission::PostsRead;
/// }
///
/// /// By the slug.
/// struct PostsWrite;
///
/// impl RequiredPermission for PostsWrite {
///     type Permission = &'static str;
///     const PERMISSION: &'static str = "posts:write";
/// }
/// ```
pub trait RequiredPermission {
    /// A slug, or the enum of a catalog.
    type Permission: AsPermission + fmt::Display;

    /// The permission.
    const PERMISSION: Self::Permission;
}

/// The extractor that succeeds if the subject of the request has a permission. It has the tenant, the subject, and the
/// moment on which the permission was checked.
///
/// ```
/// use rolecall_axum::{Permitted, Problem, RequiredPermission};
///
/// struct GroupsManage;
///
/// impl RequiredPermission for GroupsManage {
///     type Permission = &'static str;
///     const PERMISSION: &'static str = "groups:manage";
/// }
///
/// async fn create(asking: Permitted<GroupsManage>) -> Result<String, Problem> {
///     let created = asking.tenant().update(|tx| tx.create_group("staff")?.id()).await?;
///     Ok(created.value.to_string())
/// }
/// # let _ = create;
/// ```
///
/// # Errors
/// As those of [`RequirePermission`].
///
/// # Consistency
/// The permission was there at the moment of the request. A commit of somebody else may have taken it away since. So ask again
/// inside the transaction, and guard it:
///
/// ```
/// # use rolecall_axum::RequiredPermission;
/// use rolecall::Decision;
/// use rolecall_axum::{Permitted, Problem, Subject};
///
/// # struct GroupsManage;
/// # impl RequiredPermission for GroupsManage {
/// #     type Permission = &'static str;
/// #     const PERMISSION: &'static str = "groups:manage";
/// # }
/// async fn rename(asking: Permitted<GroupsManage>) -> Result<(), Problem> {
///     let (subject, permission) = (asking.subject().clone(), GroupsManage::PERMISSION);
///     let change = |tx: &rolecall::Tx| {
///         let before = tx.base().at(tx.instant());
///         if let Decision::Denied(reason) = subject.decide(&before, permission) {
///             return Err(Problem::denied(reason, permission));
///         }
///         match &subject {
///             Subject::Key(key) => tx.set_guard(key).set_actor(key.as_str())?,
///             Subject::Id(id) => tx.set_guard(*id).set_actor(&id.to_string())?,
///         };
///         Ok(tx.group("staff")?.set_name("Everybody")?.done()?)
///     };
///     asking.tenant().try_update(change).await?;
///     Ok(())
/// }
/// # let _ = rename;
/// ```
pub struct Permitted<R> {
    request: RequestTenant,
    subject: Subject,
    required: PhantomData<fn() -> R>,
}

impl<R> Permitted<R> {
    /// Returns the subject of the request.
    ///
    /// ```
    /// fn who<R>(asking: &rolecall_axum::Permitted<R>) -> &rolecall_axum::Subject {
    ///     asking.subject()
    /// }
    /// ```
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the tenant, for changes and for questions about its present state.
    ///
    /// ```
    /// fn revision<R>(asking: &rolecall_axum::Permitted<R>) -> rolecall::records::Revision {
    ///     asking.tenant().revision()
    /// }
    /// ```
    pub fn tenant(&self) -> &Tenant {
        self.request.tenant()
    }

    /// Returns the moment of the request, on which all its questions are asked.
    ///
    /// ```
    /// fn groups<R>(asking: &rolecall_axum::Permitted<R>) -> usize {
    ///     asking.moment().groups(&rolecall::PageRequest::of(50)).items.len()
    /// }
    /// ```
    pub fn moment(&self) -> Moment<'static> {
        self.request.moment()
    }

    /// Checks another permission of the subject, on the same moment.
    ///
    /// ```
    /// fn may_also_write<R>(asking: &rolecall_axum::Permitted<R>) -> bool {
    ///     asking.check("posts:write")
    /// }
    /// ```
    pub fn check(&self, permission: impl AsPermission) -> bool {
        self.subject.decide(&self.moment(), permission).is_allowed()
    }
}

impl<R> Clone for Permitted<R> {
    fn clone(&self) -> Self {
        Self { request: self.request.clone(), subject: self.subject.clone(), required: PhantomData }
    }
}

impl<R> fmt::Debug for Permitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permitted").field("request", &self.request).finish_non_exhaustive()
    }
}

impl<R: RequiredPermission, S: Send + Sync> FromRequestParts<S> for Permitted<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let request = RequestTenant::from_request_parts(parts, state).await?;
        let subject = decide(&request, parts.extensions.get(), R::PERMISSION)?;
        Ok(Self { request, subject, required: PhantomData })
    }
}
