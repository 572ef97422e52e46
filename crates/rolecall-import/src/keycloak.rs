//! From Keycloak: the export of a realm, in one file or in several.
//!
//! | Keycloak | rolecall |
//! |---|---|
//! | a realm | a tenant |
//! | a realm role `editor` | the role `editor`, and the permission `editor`, which it grants |
//! | a role `pay` of the client `billing` | the role `billing:pay`, and the permission of the same name |
//! | a composite role | a role that includes others |
//! | a group `/staff/engineering` | the group `staff/engineering`, whose parent is the group `staff` |
//! | roles of a group or user | assignments |
//! | a user | a user; its key is the user name, its id is that of Keycloak, so that a token's `sub` finds it |
//! | a disabled user | a suspended user |
//!
//! Applications of Keycloak ask for roles. So each role comes with a permission of its name: `hasRole("editor")` becomes
//! `check(user, "editor")`. Add finer permissions to the roles later.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::error::Quoted;
use rolecall::records::{Description, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::cycles::{Edges, remove_cycles};
use crate::names::{Slugs, is_key, shown, tenant_slug};
use crate::notes::Notes;
use crate::output::Output;
use crate::{Error, Imported, choose};

/// The clients whose roles are about Keycloak itself.
const OWN_CLIENTS: [&str; 6] =
    ["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"];

/// Roles of every realm that are about tokens of Keycloak. They are carried over as others, but nothing needs to be said about
/// them.
const OWN_ROLES: [&str; 2] = ["offline_access", "uma_authorization"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Realm {
    #[serde(rename = "realm")]
    name: String,
    display_name: Option<String>,
    roles: Roles,
    groups: Vec<Group>,
    default_groups: Vec<String>,
    default_role: Option<Role>,
    users: Vec<User>,
    federated_users: Vec<Value>,
    clients: Vec<Client>,
    client_scope_mappings: Value,
    scope_mappings: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Roles {
    realm: Vec<Role>,
    client: BTreeMap<String, Vec<Role>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Role {
    name: String,
    description: Option<String>,
    composites: Composites,
    attributes: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Composites {
    realm: Vec<String>,
    client: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    name: String,
    path: Option<String>,
    attributes: BTreeMap<String, Value>,
    realm_roles: Vec<String>,
    client_roles: BTreeMap<String, Vec<String>>,
    sub_groups: Vec<Group>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct User {
    id: Option<String>,
    username: String,
    first_name: Option<String>,
    last_name: Option<String>,
    /// As in Keycloak, a user without this is disabled.
    enabled: bool,
    attributes: BTreeMap<String, Value>,
    realm_roles: Vec<String>,
    client_roles: BTreeMap<String, Vec<String>>,
    groups: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Client {
    client_id: String,
    authorization_settings: Option<Value>,
}

/// Reads the files of an export. With several realms, reads the named one.
///
/// Further files may contain the users of the realm, as in an export into several files.
///
/// ```
/// let realm = r#"{
///     "realm": "acme",
///     "roles": {"realm": [{"name": "editor", "composites": {"realm": ["viewer"]}}, {"name": "viewer"}]},
///     "groups": [{"name": "staff", "realmRoles": ["editor"], "subGroups": [{"name": "engineering"}]}]
/// }"#;
/// let users = r#"{
///     "realm": "acme",
///     "users": [{"username": "alice", "enabled": true, "groups": ["/staff/engineering"]}]
/// }"#;
/// let imported = rolecall_import::keycloak::read(&[realm, users], None)?;
/// assert_eq!(imported.notes(), []);
/// # #[cfg(feature = "json")] {
/// let acme = rolecall::blocking::Authorizer::in_memory().import(&imported.document()?)?;
/// assert!(acme.check("alice", "viewer"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
/// O(n log n) for n entities and relations.
///
/// # Errors
/// [`Error::Invalid`] if a file is not the export of a realm; [`Error::Choose`] if the realm does not exist, or several
/// do and none is chosen.
pub fn read(files: &[&str], realm: Option<&str>) -> Result<Imported, Error> {
    let mut realms: BTreeMap<String, Realm> = BTreeMap::new();
    for (number, text) in (1..).zip(files) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let invalid = |error| Error::invalid(format!("file {number}"), error);
        let found = match serde_json::from_str::<Value>(text).map_err(invalid)? {
            Value::Array(_) => serde_json::from_str::<Vec<Realm>>(text).map_err(invalid)?,
            _ => vec![serde_json::from_str::<Realm>(text).map_err(invalid)?],
        };
        for realm in found {
            realms.entry(realm.name.clone()).or_default().add(realm);
        }
    }
    let names = realms.keys().filter(|name| !name.is_empty()).cloned().collect();
    let name = choose("realm", names, realm)?;
    let realm = name.and_then(|name| realms.remove(&name));
    let realm = realm.ok_or_else(|| Error::invalid("files", "expected an object with the name of a `realm`"))?;
    Ok(Import::new(&realm).run())
}

impl Realm {
    /// Adds what another file has.
    fn add(&mut self, other: Self) {
        self.name = other.name;
        self.display_name = self.display_name.take().or(other.display_name);
        self.roles.realm.extend(other.roles.realm);
        for (client, roles) in other.roles.client {
            self.roles.client.entry(client).or_default().extend(roles);
        }
        self.groups.extend(other.groups);
        self.default_groups.extend(other.default_groups);
        self.default_role = self.default_role.take().or(other.default_role);
        self.users.extend(other.users);
        self.federated_users.extend(other.federated_users);
        self.clients.extend(other.clients);
        for (own, other) in [
            (&mut self.client_scope_mappings, other.client_scope_mappings),
            (&mut self.scope_mappings, other.scope_mappings),
        ] {
            if own.is_null() {
                *own = other;
            }
        }
    }

    /// Whether there are scope mappings other than those of every realm.
    fn has_scope_mappings(&self) -> bool {
        let of_realm = match &self.scope_mappings {
            Value::Array(mappings) => mappings.iter().any(|mapping| {
                let roles = mapping.get("roles").and_then(Value::as_array);
                let is_own = |role: &Value| role.as_str().is_some_and(|role| OWN_ROLES.contains(&role));
                !roles.is_some_and(|roles| roles.iter().all(is_own))
            }),
            other => !other.is_null(),
        };
        let of_clients = match &self.client_scope_mappings {
            Value::Object(clients) => clients.keys().any(|client| !OWN_CLIENTS.contains(&client.as_str())),
            other => !other.is_null(),
        };
        of_realm || of_clients
    }
}

/// A role: the client, unless it is a role of the realm, and the name.
type RoleKey<'a> = (Option<&'a str>, &'a str);

struct Import<'a> {
    realm: &'a Realm,
    notes: Notes,
    output: Output,
    roles: BTreeMap<RoleKey<'a>, &'a Role>,
    role_slugs: BTreeMap<RoleKey<'a>, String>,
    /// Clients whose roles are left out, with the number of references.
    own_clients: BTreeMap<&'a str, usize>,
}

/// A group with its path and that of its parent.
struct Placed<'a> {
    group: &'a Group,
    path: String,
    parent: Option<String>,
}

impl<'a> Import<'a> {
    fn new(realm: &'a Realm) -> Self {
        let mut notes = Notes::default();
        let slug = tenant_slug(&realm.name, &mut notes);
        let name = realm.display_name.as_deref().unwrap_or(&realm.name);
        let output = Output::new(slug.clone(), shown(name, &slug));
        let (roles, role_slugs, own_clients) = <_>::default();
        Self { realm, notes, output, roles, role_slugs, own_clients }
    }

    fn run(mut self) -> Imported {
        self.roles();
        self.composites();
        let groups = self.groups();
        self.users(&groups);
        self.other_things();
        for (client, references) in std::mem::take(&mut self.own_clients) {
            let who = match references {
                // Each realm has these clients.
                0 => continue,
                1 => "1 assignment or composite refers to them".to_owned(),
                more => format!("{more} assignments and composites refer to them"),
            };
            let message = format!("its roles are about Keycloak itself; {who}");
            let advice = "keep them in Keycloak, where they decide who administers it";
            self.notes.left_out(format!("client {}", Quoted(client)), message, advice);
        }
        Imported { output: self.output, notes: self.notes.into_list() }
    }

    fn roles(&mut self) {
        let of_realm = self.realm.roles.realm.iter().map(|role| (None, role));
        let of_clients = self.realm.roles.client.iter();
        let of_clients =
            of_clients.flat_map(|(client, roles)| roles.iter().map(move |role| (Some(client.as_str()), role)));
        for (client, role) in of_realm.chain(of_clients) {
            match client.filter(|client| OWN_CLIENTS.contains(client)) {
                Some(client) => _ = self.own_clients.entry(client).or_default(),
                None => _ = self.roles.insert((client, role.name.as_str()), role),
            }
        }
        let named = self.roles.keys().map(|key| (joined(*key), name_of(*key)));
        let slugs = Slugs::new("role", named, &mut self.notes);
        let mut with_attributes = 0_usize;
        for (key, role) in &self.roles {
            let Some(slug) = slugs.get(&joined(*key)) else { continue };
            self.role_slugs.insert(*key, slug.clone());
            self.output.permission(slug).name = shown(&name_of(*key), slug);
            let of_output = self.output.role(slug);
            of_output.name = shown(&name_of(*key), slug);
            of_output.permissions.insert(slug.clone());
            let description = role.description.as_deref().filter(|text| !text.is_empty() && !text.starts_with("${"));
            of_output.description = description.filter(|text| Description::new(text).is_ok()).map(str::to_owned);
            with_attributes += usize::from(!role.attributes.is_empty());
        }
        self.attributes("roles", with_attributes);
    }

    /// The slug of a role that is referred to. If there is none, there is a note.
    fn reference(&mut self, key: RoleKey<'a>, place: &str) -> Option<String> {
        if let Some(client) = key.0.filter(|client| OWN_CLIENTS.contains(client)) {
            *self.own_clients.entry(client).or_default() += 1;
            return None;
        }
        let slug = self.role_slugs.get(&key).cloned();
        if slug.is_none() {
            let message = format!("the role {} is not in the export", Quoted(&name_of(key)));
            self.notes.left_out(place, message, "export the realm with its clients");
        }
        slug
    }

    fn references(
        &mut self,
        realm: &'a [String],
        clients: &'a BTreeMap<String, Vec<String>>,
        place: &str,
    ) -> BTreeSet<String> {
        let of_realm = realm.iter().map(|role| (None, role.as_str()));
        let of_clients = clients.iter();
        let of_clients =
            of_clients.flat_map(|(client, roles)| roles.iter().map(move |role| (Some(client.as_str()), role.as_str())));
        of_realm.chain(of_clients).filter_map(|key| self.reference(key, place)).collect()
    }

    fn composites(&mut self) {
        let mut edges = Edges::new();
        for (key, role) in self.roles.clone() {
            let place = format!("role {}", Quoted(&name_of(key)));
            let included = self.references(&role.composites.realm, &role.composites.client, &place);
            if let Some(slug) = self.role_slugs.get(&key).filter(|_| !included.is_empty()) {
                edges.insert(slug.clone(), included);
            }
        }
        for (from, to) in remove_cycles(&mut edges) {
            let message = format!("{} closes a cycle of composite roles", Quoted(&to));
            let advice = "roles in a cycle give the same: merge them into one";
            self.notes.left_out(format!("role {}", Quoted(&from)), message, advice);
        }
        for (slug, included) in edges {
            self.output.role(&slug).includes = included;
        }
    }

    /// Writes the groups. Returns the slug of each path.
    fn groups(&mut self) -> BTreeMap<String, String> {
        let mut placed: Vec<Placed<'a>> = Vec::new();
        let mut waiting: Vec<(&'a Group, Option<String>)> =
            self.realm.groups.iter().map(|group| (group, None)).collect();
        let mut paths = BTreeSet::new();
        while let Some((group, parent)) = waiting.pop() {
            let own = || format!("{}/{}", parent.as_deref().unwrap_or_default(), group.name.replace('/', "~/"));
            let path = group.path.clone().unwrap_or_else(own);
            if !paths.insert(path.clone()) {
                let message = "another group has the same path; its subgroups are left out, too";
                let advice = "rename one of them, and export the realm again";
                self.notes.left_out(format!("group {}", Quoted(&path)), message, advice);
                continue;
            }
            waiting.extend(group.sub_groups.iter().map(|subgroup| (subgroup, Some(path.clone()))));
            placed.push(Placed { group, path, parent });
        }
        let named = placed.iter().map(|placed| (placed.path.clone(), placed.path.trim_start_matches('/').to_owned()));
        let slugs = Slugs::new("group", named, &mut self.notes);
        let mut found = BTreeMap::new();
        for Placed { group, path, parent } in &placed {
            let Some(slug) = slugs.get(path).cloned() else { continue };
            let place = format!("group {}", Quoted(path));
            let roles = self.references(&group.realm_roles, &group.client_roles, &place);
            let parent = parent.as_ref().and_then(|parent| slugs.get(parent));
            let of_output = self.output.group(&slug);
            of_output.name = shown(&group.name, &slug);
            of_output.roles = roles;
            of_output.parents = parent.cloned().into_iter().collect();
            found.insert(path.clone(), slug);
        }
        let with_attributes = placed.iter().filter(|placed| !placed.group.attributes.is_empty()).count();
        self.attributes("groups", with_attributes);
        found
    }

    fn users(&mut self, groups: &BTreeMap<String, String>) {
        let mut ids = BTreeSet::new();
        for user in &self.realm.users {
            let key = user.username.as_str();
            let place = format!("user {}", Quoted(key));
            if !is_key(key, &mut self.notes) {
                continue;
            }
            if self.output.users.contains_key(key) {
                let advice = "rename one of them, and export the realm again";
                self.notes.left_out(place, "another user has the same name", advice);
                continue;
            }
            let roles = self.references(&user.realm_roles, &user.client_roles, &place);
            let parts = [&user.first_name, &user.last_name].into_iter().flatten().map(|part| part.trim());
            let name = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            let id = user.id.as_deref().and_then(|id| id.parse::<UserId>().ok()).map(|id| id.to_string());
            let of_output = self.output.user(key);
            of_output.name = shown(&name, key);
            of_output.id = id.filter(|id| ids.insert(id.clone()));
            of_output.roles = roles;
            of_output.is_suspended = !user.enabled;
            if !user.enabled {
                self.notes.changed(&place, "the user is disabled in the source, so it is suspended", "");
            }
            for path in &user.groups {
                if let Some(slug) = groups.get(path) {
                    self.output.group(slug).members.insert(key.to_owned());
                } else {
                    let message = format!("the group {} is not in the export", Quoted(path));
                    self.notes.left_out(&place, message, "add the file of the realm, which has the groups");
                }
            }
        }
        let with_attributes = self.realm.users.iter().filter(|user| !user.attributes.is_empty()).count();
        self.attributes("users", with_attributes);
    }

    fn attributes(&mut self, entities: &str, count: usize) {
        if count > 0 {
            let what = if count == 1 { entities.trim_end_matches('s') } else { entities };
            let message = format!("the attributes of {count} {what} are not carried over");
            self.notes.left_out(
                entities,
                message,
                "keep them in the application, or in a policy engine beside rolecall",
            );
        }
    }

    fn other_things(&mut self) {
        for client in self.realm.clients.iter().filter(|client| client.authorization_settings.is_some()) {
            let place = format!("client {}", Quoted(&client.client_id));
            let message = "its resources, scopes and policies are not carried over";
            let advice = "kinds of resources become permissions; rules about single resources need a policy engine";
            self.notes.left_out(place, message, advice);
        }
        let realm = self.realm;
        if realm.has_scope_mappings() {
            let message = "they limit which roles a token has, and not what a user may do";
            self.notes.left_out("scope mappings", message, "ask a narrowed question for a client with fewer roles");
        }
        for group in &realm.default_groups {
            let message = "new users do not join it by themselves";
            self.notes.left_out(format!("default group {}", Quoted(group)), message, "join it when you create a user");
        }
        if let Some(role) = &realm.default_role {
            let composites = self.roles.get(&(None, role.name.as_str())).map(|role| &role.composites);
            let is_own_role = |name: &String| OWN_ROLES.contains(&name.as_str());
            let is_own_client = |client: &String| OWN_CLIENTS.contains(&client.as_str());
            let gives =
                |role: &Composites| !role.realm.iter().all(is_own_role) || !role.client.keys().all(is_own_client);
            // Its composites are unknown if the files do not have the role.
            if composites.is_none_or(gives) {
                let message = "new users do not get it by themselves";
                let place = format!("default role {}", Quoted(&role.name));
                self.notes.left_out(place, message, "assign it when you create a user");
            }
        }
        if !realm.federated_users.is_empty() {
            let message = match realm.federated_users.len() {
                1 => "1 user of another directory is not read".to_owned(),
                more => format!("{more} users of another directory are not read"),
            };
            self.notes.left_out("federated users", message, "synchronise them from their directory");
        }
        if realm.users.is_empty() {
            self.notes.left_out(
                "users",
                "the export has no users",
                "export them with the realm, or add the file with users",
            );
        }
    }
}

fn name_of((client, role): RoleKey<'_>) -> String {
    client.map_or_else(|| role.to_owned(), |client| format!("{client}:{role}"))
}

/// A text that is unique, other than the name: a role of the realm may have a colon, too.
fn joined((client, role): RoleKey<'_>) -> String {
    format!("{}\u{1f}{role}", client.unwrap_or_default())
}
