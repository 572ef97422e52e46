//! Slugs for the names of a source: a valid name keeps itself, others are derived, and no two names share one.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::error::Quoted;
use rolecall::records::{Name, Slug, TenantSlug, UserKey};

use crate::notes::Notes;

/// The length at which a derived slug is cut, so that a number still fits behind it.
const MOST_DERIVED: usize = 240;

/// The slug of each entity of one kind.
pub(crate) struct Slugs(BTreeMap<String, String>);

impl Slugs {
    /// Gives each entity a slug. An entity is a key, which is unique, and the name that the slug is made from.
    ///
    /// Valid names are served first. So the result does not depend on the order of entities with different names.
    pub(crate) fn new(kind: &str, entities: impl IntoIterator<Item = (String, String)>, notes: &mut Notes) -> Self {
        let entities: BTreeMap<String, String> = entities.into_iter().collect();
        let (mut slugs, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for (key, name) in &entities {
            if Slug::new(name).is_ok() && taken.insert(name.clone()) {
                slugs.insert(key.clone(), name.clone());
            }
        }
        for (key, name) in entities.iter().filter(|(key, _)| !slugs.contains_key(*key)).collect::<Vec<_>>() {
            let derived = derive(kind, name);
            let numbered = (2_u64..).map(|number| format!("{derived}-{number}"));
            let free = std::iter::once(derived.clone()).chain(numbered).find(|slug| !taken.contains(slug));
            // Numbers do not run out: there are fewer entities than numbers.
            let slug = free.unwrap_or_default();
            let place = format!("{kind} {}", Quoted(name));
            if slug == derived {
                notes.renamed(place, format!("the slug is {}", Quoted(&slug)));
            } else {
                let taken = format!("the slug is {}, because another {kind} has {}", Quoted(&slug), Quoted(&derived));
                notes.renamed(place, taken);
            }
            taken.insert(slug.clone());
            slugs.insert(key.clone(), slug);
        }
        Self(slugs)
    }

    /// The slug of an entity. `None` for an unknown entity.
    pub(crate) fn get(&self, key: &str) -> Option<&String> {
        self.0.get(key)
    }
}

/// Derives a valid slug. Parts between colons that are valid are kept.
fn derive(kind: &str, name: &str) -> String {
    let part = |part: &str| match Slug::new(part) {
        Ok(_) => Some(part.to_owned()),
        Err(_) => Slug::from_name(part).ok().map(String::from),
    };
    let parts: Vec<String> = name.split(':').filter_map(part).collect();
    let slug: String = parts.join(":").chars().take(MOST_DERIVED).collect();
    if Slug::new(&slug).is_ok() { slug } else { kind.replace(' ', "-") }
}

/// The name to show, if it is another one than the slug and a valid name.
pub(crate) fn shown(name: &str, slug: &str) -> Option<String> {
    (name != slug && Name::new(name).is_ok()).then(|| name.to_owned())
}

/// A slug for the tenant.
pub(crate) fn tenant_slug(name: &str, notes: &mut Notes) -> String {
    if TenantSlug::new(name).is_ok() {
        return name.to_owned();
    }
    let slug = TenantSlug::from_name(name).map_or_else(|_| "imported".to_owned(), String::from);
    notes.renamed(format!("tenant {}", Quoted(name)), format!("the slug is {}", Quoted(&slug)));
    slug
}

/// Whether a name can be the key of a user. If not, there is a note.
pub(crate) fn is_key(name: &str, notes: &mut Notes) -> bool {
    let is_key = UserKey::new(name).is_ok();
    if !is_key {
        let message = "the name cannot be the key of a user: expected 1 to 320 bytes without control characters";
        notes.left_out(format!("user {}", Quoted(name)), message, "give the user another name in the source");
    }
    is_key
}
