//! **By hand**: `by_hand_fast`, a row of bits for each user, and `by_hand_flat`, a set of strings for each user.
//!
//! They are built as in the crate's own benches (`benches/common/by_hand.rs`). Here they also change.
//!
//! Input: the effective permissions of each user, computed by the application. When a user leaves a group, the
//! application computes this user's permissions again from those of the groups. When a role loses a grant, it computes
//! the affected roles, groups and users again.
//!
//! Not possible: sharing between two versions of an organisation, windows, explanations, and patterns.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::Peer;
use crate::app_data::AppData;
use crate::common::oracle::{Bits, has};
use crate::common::organisation::slug;
use crate::common::questions::Question;
use crate::common::timing::Contestant;

/// The permissions of each role and of each group, with inclusions and parents.
type Derived<const N: usize> = (Vec<Bits<N>>, Vec<Bits<N>>);

/// A hashbrown table with foldhash, from UUID to a row of bits.
pub(crate) struct Fast<const N: usize> {
    rows: hashbrown::HashMap<Uuid, Bits<N>, RandomState>,
    derived: Derived<N>,
}

impl<const N: usize> Fast<N> {
    pub(crate) fn new(app_data: &AppData<'_, N>) -> Self {
        let derived = app_data.derive();
        let rows = app_data.users().map(|user| (app_data.uuid(user), app_data.row(user, &derived))).collect();
        Self { rows, derived }
    }

    #[inline]
    pub(crate) fn row(&self, user: &Uuid) -> Option<&Bits<N>> {
        self.rows.get(user)
    }

    fn member(&mut self, app_data: &AppData<'_, N>, user: u32) {
        self.rows.insert(app_data.uuid(user), app_data.row(user, &self.derived));
    }

    fn role(&mut self, app_data: &AppData<'_, N>) {
        let before = std::mem::replace(&mut self.derived, app_data.derive());
        touched(app_data, &before, &self.derived).for_each(|user| self.member(app_data, user));
    }
}

/// Returns the users whose direct groups or roles have changed permissions.
fn touched<const N: usize>(
    app_data: &AppData<'_, N>,
    before: &Derived<N>,
    after: &Derived<N>,
) -> impl Iterator<Item = u32> + use<N> {
    let differ = |one: &[Bits<N>], other: &[Bits<N>]| -> Vec<bool> {
        one.iter().zip(other).map(|(one, other)| one != other).collect()
    };
    let (roles, groups) = (differ(&before.0, &after.0), differ(&before.1, &after.1));
    let is_touched = |user: &u32| {
        let mut through = app_data.groups_of(*user).iter();
        through.any(|group| groups[*group as usize])
            || app_data.direct_role(*user).is_some_and(|role| roles[role as usize])
    };
    app_data.users().filter(is_touched).collect::<Vec<u32>>().into_iter()
}

impl<const N: usize> Peer<N> for Fast<N> {
    fn name(&self) -> &'static str {
        "by_hand_fast"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list = questions.iter().map(|q| (app_data.uuid(q.user), q.permission)).collect();
        Contestant::new(self.name(), list, |(user, permission)| {
            self.rows.get(user).is_some_and(|row| has(row, *permission))
        })
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn revoke(&mut self, app_data: &AppData<'_, N>, _: u32, _: u32) {
        self.role(app_data);
    }

    fn grant(&mut self, app_data: &AppData<'_, N>, _: u32, _: u32) {
        self.role(app_data);
    }

    fn who_can(&self, _: &AppData<'_, N>, permission: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        self.rows.iter().filter(|(_, row)| has(row, permission)).map(|(user, _)| *user).collect()
    }

    fn answers_for_all(&self) -> bool {
        true
    }
}

/// Sets of strings, from the standard library.
pub(crate) struct Flat<const N: usize> {
    sets: HashMap<Uuid, HashSet<String>>,
    slugs: Vec<String>,
    derived: Derived<N>,
}

impl<const N: usize> Flat<N> {
    pub(crate) fn new(app_data: &AppData<'_, N>) -> Self {
        let slugs = app_data.permissions().map(slug).collect();
        let mut flat = Self { sets: HashMap::new(), slugs, derived: app_data.derive() };
        app_data.users().for_each(|user| flat.member(app_data, user));
        flat
    }

    fn member(&mut self, app_data: &AppData<'_, N>, user: u32) {
        let row = app_data.row(user, &self.derived);
        let held = self.slugs.iter().zip(0..).filter(|(_, permission)| has(&row, *permission));
        self.sets.insert(app_data.uuid(user), held.map(|(slug, _)| slug.clone()).collect());
    }

    fn role(&mut self, app_data: &AppData<'_, N>) {
        let before = std::mem::replace(&mut self.derived, app_data.derive());
        touched(app_data, &before, &self.derived).for_each(|user| self.member(app_data, user));
    }
}

impl<const N: usize> Peer<N> for Flat<N> {
    fn name(&self) -> &'static str {
        "by_hand_flat"
    }

    fn most(&self) -> usize {
        usize::MAX
    }

    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a> {
        let list =
            questions.iter().map(|q| (app_data.uuid(q.user), self.slugs[q.permission as usize].as_str())).collect();
        Contestant::new(self.name(), list, |(user, slug): &(Uuid, &str)| {
            self.sets.get(user).is_some_and(|held| held.contains(*slug))
        })
    }

    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, _: u32) {
        self.member(app_data, user);
    }

    fn revoke(&mut self, app_data: &AppData<'_, N>, _: u32, _: u32) {
        self.role(app_data);
    }

    fn grant(&mut self, app_data: &AppData<'_, N>, _: u32, _: u32) {
        self.role(app_data);
    }

    fn who_can(&self, _: &AppData<'_, N>, permission: u32, _: &mut dyn Iterator<Item = u32>) -> Vec<Uuid> {
        let slug = self.slugs[permission as usize].as_str();
        self.sets.iter().filter(|(_, held)| held.contains(slug)).map(|(user, _)| *user).collect()
    }

    fn answers_for_all(&self) -> bool {
        true
    }
}
