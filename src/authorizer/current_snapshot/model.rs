//! Every order in which readers and writers may meet at the cell, up to the bounds given with each model.
//!
//! Real are the cell, the turns and the snapshots; `sync.rs` has the stand-in for arc-swap, whose own correctness is not
//! shown here. Run by `RUSTFLAGS="--cfg loom" cargo test --lib --release --target-dir target/loom model`.
//!
//! Each model was seen to fail:
//!
//! | broken by hand | noticed by |
//! |---|---|
//! | the snapshot is published first, and its standing after it | `readers_see_whole_snapshots_and_never_go_back` |
//! | the position is published first, and the state after it | that one, and `what_one_thread_has_seen_…` |
//! | any revision is published | `writers_with_turns_…` |
//! | a closed cell takes a snapshot | `writers_with_turns_…` |
//! | writers come without a turn | `writers_with_turns_…` |

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

/// What a reader sees of a snapshot: its number, and whether it answers.
type Seen = (u64, Availability);

/// Snapshots of one life, by revision. The name of the tenant is the revision, too, so that a mixture shows.
struct Three([Arc<CompiledTenant>; 3]);

impl Three {
    fn new() -> Self {
        let base = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let session = Arc::new(base.open());
        let tenant_id = TenantId::random();
        let mut revision = Revision::FIRST;
        Self(["1", "2", "3"].map(|name| {
            let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new(name).unwrap() };
            let mut build = Build::new(Arc::clone(&base), Arc::clone(&session), false);
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

/// What was seen, in order, is a part of what happened, in order.
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

/// One writer, whose commit has an unknown outcome for a while, and two readers who know nothing of each other.
#[test]
fn readers_see_whole_snapshots_and_never_go_back() {
    const HAPPENED: [Seen; 4] = [
        (1, Availability::Serving),
        (1, Availability::InDoubt),
        (2, Availability::Serving),
        (3, Availability::Serving),
    ];
    let tenant_id = Arc::new(Three::new());
    every_order(3, move || {
        let current = tenant_id.cell();
        let reader = || {
            let current = Arc::clone(&current);
            thread::spawn(move || [look(&current), look(&current), look(&current)])
        };
        let (first, second) = (reader(), reader());
        current.set_availability(Availability::InDoubt);
        assert!(current.publish(tenant_id.at(2)) && current.publish(tenant_id.at(3)));
        for seen in [first.join().unwrap(), second.join().unwrap()] {
            assert!(is_in_order(&seen, &HAPPENED), "{seen:?}");
        }
        assert_eq!(look(&current), (3, Availability::Serving), "lost");
    });
}

/// What `update` promises: it publishes before it returns, and whoever knows that it returned sees it. So does whoever
/// heard of it from one who saw it.
#[test]
fn what_one_thread_has_seen_no_thread_that_hears_of_it_misses() {
    let tenant_id = Arc::new(Three::new());
    every_order(5, move || {
        let current = tenant_id.cell();
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
        assert!(current.publish(tenant_id.at(2)));
        returned.store(true, Ordering::Release);
        reader.join().unwrap();
        another.join().unwrap();
    });
}

/// A refresh that loaded revision 2, a commit of revision 3, and a close, in any order: whoever comes late with less is
/// left out, and so is what comes after the close.
#[test]
fn writers_with_turns_lose_nothing_and_revive_nothing() {
    let tenant_id = Arc::new(Three::new());
    every_order(3, move || {
        let (current, write_queue) = (tenant_id.cell(), Arc::new(WriteQueue::default()));
        let writer = |write: fn(&CurrentSnapshot, &Three) -> bool| {
            let (current, write_queue, tenant_id) =
                (Arc::clone(&current), Arc::clone(&write_queue), Arc::clone(&tenant_id));
            thread::spawn(move || {
                future::block_on(async {
                    let _turn = write_queue.take().await;
                    write(&current, &tenant_id)
                })
            })
        };
        let refresh = writer(|current, tenant_id| current.publish(tenant_id.at(2)));
        let commit = writer(|current, tenant_id| current.publish(tenant_id.at(3)));
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
