//! The compiled state of a tenant: the tables, the summary of every user, the cached rows.
//!
//! Everything is persistent: a clone costs a few reference counts, and a change copies the path to what it changes.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::columns::Columns;
use super::edge::NEAR_END;
use super::entity_rows::{Asserted, AssertionRow, GroupRow, PermissionRow, RoleRow, SeparationRow, UserRow};
use super::index_entry::{EntryHead, EntryRef};
use super::pattern_index::PatternIndex;
use super::reverse_grants::ReverseGrants;
use super::source::{CachedRow, Source};
use super::table::{Hashers, Table};
use super::user_index::UserIndex;
use super::user_summaries::UserSummaries;
use crate::model::error::EntityKind;
use crate::model::internal_fault::{must, must_hold};
use crate::model::records::{Pattern, TenantRecord};
use crate::resolver::bits::{BitRow, Bits};
use crate::resolver::tables::persistent_vec::PersistentVec;

/// The bound on the words of cached rows.
///
/// Every row may have `per_edge` words for each of the source's own edges, and `per_edge` more. So a chain of 100,000
/// groups costs its length, not its square. Longer rows are paid for by the budget of the tenant: `extra` words in all.
/// At 20,000 permissions a full row is 313 words. Then the budget is enough for 13,000 of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowBound {
    pub(crate) per_edge: usize,
    pub(crate) extra: u32,
}

impl RowBound {
    /// 32 MiB for rows beyond their own bound. The budget does not bound the columns: they take at most a bit for each source
    /// and permission, with sources rounded up to 4,096.
    pub(crate) const USUAL: Self = Self { per_edge: 16, extra: 4 << 20 };
}

/// The order of the fields matters. The data of a usual check is adjacent, because a reader on another core fetches each
/// cache line of each new state from the writer's cache.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct State {
    /// The cached rows transposed, which nearly every check reads together with the summaries (I7).
    pub(crate) columns: Columns,
    /// The index entry of each user, by id (I11).
    pub(crate) user_index: UserIndex,
    pub(crate) users: Table<UserRow>,
    /// The summary of each user, by number.
    pub(crate) summaries: UserSummaries,
    pub(crate) role_rows: PersistentVec<CachedRow>,
    pub(crate) group_rows: PersistentVec<CachedRow>,
    /// Every permission that can be granted (I7): what [`Given::All`](super::source::Given::All) gives.
    pub(crate) grantable: BitRow,
    pub(crate) groups: Table<GroupRow>,
    pub(crate) roles: Table<RoleRow>,
    pub(crate) permissions: Table<PermissionRow>,
    /// `None` before the tenant record is loaded and after the tenant is deleted.
    pub(crate) tenant: Option<TenantRecord>,
    /// Which roles grant which permission by name.
    pub(crate) reverse_grants: ReverseGrants,
    /// Roles that have patterns, by the prefixes of the patterns.
    pub(crate) pattern_index: PatternIndex,
    /// Tests lower it, so that small histories walk.
    pub(crate) bound: RowBound,
    /// The words that the budget pays for.
    pub(crate) extra_words: u32,
    /// The separations of duties (R14), which no check reads.
    pub(crate) separations: Table<SeparationRow>,
    /// The assertions (R17), which no check reads.
    pub(crate) assertions: Table<AssertionRow>,
}

impl State {
    pub(crate) fn new(hashers: &Hashers) -> Self {
        Self {
            tenant: None,
            permissions: Table::new(hashers.clone()),
            roles: Table::new(hashers.clone()),
            groups: Table::new(hashers.clone()),
            users: Table::new(hashers.clone()),
            summaries: UserSummaries::default(),
            user_index: UserIndex::default(),
            role_rows: PersistentVec::new(),
            group_rows: PersistentVec::new(),
            grantable: BitRow::EMPTY,
            columns: Columns::default(),
            reverse_grants: ReverseGrants::default(),
            pattern_index: PatternIndex::default(),
            bound: RowBound::USUAL,
            extra_words: 0,
            separations: Table::new(hashers.clone()),
            assertions: Table::new(hashers.clone()),
        }
    }

    /// Whether an entity of any kind that is not deleted has this id.
    pub(crate) fn has_id(&self, id: Uuid) -> bool {
        let roles_or_permissions = self.roles.by_id(id).or_else(|| self.permissions.by_id(id));
        let principals = roles_or_permissions.or_else(|| self.groups.by_id(id)).or_else(|| self.user_by_id(id));
        let others = || self.separations.by_id(id).or_else(|| self.assertions.by_id(id));
        principals.or_else(others).is_some()
    }

    /// The number of an id, even if the entity is deleted.
    pub(crate) fn number_of(&self, entity: EntityKind, id: Uuid) -> Option<u32> {
        match entity {
            EntityKind::Permission => self.permissions.number_of(id),
            EntityKind::Role => self.roles.number_of(id),
            EntityKind::Group => self.groups.number_of(id),
            EntityKind::User => self.index_entry(id).map(EntryRef::number),
            EntityKind::Separation => self.separations.number_of(id),
            EntityKind::Assertion => self.assertions.number_of(id),
            EntityKind::Tenant => None,
        }
    }

    /// Whether a separation of duties names a role.
    pub(crate) fn is_separated(&self, role: u32) -> bool {
        self.separations.rows().any(|row| row.roles.binary_search(&role).is_ok())
    }

    /// Whether an assertion names an entity.
    pub(crate) fn is_asserted(&self, entity: Asserted) -> bool {
        self.assertions.rows().any(|row| row.names(entity))
    }

    /// Every id that an earlier state numbered keeps its number, even if deleted, because handles to it may be in use.
    /// The bulk load does this for users.
    pub(crate) fn keep_numbers_of(&mut self, earlier: &Self) {
        self.permissions.keep_numbers_of(&earlier.permissions);
        self.roles.keep_numbers_of(&earlier.roles);
        self.groups.keep_numbers_of(&earlier.groups);
        self.separations.keep_numbers_of(&earlier.separations);
        self.assertions.keep_numbers_of(&earlier.assertions);
    }

    #[inline]
    pub(crate) fn user_is_there(&self, number: u32) -> bool {
        self.summaries.has(number)
    }

    #[inline]
    pub(crate) fn is_suspended(&self, user: u32) -> bool {
        self.summaries.is_suspended(user)
    }

    /// The index entry of an id. The user may be deleted.
    #[inline]
    pub(crate) fn index_entry(&self, id: Uuid) -> Option<EntryRef<'_>> {
        self.usual_index_entry(id).map(EntryRef::half_line).or_else(|| self.with_wide_index_entry(id, |entry| entry))
    }

    /// The same, unless entries are wide.
    #[inline]
    pub(crate) fn usual_index_entry(&self, id: Uuid) -> Option<&EntryHead> {
        self.user_index.find_usual(self.users.hashers().id(id), id)
    }

    /// Calls `call` with the index entry of an id, if entries are wide. The user may be deleted.
    #[inline]
    pub(crate) fn with_wide_index_entry<'a, R>(&'a self, id: Uuid, call: impl FnOnce(EntryRef<'a>) -> R) -> Option<R> {
        self.user_index.with_wide(self.users.hashers().id(id), id, call)
    }

    /// The number of a user that is not deleted.
    #[inline]
    pub(crate) fn user_by_id(&self, id: Uuid) -> Option<u32> {
        self.index_entry(id).map(EntryRef::number).filter(|n| self.user_is_there(*n))
    }

    /// Caches this about a source. Returns `false` if nothing changed.
    pub(crate) fn keep(&mut self, source: Source, cached: CachedRow) -> bool {
        let rows = match source {
            Source::Group(_) => &mut self.group_rows,
            Source::Role(_) => &mut self.role_rows,
        };
        let before = rows.get(source.number());
        if before == Some(&cached) {
            return false;
        }
        let counted = (self.extra_words + cached.extra).checked_sub(before.map_or(0, |before| before.extra));
        self.extra_words = must(counted, "words beyond the bound were counted").unwrap_or(0);
        self.columns.assign(source);
        self.columns.replace(source, before, &cached, &self.grantable);
        rows.set(source.number(), cached);
        true
    }

    #[inline]
    pub(crate) fn cached_row(&self, source: Source) -> Option<&CachedRow> {
        match source {
            Source::Group(group) => self.group_rows.get(group),
            Source::Role(role) => self.role_rows.get(role),
        }
    }

    /// Permissions that a source gives at every instant.
    #[inline]
    pub(crate) fn row_always(&self, source: Source) -> Option<&BitRow> {
        self.cached_row(source).map(|cached| cached.always.row(&self.grantable))
    }

    /// Everything that a source gives at any instant, if that is known.
    #[inline]
    pub(crate) fn row_ever(&self, source: Source) -> Option<&BitRow> {
        self.cached_row(source).and_then(|cached| cached.ever()).map(|ever| ever.row(&self.grantable))
    }

    /// Whether a source gives a permission at every instant, as far as its cached row says.
    #[inline]
    pub(crate) fn always_gives(&self, source: Source, permission: u32) -> bool {
        self.row_always(source).is_some_and(|row| row.contains(permission))
    }

    /// Whether a source may give a permission at some instant.
    #[inline]
    pub(crate) fn may_give(&self, source: Source, permission: u32) -> bool {
        self.row_ever(source).is_none_or(|row| row.contains(permission))
    }

    /// The direct parents of a group.
    pub(crate) fn parents(&self, group: u32) -> impl Iterator<Item = u32> {
        let near_end = |n: &u32| {
            must_hold(self.groups.row(*n).is_some(), NEAR_END);
        };
        self.groups.row(group).into_iter().flat_map(|row| row.parents().iter().map(|edge| edge.to)).inspect(near_end)
    }

    /// The direct subgroups of a group.
    pub(crate) fn subgroups(&self, group: u32) -> impl Iterator<Item = u32> {
        let near_end = |n: &u32| {
            must_hold(self.groups.row(*n).is_some(), NEAR_END);
        };
        self.groups
            .row(group)
            .into_iter()
            .flat_map(|row| row.children.iter().map(|reverse| reverse.from()))
            .inspect(near_end)
    }

    /// The roles that a role includes directly.
    pub(crate) fn includes(&self, role: u32) -> impl Iterator<Item = u32> {
        let near_end = |n: &u32| {
            must_hold(self.roles.row(*n).is_some(), NEAR_END);
        };
        self.roles.row(role).into_iter().flat_map(|row| row.includes.iter().copied()).inspect(near_end)
    }

    /// The roles that include a role directly.
    pub(crate) fn includers(&self, role: u32) -> impl Iterator<Item = u32> {
        let near_end = |n: &u32| {
            must_hold(self.roles.row(*n).is_some(), NEAR_END);
        };
        self.roles.row(role).into_iter().flat_map(|row| row.included_by.iter().copied()).inspect(near_end)
    }

    /// Whether a permission exists, is not removed from the catalog, and has a slug that names it alone. Otherwise
    /// nothing grants it.
    pub(crate) fn permission_is_grantable(&self, permission: u32) -> bool {
        self.permissions.row(permission).is_some_and(PermissionRow::is_grantable)
    }

    /// Whether a role itself grants a permission, by name or by pattern.
    pub(crate) fn role_grants(&self, role: &RoleRow, permission: u32) -> bool {
        let Some(row) = self.permissions.row(permission).filter(|row| row.is_grantable()) else {
            return false;
        };
        role.grants.contains(|n| n.cmp(&permission)) || role.matches(row.record.slug.as_str())
    }

    /// The roles whose own patterns match a slug.
    pub(crate) fn roles_matching<'a>(&'a self, slug: &'a str) -> impl Iterator<Item = u32> + 'a {
        let candidates: BTreeSet<u32> = self.pattern_index.candidates(self.roles.hashers(), slug).collect();
        let matches = |role: &u32| {
            must(self.roles.row(*role), "a pattern is indexed for a role that exists")
                .is_some_and(|row| row.matches(slug))
        };
        candidates.into_iter().filter(matches)
    }

    /// The permissions whose current slug a pattern matches and that can be granted.
    pub(crate) fn matched(&self, pattern: &Pattern) -> Bits {
        let prefix = pattern.prefix();
        let near = self.permissions.sorted_from(prefix).map(|n| (n, self.permissions.name_at(n)));
        let near = near.take_while(|(_, slug)| slug.starts_with(prefix));
        near.filter(|(n, slug)| pattern.matches(slug) && self.permission_is_grantable(*n)).map(|(n, _)| n).collect()
    }
}

impl RoleRow {
    /// Whether one of its patterns matches.
    pub(crate) fn matches(&self, slug: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(slug))
    }
}
