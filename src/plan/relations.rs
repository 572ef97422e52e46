//! Relations that have a window (R3): memberships, assignments of roles, and parent links.
//!
//! One implementation for the three: `Wish::decide` says what a call does to the window of a relation, and
//! `NumberedRelation` names one by the numbers of its ends. Deliberately absent: grants and inclusions, which have no
//! window.

use super::lists::ListChanges;
use super::tx::Tx;
use crate::model::error::{self, EntityKind, Error, ErrorKind, RelationKind, Result};
use crate::model::graph;
use crate::model::records::{Assignment, Change, Holder, Membership, ParentLink, Record, Timestamp, Window};
use crate::resolver::snapshot::edge::{Edge, ReverseEdge};
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow, UserRow};

/// The holder of a role, by number.
#[derive(Clone, Copy, Debug)]
pub(super) enum HolderNumber {
    User(u32),
    Group(u32),
}

/// A relation with a window, by the numbers of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum NumberedRelation {
    Membership { user: u32, group: u32 },
    Assignment { role: u32, holder: HolderNumber },
    Parent { group: u32, parent: u32 },
}

/// The change that a call wants for the window of a relation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    /// Add the relation. One that has ended is replaced.
    Add(Window),
    /// The relation is active during this window at least.
    Ensure(Window),
    /// The relation exists, and gets exactly this window.
    Set(Window),
    /// The relation exists, and ends at this instant or later.
    Extend(Timestamp),
}

/// Why a wish is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WishError {
    /// The relation does not exist.
    Missing,
    /// The relation exists with another window.
    Mismatch { found: Window, asked: Window, gap: bool },
    /// The window has ended before the transaction.
    Ended(Window),
}

impl Wish {
    /// Returns the window to store, or `None` if nothing has to change.
    fn decide(self, present: Option<Window>, now: Timestamp) -> Result<Option<Window>, WishError> {
        let put = |window: Window| if window.has_ended(now) { Err(WishError::Ended(window)) } else { Ok(Some(window)) };
        match (self, present) {
            (Self::Set(_) | Self::Extend(_), None) => Err(WishError::Missing),
            (Self::Add(window) | Self::Set(window), Some(present)) if present == window => Ok(None),
            (Self::Ensure(window), Some(present)) if present.covers(window) => Ok(None),
            (Self::Extend(until), Some(present)) if present.end().is_none_or(|end| end >= until) => Ok(None),
            (Self::Add(asked), Some(found)) if !found.has_ended(now) => {
                Err(WishError::Mismatch { found, asked, gap: found.union(asked).is_none() })
            }
            (Self::Ensure(asked), Some(found)) if !found.has_ended(now) => match found.union(asked) {
                _ if asked.has_ended(now) => Err(WishError::Ended(asked)),
                Some(both) => Ok(Some(both)),
                None => Err(WishError::Mismatch { found, asked, gap: true }),
            },
            (Self::Add(window) | Self::Ensure(window) | Self::Set(window), _) => put(window),
            (Self::Extend(until), Some(present)) => match Window::new(present.start(), Some(until)) {
                Ok(longer) => put(longer),
                // A window that ends before `until` begins before it too.
                Err(_) => Ok(None),
            },
        }
    }
}

/// The effect of replacing a whole list on the windows of the entries that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Windows {
    /// They stay, unless they have ended.
    Keep,
    /// They are removed.
    Clear,
}

/// The other end of a relation that exists, and its window if it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentEnd {
    end: u32,
    window: Option<Window>,
}

impl From<Edge> for PresentEnd {
    fn from(edge: Edge) -> Self {
        Self { end: edge.to, window: Some(edge.window) }
    }
}

/// The window is stored at the other end, if there is one.
impl From<ReverseEdge> for PresentEnd {
    fn from(reverse: ReverseEdge) -> Self {
        Self { end: reverse.from(), window: (!reverse.is_windowed()).then_some(Window::ALWAYS) }
    }
}

const GAP_ADVICE: &str = "a relation has one window: set one that contains both; for a rota, create one group for each turn \
                          (see the cookbook)";

impl Tx {
    /// Applies the wish of a call to a relation. The advice names the call that changes its window.
    pub(super) fn wish(&self, relation: NumberedRelation, wish: Wish, advice: &'static str) -> Result<()> {
        let present = self.window_of(relation)?;
        match self.decide(relation, present, wish, [advice, GAP_ADVICE])? {
            Some(window) => self.put(relation, present, window),
            None => Ok(()),
        }
    }

    /// Returns the window that a relation with this window, or without one, gets by a wish, or `None` if it stays as it
    /// is. The advice is for an error about another window, then for one about a gap.
    pub(super) fn decide(
        &self,
        relation: NumberedRelation,
        present: Option<Window>,
        wish: Wish,
        [advice, gap_advice]: [&'static str; 2],
    ) -> Result<Option<Window>> {
        let refusal = match wish.decide(present, self.instant()) {
            Ok(window) => return Ok(window),
            Err(refusal) => refusal,
        };
        if let WishError::Ended(window) = refusal {
            let advice = match wish {
                Wish::Set(_) => "to end access, remove the relation",
                Wish::Add(_) | Wish::Ensure(_) | Wish::Extend(_) => "choose a later end",
            };
            return Err(ended(window, self.instant()).advise(advice));
        }
        let (entity, name, of) = self.relation_in_error(relation)?;
        Err(match refusal {
            WishError::Mismatch { found, asked, gap } => {
                let error = Error::new(ErrorKind::WindowMismatch).about(entity, name).of_relation(of);
                let error = error.instead_of(found, asked).advise(advice);
                if gap {
                    let reason = format!("there is a gap between it and the requested window ({asked})");
                    error.reason(reason).advise(gap_advice)
                } else {
                    error
                }
            }
            _ => Error::not_found(entity, name).of_relation(of).at_revision(self.draft().revision()),
        })
    }

    /// Returns the change that gives a relation a window, or `None` if it has it already.
    pub(super) fn window_change(
        &self,
        relation: NumberedRelation,
        present: Option<Window>,
        window: Window,
    ) -> Result<Option<Change>> {
        let after = self.relation_record(relation, window)?;
        match present {
            None => Ok(Some(Change::added(after))),
            Some(present) if present == window => Ok(None),
            Some(present) => {
                let before = self.relation_record(relation, present)?;
                self.draft().change(before, after).map(Some)
            }
        }
    }

    fn put(&self, relation: NumberedRelation, present: Option<Window>, window: Window) -> Result<()> {
        if let (NumberedRelation::Parent { group, parent }, None) = (relation, present) {
            self.check_acyclic(group, parent)?;
        }
        self.window_change(relation, present, window)?.map_or(Ok(()), |change| self.apply(change))
    }

    /// Removes a relation, if it exists.
    pub(super) fn remove(&self, relation: NumberedRelation) -> Result<()> {
        if let Some(window) = self.window_of(relation)? {
            return self.apply(Change::removed(self.relation_record(relation, window)?));
        }
        let record = self.relation_record(relation, Window::ALWAYS)?;
        self.draft().removes_in_vain(record.key());
        Ok(())
    }

    /// Gives an entity exactly these relations, and returns the other ends of those that were added and removed,
    /// `named` by this call. `present` and `wanted` are the other ends, in any order; `wanted` may have duplicates.
    /// `present` has the windows as far as the caller knows them: a relation that stays then costs no look-up. Nothing
    /// is changed if it fails.
    ///
    /// An entry that has ended counts as missing, and so does one whose window is to be cleared.
    pub(super) fn set_relations<T>(
        &self,
        mut present: Vec<PresentEnd>,
        mut wanted: Vec<u32>,
        windows: Windows,
        relation: impl Fn(u32) -> NumberedRelation,
        named: impl FnOnce(&Self, &[u32], &[u32]) -> Result<ListChanges<T>>,
    ) -> Result<ListChanges<T>> {
        let now = self.instant();
        let stays = |window: Window| match windows {
            Windows::Keep => !window.has_ended(now),
            Windows::Clear => window.is_always(),
        };
        present.sort_unstable_by_key(|present| present.end);
        wanted.sort_unstable();
        wanted.dedup();
        let (mut added, mut changes) = (Vec::new(), Vec::new());
        let mut known = present.iter().peekable();
        for end in wanted.iter().copied() {
            while known.next_if(|known| known.end < end).is_some() {}
            let (known, relation) = (known.next_if(|known| known.end == end), relation(end));
            let window = match known {
                None => None,
                Some(PresentEnd { window: Some(window), .. }) => Some(*window),
                Some(PresentEnd { window: None, .. }) => self.window_of(relation)?,
            };
            if window.is_some_and(stays) {
                continue;
            }
            if let (NumberedRelation::Parent { group, parent }, None) = (relation, window) {
                // A cycle leads through a new parent back to this group, never through its current parents. So every new
                // parent can be checked before anything changes.
                self.check_acyclic(group, parent)?;
            }
            changes.extend(self.window_change(relation, window, Window::ALWAYS)?);
            added.push(end);
        }
        let present: Vec<u32> = present.into_iter().map(|present| present.end).collect();
        let removed: Vec<u32> = without(&present, &wanted).collect();
        for end in &removed {
            let window = self.far_end(self.window_of(relation(*end))?)?;
            changes.push(Change::removed(self.relation_record(relation(*end), window)?));
        }
        let listed = named(self, &added, &removed)?;
        self.apply_all(changes)?;
        Ok(listed)
    }

    /// Returns the window of a relation, or `None` if it does not exist.
    pub(super) fn window_of(&self, relation: NumberedRelation) -> Result<Option<Window>> {
        match relation {
            NumberedRelation::Membership { user, group } => {
                self.with_group(group, GroupRow::id)?;
                self.with_user(user, |row| row.groups().get(group).map(|edge| edge.window))
            }
            NumberedRelation::Assignment { role, holder: HolderNumber::User(user) } => {
                self.with_user(user, |row| row.roles().get(role).map(|edge| edge.window))
            }
            NumberedRelation::Assignment { role, holder: HolderNumber::Group(group) } => {
                self.with_group(group, |row| row.roles().get(role).map(|edge| edge.window))
            }
            NumberedRelation::Parent { group, parent } => {
                self.with_group(group, |row| row.parents().get(parent).map(|edge| edge.window))
            }
        }
    }

    /// Returns the record of a relation with this window.
    pub(super) fn relation_record(&self, relation: NumberedRelation, window: Window) -> Result<Record> {
        let user = |number| self.with_user(number, UserRow::id);
        let group = |number| self.with_group(number, GroupRow::id);
        Ok(match relation {
            NumberedRelation::Membership { user: member, group: of } => {
                Record::Membership(Membership { user: user(member)?, group: group(of)?, window })
            }
            NumberedRelation::Assignment { role, holder } => {
                let holder = match holder {
                    HolderNumber::User(number) => Holder::User(user(number)?),
                    HolderNumber::Group(number) => Holder::Group(group(number)?),
                };
                Record::Assignment(Assignment { role: self.with_role(role, RoleRow::reference)?, holder, window })
            }
            NumberedRelation::Parent { group: of, parent } => {
                Record::Parent(ParentLink { group: group(of)?, parent: group(parent)?, window })
            }
        })
    }

    /// Returns the entity that an error about a relation names, its name, and the relation as the error shows it.
    fn relation_in_error(&self, relation: NumberedRelation) -> Result<(EntityKind, String, error::Relation)> {
        let user = |number| self.with_user(number, |row| row.key().to_string());
        let group = |number| self.with_group(number, |row| row.record.slug.to_string());
        Ok(match relation {
            NumberedRelation::Membership { user: member, group: of } => {
                let relation = error::Relation::new(RelationKind::Membership, EntityKind::User, user(member)?);
                (EntityKind::Group, group(of)?, relation)
            }
            NumberedRelation::Assignment { role, holder } => {
                let (entity, holder) = match holder {
                    HolderNumber::User(number) => (EntityKind::User, user(number)?),
                    HolderNumber::Group(number) => (EntityKind::Group, group(number)?),
                };
                let relation = error::Relation::new(RelationKind::Assignment, entity, holder);
                (EntityKind::Role, self.with_role(role, |row| row.record.slug.to_string())?, relation)
            }
            NumberedRelation::Parent { group: of, parent } => {
                let relation = error::Relation::new(RelationKind::Parent, EntityKind::Group, group(of)?);
                (EntityKind::Group, group(parent)?, relation)
            }
        })
    }

    /// Checks that a new parent link makes no cycle (R7).
    fn check_acyclic(&self, group: u32, parent: u32) -> Result<()> {
        let mut draft = self.draft();
        let path = draft.watch(|draft| {
            let state = &draft.next.state;
            graph::path(parent, group, |n| state.parents(n), |n| state.subgroups(n))
        })?;
        let Some(path) = path else { return Ok(()) };
        let groups = &draft.next.state.groups;
        let names = [group].into_iter().chain(path).map(|n| groups.name_at(n).to_owned()).collect();
        Err(Error::cycle_of(EntityKind::Group, groups.name_at(group), names))
    }
}

/// Returns the numbers of the first list that are not in the second. Both are sorted and without duplicates.
pub(super) fn without<'a>(list: &'a [u32], other: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    let mut other = other.iter().copied().peekable();
    list.iter().copied().filter(move |number| {
        while other.next_if(|next| next < number).is_some() {}
        other.peek() != Some(number)
    })
}

/// Returns the error for a window that has ended before it is stored.
pub(super) fn ended(window: Window, now: Timestamp) -> Error {
    let expected = format!("a window that ends after {now}, the instant of the transaction");
    Error::invalid("window", &window.to_string(), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs).unwrap()
    }

    /// Tests every wish on every pair of windows over a few instants, and its promise for each instant from now on.
    #[test]
    fn r3_no_wish_but_set_takes_time_away() {
        let now = at(5);
        let ends: Vec<Option<Timestamp>> = std::iter::once(None).chain((3..9).map(|secs| Some(at(secs)))).collect();
        let pairs = ends.iter().flat_map(|from| ends.iter().map(move |until| Window::new(*from, *until)));
        let windows: Vec<Window> = pairs.filter_map(Result::ok).collect();
        let later: Vec<Timestamp> = (5..10).map(at).collect();
        let contains = |window: Option<Window>, t: &Timestamp| window.is_some_and(|window| window.contains(*t));
        for present in std::iter::once(None).chain(windows.iter().copied().map(Some)) {
            for asked in &windows {
                for wish in [Wish::Add(*asked), Wish::Ensure(*asked), Wish::Set(*asked)] {
                    let Ok(put) = wish.decide(present, now) else { continue };
                    let after = put.or(present);
                    assert!(after.is_some(), "{wish:?} on {present:?}");
                    assert!(put.is_none_or(|window| !window.has_ended(now)), "{wish:?} on {present:?}");
                    for t in &later {
                        let (before, wanted, after) = (contains(present, t), asked.contains(*t), contains(after, t));
                        match wish {
                            Wish::Set(_) => assert_eq!(after, wanted, "{wish:?} on {present:?} at {t}"),
                            _ => assert_eq!(after, before || wanted, "{wish:?} on {present:?} at {t}"),
                        }
                    }
                }
            }
            for until in (3..10).map(at) {
                let Ok(put) = Wish::Extend(until).decide(present, now) else {
                    assert!(present.is_none() || until <= now, "{present:?} until {until}");
                    continue;
                };
                let (before, after) = (present.unwrap(), put.or(present).unwrap());
                assert_eq!(after.start(), before.start());
                assert_eq!(after.end(), before.end().map(|end| end.max(until)));
            }
        }
    }

    #[test]
    fn f5_ensuring_widens_each_kind_of_present_window() {
        let now = at(50);
        let during = |from, until| Window::between(at(from), at(until)).unwrap();
        let ended = |window| Err(WishError::Ended(window));
        let gap = |found, asked| Err(WishError::Mismatch { found, asked, gap: true });
        let table = [
            ("absent", None, during(40, 60), Ok(Some(during(40, 60)))),
            ("absent, in the past", None, during(10, 50), ended(during(10, 50))),
            ("permanent", Some(Window::ALWAYS), during(40, 60), Ok(None)),
            ("permanent, in the past", Some(Window::ALWAYS), during(10, 20), Ok(None)),
            ("the same", Some(during(40, 60)), during(40, 60), Ok(None)),
            ("overlapping", Some(during(40, 60)), during(55, 70), Ok(Some(during(40, 70)))),
            ("touching", Some(during(40, 60)), during(60, 70), Ok(Some(during(40, 70)))),
            ("wider", Some(during(40, 60)), Window::ALWAYS, Ok(Some(Window::ALWAYS))),
            ("a gap", Some(during(40, 60)), during(61, 70), gap(during(40, 60), during(61, 70))),
            ("a gap before", Some(during(70, 80)), during(55, 60), gap(during(70, 80), during(55, 60))),
            ("ended", Some(during(10, 50)), during(55, 60), Ok(Some(during(55, 60)))),
            ("ended, and the same", Some(during(10, 50)), during(10, 50), Ok(None)),
            ("in the past, beside an active one", Some(during(40, 60)), during(10, 45), ended(during(10, 45))),
        ];
        for (what, present, asked, expected) in table {
            assert_eq!(Wish::Ensure(asked).decide(present, now), expected, "{what}");
        }
    }
}
