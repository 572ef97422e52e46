//! The blocking API over a store that needs tokio: it works within the application's runtime, or says why it cannot.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rolecall::blocking::Authorizer;
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Error, ErrorKind};
use tokio::runtime::{Builder, Handle, Runtime};

/// A store that waits for tokio's timer in each call. Without tokio's context that would panic, so it returns an error.
#[derive(Clone, Default)]
struct Timed(MemoryStore);

impl Timed {
    async fn arrive(&self) -> Result<(), StoreError> {
        Handle::try_current().map_err(StoreError::unavailable)?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

impl Store for Timed {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.arrive().await?;
        self.0.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.arrive().await?;
        self.0.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.arrive().await?;
        self.0.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.arrive().await?;
        self.0.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.arrive().await?;
        self.0.since(at).await
    }
}

/// Every kind of call that reaches the store.
fn calls(runtime: &Handle) -> Result<(), Error> {
    let store = Timed::default();
    let authorizer = Authorizer::builder().store(store.clone()).runtime(runtime.clone()).build();
    let acme = authorizer.create_tenant("acme", "Acme")?;
    acme.update(|tx| tx.create_user("alice")?.done())?;
    assert!(acme.update(|tx| tx.create_user("alice")?.done()).is_err(), "asks the store, too");
    acme.refresh()?;
    assert_eq!(authorizer.tenants(None, 10)?.len(), 1);
    acme.close()?;
    assert!(authorizer.tenant("acme")?.now().user("alice").is_some());
    Ok(())
}

fn several_threads(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

#[test]
fn calls_wait_within_the_runtime_of_the_application() {
    let runtime = several_threads(1);
    let handle = runtime.handle().clone();
    calls(&handle).unwrap();
    // Where tokio allows to block, and where it can move the other tasks of the only worker away.
    let inside = handle.clone();
    runtime.block_on(async move { tokio::task::spawn_blocking(move || calls(&inside)).await.unwrap() }).unwrap();
    let inside = handle.clone();
    runtime.block_on(async move { tokio::spawn(async move { calls(&inside) }).await.unwrap() }).unwrap();
    runtime.block_on(async { calls(&handle) }).unwrap();
}

#[test]
fn a_runtime_with_one_thread_serves_the_calls_of_other_threads() {
    let (sender, receiver) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let driver = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        sender.send(runtime.handle().clone()).unwrap();
        let _ = runtime.block_on(stopped);
    });
    let handle = receiver.recv().unwrap();
    calls(&handle).unwrap();
    stop.send(()).unwrap();
    driver.join().unwrap();
    // Nobody drives it any more.
    refused(calls(&handle));
}

fn refused(answer: Result<(), Error>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("cannot wait on this thread: "), "{error}");
}

#[test]
fn calls_that_would_wait_for_ever_are_refused() {
    // On the only thread of the runtime.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    runtime.block_on(async { refused(calls(&handle)) });
    // On a worker whose other tasks cannot be moved away.
    let runtime = several_threads(1);
    let handle = runtime.handle().clone();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { refused(calls(&handle)) });
    calls(&handle).unwrap();
}

#[test]
fn without_a_runtime_the_store_says_what_it_lacks() {
    let error = Authorizer::builder().store(Timed::default()).build().create_tenant("acme", "Acme").unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("runtime"), "{error}");
}
