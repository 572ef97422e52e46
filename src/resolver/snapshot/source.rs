//! A source is a group or role that a user or group can hold. Its cached row saves a check the walk.

use crate::resolver::bits::BitRow;

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

/// Permissions that a role or group gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// Every permission that can be granted, which are in one row of the state. A role that grants `*` gives them, and
    /// so does every group or role that has it. A new permission therefore changes that row, and not theirs.
    All,
    These(BitRow),
}

impl Given {
    pub(crate) const NOTHING: Self = Self::These(BitRow::EMPTY);

    /// The permissions, if `grantable` are all that can be granted.
    #[inline]
    pub(crate) fn row<'a>(&'a self, grantable: &'a BitRow) -> &'a BitRow {
        match self {
            Self::All => grantable,
            Self::These(row) => row,
        }
    }

    /// The words that it stores.
    pub(crate) fn word_count(&self) -> usize {
        match self {
            Self::All => 0,
            Self::These(row) => row.word_count(),
        }
    }
}

/// Everything that a role or group gives at any instant, besides what it gives at every instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ever {
    /// No more: no relation on the way has a window, or those with a window add nothing. This is nearly always so, and a
    /// copy of a page of rows then counts one reference for each.
    Same,
    /// INVARIANT: not equal to what it gives at every instant.
    More(Given),
    /// That is not known.
    Unknown,
}

/// The cached permissions of a role or group, with which a check need not walk (I7, I8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CachedRow {
    /// Permissions that it gives at every instant, perhaps not all of them.
    pub(crate) always: Given,
    pub(crate) ever: Ever,
    /// The words beyond the bound for its own edges, which the tenant's budget pays for.
    pub(crate) extra: u32,
}

impl CachedRow {
    /// The empty row of a source that was not computed yet.
    pub(crate) const UNKNOWN: Self = Self { always: Given::NOTHING, ever: Ever::Unknown, extra: 0 };

    /// Whether it may give something that `always` lacks.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.ever != Ever::Same
    }

    /// Everything that it gives at any instant, if that is known.
    #[inline]
    pub(crate) fn ever(&self) -> Option<&Given> {
        match &self.ever {
            Ever::Same => Some(&self.always),
            Ever::More(given) => Some(given),
            Ever::Unknown => None,
        }
    }
}

impl Default for CachedRow {
    fn default() -> Self {
        Self { always: Given::NOTHING, ever: Ever::Same, extra: 0 }
    }
}
