//! Models every interleaving of readers and writers at the cell, up to the bound given with each model.
//!
//! The cell, the write queue and the snapshots are real. `sync.rs` has a replacement for arc-swap, whose own correctness
//! is not shown here.
//!
//! Run the models with:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --lib --release --target-dir target/loom model
//! ```
//!
//! Each model has been seen to fail:
//!
//! | deliberate fault | caught by |
//! |---|---|
//! | the snapshot is published first, and its availability after it | `readers_see_whole_snapshots_and_never_go_back` |
//! | the position is published first, and the state after it | that one, and `what_one_thread_has_seen_…` |
//! | any revision is published | `writers_with_turns_…` |
//! | a closed cell accepts a snapshot | `writers_with_turns_…` |
//! | writers do not take a turn | `writers_with_turns_…` |
//! | the bound on staleness stores, rather than compares and swaps | `the_bound_on_staleness_…` |

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::{future, thread};

use super::CurrentSnapshot;
use crate::authorizer::sync::every_order;
use crate::authorizer::write_queue::WriteQueue;
use crate::model::catalog::Catalog;
use crate::model::records::{CommitId, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug};
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::{Availability, CompiledTenant};

/// The revision and the availability that a reader sees.
type Seen = (u64, Availability);

/// Snapshots of one tenant, by revision. The name of the tenant is the revision too, so that a torn snapshot is
/// noticed.
struct Snapshots([Arc<CompiledTenant>; 3]);

impl Snapshots {
    fn new() -> Self {
        let catalog = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let session = Arc::new(catalog.open());
        let tenant_id = TenantId::random();
        let mut revision = Revision::FIRST;
        Self(["1", "2", "3"].map(|name| {
            let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new(name).unwrap() };
            let mut build = Build::new(Arc::clone(&catalog), Arc::clone(&session));
            assert!(build.push(&Record::Tenant(tenant)));
            let compiled = build.finish(Position { tenant_id, revision, commit: CommitId::random() }).unwrap();
            revision = revision.next();
            Arc::new(compiled)
        }))
    }

    fn at(&self, revision: usize) -> Arc<CompiledTenant> {
        Arc::clone(&self.0[revision - 1])
    }

    fn cell(&self) -> Arc<CurrentSnapshot> {
        Arc::new(CurrentSnapshot::new(self.at(1)))
    }
}

fn look(current: &CurrentSnapshot) -> Seen {
    let snapshot = current.guard();
    let number = snapshot.position.revision.number();
    assert_eq!(snapshot.state.tenant.as_ref().unwrap().name.as_str(), number.to_string(), "torn");
    (number, snapshot.availability)
}

/// Whether the values seen are a subsequence of those that were published.
fn is_in_order(seen: &[Seen], happened: &[Seen]) -> bool {
    let mut happened = happened.iter();
    let mut at = happened.next();
    seen.iter().all(|seen| {
        while at.is_some_and(|at| at != seen) {
            at = happened.next();
        }
        at.is_some()
    })
}

/// One writer, whose commit is in doubt for a while, and two independent readers.
#[test]
fn readers_see_whole_snapshots_and_never_go_back() {
    const HAPPENED: [Seen; 4] = [
        (1, Availability::Serving),
        (1, Availability::InDoubt),
        (2, Availability::Serving),
        (3, Availability::Serving),
    ];
    let snapshots = Arc::new(Snapshots::new());
    every_order(3, move || {
        let current = snapshots.cell();
        let reader = || {
            let current = Arc::clone(&current);
            thread::spawn(move || [look(&current), look(&current), look(&current)])
        };
        let (first, second) = (reader(), reader());
        current.set_availability(Availability::InDoubt);
        assert!(current.publish(snapshots.at(2)) && current.publish(snapshots.at(3)));
        for seen in [first.join().unwrap(), second.join().unwrap()] {
            assert!(is_in_order(&seen, &HAPPENED), "{seen:?}");
        }
        assert_eq!(look(&current), (3, Availability::Serving), "lost");
    });
}

/// The promise of `update`: it publishes before it returns. A thread that knows that it returned sees the change. So
/// does a thread that hears of it from one that saw the change.
#[test]
fn a_thread_that_learns_of_a_commit_from_another_thread_sees_it() {
    let snapshots = Arc::new(Snapshots::new());
    every_order(5, move || {
        let current = snapshots.cell();
        let (returned, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let reader = {
            let (current, returned, seen) = (Arc::clone(&current), Arc::clone(&returned), Arc::clone(&seen));
            thread::spawn(move || {
                let returned = returned.load(Ordering::Acquire);
                let number = look(&current).0;
                assert!(!returned || number == 2, "old after the update returned");
                seen.store(number == 2, Ordering::Release);
            })
        };
        let another = {
            let (current, seen) = (Arc::clone(&current), Arc::clone(&seen));
            thread::spawn(move || {
                let seen = seen.load(Ordering::Acquire);
                assert!(!seen || look(&current).0 == 2, "old after somebody else saw it");
            })
        };
        assert!(current.publish(snapshots.at(2)));
        returned.store(true, Ordering::Release);
        reader.join().unwrap();
        another.join().unwrap();
    });
}

/// A refresh that loaded revision 2, a commit of revision 3, and a close, in any order. An older revision is ignored,
/// and so is everything after the close.
#[test]
fn writers_with_turns_lose_nothing_and_revive_nothing() {
    let snapshots = Arc::new(Snapshots::new());
    every_order(3, move || {
        let (current, write_queue) = (snapshots.cell(), Arc::new(WriteQueue::default()));
        let writer = |write: fn(&CurrentSnapshot, &Snapshots) -> bool| {
            let (current, write_queue, snapshots) =
                (Arc::clone(&current), Arc::clone(&write_queue), Arc::clone(&snapshots));
            thread::spawn(move || {
                future::block_on(async {
                    let _turn = write_queue.take().await;
                    write(&current, &snapshots)
                })
            })
        };
        let refresh = writer(|current, snapshots| current.publish(snapshots.at(2)));
        let commit = writer(|current, snapshots| current.publish(snapshots.at(3)));
        let close = writer(|current, _| {
            current.set_availability(Availability::Closed);
            current.guard().availability == Availability::Closed
        });
        let (second, third) = (refresh.join().unwrap(), commit.join().unwrap());
        assert!(close.join().unwrap());
        let highest = if third { 3 } else { 1 + u64::from(second) };
        assert_eq!(look(&current), (highest, Availability::Closed), "lost, or revived");
    });
}

/// The task that enforces the bound on staleness has no turn. It must not undo what the holder of the turn stores.
#[test]
fn the_bound_on_staleness_undoes_nothing_and_revives_nothing() {
    let snapshots = Arc::new(Snapshots::new());
    every_order(3, move || {
        let current = snapshots.cell();
        let watch = {
            let current = Arc::clone(&current);
            thread::spawn(move || {
                current.set_confirmed(false);
                let seen = look(&current);
                current.set_confirmed(true);
                seen
            })
        };
        assert!(current.publish(snapshots.at(2)));
        current.set_availability(Availability::InDoubt);
        assert_eq!(look(&current), (2, Availability::InDoubt), "answered again");
        assert!(current.publish(snapshots.at(3)));
        assert_eq!(look(&current).0, 3, "lost");
        current.set_availability(Availability::Closed);
        let seen = watch.join().unwrap();
        assert!(seen.1 != Availability::Serving || seen.0 > 1, "{seen:?}");
        assert_eq!(look(&current), (3, Availability::Closed), "revived");
    });
}
