//! Compares rolecall with other libraries, on the workload of its benches and in one run.
//!
//! Read the files in this order:
//!
//! | file | contents |
//! |---|---|
//! | `app_data.rs` | the organisation as an application keeps it |
//! | `peers.rs` | the trait that each library implements; each has a file in `peers/` |
//! | `timed.rs`, `memory_use.rs` | the two measurements |
//! | `figures.rs` | the file that keeps the results |
//! | `picture.rs` | the chart of the results |
//!
//! The workload and the baselines are in `benches/common`.

#[expect(dead_code, reason = "only the crate's own benches use it")]
#[path = "../../common/mod.rs"]
mod common;
#[path = "../../common/copy_record.rs"]
mod copy_record;
mod figures;
mod app_data;
mod poll_once;
mod peers;
mod race;
pub mod picture;
pub mod timed;
pub mod memory_use;
