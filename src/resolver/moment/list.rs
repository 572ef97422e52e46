//! Lists that are returned whole, and why an answer is empty.
//!
//! The relations of one entity are a [`List`]: a user's groups, a role's grants. Lists that grow with the tenant come in
//! pages.

use std::fmt;
use std::ops::Deref;
use std::slice;
use std::vec;

use serde::Serialize;

use crate::model::error::EntityKind;
use crate::resolver::explain::Reason;

/// A list that answers a question, such as the groups of a user, in bytewise order of slugs.
///
/// It can be used like a slice. An answer about a user, group or role that does not exist is empty, and
/// [`unknown`](Self::unknown) says so. Look at it before you show an empty list, or call [`is_known`](Self::is_known).
///
/// ```
/// use rolecall::{EntityKind, blocking::Authorizer};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_user("alice")?.done())?;
///
/// let (alice, typo) = (acme.now().groups_of("alice"), acme.now().groups_of("alcie"));
/// assert_eq!((alice.unknown, typo.unknown), (None, Some(EntityKind::User)));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct List<T> {
    /// The entries, in bytewise order of their slugs.
    pub items: Vec<T>,
    /// Why the tenant is unavailable, if it is. The list is empty then.
    pub unavailable: Option<Reason>,
    /// The kind of the entity that the question was about, if it does not exist. The list is empty then.
    pub unknown: Option<EntityKind>,
}

/// Why an answer is empty, if it is empty for another reason than that there is nothing to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WhyEmpty {
    pub(crate) unavailable: Option<Reason>,
    pub(crate) unknown: Option<EntityKind>,
}

impl WhyEmpty {
    /// The cause for an answer about an entity of this kind. An unavailable tenant says nothing about its entities.
    pub(crate) fn about(entity: EntityKind, is_found: bool, unavailable: Option<Reason>) -> Self {
        let unknown = (!is_found && unavailable.is_none()).then_some(entity);
        Self { unavailable, unknown }
    }

    pub(crate) fn unavailable(unavailable: Option<Reason>) -> Self {
        Self { unavailable, unknown: None }
    }

    /// The causes of this answer, and those of another one that is combined with it.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { unavailable: self.unavailable.or(other.unavailable), unknown: self.unknown.or(other.unknown) }
    }

    pub(crate) fn is_some(self) -> bool {
        self != Self::default()
    }

    pub(crate) fn is_none(self) -> bool {
        !self.is_some()
    }
}

/// For `Debug`: `, unknown user`.
impl fmt::Display for WhyEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = self.unavailable {
            write!(f, ", unavailable: {reason:?}")?;
        }
        if let Some(entity) = self.unknown {
            write!(f, ", unknown {entity}")?;
        }
        Ok(())
    }
}

impl<T> List<T> {
    /// A list about something that was found, or an empty one that says why.
    pub(crate) fn about<F>(found: Option<F>, why: WhyEmpty, items: impl FnOnce(F) -> Vec<T>) -> Self {
        let items = found.filter(|_| why.is_none()).map(items).unwrap_or_default();
        Self { items, unavailable: why.unavailable, unknown: why.unknown }
    }

    /// Whether the list is an answer: the tenant is available, and the entity that the question was about exists.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// assert!(acme.now().groups_of("alice").is_known());
    /// assert!(!acme.now().groups_of("alcie").is_known());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_known(&self) -> bool {
        self.unavailable.is_none() && self.unknown.is_none()
    }
}

/// A list is a slice of its entries, as a `Vec` is. An empty list may mean that the question was not answered:
/// [`is_known`](List::is_known) says so. So an empty list of violations alone does not prove that there are none.
impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}
