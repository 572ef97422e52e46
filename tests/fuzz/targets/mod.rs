//! The bodies of the fuzz targets: each takes bytes, and fails by panicking. They use the public API alone.

mod catalogs;
#[cfg(feature = "json")]
pub(crate) mod document;
pub(crate) mod pattern;
pub(crate) mod transactions;
