//! The summary of a user, by number: what a check by handle reads.
//!
//! An indexed user is made from it. Next: `indexed_user.rs`.

use super::columns::column;
use super::entity_rows::UserRow;

/// A user in 16 bytes: up to seven sources that are active at every instant (I11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserSummary {
    /// Padded with column 0, which has no permissions.
    pub(crate) columns: [u16; MOST_SOURCES],
    pub(crate) form: Form,
}

pub(crate) const MOST_SOURCES: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// There is no such user.
    Absent,
    /// Suspended: nothing is active.
    Suspended,
    /// The summary contains all its sources, and they are active at every instant.
    Plain,
    /// There are other sources: in a window, beyond seven, or with numbers too large. The row has them.
    Long,
}

impl Default for UserSummary {
    fn default() -> Self {
        Self { columns: [0; MOST_SOURCES], form: Form::Absent }
    }
}

impl UserSummary {
    pub(crate) fn of(row: &UserRow) -> Self {
        let mut summary = Self { form: Form::Plain, ..Self::default() };
        let mut places = summary.columns.iter_mut();
        for (source, edge) in row.sources() {
            let column = column(source).filter(|_| edge.window.is_always());
            match column.and_then(|column| places.next().map(|place| (place, column))) {
                Some((place, column)) => *place = column,
                None => summary.form = Form::Long,
            }
        }
        if row.is_suspended() {
            summary.form = Form::Suspended;
        }
        summary
    }
}
