//! The blocking API, within the runtime of the application and without one.

use std::error::Error as _;

use rolecall::ErrorKind;
use rolecall::blocking::Authorizer;
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};
use tokio::runtime::{Builder, Runtime};

use crate::server;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn use_it(authorizer: &Authorizer) -> rolecall::Result<()> {
    let acme = authorizer.create_tenant("acme", "Acme")?;
    acme.update(|tx| {
        tx.create_permission("docs:read")?;
        tx.create_role("reader")?.grant("docs:read")?;
        tx.create_user("alice")?.assign("reader")?.done()
    })?;
    acme.refresh()?;
    acme.close()?;
    assert!(authorizer.tenant("acme")?.check("alice", "docs:read"));
    assert_eq!(authorizer.tenants(None, 10)?.len(), 1);
    authorizer.tenant("acme")?.delete()
}

#[test]
fn the_blocking_api_works_within_the_runtime_of_the_application() {
    let runtime = runtime();
    let store = runtime.block_on(server::store());
    let authorizer = Authorizer::builder().store(store.clone()).runtime(runtime.handle().clone()).build();
    use_it(&authorizer).unwrap();
    // On the only worker, too.
    let inside = authorizer.clone();
    runtime.block_on(async { tokio::spawn(async move { use_it(&inside) }).await.unwrap() }).unwrap();
    runtime.block_on(server::drop_schema(store.schema()));
}

#[test]
fn a_call_without_a_runtime_says_so() {
    let runtime = runtime();
    let store = runtime.block_on(async { PostgresStore::new(server::pool(server::config(), 1)) });
    let authorizer = Authorizer::builder().store(store).build();
    let error = authorizer.create_tenant("acme", "Acme").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<PostgresError>() {
            assert_eq!(error.kind(), PostgresErrorKind::NoRuntime);
            return;
        }
        cause = inner.source();
    }
    panic!("no cause: {error}");
}

#[test]
fn a_call_on_the_only_thread_of_a_runtime_is_refused() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(async { PostgresStore::new(server::pool(server::config(), 1)) });
    let authorizer = Authorizer::builder().store(store).runtime(runtime.handle().clone()).build();
    let error = runtime.block_on(async { authorizer.create_tenant("acme", "Acme") }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot wait on this thread: "), "{error}");
}
