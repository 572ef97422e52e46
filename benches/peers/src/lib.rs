//! The libraries that one could use instead of rolecall, on the workload of its benches, in one run with it.
//!
//! Read in this order: `plain.rs` is the organisation as an application keeps it, `peers.rs` says what is asked of a
//! peer and who they are, one file each. `timed.rs` and `weighed.rs` are the two measurements, `figures.rs` the file
//! that keeps them, `picture.rs` the chart of it. The workload and those by hand are the crate's, in `benches/common`.

#[expect(dead_code, reason = "the crate's own benches ask more")]
#[path = "../../common/mod.rs"]
mod common;
#[path = "../../common/copied.rs"]
mod copied;
mod figures;
mod plain;
mod ready;
mod peers;
mod race;
pub mod picture;
pub mod timed;
pub mod weighed;
