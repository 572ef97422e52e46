//! Persistent tables: a clone is O(1) and shares everything. A change copies only the path to the changed place.
//!
//! They let a writer publish a new version of a large tenant while readers still use the old one. The writer clones,
//! changes and publishes. The old clone does not change.
//!
//! All four guarantee: `clone` and `Default` are O(1), and `Default` does not allocate. A lookup neither allocates nor
//! takes a lock. A change is O(log n): in place where this table alone owns the node, and on a copy where an older
//! clone shares it. The tables do not know the domain. The caller provides numbers, hashes and an order.
//!
//! | table                                          | finds by               | contains                       |
//! |------------------------------------------------|------------------------|--------------------------------|
//! | [`persistent_vec::PersistentVec`]              | a dense number         | values                         |
//! | [`hash_index::HashIndex`]                      | a hash and an equality | numbers, which lead to keys    |
//! | [`persistent_hash_table::PersistentHashTable`] | a hash and an equality | small `Copy` items with keys   |
//! | [`sorted_seq::SortedSeq`]                      | a comparison           | small `Copy` items, ascending  |
//!
//! Deliberately absent: locks, unsafe code, removal from a vector (set the default instead), iteration over a hash
//! index.
//!
//! The hash (`keyed_hash.rs`) and the sort (`counting_sort.rs`) that they need are beside them.
//!
//! Read next: `tables/persistent_vec.rs`. The hash index is built on it. The sorted sequence is independent.

pub(crate) mod counting_sort;
pub(crate) mod keyed_hash;
pub(crate) mod sorted_seq;
pub(crate) mod persistent_hash_table;
pub(crate) mod hash_index;
pub(crate) mod persistent_vec;
