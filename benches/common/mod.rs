//! The workload of the benches: a random organisation, questions about it, and the contestants that answer them.
//!
//! The workload is the same on every machine: its hash is compared with the expected one. Read the files in this order:
//!
//! | file | contents |
//! |---|---|
//! | `random.rs` | the random number generator |
//! | `organisation.rs` | draws the organisation |
//! | `oracle.rs` | computes the right answers |
//! | `questions.rs` | draws the questions |
//! | `by_hand.rs` | the baselines: tables written by hand |
//! | `contestants.rs` | translates the questions for each contestant |
//! | `timing.rs` | asks the questions and measures the time |
//! | `records.rs`, `fixed_store.rs` | load the organisation into a tenant |
//! | `writer.rs` | changes the organisation |
//! | `pattern_tenant.rs` | a separate tenant with many patterns |
//! | `varied.rs` | the organisation with one thing varied, for the benches that name it |

pub(crate) mod by_hand;
pub(crate) mod contestants;
pub(crate) mod oracle;
pub(crate) mod organisation;
pub(crate) mod timing;
pub(crate) mod pattern_tenant;
pub(crate) mod questions;
pub(crate) mod records;
pub(crate) mod fixed_store;
pub(crate) mod random;
pub(crate) mod enum_permission;
pub(crate) mod writer;

use std::sync::Arc;

use rolecall::Moment;
use rolecall::blocking::Tenant;
use rolecall::records::Record;

use self::by_hand::Fast;
use self::fixed_store::FixedStore;
use self::oracle::Oracle;
use self::organisation::{Organisation, Size, now};
use self::random::Random;
use self::records::Owner;

/// An organisation with everything that a bench needs to ask about it. A set of permissions takes `N` words.
pub(crate) struct Workload<const N: usize> {
    pub(crate) size: &'static Size,
    pub(crate) organisation: Organisation,
    /// The generator in its state after the organisation was drawn. Every list of questions starts from it.
    pub(crate) random: Random,
    pub(crate) oracle: Oracle<N>,
    /// The records of a tenant that owns its permissions.
    pub(crate) records: Arc<[Record]>,
    pub(crate) tenant: Tenant,
    /// The same tenant, with the permissions in the catalog.
    pub(crate) enumerated: Tenant,
    pub(crate) fast: Fast<N>,
}

impl<const N: usize> Workload<N> {
    /// Draws the organisation, prints it, and compares the oracle with the reference model.
    pub(crate) fn new(size: &'static Size) -> Self {
        let (organisation, random) = Organisation::draw(size);
        organisation.print();
        let oracle = Oracle::new(&organisation);
        oracle.compare_with_reference(&organisation);
        oracle.print(&organisation);
        let records: Arc<[Record]> = records::of(&organisation, Owner::Tenant).into();
        let tenant = FixedStore::new(Arc::clone(&records)).open(None);
        let catalog = enum_permission::catalog::<N>(organisation.size.permissions);
        let enumerated =
            FixedStore::new(records::of(&organisation, Owner::Catalog(catalog)).into()).open(Some(catalog));
        let fast = Fast::from_records(&records, now());
        Self { size, organisation, random, oracle, records, tenant, enumerated, fast }
    }

    /// Returns a held snapshot at the instant of the questions.
    pub(crate) fn held(&self) -> Moment<'static> {
        self.tenant.snapshot().at(now())
    }
}
