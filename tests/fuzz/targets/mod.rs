//! The bodies of the fuzz targets. Each takes bytes and panics on a failure. They use the public API only.

mod catalogs;
#[cfg(feature = "json")]
pub(crate) mod document;
pub(crate) mod pattern;
pub(crate) mod transactions;
