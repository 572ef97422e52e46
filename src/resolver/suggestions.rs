//! Guesses what a caller meant by an unknown name. The guesses are for messages, never for a decision.

use std::sync::Arc;

use uuid::Uuid;

use crate::model::catalog::{Catalog, Taken};
use crate::model::error::{EntityKind, GuessName, Quoted, Suggestions};
use crate::model::records::{Pattern, Slug};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::table::{Row, Table};

const MOST_SUGGESTIONS: usize = 3;
/// The longest name: a user's key has at most this many bytes.
const LONGEST: usize = 320;
/// In a table with more names than this, only the neighbours of the name are searched.
const MOST_SEARCHED: usize = 10_000;

/// The advice for a name that is a pattern.
pub(crate) const PATTERN: &str = "this is a pattern, which only a grant accepts; name one permission";

/// The names of one kind of entity at one revision. It shares the tables of the snapshot.
struct SuggestionSource<R: Row> {
    table: Table<R>,
    catalog: Arc<CompiledCatalog>,
}

impl CompiledTenant {
    /// Returns the source of suggestions for an unknown name. Making it costs a few reference counts. The search runs when
    /// the suggestions are asked for.
    pub(crate) fn suggestions(&self, entity: EntityKind) -> Suggestions {
        fn of<R: Row + Send + Sync + 'static>(table: &Table<R>, catalog: &Arc<CompiledCatalog>) -> Suggestions
        where
            R::Ids: Send + Sync,
        {
            Suggestions::new(Arc::new(SuggestionSource { table: table.clone(), catalog: Arc::clone(catalog) }))
        }
        match entity {
            EntityKind::Permission => of(&self.state.permissions, &self.catalog),
            EntityKind::Role => of(&self.state.roles, &self.catalog),
            EntityKind::Group => of(&self.state.groups, &self.catalog),
            EntityKind::User => of(&self.state.users, &self.catalog),
            EntityKind::Separation => of(&self.state.separations, &self.catalog),
            EntityKind::Assertion => of(&self.state.assertions, &self.catalog),
            EntityKind::Tenant => Suggestions::default(),
        }
    }
}

impl<R: Row + Send + Sync> GuessName for SuggestionSource<R>
where
    R::Ids: Send + Sync,
{
    fn similar(&self, name: &str) -> Vec<String> {
        match renamed_to(&self.catalog.definition, R::ENTITY, name) {
            Some(slug) => vec![slug.to_string()],
            None => suggest_from(&self.table, name),
        }
    }

    fn advice(&self, name: &str) -> Option<String> {
        let Self { table, catalog } = self;
        if let Some(was) = history(&catalog.definition, R::ENTITY, name) {
            return Some(was);
        }
        if table.by_name(name).is_some() {
            return Some("it was removed from the catalog".to_owned());
        }
        if R::ENTITY == EntityKind::Permission && Pattern::is_meant(name) {
            return Some(PATTERN.to_owned());
        }
        let (text, id) = match R::ENTITY {
            EntityKind::Permission => ("slug", "PermissionId"),
            EntityKind::Role => ("slug", "RoleId"),
            EntityKind::Group => ("slug", "GroupId"),
            EntityKind::User => ("key", "UserId"),
            // They are looked up by slug only.
            EntityKind::Separation | EntityKind::Assertion | EntityKind::Tenant => return None,
        };
        is_uuid(name)
            .then(|| format!("this text is a UUID and was looked up as a {text}; to look up an id, pass a `{id}`"))
    }
}

/// Whether a name is probably an id that was passed as text.
pub(crate) fn is_uuid(name: &str) -> bool {
    Uuid::try_parse(name).is_ok()
}

/// Returns the present slug of the catalog's entry that had this one.
pub(crate) fn renamed_to<'c>(catalog: &'c Catalog, entity: EntityKind, slug: &str) -> Option<&'c Slug> {
    match entity {
        EntityKind::Permission => catalog.permission_renamed_to(slug),
        EntityKind::Role => catalog.role_renamed_to(slug),
        EntityKind::Group | EntityKind::User | EntityKind::Separation | EntityKind::Assertion | EntityKind::Tenant => {
            None
        }
    }
}

/// Describes what happened to a slug that the catalog no longer uses.
pub(crate) fn history(catalog: &Catalog, entity: EntityKind, slug: &str) -> Option<String> {
    if let Some(slug) = renamed_to(catalog, entity, slug) {
        return Some(format!("the catalog has renamed it to {}", Quoted(slug.as_str())));
    }
    let taken = match entity {
        EntityKind::Permission => catalog.permission_slug_is_taken(slug),
        EntityKind::Role => catalog.role_slug_is_taken(slug),
        EntityKind::Group | EntityKind::User | EntityKind::Separation | EntityKind::Assertion | EntityKind::Tenant => {
            Taken::Free
        }
    };
    (taken == Taken::Retired).then(|| "it was removed from the catalog".to_owned())
}

/// At most three names of a table that differ from this one by at most a third of its length, nearest first.
fn suggest_from<R: Row>(table: &Table<R>, name: &str) -> Vec<String> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let head: String = name.chars().take(1).collect();
    let all = table.len() <= MOST_SEARCHED;
    let from = if all { "" } else { head.as_str() };
    suggest_among(table.sorted_from(from).map(|n| table.name_at(n)), name)
}

/// The same among the first 10,000 of these names.
pub(crate) fn suggest_among<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Vec<String> {
    let most = (name.chars().count() / 3).clamp(1, 4);
    let names = names.take(MOST_SEARCHED);
    let mut near: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(name, other, most)?, other))).collect();
    near.sort_unstable();
    // A role of the tenant and one of the catalog can have one slug.
    near.dedup();
    near.into_iter().take(MOST_SUGGESTIONS).map(|(_, other)| other.to_owned()).collect()
}

/// The number of characters to insert, delete, replace, or swap with their neighbour, ignoring ASCII case. `None` if
/// it is more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let lower = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<char>>();
    let (a, b) = (lower(a), lower(b));
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // A common prefix or suffix costs nothing. Similar names differ in little else.
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    within(a.get(..a.len() - tail).unwrap_or_default(), b.get(..b.len() - tail).unwrap_or_default(), most)
}

/// The same for the rest. A cell further from the diagonal than `most` costs more than that, and is skipped.
fn within(a: &[char], b: &[char], most: usize) -> Option<usize> {
    let far = most + 1;
    let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(far);
    let mut rows: [Vec<usize>; 3] = [vec![far; b.len() + 1], vec![far; b.len() + 1], (0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [two_up, up, row] = &mut rows;
        let (from, to) = (i.saturating_sub(most), (i + far).min(b.len()));
        row.fill(far);
        if let Some(first) = row.first_mut() {
            *first = (i + 1).min(far);
        }
        for (j, y) in b.iter().enumerate().take(to).skip(from) {
            let mut least = (cell(up, j) + usize::from(x != y)).min(cell(up, j + 1) + 1).min(cell(row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(cell(two_up, j - 1) + 1);
            }
            if let Some(place) = row.get_mut(j + 1) {
                *place = least;
            }
        }
        if row.iter().all(|cost| *cost > most) {
            return None;
        }
    }
    let [.., last] = &rows;
    last.last().copied().filter(|cost| *cost <= most)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        let table = [
            ("editor", "edtior", Some(1)),
            ("a", "b", Some(1)),
            ("posts:read", "post:read", Some(1)),
            ("abc", "xyz", None),
            ("ab", "ba", Some(1)),
            ("xaby", "xbay", Some(1)),
            ("aaa", "aa", Some(1)),
            ("aa", "aaaa", Some(2)),
            ("", "ab", Some(2)),
            ("abcdef", "bcdefg", Some(2)),
            ("abcdefgh", "xbcdefgy", Some(2)),
            ("abcdefgh", "xbcydefgz", None),
            ("", "", Some(0)),
        ];
        for (a, b, expected) in table {
            assert_eq!(distance(a, b, 2), expected, "{a} {b}");
            assert_eq!(distance(b, a, 2), expected, "{b} {a}");
        }
        assert_eq!(distance("Editor", "editor", 2), Some(0));
    }
}
