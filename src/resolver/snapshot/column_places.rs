//! Which column belongs to which group or role.
//!
//! A source has a column from its creation to its deletion. Then another source gets the column. So a tenant whose
//! groups come and go has as many columns as sources, nearly always few enough for the 16 bits of a user's summary. The
//! numbers of entities are never used again, because handles have them. Nothing outside a state has a column.

use super::source::Source;
use crate::model::internal_fault::must;
use crate::resolver::tables::persistent_vec::PersistentVec;

const PLACED: &str = "a column that is in use belongs to a source";

#[derive(Clone, Debug)]
pub(crate) struct ColumnPlaces {
    /// The column of each group, by number. 0 means none.
    groups: PersistentVec<u32>,
    roles: PersistentVec<u32>,
    places: PersistentVec<ColumnUse>,
    /// The first column of the list of free ones. 0 ends the list.
    free: u32,
    /// The columns so far, column 0 included.
    count: u32,
}

#[derive(Clone, Copy, Debug)]
enum ColumnUse {
    Used(Source),
    /// The next free column.
    Free(u32),
}

impl Default for ColumnUse {
    fn default() -> Self {
        Self::Free(0)
    }
}

impl Default for ColumnPlaces {
    fn default() -> Self {
        Self {
            groups: PersistentVec::new(),
            roles: PersistentVec::new(),
            places: PersistentVec::new(),
            free: 0,
            count: 1,
        }
    }
}

impl ColumnPlaces {
    /// The column of a source that exists.
    pub(crate) fn column(&self, source: Source) -> Option<u32> {
        self.columns(source).get(source.number()).copied().filter(|column| *column != 0)
    }

    /// The source of a column. Column 0 has none.
    pub(crate) fn source(&self, column: u32) -> Option<Source> {
        match self.places.get(column)? {
            ColumnUse::Used(source) => Some(*source),
            ColumnUse::Free(_) => None,
        }
    }

    /// Gives a source a column, unless it has one.
    pub(crate) fn assign(&mut self, source: Source) {
        if self.column(source).is_some() {
            return;
        }
        let column = match self.free {
            0 => {
                let next = self.count;
                self.count += 1;
                next
            }
            free => {
                let next = match self.places.get(free) {
                    Some(ColumnUse::Free(next)) => Some(*next),
                    _ => None,
                };
                self.free = must(next, "a free column leads to the next one").unwrap_or(0);
                free
            }
        };
        self.places.set(column, ColumnUse::Used(source));
        self.set(source, column);
    }

    /// Takes the column of a source away. Its words must be zero.
    pub(crate) fn release(&mut self, source: Source) {
        let Some(column) = must(self.column(source), PLACED) else { return };
        self.places.set(column, ColumnUse::Free(self.free));
        self.free = column;
        self.set(source, 0);
    }

    fn columns(&self, source: Source) -> &PersistentVec<u32> {
        match source {
            Source::Group(_) => &self.groups,
            Source::Role(_) => &self.roles,
        }
    }

    fn set(&mut self, source: Source, column: u32) {
        match source {
            Source::Group(number) => self.groups.set(number, column),
            Source::Role(number) => self.roles.set(number, column),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_column_is_used_again_and_there_are_no_more_than_sources() {
        let mut places = ColumnPlaces::default();
        for number in 0..1_000 {
            places.assign(Source::Group(number));
            places.assign(Source::Role(number));
            assert_eq!(places.column(Source::Group(number)).max(places.column(Source::Role(number))), Some(2));
            places.release(Source::Group(number));
            places.release(Source::Role(number));
        }
        assert_eq!((places.count, places.source(0), places.source(1)), (3, None, None));
    }

    proptest! {
        #[test]
        fn no_two_sources_share_a_column(steps in vec((any::<bool>(), 0..20u32, any::<bool>()), 0..200)) {
            let mut places = ColumnPlaces::default();
            let mut model: HashMap<Source, u32> = HashMap::new();
            for (is_group, number, there) in steps {
                let source = if is_group { Source::Group(number) } else { Source::Role(number) };
                if there {
                    places.assign(source);
                    let column = places.column(source).unwrap();
                    prop_assert_eq!(*model.entry(source).or_insert(column), column, "it keeps its column");
                } else if model.remove(&source).is_some() {
                    places.release(source);
                }
                let columns: HashSet<u32> = model.values().copied().collect();
                prop_assert_eq!(columns.len(), model.len());
                prop_assert!(!columns.contains(&0));
                prop_assert!(model.iter().all(|(source, column)| places.source(*column) == Some(*source)));
                prop_assert!(places.column(source).is_some() == model.contains_key(&source));
            }
        }
    }
}
