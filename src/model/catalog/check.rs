//! The rules of a catalog (R9), as constant functions. The macro calls them at compile time and
//! [`Catalog::new`](super::Catalog::new) at run time, so both refuse the same definitions.
//!
//! [`find_broken_rule`] is linear in the text of the definition, apart from unlucky hashes: it keeps a hash table of all
//! slugs of a kind. Read next: `texts.rs` for single texts, then `build.rs`, which builds the catalog.

#[cfg(test)]
mod tests;
mod broken_rule;

use super::definition::{Definition, PermissionDef, RoleDef};
use super::texts::{hash, is_description, is_name, is_pattern, is_slug, same};
use crate::model::error::{EntityKind, Result};
use broken_rule::{BrokenRule, CheckedEntry, Rule};

/// Stops compilation if the definition breaks a rule. `SLOTS` is the result of [`slots`].
#[track_caller]
pub const fn assert_sound<const SLOTS: usize>(definition: &Definition<'_>) {
    if let Some(fault) = find_broken_rule(definition, &mut [None; SLOTS], &mut [None; SLOTS]) {
        fault.panic();
    }
}

/// Checks a definition at run time.
pub(super) fn sound(definition: &Definition<'_>) -> Result<()> {
    let slots = slots(definition);
    find_broken_rule(definition, &mut vec![None; slots], &mut vec![None; slots])
        .map_or(Ok(()), |fault| Err(fault.into()))
}

/// Returns the size of the tables of slugs: a power of two, and at least twice the number of slugs of both kinds.
#[must_use]
pub const fn slots(definition: &Definition<'_>) -> usize {
    let mut slugs = definition.retired_permissions.len() + definition.retired_roles.len();
    let mut permissions = definition.permissions;
    while let [permission, rest @ ..] = permissions {
        slugs += 1 + permission.renamed_from.len();
        permissions = rest;
    }
    let mut roles = definition.roles;
    while let [role, rest @ ..] = roles {
        slugs += 1 + role.renamed_from.len();
        roles = rest;
    }
    (2 * slugs + 1).next_power_of_two()
}

/// A slug in the table: the current slug of an entry, or an earlier or retired one.
#[derive(Clone, Copy)]
struct KnownSlug<'a> {
    slug: &'a str,
    present: bool,
}

type SlugTable<'a> = [Option<KnownSlug<'a>>];

/// Returns the first broken rule of the expressions, in order. (A constant function cannot use `?`.)
macro_rules! first {
    ($($fault:expr),+ $(,)?) => {
        $(if let Some(fault) = $fault { return Some(fault) })+
    };
}

/// Returns the first broken rule, in the order of the definition.
const fn find_broken_rule<'a>(
    of: &Definition<'a>,
    permissions: &mut SlugTable<'a>,
    roles: &mut SlugTable<'a>,
) -> Option<BrokenRule<'a>> {
    let mut rest = of.permissions;
    while let [permission, tail @ ..] = rest {
        first!(in_permission(permission, permissions));
        rest = tail;
    }
    first!(in_retired(EntityKind::Permission, of.retired_permissions, permissions));
    let mut rest = of.roles;
    while let [role, tail @ ..] = rest {
        first!(in_role(role, permissions, roles));
        rest = tail;
    }
    first!(in_retired(EntityKind::Role, of.retired_roles, roles));
    first!(in_reserved(EntityKind::Permission, of.reserved_permission_prefixes));
    in_reserved(EntityKind::Role, of.reserved_role_prefixes)
}

const fn in_permission<'a>(permission: &PermissionDef<'a>, slots: &mut SlugTable<'a>) -> Option<BrokenRule<'a>> {
    let PermissionDef { slug, name, description, category, renamed_from } = *permission;
    let entry = CheckedEntry { entity: EntityKind::Permission, slug: Some(slug) };
    first!(in_slugs(entry, slug, renamed_from, slots), in_words(entry, name, description));
    match category {
        Some(category) if !is_name(category) => Some(entry.breaks(Rule::Category, category)),
        _ => None,
    }
}

const fn in_role<'a>(
    role: &RoleDef<'a>,
    permissions: &SlugTable<'a>,
    roles: &mut SlugTable<'a>,
) -> Option<BrokenRule<'a>> {
    let RoleDef { slug, name, description, renamed_from, grants, includes } = *role;
    let entry = CheckedEntry { entity: EntityKind::Role, slug: Some(slug) };
    // Checked before its own slug is in the table, so an included role must precede it. That rules out cycles.
    first!(in_includes(entry, slug, includes, roles), in_slugs(entry, slug, renamed_from, roles));
    first!(in_words(entry, name, description));
    in_grants(entry, grants, permissions)
}

/// Checks that no other entry has the current slug or an earlier one. The current slug may also be an earlier one, but
/// not the last of them.
const fn in_slugs<'a>(
    entry: CheckedEntry<'a>,
    slug: &'a str,
    renamed_from: &[&'a str],
    slots: &mut SlugTable<'a>,
) -> Option<BrokenRule<'a>> {
    first!(take(entry, KnownSlug { slug, present: true }, slots));
    if let [.., last] = renamed_from {
        if same(last, slug) {
            return Some(entry.breaks(Rule::RenamedToItself, slug));
        }
    }
    let mut back = false;
    let mut rest = renamed_from;
    while let [earlier, tail @ ..] = rest {
        if !back && same(earlier, slug) {
            back = true;
        } else {
            first!(take(entry, KnownSlug { slug: earlier, present: false }, slots));
        }
        rest = tail;
    }
    None
}

const fn in_retired<'a>(entity: EntityKind, retired: &[&'a str], slots: &mut SlugTable<'a>) -> Option<BrokenRule<'a>> {
    let entry = CheckedEntry { entity, slug: None };
    let mut rest = retired;
    while let [slug, tail @ ..] = rest {
        first!(take(entry, KnownSlug { slug, present: false }, slots));
        rest = tail;
    }
    None
}

/// Checks that each reserved prefix can begin a slug. The empty prefix cannot be meant: it would reserve every slug.
const fn in_reserved<'a>(entity: EntityKind, prefixes: &[&'a str]) -> Option<BrokenRule<'a>> {
    let mut rest = prefixes;
    while let [prefix, tail @ ..] = rest {
        if !is_slug(prefix) {
            return Some(CheckedEntry { entity, slug: None }.breaks(Rule::Prefix, prefix));
        }
        rest = tail;
    }
    None
}

const fn in_words<'a>(entry: CheckedEntry<'a>, name: Option<&'a str>, description: &'a str) -> Option<BrokenRule<'a>> {
    match name {
        Some(name) if !is_name(name) => Some(entry.breaks(Rule::Name, name)),
        _ if !is_description(description) => Some(entry.breaks(Rule::Description, description)),
        _ => None,
    }
}

const fn in_includes<'a>(
    entry: CheckedEntry<'a>,
    slug: &str,
    of: &[&'a str],
    roles: &SlugTable<'a>,
) -> Option<BrokenRule<'a>> {
    let mut rest = of;
    while let [included, tail @ ..] = rest {
        if same(included, slug) {
            return Some(entry.breaks(Rule::Itself, included));
        }
        if !is_present(included, roles) {
            return Some(entry.breaks(Rule::Include, included));
        }
        rest = tail;
    }
    None
}

const fn in_grants<'a>(entry: CheckedEntry<'a>, of: &[&'a str], permissions: &SlugTable<'a>) -> Option<BrokenRule<'a>> {
    let mut rest = of;
    while let [grant, tail @ ..] = rest {
        if !is_present(grant, permissions) && !is_pattern(grant) {
            let rule = if is_slug(grant) { Rule::Grant } else { Rule::Pattern };
            return Some(entry.breaks(rule, grant));
        }
        rest = tail;
    }
    None
}

/// Puts a slug into the table. Returns the broken rule if the slug is invalid or already in the table.
#[expect(clippy::indexing_slicing, reason = "`index_of` returns less than the length")]
const fn take<'a>(entry: CheckedEntry<'a>, slot: KnownSlug<'a>, slots: &mut SlugTable<'a>) -> Option<BrokenRule<'a>> {
    if !is_slug(slot.slug) {
        return Some(entry.breaks(Rule::Slug, slot.slug));
    }
    let at = index_of(slot.slug, slots);
    if slots[at].is_some() {
        return Some(entry.breaks(Rule::Taken, slot.slug));
    }
    slots[at] = Some(slot);
    None
}

#[expect(clippy::indexing_slicing, reason = "`index_of` returns less than the length")]
const fn is_present(slug: &str, slots: &SlugTable<'_>) -> bool {
    matches!(slots[index_of(slug, slots)], Some(KnownSlug { present: true, .. }))
}

/// Returns the index of a slug, or the free index where it belongs (linear probing). The loop ends because at least half
/// of the table is free.
#[expect(clippy::indexing_slicing, reason = "the length is a power of two, so the mask keeps `at` below it")]
const fn index_of(slug: &str, slots: &SlugTable<'_>) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash(slug) & mask;
    while let Some(slot) = slots[at] {
        if same(slot.slug, slug) {
            break;
        }
        at = (at + 1) & mask;
    }
    at
}
