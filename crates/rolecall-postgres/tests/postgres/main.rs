//! The store on a real server: that of `ROLECALL_POSTGRES_URL`. `.ci/postgres` starts one and runs these tests.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod blocking;
mod conformance;
mod fixtures;
mod links;
mod processes;
mod proxy;
mod restarts;
mod schemas;
mod server;
mod sessions;
mod staged;
mod standby;
mod tables;
mod watching;
mod writers;
