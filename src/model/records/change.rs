//! A change: one record before and after.

use serde::{Deserialize, Serialize};

use super::{Record, RecordKey, RecordKind};

/// One record before and after a commit. At least one side is present, and both have the same key.
///
/// ```
/// use rolecall::records::{Change, GroupId, Membership, Record, UserId, Window};
///
/// let (user, group) = (UserId::random(), GroupId::random());
/// let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
/// let change = Change::added(record.clone());
/// assert_eq!((change.before(), change.after()), (None, Some(&record)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sides", into = "Sides")]
pub struct Change(Shape);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Added(Record),
    Removed(Record),
    /// Boxed because it is rare: otherwise every change would be twice as large.
    Changed(Box<(Record, Record)>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    before: Option<Record>,
    after: Option<Record>,
}

impl Change {
    /// Creates a change from both sides. `None` if both are missing or their keys differ.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// let later = Record::Membership(Membership { user, group, window: Window::until(rolecall::Timestamp::MAX) });
    /// assert!(Change::new(Some(record), Some(later)).is_some());
    /// assert!(Change::new(None, None).is_none());
    /// ```
    pub fn new(before: Option<Record>, after: Option<Record>) -> Option<Self> {
        match (before, after) {
            (None, Some(after)) => Some(Self(Shape::Added(after))),
            (Some(before), None) => Some(Self(Shape::Removed(before))),
            (Some(before), Some(after)) if before.key() == after.key() => {
                Some(Self(Shape::Changed(Box::new((before, after)))))
            }
            _ => None,
        }
    }

    /// Creates the change that adds a record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert!(Change::added(record).before().is_none());
    /// ```
    pub fn added(record: Record) -> Self {
        Self(Shape::Added(record))
    }

    /// Creates the change that removes a record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert!(Change::removed(record).after().is_none());
    /// ```
    pub fn removed(record: Record) -> Self {
        Self(Shape::Removed(record))
    }

    /// Returns the record before the commit. `None` if the change adds it.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(Change::removed(record.clone()).before(), Some(&record));
    /// ```
    pub fn before(&self) -> Option<&Record> {
        match &self.0 {
            Shape::Added(_) => None,
            Shape::Removed(before) => Some(before),
            Shape::Changed(sides) => Some(&sides.0),
        }
    }

    /// Returns the record after the commit. `None` if the change removes it.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(Change::added(record.clone()).after(), Some(&record));
    /// ```
    pub fn after(&self) -> Option<&Record> {
        match &self.0 {
            Shape::Removed(_) => None,
            Shape::Added(after) => Some(after),
            Shape::Changed(sides) => Some(&sides.1),
        }
    }

    /// Returns the key of the record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(Change::added(record).key(), RecordKey::Membership(user, group));
    /// ```
    pub fn key(&self) -> RecordKey {
        self.some_side().key()
    }

    /// Returns the kind of the record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(Change::added(record).kind(), RecordKind::Membership);
    /// ```
    pub fn kind(&self) -> RecordKind {
        self.some_side().kind()
    }

    /// The record before and after.
    pub(crate) fn into_sides(self) -> (Option<Record>, Option<Record>) {
        let Sides { before, after } = self.into();
        (before, after)
    }

    fn some_side(&self) -> &Record {
        match &self.0 {
            Shape::Added(record) | Shape::Removed(record) => record,
            Shape::Changed(sides) => &sides.1,
        }
    }
}

impl TryFrom<Sides> for Change {
    type Error = &'static str;

    fn try_from(sides: Sides) -> Result<Self, Self::Error> {
        Self::new(sides.before, sides.after).ok_or("expected one record before, after, or both")
    }
}

impl From<Change> for Sides {
    fn from(change: Change) -> Self {
        match change.0 {
            Shape::Added(after) => Self { before: None, after: Some(after) },
            Shape::Removed(before) => Self { before: Some(before), after: None },
            Shape::Changed(sides) => Self { before: Some(sides.0), after: Some(sides.1) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{GroupId, Membership, UserId, Window};

    #[test]
    fn a_change_is_hardly_larger_than_a_record() {
        assert!(size_of::<Change>() <= size_of::<Record>() + 8);
    }

    #[test]
    fn both_sides_of_a_change_have_the_same_key() {
        let member = |user: u128, window| {
            let id = uuid::Uuid::from_u128(user);
            Record::Membership(Membership { user: UserId::from_uuid(id), group: GroupId::from_uuid(id), window })
        };
        assert!(Change::new(None, None).is_none());
        assert!(Change::new(Some(member(1, Window::ALWAYS)), Some(member(2, Window::ALWAYS))).is_none());
        let until = Window::until(crate::Timestamp::MAX);
        let change = Change::new(Some(member(1, Window::ALWAYS)), Some(member(1, until))).unwrap();
        assert_eq!((change.before(), change.after()), (Some(&member(1, Window::ALWAYS)), Some(&member(1, until))));
    }
}
