//! Exports a snapshot as a document: the tenant's own entities with their ids, and references to the catalog.

use hashbrown::HashMap;
use smol_str::{SmolStr, ToSmolStr};

use super::Document;
use super::entry::Entry;
use super::shape::{
    Assertion, DocumentData, Expect, Group, Holding, Member, ParentLink, Permission, RemovedFromCatalog, Role,
    Separation, Tenant, User,
};
use super::values::{Format, Id, OptionalText, RemovedKind, Status};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::internal_fault::{must, watch};
use crate::model::records::{self, Timestamp, Window};
use crate::resolver::snapshot::Snapshot;
use crate::resolver::snapshot::edge::FAR_END;
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::GroupRow;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::{Row, Table};
use crate::resolver::tables::hash_index::HashIndex;

impl Snapshot {
    /// Returns the whole tenant as a document, to read, edit, keep under version control, or import again.
    ///
    /// The document is canonical: lists are in bytewise order, every entry has its id, and default values are left out.
    /// Equal tenants have equal documents, and importing the document creates an equal tenant. To compare tenants whose
    /// entities have other ids, see [`Document::without_ids`].
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| { tx.create_role("editor")?.grant("posts:*")?; Ok(()) })?;
    /// let document = acme.snapshot().export()?;
    /// let restored = rolecall::blocking::Authorizer::in_memory().import(&document)?;
    /// assert_eq!(restored.snapshot().export()?, document);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// The document refers to entries of the catalog and does not contain them. Importing it under another catalog
    /// fails if that catalog lacks the entries.
    ///
    /// # Complexity
    /// O(n log n) for n records.
    ///
    /// # Errors
    /// A snapshot that denies every check cannot be exported, because the document would look like an empty tenant. The
    /// error is the reason: [`Unavailable`](ErrorKind::Unavailable), [`Blocked`](ErrorKind::Blocked),
    /// [`Corrupt`](ErrorKind::Corrupt) (the store's content breaks invariants), [`Internal`](ErrorKind::Internal),
    /// [`Closed`](ErrorKind::Closed) or [`Deleted`](ErrorKind::Deleted).
    pub fn export(&self) -> Result<Document> {
        let compiled = &*self.0;
        if let Some(kind) = compiled.availability.refusal() {
            return Err(Error::new(kind));
        }
        let state = &compiled.state;
        let tenant = state.tenant.as_ref().ok_or_else(|| Error::new(ErrorKind::Deleted))?;
        watch(|| exported(state, tenant)).map_err(|fault| fault.error("nothing was exported"))
    }
}

/// The text of the fault that a listed entity has no row.
const LISTED: &str = "a listed entity has a number and a row";

fn exported(state: &State, tenant: &records::TenantRecord) -> Document {
    let names = ReferenceNames {
        state,
        permissions: removed_from_catalog(&state.permissions),
        roles: removed_from_catalog(&state.roles),
    };
    Document(DocumentData {
        format: Format,
        tenant: Entry::new(Tenant {
            slug: tenant.slug.as_str().into(),
            name: name(tenant.name.as_str(), tenant.slug.as_str()),
        }),
        permissions: names.permissions(),
        roles: names.roles(),
        groups: names.groups(),
        users: names.users(),
        separations: names.separations(),
        assertions: names.assertions(),
        removed_from_catalog: names.removed_from_catalog(),
        acts_for: Vec::new(),
        guards: Vec::new(),
    })
}

/// The names that references use: the slug of an entity, or a unique name for an entry removed from the catalog.
struct ReferenceNames<'a> {
    state: &'a State,
    permissions: HashMap<u32, SmolStr>,
    roles: HashMap<u32, SmolStr>,
}

/// Returns the names of entries removed from the catalog, by number: the last known slug, or the id if another entity
/// now has that slug. An entry of the catalog whose slug is also one of the tenant's (R9) is named in the same way. The
/// slug then means the tenant's own everywhere in the document.
fn removed_from_catalog<R: Row<Ids = HashIndex>>(table: &Table<R>) -> HashMap<u32, SmolStr> {
    let is_gone = |row: &&R| match row.origin() {
        Origin::Tenant => false,
        Origin::Catalog => row.is_in_conflict(),
        Origin::RemovedFromCatalog => true,
    };
    let gone = table.rows().filter(is_gone);
    let number = |row: &R| must(table.by_id(row.id()), LISTED);
    let mut gone: Vec<(&R, u32)> = gone.filter_map(|row| Some((row, number(row)?))).collect();
    gone.sort_by_key(|(row, _)| (row.name(), row.id()));
    let mut last = "";
    let mut names = HashMap::new();
    for (row, number) in gone {
        let slug = row.name();
        let listed = table.sorted_from(slug).next().is_some_and(|n| table.name_at(n) == slug);
        let is_free = !listed && (names.is_empty() || slug != last);
        names.insert(number, if is_free { slug.into() } else { format!("removed:{}", row.id()).into() });
        last = slug;
    }
    names
}

impl ReferenceNames<'_> {
    fn permission(&self, number: u32) -> SmolStr {
        let removed_from_catalog = self.permissions.get(&number).cloned();
        removed_from_catalog.unwrap_or_else(|| self.state.permissions.name_at(number).into())
    }

    fn role(&self, number: u32) -> SmolStr {
        self.roles.get(&number).cloned().unwrap_or_else(|| self.state.roles.name_at(number).into())
    }

    fn permissions(&self) -> Vec<Entry<Permission>> {
        let rows = own(&self.state.permissions);
        let entries =
            rows.map(|records::PermissionRecord { id, slug, name: shown, description, category }| Permission {
                slug: slug.as_str().into(),
                id: Some(Id::Read(id.as_uuid())),
                name: name(shown.as_str(), slug.as_str()),
                description: text(description),
                category: category.as_ref().map(|category| category.as_str().into()),
            });
        entries.map(Entry::new).collect()
    }

    fn roles(&self) -> Vec<Entry<Role>> {
        let rows = listed(&self.state.roles).filter(|row| row.origin == Origin::Tenant);
        let entries = rows.map(|row| {
            let grants = row.grants.iter().map(|number| self.permission(*number));
            let mut permissions: Vec<SmolStr> =
                grants.chain(row.patterns.iter().map(|pattern| pattern.as_str().into())).collect();
            permissions.sort_unstable();
            let mut includes: Vec<SmolStr> = row.includes.iter().map(|number| self.role(*number)).collect();
            includes.sort_unstable();
            let records::RoleRecord { id, slug, name: shown, description } = &row.record;
            Role {
                slug: slug.as_str().into(),
                id: Some(Id::Read(id.as_uuid())),
                name: name(shown.as_str(), slug.as_str()),
                description: text(description),
                permissions,
                includes,
            }
        });
        entries.map(Entry::new).collect()
    }

    fn groups(&self) -> Vec<Entry<Group>> {
        let groups = &self.state.groups;
        let entries = listed(groups).map(|row| {
            let record = &row.record;
            let records::GroupRecord { id, slug, name: shown, description, .. } = record;
            Group {
                slug: slug.as_str().into(),
                id: Some(Id::Read(id.as_uuid())),
                name: name(shown.as_str(), slug.as_str()),
                description: text(description),
                external_id: optional_text(record.external_id().map(records::ExternalId::as_str)),
                managed_by: optional_text(record.managed_by().map(records::Manager::as_str)),
                parents: self.parents(row),
                roles: self.holdings(row.roles()),
                members: self.members(row),
            }
        });
        entries.map(Entry::new).collect()
    }

    fn parents(&self, group: &GroupRow) -> Vec<Entry<ParentLink>> {
        let parents = group.parents().iter().map(|edge| {
            let (from, until) = ends(edge.window);
            Entry::new(ParentLink { group: self.state.groups.name_at(edge.to).into(), from, until })
        });
        let mut parents: Vec<_> = parents.collect();
        parents.sort_unstable_by(|a, b| a.group.cmp(&b.group));
        parents
    }

    /// Returns the members of a group. The group lists them by key; their windows are in the rows of the users.
    fn members(&self, group: &GroupRow) -> Vec<Entry<Member>> {
        let number = self.state.groups.by_id(group.id().as_uuid());
        let Some(number) = must(number, LISTED) else { return Vec::new() };
        let users = group.members.iter().filter_map(|reverse| must(self.state.users.row(reverse.from()), FAR_END));
        let members = users.filter_map(|user| {
            let edge = must(user.groups().get(number), FAR_END)?;
            let (from, until) = ends(edge.window);
            Some(Entry::new(Member { user: user.key().as_str().into(), from, until }))
        });
        members.collect()
    }

    fn users(&self) -> Vec<Entry<User>> {
        let entries = listed(&self.state.users).map(|row| User {
            key: row.key().as_str().into(),
            id: Some(Id::Read(row.id().as_uuid())),
            name: optional_text(row.record.display_name().map(records::Name::as_str)),
            status: if row.is_suspended() { Status::Suspended } else { Status::Active },
            external_id: optional_text(row.record.external_id().map(records::ExternalId::as_str)),
            managed_by: optional_text(row.record.managed_by().map(records::Manager::as_str)),
            roles: self.holdings(row.roles()),
        });
        entries.map(Entry::new).collect()
    }

    fn separations(&self) -> Vec<Entry<Separation>> {
        let entries = listed(&self.state.separations).map(|row| {
            let records::SeparationRecord { id, slug, description, at_most, roles: _ } = &row.record;
            Separation {
                slug: slug.as_str().into(),
                id: Some(Id::Read(id.as_uuid())),
                description: text(description),
                at_most: at_most.get(),
                roles: row.roles.iter().map(|number| self.role(*number)).collect(),
            }
        });
        entries.map(Entry::new).collect()
    }

    fn assertions(&self) -> Vec<Entry<Assertion>> {
        let entries = listed(&self.state.assertions).map(|row| {
            let records::AssertionRecord { id, slug, description, binding, expected } = &row.record;
            let (users, groups) = (&self.state.users, &self.state.groups);
            Assertion {
                slug: slug.as_str().into(),
                id: Some(Id::Read(id.as_uuid())),
                description: text(description),
                binding: *binding,
                expect: match expected {
                    records::Expectation::Allowed { .. } => Expect::Allowed,
                    records::Expectation::Denied { .. } => Expect::Denied,
                    records::Expectation::Only { .. } => Expect::Only,
                    records::Expectation::Separate { .. } => Expect::Separate,
                },
                permission: row.named.permission.map(|number| self.permission(number)),
                users: row.named.users.iter().map(|number| users.name_at(*number).into()).collect(),
                groups: row.named.groups.iter().map(|number| groups.name_at(*number).into()).collect(),
                roles: row.named.roles.iter().map(|number| self.role(*number)).collect(),
            }
        });
        entries.map(Entry::new).collect()
    }

    fn holdings(&self, edges: Edges<'_>) -> Vec<Entry<Holding>> {
        let holdings = edges.iter().map(|edge| {
            let (from, until) = ends(edge.window);
            Entry::new(Holding { role: self.role(edge.to), from, until })
        });
        let mut holdings: Vec<_> = holdings.collect();
        holdings.sort_unstable_by(|a, b| a.role.cmp(&b.role));
        holdings
    }

    fn removed_from_catalog(&self) -> Vec<Entry<RemovedFromCatalog>> {
        fn of<'a, R: Row>(
            kind: RemovedKind,
            names: &'a HashMap<u32, SmolStr>,
            table: &'a Table<R>,
        ) -> impl Iterator<Item = Entry<RemovedFromCatalog>> + 'a {
            names.iter().filter_map(move |(number, slug)| {
                let id = Id::Read(must(table.row(*number), LISTED)?.id());
                Some(Entry::new(RemovedFromCatalog { kind, slug: slug.clone(), id }))
            })
        }
        let permissions = of(RemovedKind::Permission, &self.permissions, &self.state.permissions);
        let mut all: Vec<_> = permissions.chain(of(RemovedKind::Role, &self.roles, &self.state.roles)).collect();
        all.sort_unstable_by(|a, b| (a.kind.word(), &a.slug).cmp(&(b.kind.word(), &b.slug)));
        all
    }
}

fn listed<R: Row>(table: &Table<R>) -> impl Iterator<Item = &R> {
    table.sorted().filter_map(|number| must(table.row(number), LISTED))
}

fn own<R: Row>(table: &Table<R>) -> impl Iterator<Item = &R::Record> {
    listed(table).filter(|row| row.origin() == Origin::Tenant).map(Row::record)
}

/// Returns the name, unless it equals the slug.
fn name(name: &str, slug: &str) -> Option<SmolStr> {
    (name != slug).then(|| name.into())
}

fn text(description: &records::Description) -> Option<SmolStr> {
    (!description.is_empty()).then(|| description.as_str().into())
}

fn optional_text(text: Option<&str>) -> OptionalText {
    text.map(|text| Box::new(text.into()))
}

fn ends(window: Window) -> (OptionalText, OptionalText) {
    let text = |at: Timestamp| Box::new(at.to_smolstr());
    (window.start().map(text), window.end().map(text))
}
