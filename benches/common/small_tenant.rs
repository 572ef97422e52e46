//! The size of a small tenant, for the bench `memory` and the example `footprint`.

use super::organisation::Size;

/// One of thousands of tenants. Its permissions are in the catalog.
pub(crate) const SMALL: Size =
    Size { name: "small", users: 10, groups: 5, roles: 5, permissions: 200, questions: 0, hash: 0x11ed_6f9c_47a9_2c71 };
