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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CachedRow {
    /// Permissions that it gives at every instant, perhaps not all of them.
    pub(crate) always: Row,
    /// Everything that it gives at any instant, or `None` if that is not known. Without a window on the way, it shares the
    /// words of `always`.
    pub(crate) ever: Option<Row>,
    /// The words beyond the bound for its own edges, which the tenant's budget pays for.
    pub(crate) extra: u32,
}

impl CachedRow {
    /// A row with nothing of a source of which nothing is known.
    pub(crate) const UNKNOWN: Self = Self { always: Row::EMPTY, ever: None, extra: 0 };

    /// Whether it may give something only at some instants.
    pub(crate) fn is_open(&self) -> bool {
        self.ever.as_ref() != Some(&self.always)
    }

    /// Whether it may give a permission at some instant.
    pub(crate) fn may_give(&self, permission: u32) -> bool {
        self.ever.as_ref().is_none_or(|ever| ever.contains(permission))
    }
}

impl Default for CachedRow {
    fn default() -> Self {
        Self { always: Row::EMPTY, ever: Some(Row::EMPTY), extra: 0 }
    }
}
