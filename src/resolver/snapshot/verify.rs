//! Checks the compiled form against its invariants I7 to I13, and against the bound on cached rows, for tests.

use std::collections::BTreeSet;
use std::sync::Mutex;

use uuid::Uuid;

use super::columns::USUAL;
use super::edge::ReverseEdge;
use super::entity_rows::{GroupRow, RoleRow, UserRow};
use super::index_entry::EntryRef;
use super::source::{CachedRow, Ever, Given, Source};
use super::state::State;
use super::table::{Origin, Row, Table};
use super::user_index::Width;
use super::user_summaries::{HIGHEST, UserSummary};
use super::walk::own_bits;
use crate::resolver::bits::{BitRow, Bits};

/// The forms that [`verify`] and the histories have met.
static REACHED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

pub(crate) fn reach(form: &'static str) {
    REACHED.lock().unwrap().insert(form);
}

/// Panics unless [`verify`] has met every compiled form.
pub(crate) fn every_form_was_reached() {
    let reached = REACHED.lock().unwrap();
    let wanted = [
        "a suspended user",
        "a user with more sources than a summary has",
        "a user with a column beyond those of a summary",
        "a user with few sources",
        "a user with many sources",
        "a user with few windows",
        "a user of whom the index entry says what is active in a span of time",
        "a user with many sources and windows",
        "tiles",
        "more than one range of tiles",
        "a column that was used again",
        "one array of columns",
        "incomplete sources",
        "no incomplete source",
        "a check that only a walk from an incomplete source allows",
        "rows paid for by the budget",
        "an unknown row",
        "a row of everything",
        "an index entry of half a line",
        "an index entry of half a line without all columns",
        "an index entry of half a line without all columns, some of them held within windows",
        "an index entry of a line",
        "an index entry of two lines",
        "changes of a tenant with index entries of a line",
        "changes of a tenant with index entries of two lines",
        "a row that gives more at some instants",
    ];
    let missing: Vec<_> = wanted.iter().filter(|form| !reached.contains(*form)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// Panics if an invariant is broken.
pub(crate) fn verify(state: &State) {
    listings(&state.permissions, |id| state.permissions.by_id(id));
    listings(&state.roles, |id| state.roles.by_id(id));
    listings(&state.groups, |id| state.groups.by_id(id));
    listings(&state.users, |id| state.user_by_id(id));
    listings(&state.separations, |id| state.separations.by_id(id));
    listings(&state.assertions, |id| state.assertions.by_id(id));
    separations(state);
    assertions(state);
    conflicts(&state.permissions);
    conflicts(&state.roles);
    externals(&state.groups);
    externals(&state.users);
    ends(state);
    live(&state.users).for_each(|(number, user)| summary(state, number, user));
    // One page more than there are permissions.
    let permissions = (live(&state.permissions).map(|(n, _)| n).max().unwrap_or(0) / 64 + 2) * 64;
    let grantable: Bits = (0..permissions).filter(|n| state.permission_is_grantable(*n)).collect();
    assert_eq!(BitRow::from_bits(&grantable), state.grantable, "I7");
    for (number, _) in live(&state.roles) {
        cached_row(state, Source::Role(number), permissions);
    }
    for (number, _) in live(&state.groups) {
        cached_row(state, Source::Group(number), permissions);
    }
    budget(state);
    reach(match state.columns.ranges() {
        0 => "one array of columns",
        1 => "tiles",
        _ => "more than one range of tiles",
    });
    reach(if state.columns.are_complete() { "no incomplete source" } else { "incomplete sources" });
    if state.extra_words > 0 {
        reach("rows paid for by the budget");
    }
    let mut pattern_index: Vec<(u64, u32)> = Vec::new();
    for (number, role) in live(&state.roles) {
        pattern_index.extend(role.patterns.iter().map(|p| (state.roles.hashers().name(p.prefix()), number)));
    }
    pattern_index.sort_unstable();
    pattern_index.dedup();
    assert_eq!(state.pattern_index.items(), pattern_index, "a role is indexed under the prefixes of its patterns");
}

/// The summary of a user, and the index entry that copies it.
fn summary(state: &State, number: u32, user: &UserRow) {
    let summary = UserSummary::of(user, &state.columns);
    reach(match &summary {
        UserSummary::Absent => "an absent user",
        UserSummary::Suspended => "a suspended user",
        UserSummary::Wide if columns_of(state, user).any(|column| column > HIGHEST) => {
            "a user with a column beyond those of a summary"
        }
        UserSummary::Wide => "a user with more sources than a summary has",
        UserSummary::Held(held) => match (held.windows.len(), held.columns.len()) {
            (0, 0..=USUAL) => "a user with few sources",
            (0, _) => "a user with many sources",
            _ if state.index_entry(user.record.id.as_uuid()).and_then(EntryRef::steady).is_some() => {
                "a user of whom the index entry says what is active in a span of time"
            }
            (_, 0..USUAL) => "a user with few windows",
            _ => "a user with many sources and windows",
        },
    });
    assert_eq!(state.summaries.read(number), summary, "I11");
    let id = user.record.id.as_uuid();
    assert!(state.index_entry(id).is_some_and(|entry| entry.is_of(id, number, &summary)), "I11: {summary:?}");
    reach(match state.user_index.width() {
        // A load would have chosen another width for more than one such user in eight.
        Width::HalfLine if matches!(&summary, UserSummary::Held(held) if held.columns.len() > USUAL) => {
            if user.sources().all(|(_, edge)| edge.window.is_always()) {
                "an index entry of half a line without all columns"
            } else {
                "an index entry of half a line without all columns, some of them held within windows"
            }
        }
        Width::HalfLine => "an index entry of half a line",
        Width::Line => "an index entry of a line",
        Width::TwoLines => "an index entry of two lines",
    });
}

/// The columns of everything that a user holds.
fn columns_of<'a>(state: &'a State, user: &'a UserRow) -> impl Iterator<Item = u32> + 'a {
    user.sources().filter_map(|(source, _)| state.columns.column(source))
}

/// Notes that a check was allowed though no column of what the user holds has the permission. So a walk from a source that
/// is incomplete allows it.
pub(crate) fn reach_walk(state: &State, user: Uuid, permission: &str) {
    let Some(number) = state.user_by_id(user) else { return };
    let (row, permission) = (state.users.row(number).expect("live"), state.permissions.by_name(permission));
    let is_summarised = matches!(state.summaries.read(number), UserSummary::Held(_));
    let has = |permission| columns_of(state, row).any(|column| state.columns.has(column, permission));
    if is_summarised && permission.is_some_and(|permission| !has(permission)) {
        reach("a check that only a walk from an incomplete source allows");
    }
}

fn live<R: Row>(table: &Table<R>) -> impl Iterator<Item = (u32, &R)> {
    (0..10_000).filter_map(|n| table.row(n).map(|row| (n, row)))
}

/// I10
fn listings<R: Row>(table: &Table<R>, by_id: impl Fn(Uuid) -> Option<u32>) {
    let listed: Vec<&str> = table.sorted().map(|n| table.name_at(n)).collect();
    let mut expected: Vec<&str> = live(table).filter(|(_, row)| row.is_listed()).map(|(_, row)| row.name()).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected, "I10");
    for (number, row) in live(table) {
        assert_eq!((by_id(row.id()), table.id_at(number)), (Some(number), Some(row.id())), "I10");
        if row.is_listed() && !row.is_shadowed() {
            assert_eq!(table.by_name(row.name()), Some(number), "I10");
        }
    }
}

/// I1, I9: a separation has the numbers of exactly the roles in its record.
fn separations(state: &State) {
    for (_, row) in live(&state.separations) {
        let named = row.record.roles.iter().map(|role| state.roles.by_id(role.id().as_uuid()).expect("I1"));
        assert_eq!(row.roles.iter().copied().collect::<BTreeSet<_>>(), named.collect(), "I9");
        assert!(row.roles.is_sorted(), "I9");
    }
}

/// I1, I9: an assertion has the numbers of exactly what its record names.
fn assertions(state: &State) {
    for (_, row) in live(&state.assertions) {
        let expected = &row.record.expected;
        let permission = expected.permission().map(|p| state.permissions.by_id(p.id().as_uuid()).expect("I1"));
        let users = expected.users().iter().map(|id| state.user_by_id(id.as_uuid()).expect("I1"));
        let groups = expected.groups().iter().map(|id| state.groups.by_id(id.as_uuid()).expect("I1"));
        let roles = expected.roles().iter().map(|role| state.roles.by_id(role.id().as_uuid()).expect("I1"));
        let sorted = |numbers: BTreeSet<u32>| numbers.into_iter().collect::<Vec<u32>>();
        assert_eq!(row.named.permission, permission, "I9");
        assert_eq!(row.named.users, sorted(users.collect()), "I9");
        assert_eq!(row.named.groups, sorted(groups.collect()), "I9");
        assert_eq!(row.named.roles, sorted(roles.collect()), "I9");
    }
}

/// I13
fn conflicts<R: Row>(table: &Table<R>) {
    let of = |origin| live(table).filter(move |(_, row)| row.origin() == origin).map(|(_, row)| row.name());
    let catalogs: BTreeSet<&str> = of(Origin::Catalog).collect();
    let own: BTreeSet<&str> = of(Origin::Tenant).collect();
    for (_, row) in live(table) {
        let others = match row.origin() {
            Origin::Tenant => &catalogs,
            Origin::Catalog => &own,
            Origin::RemovedFromCatalog => continue,
        };
        assert_eq!(row.is_in_conflict(), others.contains(row.name()), "I13: {}", row.name());
        let found = table.by_name(row.name()).and_then(|n| table.row(n)).expect("a listed name is found");
        assert!(!row.is_in_conflict() || found.origin() == Origin::Catalog, "I13: {}", row.name());
    }
}

/// I12
fn externals<R: Row>(table: &Table<R>) {
    let mut count = 0;
    for (number, external) in live(table).filter_map(|(n, row)| Some((n, R::external_of(row.record())?))) {
        assert_eq!(table.by_external(external), Some(number), "I12");
        count += 1;
    }
    assert_eq!(table.external_len(), count, "I12: the index has no other entries");
}

/// I9
fn ends(state: &State) {
    type Edges = Vec<(&'static str, u32, u32, bool)>;
    let (mut near, mut far) = (Edges::new(), Edges::new());
    let reverse = |b: &ReverseEdge| (b.from(), b.is_windowed());
    for (n, user) in live(&state.users) {
        near.extend(user.groups().iter().map(|e| ("member", n, e.to, !e.window.is_always())));
        near.extend(user.roles().iter().map(|e| ("user role", n, e.to, !e.window.is_always())));
    }
    for (n, group) in live(&state.groups) {
        near.extend(group.roles().iter().map(|e| ("group role", n, e.to, !e.window.is_always())));
        near.extend(group.parents().iter().map(|e| ("parent", n, e.to, !e.window.is_always())));
        far.extend(group.children.iter().map(reverse).map(|(from, w)| ("parent", from, n, w)));
        far.extend(group.members.iter().map(reverse).map(|(from, w)| ("member", from, n, w)));
    }
    for (n, role) in live(&state.roles) {
        near.extend(role.includes.iter().map(|to| ("includes", n, *to, false)));
        near.extend(role.grants.iter().map(|to| ("grants", n, *to, false)));
        far.extend(role.included_by.iter().map(|from| ("includes", *from, n, false)));
        far.extend(role.users.iter().map(reverse).map(|(from, w)| ("user role", from, n, w)));
        far.extend(role.groups.iter().map(reverse).map(|(from, w)| ("group role", from, n, w)));
        sorted_by_key(state, role);
        patterns_are_matched(state, role);
    }
    for n in 0..10_000 {
        far.extend(state.reverse_grants.of(n).map(|from| ("grants", from, n, false)));
    }
    near.sort_unstable();
    far.sort_unstable();
    assert_eq!(near, far, "I9");
    for (_, group) in live(&state.groups) {
        members_by_key(state, group);
    }
}

/// I7: compares the permissions that the patterns of a role match with those found by matching each pattern with every
/// permission.
fn patterns_are_matched(state: &State, role: &RoleRow) {
    let matches = |n: &u32| {
        let row = state.permissions.row(*n);
        row.is_some_and(|row| row.is_grantable() && role.matches(row.record.slug.as_str()))
    };
    let expected: Bits = state.permissions.sorted().filter(matches).collect();
    assert_eq!(role.matched, BitRow::from_bits(&expected), "I7");
}

fn sorted_by_key(state: &State, role: &RoleRow) {
    let keys: Vec<&str> = role.users.iter().map(|b| state.users.name_at(b.from())).collect();
    assert!(keys.is_sorted(), "I9");
}

fn members_by_key(state: &State, group: &GroupRow) {
    let keys: Vec<&str> = group.members.iter().map(|b| state.users.name_at(b.from())).collect();
    assert!(keys.is_sorted(), "I9");
}

/// I7 and I8: compares a cached row with a plain closure over the edges, which finds the permissions given at every
/// instant and those given at any.
fn cached_row(state: &State, source: Source, permissions: u32) {
    let cached = state.cached_row(source).expect("every group and role has a cached row");
    let (row_always, row_ever) = (cached.always.row(&state.grantable), state.row_ever(source));
    let row: Bits = row_always.iter().collect();
    let always = given(state, source, false);
    assert!(row.is_subset(&always), "I7");
    let column = state.columns.column(source).expect("every group and role has a column");
    assert_eq!(state.columns.source(column), Some(source));
    let turned: Bits = (0..permissions).filter(|n| state.columns.has(column, *n)).collect();
    assert!(row_always.words_end() <= permissions as usize / 64, "I7");
    assert_eq!((row, cached.is_incomplete()), (turned, state.columns.is_incomplete(column)), "I7");
    match &cached.ever {
        Ever::Unknown => reach("an unknown row"),
        Ever::More(ever) => {
            assert_ne!(*ever, cached.always, "a row that gives no more says so");
            reach("a row that gives more at some instants");
        }
        Ever::Same if cached.always == Given::All => reach("a row of everything"),
        Ever::Same => {}
    }
    if let Some(ever) = row_ever {
        let ever: Bits = ever.iter().collect();
        assert_eq!(ever, given(state, source, true), "I8");
    }
    bound(state, source, cached);
}

/// Checks that a row within the bound of its own edges is cached whole if the rows that it is made of are known, and that
/// the words beyond the bound are counted.
fn bound(state: &State, source: Source, cached: &CachedRow) {
    let (beside, edges): (Vec<Source>, usize) = match source {
        Source::Group(n) => {
            let group = state.groups.row(n).expect("live");
            (group.sources().map(|(source, _)| source).collect(), group.edges.len())
        }
        Source::Role(n) => {
            let role = state.roles.row(n).expect("live");
            let beside = role.includes.iter().map(|n| Source::Role(*n)).collect();
            (beside, role.includes.len() + role.grants.len() + role.patterns.len())
        }
    };
    let own = state.bound.per_edge * (edges + 1);
    let known = beside.iter().all(|source| state.cached_row(*source).is_some_and(|cached| cached.ever().is_some()));
    let whole = |ever| BitRow::from_bits(&given(state, source, ever));
    if known && whole(true).word_count() <= own {
        let rows = (cached.always.row(&state.grantable), state.row_ever(source));
        assert_eq!(rows, (&whole(false), Some(&whole(true))), "within the bound");
    }
    let beyond = |row: &Given| row.word_count().saturating_sub(own);
    let more = if let Ever::More(ever) = &cached.ever { beyond(ever) } else { 0 };
    assert_eq!(cached.extra as usize, beyond(&cached.always) + more, "the budget pays for it");
}

/// Checks the words that the budget pays for, and that no column belongs to two sources.
fn budget(state: &State) {
    let sources = live(&state.groups).map(|(n, _)| Source::Group(n));
    let sources: Vec<Source> = sources.chain(live(&state.roles).map(|(n, _)| Source::Role(n))).collect();
    let extra: u32 = sources.iter().filter_map(|source| state.cached_row(*source)).map(|cached| cached.extra).sum();
    assert_eq!(state.extra_words, extra, "the budget");
    assert!(extra <= state.bound.extra, "the budget");
    let incomplete = sources.iter().filter_map(|source| state.cached_row(*source)).any(CachedRow::is_incomplete);
    assert_eq!(state.columns.are_complete(), !incomplete, "the count of incomplete sources");
}

fn given(state: &State, source: Source, ever: bool) -> Bits {
    let (mut bits, mut seen, mut todo) = (Bits::new(), std::collections::HashSet::new(), vec![source]);
    while let Some(source) = todo.pop() {
        if !seen.insert(source) {
            continue;
        }
        match source {
            Source::Group(n) => {
                let group = state.groups.row(n).expect("live");
                let held = group.sources().filter(|(_, edge)| ever || edge.window.is_always());
                todo.extend(held.map(|(source, _)| source));
            }
            Source::Role(n) => {
                own_bits(state, n, &mut bits);
                todo.extend(state.roles.row(n).expect("live").includes.iter().map(|n| Source::Role(*n)));
            }
        }
    }
    bits
}
