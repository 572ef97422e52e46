//! A user that was found, with the index entry if the look-up has read it.

use crate::resolver::snapshot::index_entry::{EntryHead, EntryRef};

/// A user that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a>(pub(crate) FoundBy<'a>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum FoundBy<'a> {
    Number(u32),
    /// The lookup has read the index entry.
    Entry(EntryRef<'a>),
}

/// A user that was found by its number, or with an index entry of half a line. It is returned in registers.
#[derive(Clone, Copy, Debug)]
pub struct FoundUsual<'a>(pub(crate) FoundUsualBy<'a>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum FoundUsualBy<'a> {
    Number(u32),
    Entry(&'a EntryHead),
}

impl<'a> Found<'a> {
    #[inline]
    pub(crate) fn by_number(number: u32) -> Self {
        Self(FoundBy::Number(number))
    }

    #[inline]
    pub(crate) fn by_entry(entry: EntryRef<'a>) -> Self {
        Self(FoundBy::Entry(entry))
    }

    #[inline]
    pub(crate) fn number(self) -> u32 {
        match self.0 {
            FoundBy::Number(number) => number,
            FoundBy::Entry(entry) => entry.number(),
        }
    }

    /// The index entry, if the lookup has read it.
    #[inline]
    pub(crate) fn entry(self) -> Option<EntryRef<'a>> {
        if let FoundBy::Entry(entry) = self.0 { Some(entry) } else { None }
    }
}

impl<'a> FoundUsual<'a> {
    #[inline]
    pub(crate) fn by_number(number: u32) -> Self {
        Self(FoundUsualBy::Number(number))
    }

    #[inline]
    pub(crate) fn by_entry(user: &'a EntryHead) -> Self {
        Self(FoundUsualBy::Entry(user))
    }
}

impl<'a> From<FoundUsual<'a>> for Found<'a> {
    #[inline]
    fn from(user: FoundUsual<'a>) -> Self {
        match user.0 {
            FoundUsualBy::Number(number) => Self::by_number(number),
            FoundUsualBy::Entry(user) => Self::by_entry(EntryRef::half_line(user)),
        }
    }
}
