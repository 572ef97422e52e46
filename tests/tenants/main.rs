//! Tenants: opened, closed, renamed and deleted, in doubt, over several sessions and with a runtime.
//!
//! The files are one test program, because each program is linked separately.

#[cfg(feature = "tokio")]
mod blocking_runtime;
mod capabilities;
#[cfg(feature = "conformance")]
mod failures;
mod following;
mod history;
mod in_doubt;
mod lifecycle;
mod memory_store;
mod open_tenants;
mod protocol;
mod renames;
mod runtime;
mod staged;
#[cfg(feature = "conformance")]
mod telemetry;
