//! Checks the entities of a document: the texts of each entry, and the uniqueness of its name.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;

use smol_str::SmolStr;

use super::{Output, RecordBuilder};
use crate::document::entry::Entry;
use crate::document::ids::{ImportContext, Named};
use crate::document::mistakes::{JsonPointer, Mistakes};
use crate::document::shape::{Group, Permission, Role, User};
use crate::document::targets::{CatalogRef, Targets};
use crate::document::values::Status;
use crate::model::catalog::Taken;
use crate::model::error::{MistakeCode, Quoted};
use crate::model::records::{
    self, Description, ExternalId, GroupRecord, Manager, Name, PermissionRecord, Record, RoleRecord, Slug,
    TenantRecord, TenantSlug, UserKey, UserRecord,
};
use crate::resolver::suggestions::history;

impl RecordBuilder<'_> {
    pub(super) fn tenant(&mut self) {
        let tenant = &self.data.tenant;
        let slug = self.mistakes.check(JsonPointer::tenant("slug"), TenantSlug::new(&tenant.slug));
        let name = named(tenant.name.as_deref(), &tenant.slug, JsonPointer::tenant("name"), &mut self.mistakes);
        let present = self.context.present.and_then(|state| state.tenant.as_ref());
        if let (Some(slug), Some(present)) = (&slug, present) {
            if *slug != present.slug {
                let message = || format!("expected `{}`, the tenant to replace, found `{slug}`", present.slug);
                self.mistakes.add(JsonPointer::tenant("slug"), MistakeCode::OtherTenant, message);
            }
        }
        self.records.extend(slug.zip(name).map(|(slug, name)| Record::Tenant(TenantRecord { slug, name })));
    }

    pub(super) fn permissions(&mut self) {
        let Self { data, context, mistakes, records, permissions, .. } = self;
        for (at, entry) in data.permissions.iter().enumerate() {
            let place = JsonPointer::entry(Permission::LIST, at);
            let slug = shared_slug(permissions, *context, entry, at, mistakes);
            let name = named(entry.name.as_deref(), &entry.slug, place.field("name"), mistakes);
            let description = described(entry.description.as_deref(), place, mistakes);
            let category =
                entry.category.as_deref().map(|text| mistakes.check(place.field("category"), Name::new(text)));
            let id = permissions.own_at(at).map(records::PermissionRef::id);
            if let (Some(slug), Some(name), Some(description), Some(id)) = (slug, name, description, id) {
                let record = PermissionRecord { id, slug, name, description, category: category.flatten() };
                records.push(Record::Permission(record));
            }
        }
    }

    pub(super) fn roles(&mut self) {
        let Self { data, context, mistakes, records, roles, .. } = self;
        for (at, entry) in data.roles.iter().enumerate() {
            let place = JsonPointer::entry(Role::LIST, at);
            let slug = shared_slug(roles, *context, entry, at, mistakes);
            let name = named(entry.name.as_deref(), &entry.slug, place.field("name"), mistakes);
            let description = described(entry.description.as_deref(), place, mistakes);
            let id = roles.own_at(at).map(records::RoleRef::id);
            if let (Some(slug), Some(name), Some(description), Some(id)) = (slug, name, description, id) {
                records.push(Record::Role(RoleRecord { id, slug, name, description }));
            }
        }
    }

    pub(super) fn groups(&mut self) {
        let Self { data, mistakes, records, groups, .. } = self;
        let mut externals = Externals::default();
        for (at, entry) in data.groups.iter().enumerate() {
            let place = JsonPointer::entry(Group::LIST, at);
            let slug = mistakes.check(place.name(entry.plain, Group::NAME), Slug::new(&entry.slug));
            let name = named(entry.name.as_deref(), &entry.slug, place.field("name"), mistakes);
            let description = described(entry.description.as_deref(), place, mistakes);
            once(groups, entry, at, mistakes);
            let directory = externals.check(entry.external_id.as_deref(), entry.managed_by.as_deref(), place, mistakes);
            let (Some(slug), Some(name), Some(description), Some(id), Some((external_id, managed_by))) =
                (slug, name, description, groups.own_at(at), directory)
            else {
                continue;
            };
            let mut group = GroupRecord::new(*id, slug, name, description);
            group.set_external_id(external_id);
            group.set_managed_by(managed_by);
            records.push(Record::Group(group));
        }
    }

    pub(super) fn users(&mut self) {
        let Self { data, mistakes, records, users, user_numbers, .. } = self;
        let mut externals = Externals::default();
        for (at, entry) in data.users.iter().enumerate() {
            let place = JsonPointer::entry(User::LIST, at);
            // An entry that equals a stored record is valid, and is not built again. An external id may still occur twice.
            if let Output::Difference(difference) = records {
                let number = user_numbers.get(at).copied().flatten();
                if entry.external_id.is_none() && difference.has_user(number, |record| is_same(record, entry)) {
                    once(users, entry, at, mistakes);
                    continue;
                }
            }
            let key = mistakes.check(place.name(entry.plain, User::NAME), UserKey::new(&entry.key));
            let name = entry.name.as_deref().map(|name| mistakes.check(place.field("name"), Name::new(name)));
            let status = match entry.status {
                Status::Active => records::Status::Active,
                Status::Suspended => records::Status::Suspended,
            };
            once(users, entry, at, mistakes);
            let directory = externals.check(entry.external_id.as_deref(), entry.managed_by.as_deref(), place, mistakes);
            if let (Some(key), Some(id), Some((external_id, managed_by))) = (key, users.own_at(at), directory) {
                let mut user = UserRecord::new(*id, key).with_status(status);
                user.set_name(name.flatten());
                user.set_external_id(external_id);
                user.set_managed_by(managed_by);
                records.push(Record::User(user));
            }
        }
    }
}

/// Whether a stored user is what an entry describes, apart from an external id.
fn is_same(record: &UserRecord, entry: &User) -> bool {
    let status = match entry.status {
        Status::Active => records::Status::Active,
        Status::Suspended => records::Status::Suspended,
    };
    record.key == entry.key.as_str()
        && record.status == status
        && record.display_name().map(Name::as_str) == entry.name.as_deref().map(SmolStr::as_str)
        && record.managed_by().map(Manager::as_str) == entry.managed_by.as_deref().map(SmolStr::as_str)
        && record.external_id().is_none()
}

/// The external ids of a list, each with its directory and the place of its first use (I12).
#[derive(Default)]
struct Externals<'a>(HashMap<(&'a str, &'a str), JsonPointer>);

impl<'a> Externals<'a> {
    fn check(
        &mut self,
        id: Option<&'a SmolStr>,
        manager: Option<&'a SmolStr>,
        entry: JsonPointer,
        mistakes: &mut Mistakes,
    ) -> Option<(Option<ExternalId>, Option<Manager>)> {
        let read_manager =
            parse_optional(manager, |text| mistakes.check(entry.field("managed_by"), Manager::new(text)));
        let place = entry.field("external_id");
        let read_id = parse_optional(id, |text| mistakes.check(place, ExternalId::new(text)));
        match (id, manager) {
            (Some(_), None) => {
                mistakes.add(place, MistakeCode::MissingManager, || "external id without `managed_by`".to_owned());
            }
            (Some(id), Some(manager)) => match self.0.entry((manager.as_str(), id.as_str())) {
                MapEntry::Occupied(first) => mistakes.add(place, MistakeCode::DuplicateId, || {
                    let first = first.get();
                    format!("duplicate external id {} of {}, first used at {first}", Quoted(id), Quoted(manager))
                }),
                MapEntry::Vacant(free) => drop(free.insert(entry)),
            },
            (None, _) => {}
        }
        read_id.zip(read_manager)
    }
}

/// Parses an optional text. The outer `None` means that it is invalid, the inner one that it is missing.
#[expect(clippy::option_option, reason = "outer: whether it is valid; inner: whether it is present")]
fn parse_optional<'a, T>(text: Option<&'a SmolStr>, read: impl FnOnce(&'a str) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

/// Parses a name. A missing name is derived from the slug.
fn named(name: Option<&str>, slug: &str, place: JsonPointer, mistakes: &mut Mistakes) -> Option<Name> {
    match name {
        Some(name) => mistakes.check(place, Name::new(name)),
        None => Some(Name::of_slug(slug)),
    }
}

pub(super) fn described(text: Option<&str>, entry: JsonPointer, mistakes: &mut Mistakes) -> Option<Description> {
    mistakes.check(entry.field("description"), Description::new(text.unwrap_or_default()))
}

/// Parses the slug of a permission or role, and checks that the catalog does not use it.
fn shared_slug<R: CatalogRef, T: Named>(
    targets: &Targets<'_, R>,
    context: ImportContext<'_>,
    entry: &Entry<T>,
    at: usize,
    mistakes: &mut Mistakes,
) -> Option<Slug> {
    let place = JsonPointer::entry(T::LIST, at).name(entry.plain, T::NAME);
    let slug = mistakes.check(place, Slug::new(entry.name()));
    let message = |problem: &str| format!("{} {} {problem}", T::ENTITY, Quoted(entry.name()));
    // An entity that has the slug keeps it. An entry whose id is unknown restores an entity, which may have had the slug
    // before the catalog retired or reserved it.
    let is_new = || match context.present.and_then(|state| targets.own_at(at)?.own_slug(state)) {
        Some(present) => present != entry.name(),
        None => entry.id().is_none(),
    };
    match R::taken(context.catalog, entry.name()) {
        Taken::Present => mistakes.add(place, MistakeCode::DefinedByCatalog, || {
            message("is defined by the catalog; refer to it without listing it")
        }),
        Taken::Retired if is_new() => mistakes.add(place, MistakeCode::Retired, || {
            let history = history(context.catalog, T::ENTITY, entry.name()).unwrap_or_default();
            message(&format!("cannot be used: {history}"))
        }),
        Taken::Reserved(prefix) if is_new() => mistakes.add(place, MistakeCode::Reserved, || {
            message(&format!("begins with {}, which the catalog reserves", Quoted(prefix.as_str())))
        }),
        Taken::Free | Taken::Retired | Taken::Reserved(_) => {}
    }
    once(targets, entry, at, mistakes);
    slug
}

/// Adds a mistake if an earlier entry has the same name.
pub(super) fn once<R, T: Named>(targets: &Targets<'_, R>, entry: &Entry<T>, at: usize, mistakes: &mut Mistakes) {
    if let Some(first) = targets.before(at) {
        let (place, first) =
            (JsonPointer::entry(T::LIST, at).name(entry.plain, T::NAME), JsonPointer::entry(T::LIST, first));
        mistakes.add(place, MistakeCode::DuplicateEntry, || {
            format!("duplicate {} {}, first listed at {first}", T::ENTITY, Quoted(entry.name()))
        });
    }
}
