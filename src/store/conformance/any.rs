//! Fixtures and stores without their types, so that the cases are compiled once and not anew for each kind of store.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use super::{Fixture, LinkState, Problem, Task};
use crate::store::{DynStore, Store};

/// A store whose type is hidden, and can be asked for again.
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

/// What a fixture will do.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// [`Fixture`], call by call.
pub(super) trait AnyFixture: Sync {
    fn fresh(&self) -> Doing<'_, Box<dyn Connection>>;
    fn second_connection<'a>(&'a self, store: &'a dyn Connection) -> Doing<'a, Option<Box<dyn Connection>>>;
    fn reopen(&self, store: Box<dyn Connection>) -> Doing<'_, Option<Box<dyn Connection>>>;
    fn run_at_once(&self, tasks: Vec<Task>) -> Doing<'_, ()>;
    fn set_link<'a>(&'a self, store: &'a dyn Connection, link: LinkState) -> Doing<'a, bool>;
    fn starting(&self, case: &str);
}

fn hidden<S: Store>(store: S) -> Box<dyn Connection> {
    Box::new(store)
}

/// The store that the fixture made. It is always of its type: nothing else is ever passed.
fn known<S: Store>(store: &dyn Connection) -> Result<&S, Problem> {
    store.as_any().downcast_ref().ok_or_else(|| "the suite mixed up two kinds of store".into())
}

impl<F: Fixture> AnyFixture for F {
    fn fresh(&self) -> Doing<'_, Box<dyn Connection>> {
        Box::pin(async { Fixture::fresh(self).await.map(hidden) })
    }

    fn second_connection<'a>(&'a self, store: &'a dyn Connection) -> Doing<'a, Option<Box<dyn Connection>>> {
        Box::pin(async { Ok(Fixture::second_connection(self, known(store)?).await?.map(hidden)) })
    }

    fn reopen(&self, store: Box<dyn Connection>) -> Doing<'_, Option<Box<dyn Connection>>> {
        Box::pin(async {
            let store = store.into_any().downcast::<F::Store>();
            let store = store.map_err(|_| "the suite mixed up two kinds of store")?;
            Ok(Fixture::reopen(self, *store).await?.map(hidden))
        })
    }

    fn run_at_once(&self, tasks: Vec<Task>) -> Doing<'_, ()> {
        Box::pin(Fixture::run_at_once(self, tasks))
    }

    fn set_link<'a>(&'a self, store: &'a dyn Connection, link: LinkState) -> Doing<'a, bool> {
        Box::pin(async move { Fixture::set_link(self, known(store)?, link).await })
    }

    fn starting(&self, case: &str) {
        Fixture::starting(self, case);
    }
}
