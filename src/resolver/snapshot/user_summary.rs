//! The summary of a user, by number: what a check by handle reads.
//!
//! An indexed user is made from it. Next: `indexed_user.rs`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::columns::Columns;
use super::entity_rows::UserRow;
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::Window;

/// A user in 16 bytes (I11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum UserSummary {
    /// There is no such user.
    #[default]
    Absent,
    /// Suspended: nothing is active.
    Suspended,
    /// The columns of everything that it holds, all of it active at every instant. Padded with column 0, which has no
    /// permissions.
    Short([u16; MOST_SOURCES]),
    /// What does not fit: more sources, columns beyond 16 bits, or windows.
    Long(Arc<Held>),
}

pub(crate) const MOST_SOURCES: usize = 7;

/// Everything that a user holds, as columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// What is active at every instant.
    pub(crate) always: SmallVec<[u32; 8]>,
    pub(crate) windowed: SmallVec<[(Window, u32); 3]>,
}

impl Held {
    /// Whether a source that it holds within a window is active.
    pub(crate) fn is_active(&self, column: Option<u32>, when: &When<'_>) -> bool {
        let held = self.windowed.iter().filter(|(_, held)| Some(*held) == column);
        held.map(|(window, _)| window).any(|window| window.contains(when.instant()))
    }
}

impl UserSummary {
    pub(crate) fn of(row: &UserRow, columns: &Columns) -> Self {
        if row.is_suspended() {
            return Self::Suspended;
        }
        let mut held = Held::default();
        for (source, edge) in row.sources() {
            let Some(column) = must(columns.column(source), "a source has a column") else { continue };
            if edge.window.is_always() {
                held.always.push(column);
            } else {
                held.windowed.push((edge.window, column));
            }
        }
        match short(&held) {
            Some(columns) => Self::Short(columns),
            None => Self::Long(Arc::new(held)),
        }
    }
}

fn short(held: &Held) -> Option<[u16; MOST_SOURCES]> {
    if !held.windowed.is_empty() || held.always.len() > MOST_SOURCES {
        return None;
    }
    let mut columns = [0; MOST_SOURCES];
    for (place, column) in columns.iter_mut().zip(&held.always) {
        *place = u16::try_from(*column).ok()?;
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_a_quarter_of_a_cache_line() {
        assert_eq!(size_of::<UserSummary>(), 16);
    }

    #[test]
    fn a_summary_is_short_if_everything_fits() {
        let held = |always: &[u32], windowed| Held {
            always: always.iter().copied().collect(),
            windowed: std::iter::repeat_n((Window::ALWAYS, 1), windowed).collect(),
        };
        assert_eq!(short(&held(&[1, 2, 65_535], 0)), Some([1, 2, 65_535, 0, 0, 0, 0]));
        assert_eq!(short(&held(&[1; 7], 0)), Some([1; 7]));
        for long in [held(&[1; 8], 0), held(&[65_536], 0), held(&[], 1)] {
            assert_eq!(short(&long), None);
        }
    }
}
