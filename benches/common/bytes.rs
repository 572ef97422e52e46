//! What those who count bytes share, `benches/memory` and `examples/footprint.rs`: a small tenant.

use super::organisation::Size;

/// One of thousands of tenants. The permissions are the catalog's.
pub(crate) const SMALL: Size =
    Size { name: "small", users: 10, groups: 5, roles: 5, permissions: 200, questions: 0, hash: 0x11ed_6f9c_47a9_2c71 };
