//! Fixtures and stores behind `dyn` traits, so that the cases are compiled once rather than for each kind of store.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use super::{Fixture, FixtureError, LinkState, Task};
use crate::store::{DynStore, Store};

/// A store whose type is erased and can be recovered.
pub(super) trait Connection: DynStore {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl<S: Store> Connection for S {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// A boxed future of a fixture.
pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, FixtureError>> + Send + 'a>>;

/// [`Fixture`] as a `dyn` trait.
pub(super) trait DynFixture: Sync {
    fn fresh(&self) -> BoxFuture<'_, Box<dyn Connection>>;
    fn second_connection<'a>(&'a self, store: &'a dyn Connection) -> BoxFuture<'a, Option<Box<dyn Connection>>>;
    fn reopen(&self, store: Box<dyn Connection>) -> BoxFuture<'_, Option<Box<dyn Connection>>>;
    fn run_concurrently(&self, tasks: Vec<Task>) -> BoxFuture<'_, ()>;
    fn set_link<'a>(&'a self, store: &'a dyn Connection, link: LinkState) -> BoxFuture<'a, bool>;
    fn case_started(&self, case: &str);
}

fn erased<S: Store>(store: S) -> Box<dyn Connection> {
    Box::new(store)
}

/// Recovers the store that the fixture made. The suite never passes a store of another type.
fn downcast<S: Store>(store: &dyn Connection) -> Result<&S, FixtureError> {
    store.as_any().downcast_ref().ok_or_else(|| "the suite passed a store of another type".into())
}

impl<F: Fixture> DynFixture for F {
    fn fresh(&self) -> BoxFuture<'_, Box<dyn Connection>> {
        Box::pin(async { Fixture::fresh(self).await.map(erased) })
    }

    fn second_connection<'a>(&'a self, store: &'a dyn Connection) -> BoxFuture<'a, Option<Box<dyn Connection>>> {
        Box::pin(async { Ok(Fixture::second_connection(self, downcast(store)?).await?.map(erased)) })
    }

    fn reopen(&self, store: Box<dyn Connection>) -> BoxFuture<'_, Option<Box<dyn Connection>>> {
        Box::pin(async {
            let store = store.into_any().downcast::<F::Store>();
            let store = store.map_err(|_| "the suite passed a store of another type")?;
            Ok(Fixture::reopen(self, *store).await?.map(erased))
        })
    }

    fn run_concurrently(&self, tasks: Vec<Task>) -> BoxFuture<'_, ()> {
        Box::pin(Fixture::run_concurrently(self, tasks))
    }

    fn set_link<'a>(&'a self, store: &'a dyn Connection, link: LinkState) -> BoxFuture<'a, bool> {
        Box::pin(async move { Fixture::set_link(self, downcast(store)?, link).await })
    }

    fn case_started(&self, case: &str) {
        Fixture::case_started(self, case);
    }
}
