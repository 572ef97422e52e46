//! The extractor that lets a request reach its handler if the subject has a permission.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use rolecall::{Authorizer, Decision, Moment, Snapshot, Tenant, Timestamp};

use crate::{Problem, Subject};

/// A permission as a type, so that [`Permitted`] can name it in the signature of a handler.
pub trait RequiredPermission {
    /// The slug. An application with a catalog has its enum here.
    const PERMISSION: &'static str;
}

/// The tenant of a request, and the moment of all its questions.
#[derive(Clone)]
struct RequestTenant {
    tenant: Tenant,
    snapshot: Snapshot,
    instant: Timestamp,
}

/// A request of a subject that has the permission.
pub struct Permitted<R> {
    request: RequestTenant,
    subject: Subject,
    required: PhantomData<R>,
}

impl<R> fmt::Debug for Permitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permitted").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl<R> Permitted<R> {
    /// Returns who asks.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the tenant, for changes and for questions about its present state.
    pub fn tenant(&self) -> &Tenant {
        &self.request.tenant
    }

    /// Returns the moment of the request. Two extractors of one request have the same.
    pub fn moment(&self) -> Moment<'static> {
        self.request.snapshot.at(self.request.instant)
    }

    /// Checks another permission of the subject, on the same moment.
    pub fn check(&self, permission: &str) -> bool {
        self.moment().check(&self.subject.0, permission)
    }
}

impl<R: RequiredPermission> FromRequest for Permitted<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let subject = request.extensions().get::<Subject>().cloned().ok_or_else(Problem::unauthenticated)?;
            let tenant = request_tenant(&request).await?;
            let moment = tenant.snapshot.at(tenant.instant);
            match moment.decide(&subject.0, R::PERMISSION) {
                Decision::Allowed => Ok(Self { request: tenant, subject, required: PhantomData }),
                Decision::Denied(reason) => Err(Problem::denied(reason, R::PERMISSION)),
            }
        })
    }
}

/// Opens the tenant in the path and takes the moment, once for each request.
async fn request_tenant(request: &HttpRequest) -> Result<RequestTenant, Problem> {
    let taken = request.extensions().get::<RequestTenant>().cloned();
    if let Some(taken) = taken {
        return Ok(taken);
    }
    let authorizer = request.app_data::<web::Data<Authorizer>>().ok_or_else(Problem::misconfigured)?;
    let slug = request.match_info().get("tenant").ok_or_else(Problem::misconfigured)?;
    let tenant = authorizer.tenant(slug).await?;
    let now = tenant.now();
    let (snapshot, instant) = (now.snapshot(), now.instant());
    drop(now);
    let taken = RequestTenant { tenant, snapshot, instant };
    request.extensions_mut().insert(taken.clone());
    Ok(taken)
}
