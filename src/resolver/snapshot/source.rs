//! What a user or a group can hold, and what is kept about it so that a check need not walk.

use crate::resolver::bits::Row;

/// What a user or a group holds directly: of a group, a group is a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Group(u32),
    Role(u32),
}

impl Source {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Group(number) | Self::Role(number) => number,
        }
    }
}

/// What is kept about a role or group so that a check need not walk (I7, I8).
#[derive(Clone, Debug)]
pub(crate) struct CachedRow {
    /// Permissions that it gives at every instant. Perhaps not all of them.
    pub(crate) row: Row,
    /// Whether it gives nothing else, at any instant.
    pub(crate) complete: bool,
}

impl Default for CachedRow {
    fn default() -> Self {
        Self { row: Row::default(), complete: true }
    }
}
