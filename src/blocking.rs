//! The same API without an executor: each call waits on the calling thread.
//!
//! Every method does the same as the method of that name on the asynchronous type, which has the documentation and the
//! example. `as_async` and `into_async` convert to the asynchronous type, `From` converts back.
//!
//! # Stores that need a runtime
//!
//! The memory store and `store::RedbStore` need no runtime. A store with sockets does: give the authorizer the runtime of
//! the application with [`AuthorizerBuilder::runtime`]. Each call then waits within its context.
//!
//! - tokio: `Authorizer::builder().store(store).runtime(handle)`, with the feature `tokio`. Without that feature, hold
//!   `handle.enter()` around the calls, or implement [`Runtime::block_on`].
//! - Another runtime: implement [`Runtime::block_on`] if its futures need a context.
//! - A call that would wait for ever is refused as [`Unavailable`](crate::ErrorKind::Unavailable), with the reason. An
//!   example is a runtime whose only thread is the calling one.
//!
//! From an asynchronous task, use the asynchronous types, or `spawn_blocking`.
//!
//! # Example
//!
//! ```
//! use rolecall::blocking::Authorizer;
//!
//! let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
//! acme.update(|tx| tx.create_user("alice")?.done())?;
//! acme.refresh()?;
//! # Ok::<(), rolecall::Error>(())
//! ```
//!
//! The types here do not dereference to the asynchronous ones, so an asynchronous method is not called by accident:
//!
//! ```compile_fail
//! use rolecall::blocking::Authorizer;
//!
//! let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
//! # async {
//! acme.refresh().await?; // a `Result`, not a future
//! # Ok::<(), rolecall::Error>(()) };
//! # Ok::<(), rolecall::Error>(())
//! ```
//!
//! ```
//! # use rolecall::blocking::Authorizer;
//! # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
//! # let _ = async {
//! acme.as_async().refresh().await?; // on purpose
//! # Ok::<(), rolecall::Error>(()) };
//! # Ok::<(), rolecall::Error>(())
//! ```

mod follow;
mod tenant;
mod staged;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

pub use self::follow::Follower;
pub use self::staged::Staged;
pub use self::tenant::Tenant;
use crate::authorizer;
use crate::authorizer::runtime::Runtime;
use crate::block_on::block_on;
#[cfg(feature = "json")]
use crate::document::Document;
use crate::model::catalog::Catalog;
use crate::model::clock::Clock;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::TenantId;
use crate::store::{Positions, Store, TenantSummary};

/// Conversions from a blocking type to the asynchronous one and back.
macro_rules! twin {
    ($name:ident, |$example:ident| $make:literal) => {
        impl $name {
            #[doc = concat!("Returns the asynchronous [`", stringify!($name), "`](crate::", stringify!($name), ") inside.")]
            ///
            /// ```
            /// # use rolecall::blocking::Authorizer;
            /// # let authorizer = Authorizer::in_memory();
            #[doc = $make]
            #[doc = concat!("let twin: &rolecall::", stringify!($name), " = ", stringify!($example), ".as_async();")]
            /// # let _ = twin;
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn as_async(&self) -> &authorizer::$name {
                &self.0
            }

            #[doc = concat!("Converts this into the asynchronous [`", stringify!($name), "`](crate::", stringify!($name), ").")]
            ///
            /// ```
            /// # use rolecall::blocking::Authorizer;
            /// # let authorizer = Authorizer::in_memory();
            #[doc = $make]
            #[doc = concat!("let twin: rolecall::", stringify!($name), " = ", stringify!($example), ".into_async();")]
            #[doc = concat!("let back = rolecall::blocking::", stringify!($name), "::from(twin);")]
            /// # let _ = back;
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn into_async(self) -> authorizer::$name {
                self.0
            }
        }

        impl From<authorizer::$name> for $name {
            fn from(twin: authorizer::$name) -> Self {
                Self(twin)
            }
        }

        impl From<$name> for authorizer::$name {
            fn from(blocking: $name) -> Self {
                blocking.0
            }
        }
    };
}
use twin;

/// Waits for a call on the calling thread, by the runtime if there is one.
fn wait<T, E: From<Error>>(
    runtime: Option<&Arc<dyn Runtime>>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut answer = None;
    let waited = to_the_end(runtime, pin!(async { answer = Some(call.await) }));
    match (answer, waited) {
        (Some(answer), _) => answer,
        (None, Err(refused)) => Err(refused.into()),
        (None, Ok(())) => Err(Error::new(ErrorKind::Internal).in_words(NOT_POLLED.to_owned()).advise(FIND_OUT).into()),
    }
}

/// Polls a future to its end. The same code for every call, so that an application compiles it once.
fn to_the_end(runtime: Option<&Arc<dyn Runtime>>, call: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Result<()> {
    match runtime {
        None => {
            block_on(call);
            Ok(())
        }
        Some(runtime) => {
            runtime.block_on(call).map_err(|why| Error::new(ErrorKind::Unavailable).in_words(why.to_string()))
        }
    }
}

const NOT_POLLED: &str = "the runtime did not poll the call to its end";
const FIND_OUT: &str = "find out whether it was applied before you repeat it";

/// [`crate::Authorizer`] without an executor.
///
/// ```
/// use rolecall::blocking::Authorizer;
///
/// let authorizer = Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// assert_eq!(authorizer.tenant("acme")?.tenant_id(), acme.tenant_id());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Authorizer(authorizer::Authorizer);

twin!(Authorizer, |authorizer| "");

impl Authorizer {
    /// See [`crate::Authorizer::in_memory`].
    pub fn in_memory() -> Self {
        Self(authorizer::Authorizer::in_memory())
    }

    /// See [`crate::Authorizer::builder`].
    pub fn builder() -> AuthorizerBuilder {
        AuthorizerBuilder::default()
    }

    fn wait<T, E: From<Error>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        wait(self.0.runtime(), call)
    }

    /// See [`crate::Authorizer::catalog`].
    pub fn catalog(&self) -> &Catalog {
        self.0.catalog()
    }

    /// See [`crate::Authorizer::create_tenant`].
    ///
    /// # Errors
    /// The same.
    pub fn create_tenant(&self, slug: &str, name: &str) -> Result<Tenant> {
        self.wait(self.0.create_tenant(slug, name)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::create_tenant_with_name`].
    ///
    /// # Errors
    /// The same.
    pub fn create_tenant_with_name(&self, name: &str) -> Result<Tenant> {
        self.wait(self.0.create_tenant_with_name(name)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::tenant`].
    ///
    /// # Errors
    /// The same.
    pub fn tenant(&self, slug: &str) -> Result<Tenant> {
        self.wait(self.0.tenant(slug)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::tenant_by_id`].
    ///
    /// # Errors
    /// The same.
    pub fn tenant_by_id(&self, tenant_id: TenantId) -> Result<Tenant> {
        self.wait(self.0.tenant_by_id(tenant_id)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::open_or_create`].
    ///
    /// # Errors
    /// The same.
    pub fn open_or_create(&self, slug: &str, name: &str) -> Result<Tenant> {
        self.wait(self.0.open_or_create(slug, name)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::tenants`].
    ///
    /// # Errors
    /// The same.
    pub fn tenants(&self, after: Option<&str>, limit: usize) -> Result<Vec<TenantSummary>> {
        self.wait(self.0.tenants(after, limit))
    }

    /// See [`crate::Authorizer::import`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "json")]
    pub fn import(&self, document: &Document) -> Result<Tenant> {
        self.wait(self.0.import(document)).map(Tenant::from)
    }

    /// See [`crate::Authorizer::metrics`].
    pub fn metrics(&self) -> authorizer::Metrics {
        self.0.metrics()
    }

    /// See [`crate::Authorizer::open_tenants`].
    pub fn open_tenants(&self) -> Vec<Tenant> {
        self.0.open_tenants().into_iter().map(Tenant::from).collect()
    }

    /// See [`crate::Authorizer::open_tenant_count`].
    pub fn open_tenant_count(&self) -> usize {
        self.0.open_tenant_count()
    }

    /// See [`crate::Authorizer::follow`].
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::store::MemoryStore;
    ///
    /// let store = MemoryStore::default();
    /// let authorizer = Authorizer::builder().store(store.clone()).build();
    /// let follower = authorizer.follow(store.clone()).watch(store);
    /// let thread = std::thread::spawn(|| follower.run());
    ///
    /// drop(authorizer);
    /// # let _ = thread; // ends within an interval
    /// ```
    pub fn follow(&self, store: impl Positions) -> Follower {
        Follower(self.0.follow(store))
    }

    /// See [`crate::Authorizer::close_idle`].
    pub fn close_idle(&self, unused_for: Duration) -> usize {
        self.0.close_idle(unused_for)
    }
}

/// [`crate::AuthorizerBuilder`] without an executor.
///
/// ```
/// use rolecall::blocking::Authorizer;
///
/// let authorizer = Authorizer::builder().max_open_tenants(1_000).build();
/// assert_eq!(authorizer.open_tenant_count(), 0);
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct AuthorizerBuilder(authorizer::AuthorizerBuilder);

twin!(AuthorizerBuilder, |builder| "let builder = Authorizer::builder();");

impl AuthorizerBuilder {
    /// See [`crate::AuthorizerBuilder::store`].
    pub fn store(self, store: impl Store) -> Self {
        Self(self.0.store(store))
    }

    /// See [`crate::AuthorizerBuilder::catalog`].
    pub fn catalog(self, catalog: &Catalog) -> Self {
        Self(self.0.catalog(catalog))
    }

    /// See [`crate::AuthorizerBuilder::clock`].
    pub fn clock(self, clock: impl Clock) -> Self {
        Self(self.0.clock(clock))
    }

    /// See [`crate::AuthorizerBuilder::retries`].
    pub fn retries(self, retries: u32) -> Self {
        Self(self.0.retries(retries))
    }

    /// See [`crate::AuthorizerBuilder::retry_timeout`].
    pub fn retry_timeout(self, timeout: Duration) -> Self {
        Self(self.0.retry_timeout(timeout))
    }

    /// See [`crate::AuthorizerBuilder::max_open_tenants`].
    pub fn max_open_tenants(self, max: usize) -> Self {
        Self(self.0.max_open_tenants(max))
    }

    /// See [`crate::AuthorizerBuilder::max_staleness`].
    pub fn max_staleness(self, limit: Duration) -> Self {
        Self(self.0.max_staleness(limit))
    }

    /// See [`crate::AuthorizerBuilder::runtime`]. Calls wait by its [`block_on`](Runtime::block_on).
    /// [`Threads`](crate::authorizer::runtime::Threads) needs no executor.
    pub fn runtime(self, runtime: impl Runtime) -> Self {
        Self(self.0.runtime(runtime))
    }

    /// See [`crate::AuthorizerBuilder::build`].
    pub fn build(self) -> Authorizer {
        Authorizer(self.0.build())
    }
}
