//! **By hand**: `by_hand_fast`, the strongest form, and `by_hand_flat`, what most write. They are built as those of the
//! crate's own benches (`benches/common/by_hand.rs`), and here they also change.
//!
//! They were given: each user's effective permissions, worked out by the application. When a user leaves a group, that
//! user's are worked out again from the groups'; when a role loses a grant, the roles', the groups'
//! and those of every user with a group or a role that is touched.
//!
//! They cannot: be shared between two versions of an organisation, let a window end, say why, or read a pattern.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::Peer;
use crate::common::oracle::{Bits, has};
use crate::common::organisation::slug;
use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::Plain;

/// What roles grant and what groups do, with all that follows.
type Derived<const N: usize> = (Vec<Bits<N>>, Vec<Bits<N>>);

/// hashbrown with foldhash, from UUID to a row of bits.
pub(crate) struct Fast<const N: usize> {
    rows: hashbrown::HashMap<Uuid, Bits<N>, RandomState>,
    derived: Derived<N>,
}

impl<const N: usize> Fast<N> {
    pub(crate) fn new(plain: &Plain<'_, N>) -> Self {
        let derived = plain.derive();
        let rows = plain.users().map(|user| (plain.uuid(user), plain.row(user, &derived))).collect();
        Self { rows, derived }
    }

    #[inline]
    pub(crate) fn row(&self, user: &Uuid) -> Option<&Bits<N>> {
        self.rows.get(user)
    }

    fn member(&mut self, plain: &Plain<'_, N>, user: u32) {
        self.rows.insert(plain.uuid(user), plain.row(user, &self.derived));
    }

    fn role(&mut self, plain: &Plain<'_, N>) {
        let before = std::mem::replace(&mut self.derived, plain.derive());
        touched(plain, &before, &self.derived).for_each(|user| self.member(plain, user));
    }
}

/// The users with a group or a role of their own whose bits are others than before.
fn touched<const N: usize>(
    plain: &Plain<'_, N>,
    before: &Derived<N>,
    after: &Derived<N>,
) -> impl Iterator<Item = u32> + use<N> {
    let differ = |one: &[Bits<N>], other: &[Bits<N>]| -> Vec<bool> {
        one.iter().zip(other).map(|(one, other)| one != other).collect()
    };
    let (roles, groups) = (differ(&before.0, &after.0), differ(&before.1, &after.1));
    let is_touched = |user: &u32| {
        let mut through = plain.groups_of(*user).iter();
        through.any(|group| groups[*group as usize])
            || plain.direct_role(*user).is_some_and(|role| roles[role as usize])
    };
    plain.users().filter(is_touched).collect::<Vec<u32>>().into_iter()
}

impl<const N: usize> Peer<N> for Fast<N> {
    fn name(&self) -> &'static str {
        "by_hand_fast"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (plain.uuid(q.user), q.permission)).collect();
        Contestant::new(self.name(), list, |(user, permission)| {
            self.rows.get(user).is_some_and(|row| has(row, *permission))
        })
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn revoke(&mut self, plain: &Plain<'_, N>, _: u32, _: u32) {
        self.role(plain);
    }

    fn grant(&mut self, plain: &Plain<'_, N>, _: u32, _: u32) {
        self.role(plain);
    }

    fn who_can(&self, _: &Plain<'_, N>, permission: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        self.rows.iter().filter(|(_, row)| has(row, permission)).map(|(user, _)| *user).collect()
    }

    fn answers_at_once(&self) -> bool {
        true
    }
}

/// The standard library's sets of texts.
pub(crate) struct Flat<const N: usize> {
    sets: HashMap<Uuid, HashSet<String>>,
    slugs: Vec<String>,
    derived: Derived<N>,
}

impl<const N: usize> Flat<N> {
    pub(crate) fn new(plain: &Plain<'_, N>) -> Self {
        let slugs = plain.permissions().map(slug).collect();
        let mut flat = Self { sets: HashMap::new(), slugs, derived: plain.derive() };
        plain.users().for_each(|user| flat.member(plain, user));
        flat
    }

    fn member(&mut self, plain: &Plain<'_, N>, user: u32) {
        let row = plain.row(user, &self.derived);
        let held = self.slugs.iter().zip(0..).filter(|(_, permission)| has(&row, *permission));
        self.sets.insert(plain.uuid(user), held.map(|(slug, _)| slug.clone()).collect());
    }

    fn role(&mut self, plain: &Plain<'_, N>) {
        let before = std::mem::replace(&mut self.derived, plain.derive());
        touched(plain, &before, &self.derived).for_each(|user| self.member(plain, user));
    }
}

impl<const N: usize> Peer<N> for Flat<N> {
    fn name(&self) -> &'static str {
        "by_hand_flat"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (plain.uuid(q.user), self.slugs[q.permission as usize].as_str())).collect();
        Contestant::new(self.name(), list, |(user, slug): &(Uuid, &str)| {
            self.sets.get(user).is_some_and(|held| held.contains(*slug))
        })
    }

    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn join(&mut self, plain: &Plain<'_, N>, user: u32, _: u32) {
        self.member(plain, user);
    }

    fn revoke(&mut self, plain: &Plain<'_, N>, _: u32, _: u32) {
        self.role(plain);
    }

    fn grant(&mut self, plain: &Plain<'_, N>, _: u32, _: u32) {
        self.role(plain);
    }

    fn who_can(&self, _: &Plain<'_, N>, permission: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let slug = self.slugs[permission as usize].as_str();
        self.sets.iter().filter(|(_, held)| held.contains(slug)).map(|(user, _)| *user).collect()
    }

    fn answers_at_once(&self) -> bool {
        true
    }
}
