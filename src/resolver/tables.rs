//! Persistent tables: a clone is O(1) and shares everything, a change copies only the path to what it touches.
//!
//! For: publishing a new version of a large organisation while readers still hold the old one. The writer clones,
//! changes and publishes; whoever holds the old clone sees none of it.
//!
//! Promises, for all four: `clone` and `Default` are O(1), and `Default` allocates nothing; nor does a look-up, and it
//! takes no lock; a change is O(log n), in place where this table alone owns the node and on a copy where an
//! older clone owns it too. They know nothing of the domain: numbers, hashes and an order come from the caller.
//!
//! | table            | finds by               | what it holds                                  |
//! |------------------|------------------------|------------------------------------------------|
//! | [`persistent_vec::PersistentVec`]   | a dense number         | the values themselves                          |
//! | [`index::HashIndex`] | a hash and an equality | numbers; the keys stay where the numbers point |
//! | [`persistent_hash_table::PersistentHashTable`]   | a hash and an equality | small `Copy` items that hold their keys        |
//! | [`order::SortedSeq`] | a comparison           | small `Copy` items, ascending                  |
//!
//! Deliberately absent: locks, unsafe code, removal from a slab (set the default instead), iteration over an index.
//!
//! Beside them are what they need of a hash (`keyed_hash.rs`) and of a sort (`counting_sort.rs`).
//!
//! Read next: `tables/persistent_vec.rs`; the index is built on it, the order stands alone.

pub(crate) mod counting_sort;
pub(crate) mod keyed_hash;
pub(crate) mod sorted_seq;
pub(crate) mod persistent_hash_table;
pub(crate) mod hash_index;
pub(crate) mod persistent_vec;
