//! The workload of the benches: an organisation drawn from one stream of numbers, the questions asked about it, and the
//! contestants that answer them.
//!
//! It is the same on every machine: its hash is compared with the one that is written down. Read in this order:
//! `organisation.rs` draws, `oracle.rs` says what is right, `questions.rs` draws what is asked, `by_hand.rs` are the
//! rivals, `forms.rs` puts each question into the words of each contestant, `pace.rs` asks. `records.rs` and `shelf.rs`
//! bring the organisation into a tenant; `writer.rs` changes it. `patterned.rs` is a tenant of its own.

pub(crate) mod by_hand;
pub(crate) mod forms;
pub(crate) mod oracle;
pub(crate) mod organisation;
pub(crate) mod pace;
pub(crate) mod patterned;
pub(crate) mod questions;
pub(crate) mod records;
pub(crate) mod shelf;
pub(crate) mod stream;
pub(crate) mod variant;
pub(crate) mod writer;

use std::sync::Arc;

use rolecall::Moment;
use rolecall::blocking::Tenant;
use rolecall::records::Record;

use self::by_hand::Fast;
use self::oracle::Oracle;
use self::organisation::{Organisation, Size, now};
use self::records::Owner;
use self::shelf::Shelf;
use self::stream::Stream;

/// An organisation with its permissions in `N` words, and everything that is asked about it.
pub(crate) struct Bed<const N: usize> {
    pub(crate) size: &'static Size,
    pub(crate) organisation: Organisation,
    /// The stream after the organisation: where every list of questions begins.
    pub(crate) stream: Stream,
    pub(crate) oracle: Oracle<N>,
    /// With the permissions the tenant's own.
    pub(crate) records: Arc<[Record]>,
    pub(crate) tenant: Tenant,
    /// With the permissions in the catalog.
    pub(crate) enumerated: Tenant,
    pub(crate) fast: Fast<N>,
}

impl<const N: usize> Bed<N> {
    /// Draws the organisation, prints it, and holds the oracle against the meaning by the book.
    pub(crate) fn new(size: &'static Size) -> Self {
        let (organisation, stream) = Organisation::draw(size);
        organisation.print();
        let oracle = Oracle::new(&organisation);
        oracle.compare_with_reference(&organisation);
        oracle.print(&organisation);
        let records: Arc<[Record]> = records::of(&organisation, Owner::Tenant).into();
        let tenant = Shelf::new(Arc::clone(&records)).open(None);
        let catalog = variant::catalog::<N>(organisation.size.permissions);
        let enumerated = Shelf::new(records::of(&organisation, Owner::Catalog(catalog)).into()).open(Some(catalog));
        let fast = Fast::from_records(&records, now());
        Self { size, organisation, stream, oracle, records, tenant, enumerated, fast }
    }

    /// A held snapshot at the instant of the questions.
    pub(crate) fn held(&self) -> Moment<'static> {
        self.tenant.snapshot().at(now())
    }
}
