//! What a user or a group can hold, and the cached row of it that saves a check the walk.

use crate::resolver::bits::Row;

/// A group or role that a user or a group has directly. The groups of a group are its parents.
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

/// The cached permissions of a role or group, with which a check need not walk (I7, I8).
#[derive(Clone, Debug)]
pub(crate) struct CachedRow {
    /// Permissions that it gives at every instant, perhaps not all of them.
    pub(crate) row: Row,
    /// Whether `row` contains everything that it gives at any instant.
    pub(crate) complete: bool,
}

impl Default for CachedRow {
    fn default() -> Self {
        Self { row: Row::default(), complete: true }
    }
}
