//! A change: one record before and after.

use serde::{Deserialize, Serialize};

use super::{Record, RecordKey, RecordKind};

/// One record before and after a commit. At least one side is there, and both have the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sides", into = "Sides")]
pub struct Change(Shape);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Added(Record),
    Removed(Record),
    /// Apart, for it is rare beside the others: a commit of millions of records is not twice as large for it.
    Changed(Box<(Record, Record)>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    before: Option<Record>,
    after: Option<Record>,
}

impl Change {
    /// The change between two sides; none if there is nothing on either side or the two are not one record.
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

    /// A record that was not there.
    pub fn added(record: Record) -> Self {
        Self(Shape::Added(record))
    }

    /// A record that is there no more.
    pub fn removed(record: Record) -> Self {
        Self(Shape::Removed(record))
    }

    /// The record before, if there was one.
    pub fn before(&self) -> Option<&Record> {
        match &self.0 {
            Shape::Added(_) => None,
            Shape::Removed(before) => Some(before),
            Shape::Changed(sides) => Some(&sides.0),
        }
    }

    /// The record after, if there is one.
    pub fn after(&self) -> Option<&Record> {
        match &self.0 {
            Shape::Removed(_) => None,
            Shape::Added(after) => Some(after),
            Shape::Changed(sides) => Some(&sides.1),
        }
    }

    /// The record after, without a copy.
    #[cfg(feature = "json")]
    pub(crate) fn into_after(self) -> Option<Record> {
        match self.0 {
            Shape::Removed(_) => None,
            Shape::Added(after) => Some(after),
            Shape::Changed(sides) => Some(sides.1),
        }
    }

    /// The key of the record.
    pub fn key(&self) -> RecordKey {
        self.some_side().key()
    }

    /// The kind of the record.
    pub fn kind(&self) -> RecordKind {
        self.some_side().kind()
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
    fn a_change_is_of_one_record() {
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
