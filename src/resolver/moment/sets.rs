//! Sets of permissions and of users, with set algebra: the answers to "everything a user may do" and "who may do this".
//!
//! Deliberately absent: `Hash`, because sets are equal only while the tenant stays open; and collecting into a set,
//! because a set's members exist in a snapshot.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};
use std::vec;

use serde::{Serialize, Serializer};

use super::list::WhyEmpty;
use super::lookup::WithOrigin;
use super::page::{self, Page, PageRequest};
use crate::model::error::EntityKind;
use crate::model::records::{Pattern, PermissionRecord, Slug, UserId, UserKey, UserRecord};
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::names::{AsPermission, AsUser};

/// A set of permissions of a tenant and its catalog. Iterates over slugs, in bytewise order.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     for slug in ["posts:read", "posts:write"] {
///         tx.create_permission(slug)?;
///     }
///     tx.create_role("reader")?.grant("posts:read")?;
///     tx.create_role("editor")?.grant("posts:*")?;
///     tx.create_user("alice")?.assign("editor")?;
///     tx.create_user("bob")?.assign("reader")?.done()
/// })?;
///
/// let (alice, bob) = (acme.effective("alice"), acme.effective("bob"));
/// assert!(bob.is_subset(&alice) && bob.contains("posts:read"));
/// assert_eq!((&alice - &bob).slugs(), ["posts:write"]);
/// assert_eq!(&alice & &bob, bob);
/// assert_eq!(&alice | &bob, alice);
/// for slug in &alice {
///     println!("{slug}");
/// }
/// assert_eq!(serde_json::to_string(&alice).unwrap(), r#"["posts:read","posts:write"]"#);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct PermissionSet {
    snapshot: Snapshot,
    bits: Bits,
    why: WhyEmpty,
}

/// A set of users of a tenant. Iterates over keys, in bytewise order.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:read")?;
///     tx.create_role("reader")?.grant("posts:read")?;
///     tx.create_group("staff")?;
///     tx.create_user("alice")?.assign("reader")?.join("staff")?;
///     tx.create_user("bob")?.join("staff")?.done()
/// })?;
///
/// let now = acme.now();
/// let (readers, staff) = (now.who_can("posts:read"), now.all_members("staff"));
/// assert_eq!((&staff - &readers).keys(), ["bob"]);
/// assert_eq!(readers.into_iter().collect::<Vec<_>>(), ["alice"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct UserSet {
    snapshot: Snapshot,
    bits: Bits,
    why: WhyEmpty,
}

/// An example for the docs, on three sets: `none`, `one` (of `a`) and `both` (of `a` and `b`).
macro_rules! example {
    ($one:literal, $two:literal, $line:literal) => {
        concat!(
            "\n```\n# use rolecall::blocking::Authorizer;\n",
            "# let acme = Authorizer::in_memory().create_tenant(\"acme\", \"Acme\")?;\n",
            "# acme.update(|tx| {\n",
            "#     for slug in [\"a\", \"b\", \"c\"] { tx.create_permission(slug)?; }\n",
            "#     tx.create_role(\"one\")?.grant(\"a\")?;\n",
            "#     tx.create_role(\"both\")?.grant(\"a\")?.grant(\"b\")?;\n",
            "#     tx.create_user(\"a\")?.assign(\"one\")?.assign(\"both\")?;\n",
            "#     tx.create_user(\"b\")?.assign(\"both\")?.done()\n",
            "# })?;\n",
            "# let now = acme.now();\n",
            "# let none = ",
            $one,
            "\"c\");\n",
            "# let one = ",
            $two,
            "\"one\");\n",
            "# let both = ",
            $two,
            "\"both\");\n",
            $line,
            "\n# Ok::<(), rolecall::Error>(())\n```"
        )
    };
}

/// The methods of both sets.
macro_rules! set {
    ($set:ident, $as:ident, $find:ident, $table:ident, $name:ident, |$row:ident| $name_of:expr, $one:literal, $two:literal) => {
        impl $set {
            pub(crate) fn new(snapshot: Snapshot, bits: Bits, why: WhyEmpty) -> Self {
                let bits = if why.is_some() { Bits::new() } else { bits };
                Self { snapshot, bits, why }
            }

            /// Returns the number of members.
            #[doc = example!($one, $two, "assert_eq!((none.len(), one.len(), both.len()), (0, 1, 2));")]
            pub fn len(&self) -> usize {
                self.bits.len()
            }

            /// Whether the set has no members.
            #[doc = example!($one, $two, "assert!(none.is_empty() && !one.is_empty());")]
            pub fn is_empty(&self) -> bool {
                self.bits.is_empty()
            }

            /// Returns why the question was not answered: the tenant was unavailable, or the permission's slug is in conflict
            /// with the catalog (R9). The set is empty then. A set that is combined from an unavailable one is unavailable,
            /// too.
            #[doc = example!($one, $two, "assert!(both.unavailable().is_none());")]
            pub fn unavailable(&self) -> Option<Reason> {
                self.why.unavailable
            }

            /// Returns the kind of the entity that the question was about, if it does not exist: a user, a role or a
            /// permission. The set is empty then. A set that is combined from an unknown one is unknown, too.
            #[doc = example!($one, $two, "assert_eq!(one.unknown(), None);")]
            pub fn unknown(&self) -> Option<EntityKind> {
                self.why.unknown
            }

            /// Whether the set is an answer: it is neither [unavailable](Self::unavailable) nor [unknown](Self::unknown).
            #[doc = example!($one, $two, "assert!(one.is_known());")]
            pub fn is_known(&self) -> bool {
                self.why.is_none()
            }

            /// Whether this one is a member.
            #[doc = example!($one, $two, "assert!(both.contains(\"b\") && !one.contains(\"b\"));")]
            pub fn contains(&self, one: impl $as) -> bool {
                one.$find(self.snapshot.0.scope()).is_some_and(|number| self.bits.contains(number))
            }

            /// Returns an iterator over the members' names, in bytewise order.
            #[doc = example!($one, $two, "assert!(both.iter().eq([\"a\", \"b\"].iter()));")]
            ///
            /// # Complexity
            /// O(n log n) for n members, before the first one.
            pub fn iter(&self) -> vec::IntoIter<&$name> {
                let table = &self.snapshot.0.state.$table;
                let rows = self.bits.iter().filter_map(|n| table.row(n));
                let mut names: Vec<&$name> = rows.map(|$row| $name_of).collect();
                names.sort_unstable();
                names.into_iter()
            }

            /// Returns the members of this set and those of the other.
            ///
            /// Sets are comparable only if they come from one authorizer and the tenant stayed open between them.
            /// Otherwise they have no members in common, and nothing is taken from the other set. For sets of two
            /// revisions, the result is a set of the newer one, without members that are deleted in it.
            #[doc = example!($one, $two, "assert_eq!(one.union(&both), &one | &both);")]
            #[must_use]
            pub fn union(&self, other: &Self) -> Self {
                let mut union = self.with(other, |bits, other| bits.union_with(other));
                if self.is_of_same_session(other) && self.snapshot.revision() != other.snapshot.revision() {
                    if other.snapshot.revision() > self.snapshot.revision() {
                        union.snapshot = other.snapshot.clone();
                    }
                    let deleted = |n: &u32| union.snapshot.0.state.$table.row(*n).is_none();
                    for number in union.bits.iter().filter(deleted).collect::<Vec<_>>() {
                        union.bits.remove(number);
                    }
                }
                union
            }

            /// Returns the members of this set that are also members of the other.
            #[doc = example!($one, $two, "assert_eq!(both.intersection(&one), &both & &one);")]
            #[must_use]
            pub fn intersection(&self, other: &Self) -> Self {
                self.with(other, |bits, other| bits.intersect_with(other))
            }

            /// Returns the members of this set that are not members of the other.
            #[doc = example!($one, $two, "assert_eq!(both.difference(&one), &both - &one);")]
            #[must_use]
            pub fn difference(&self, other: &Self) -> Self {
                self.with(other, |bits, other| bits.subtract(other))
            }

            /// Whether every member of this set is a member of the other. `false` if this set is not
            /// [known](Self::is_known): the permissions of a role that does not exist are not a subset of another role's.
            #[doc = example!($one, $two, "assert!(one.is_subset(&both) && !both.is_subset(&one));")]
            pub fn is_subset(&self, other: &Self) -> bool {
                self.is_known() && self.bits.is_subset(&self.intersection(other).bits)
            }

            /// Whether the sets have no members in common. `false` if one of them is not [known](Self::is_known).
            #[doc = example!($one, $two, "assert!(one.is_disjoint(&(&both - &one)) && !one.is_disjoint(&both));")]
            pub fn is_disjoint(&self, other: &Self) -> bool {
                self.is_known() && other.is_known() && self.intersection(other).is_empty()
            }

            /// Whether the numbers of both sets have the same meaning.
            fn is_of_same_session(&self, other: &Self) -> bool {
                self.snapshot.0.session.token() == other.snapshot.0.session.token()
            }

            fn with(&self, other: &Self, join: impl FnOnce(&mut Bits, &Bits)) -> Self {
                let mut bits = self.bits.clone();
                let is_comparable = self.is_of_same_session(other);
                join(&mut bits, if is_comparable { &other.bits } else { const { &Bits::new() } });
                Self { snapshot: self.snapshot.clone(), bits, why: self.why.or(other.why) }
            }
        }

        /// Two sets are equal if they have the same members, whatever their revisions. Sets of two authorizers are not
        /// equal, nor are sets from before and after the tenant was closed and opened again.
        impl PartialEq for $set {
            fn eq(&self, other: &Self) -> bool {
                self.is_of_same_session(other) && self.bits == other.bits
            }
        }

        impl Eq for $set {}

        impl BitOr for &$set {
            type Output = $set;

            fn bitor(self, other: Self) -> $set {
                self.union(other)
            }
        }

        impl BitAnd for &$set {
            type Output = $set;

            fn bitand(self, other: Self) -> $set {
                self.intersection(other)
            }
        }

        impl Sub for &$set {
            type Output = $set;

            fn sub(self, other: Self) -> $set {
                self.difference(other)
            }
        }

        impl<'a> IntoIterator for &'a $set {
            type Item = &'a $name;
            type IntoIter = vec::IntoIter<&'a $name>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        impl IntoIterator for $set {
            type Item = $name;
            type IntoIter = vec::IntoIter<$name>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter().cloned().collect::<Vec<_>>().into_iter()
            }
        }

        /// A list of the members' names, in bytewise order. It does not say whether the set is known.
        impl Serialize for $set {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self)
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($set), "({}{})"), self.len(), self.why)
            }
        }
    };
}

set!(
    PermissionSet,
    AsPermission,
    permission,
    permissions,
    Slug,
    |row| &row.record.slug,
    "now.effective(",
    "now.effective_of_role("
);
set!(UserSet, AsUser, user, users, UserKey, |row| row.key(), "now.who_can(", "now.all_holders(");

impl PermissionSet {
    /// The numbers of the permissions, for those who know the snapshot.
    pub(crate) fn into_bits(self) -> Bits {
        self.bits
    }

    /// Returns the permissions, by slug.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// for permission in acme.effective("alice").records() {
    ///     println!("{}: {}", permission.record.slug, permission.record.description);
    /// }
    /// # assert_eq!(acme.effective("alice").records().len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n permissions.
    pub fn records(&self) -> Vec<WithOrigin<PermissionRecord>> {
        let rows = self.bits.iter().filter_map(|n| self.snapshot.0.state.permissions.row(n));
        let mut records: Vec<WithOrigin<PermissionRecord>> = rows.map(WithOrigin::from).collect();
        records.sort_unstable_by(|a, b| a.record.slug.cmp(&b.record.slug));
        records
    }

    /// Returns the slugs, in bytewise order.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_user("alice")?.assign("reader")?.done()
    /// # })?;
    /// assert_eq!(acme.effective("alice").slugs(), ["posts:read"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n permissions.
    pub fn slugs(&self) -> Vec<Slug> {
        self.iter().cloned().collect()
    }
}

impl PermissionSet {
    /// Returns the members whose slug a pattern matches, for example the permissions on one resource.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     for slug in ["posts:read", "posts:write", "users:read"] { tx.create_permission(slug)?; }
    /// #     tx.create_role("all")?.grant("*")?;
    /// #     tx.create_user("alice")?.assign("all")?.done()
    /// # })?;
    /// let of_posts = acme.effective("alice").matching(&"posts:*".parse()?);
    /// assert_eq!(of_posts.slugs(), ["posts:read", "posts:write"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// One match for each member.
    #[must_use]
    pub fn matching(&self, pattern: &Pattern) -> Self {
        let table = &self.snapshot.0.state.permissions;
        let bits = self.bits.iter().filter(|n| pattern.matches(table.name_at(*n))).collect();
        Self { snapshot: self.snapshot.clone(), bits, why: self.why }
    }
}

impl UserSet {
    /// Returns an iterator over the ids, in no particular order and without an allocation.
    ///
    /// ```
    /// # use rolecall::PageRequest;
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("staff")?;
    /// #     tx.create_user("alice")?.join("staff")?;
    /// #     tx.create_user("bob")?.join("staff")?.done()
    /// # })?;
    /// let staff = acme.now().all_members("staff");
    /// assert_eq!(staff.ids().count(), 2);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn ids(&self) -> impl Iterator<Item = UserId> + '_ {
        self.bits.iter().filter_map(|n| self.snapshot.0.state.users.id_at(n)).map(UserId::from_uuid)
    }

    /// Returns the members of this set who are suspended.
    ///
    /// A set of members or holders contains suspended users, too (R4). A set of users who may do something does not.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_user("alice")?.join("staff")?;
    ///     tx.create_user("bob")?.join("staff")?.suspend()?.done()
    /// })?;
    /// let staff = acme.now().all_members("staff");
    /// assert_eq!(staff.keys(), ["alice", "bob"]);
    /// assert_eq!(staff.suspended().keys(), ["bob"]);
    /// assert_eq!((&staff - &staff.suspended()).keys(), ["alice"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n) for n users.
    #[must_use]
    pub fn suspended(&self) -> Self {
        let state = &self.snapshot.0.state;
        Self { bits: self.bits.iter().filter(|n| state.is_suspended(*n)).collect(), ..self.clone() }
    }

    /// Returns the keys, in bytewise order.
    ///
    /// ```
    /// # use rolecall::PageRequest;
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("staff")?;
    /// #     tx.create_user("alice")?.join("staff")?;
    /// #     tx.create_user("bob")?.join("staff")?.done()
    /// # })?;
    /// let staff = acme.now().all_members("staff");
    /// assert_eq!(staff.keys(), ["alice", "bob"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n users; a [`UserSet::page`] of a large set costs much less.
    pub fn keys(&self) -> Vec<UserKey> {
        self.iter().cloned().collect()
    }

    /// Returns a page of the users, in bytewise order of their keys.
    ///
    /// ```
    /// # use rolecall::PageRequest;
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_group("staff")?;
    /// #     tx.create_user("alice")?.join("staff")?;
    /// #     tx.create_user("bob")?.join("staff")?.done()
    /// # })?;
    /// let staff = acme.now().all_members("staff");
    /// assert_eq!(staff.page(&PageRequest::of(1)).items[0].key, "alice");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// For a page of k from a set of n among N users: O(n log k) where n² < k·N, otherwise O(k·N / n) on average. That is at
    /// most about √(k·N) steps. With a search text, O(n) more.
    pub fn page(&self, page: &PageRequest) -> Page<UserRecord> {
        let users = &self.snapshot.0.state.users;
        let record = |n: u32| users.row(n).map(|row| row.record.clone());
        let found = page::of_set(users, &self.bits, page, |row| page.finds_user(&row.record));
        Page::new(found, page, self.why, |n| users.name_at(n), record)
    }
}
