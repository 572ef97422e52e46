//! Calls that fail because of the store or the runtime: whether a repetition helps, and what the error says happened.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::future::Future;
use std::pin::Pin;
use std::thread;

use rolecall::authorizer::runtime::{BoxFuture, CannotBlock, Runtime};
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::store::MemoryStore;
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::{Error, ErrorKind};

fn acme() -> (FaultyStore<MemoryStore>, Tenant) {
    let store = FaultyStore::new(MemoryStore::default());
    let acme = Authorizer::builder().store(store.clone()).retries(0).build().create_tenant("acme", "Acme").unwrap();
    (store, acme)
}

fn add(acme: &Tenant) -> Result<(), Error> {
    acme.update(|tx| tx.create_user("alice")?.done()).map(drop)
}

/// Each retryable error, as a caller meets it: nothing was changed, and the same call succeeds later.
#[test]
fn f34_after_a_retryable_error_the_same_call_succeeds() {
    type Failing = fn(&FaultyStore<MemoryStore>, &Tenant) -> Error;
    let unreachable: Failing = |store, acme| {
        store.fail_next(Call::Commit, Fault::Unavailable);
        add(acme).unwrap_err()
    };
    // Another process commits while the closure runs.
    let overtaken: Failing = |store, acme| {
        let other = Authorizer::builder().store(store.clone()).build().tenant("acme").unwrap();
        let other_commits = || other.update(|tx| tx.create_group("staff")?.done()).map(drop);
        let late = acme.update(|tx| {
            thread::scope(|scope| scope.spawn(other_commits).join().unwrap())?;
            tx.create_user("alice")?.done()
        });
        late.unwrap_err()
    };
    // The commit of somebody else is in doubt, and the store cannot be asked about it.
    let blocked: Failing = |store, acme| {
        store.fail_next(Call::Commit, Fault::RequestLost);
        store.fail_every(Call::Since, Fault::Unavailable);
        let other = acme.update(|tx| tx.create_user("bob")?.done()).unwrap_err();
        assert_eq!((other.kind(), other.is_retryable()), (ErrorKind::InDoubt, false));
        add(acme).unwrap_err()
    };
    let table =
        [(ErrorKind::Unavailable, unreachable), (ErrorKind::Conflict, overtaken), (ErrorKind::Blocked, blocked)];
    for (kind, failing) in table {
        let (store, acme) = acme();
        let error = failing(&store, &acme);
        assert_eq!((error.kind(), error.is_retryable()), (kind, true), "{error}");
        let nothing = if kind == ErrorKind::Blocked { "; this call changed nothing" } else { "; nothing was changed" };
        assert!(error.to_string().contains(nothing), "{error}");
        store.clear_faults();
        add(&acme).unwrap();
        assert!(acme.now().user("alice").is_some());
    }
}

#[test]
fn a_tenant_that_was_created_and_could_not_be_opened_says_so() {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.fail_next(Call::Commit, Fault::ResponseLost);
    store.fail_next(Call::Load, Fault::Unavailable);
    let error = authorizer.create_tenant("acme", "Acme").unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InDoubt, false));
    assert_eq!(
        error.to_string(),
        "tenant `acme` was created, but could not be opened: store unavailable; open it by its slug; do not create it again"
    );
    assert!(error.commit().is_some() && std::error::Error::source(&error).is_some());
    assert_eq!(authorizer.tenant("acme").unwrap().name().unwrap(), "Acme");
}

/// A refused commit changes nothing, whatever the reason. The text says so behind the reason.
#[test]
fn a_refused_commit_says_that_nothing_was_changed() {
    let table = [
        (Fault::Unavailable, ErrorKind::Unavailable),
        (Fault::TooLarge, ErrorKind::TooLarge),
        (Fault::Corrupt, ErrorKind::Corrupt),
        (Fault::UnsupportedRecord, ErrorKind::UnsupportedRecord),
    ];
    let (store, acme) = acme();
    for (fault, kind) in table {
        store.fail_next(Call::Commit, fault);
        let error = add(&acme).unwrap_err();
        assert_eq!((error.kind(), error.advice()), (kind, None));
        assert!(error.to_string().ends_with("; nothing was changed"), "{error}");
    }
    // A creation is a commit, too.
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.fail_next(Call::Commit, Fault::Corrupt);
    assert!(authorizer.create_tenant("globex", "Globex").unwrap_err().to_string().ends_with("; nothing was changed"));
    // A read that fails like this takes the tenant out of service.
    store.fail_next(Call::Since, Fault::Corrupt);
    let error = acme.refresh().unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && !error.to_string().contains("nothing was changed"), "{error}");
}

#[test]
fn the_error_of_a_closure_that_could_not_be_confirmed_is_explained_and_is_no_advice() {
    let (store, acme) = acme();
    store.fail_next(Call::Since, Fault::Unavailable);
    let error = acme.update(|tx| tx.user("bob")?.suspend()?.done()).unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::Unavailable, None));
    let text = error.to_string();
    let begin =
        "the closure failed, perhaps on an old revision, and newer commits could not be read: store unavailable: ";
    assert!(text.starts_with(begin) && text.ends_with("; nothing was changed"), "{text}");
}

/// A runtime that polls nothing, against its contract.
struct Idle;

impl Runtime for Idle {
    fn spawn(&self, task: BoxFuture) {
        drop(task);
    }

    fn block_on(&self, _: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Result<(), CannotBlock> {
        Ok(())
    }
}

#[test]
fn a_runtime_that_does_not_poll_a_call_to_its_end_is_an_error() {
    let error = Authorizer::builder().runtime(Idle).build().create_tenant("acme", "Acme").unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Internal, false));
    assert_eq!(
        error.to_string(),
        "the runtime did not poll the call to its end; find out whether it was applied before you repeat it"
    );
}
