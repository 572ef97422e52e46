//! From laravel-permission: its tables as CSV with a header, each under the name of its table.
//!
//! | laravel-permission | rolecall |
//! |---|---|
//! | a team | a tenant |
//! | a row of `users` | a user; its key is the column `email`, or `id` in a table without `email` |
//! | a row of `roles` of this team, or of no team | a role |
//! | a row of `permissions` | a permission |
//! | `role_has_permissions` | a grant |
//! | `model_has_roles` | an assignment to a user |
//! | `model_has_permissions` | the role `direct-…` of the user, which grants the permission |
//!
//! Names are kept. A name that is not a valid slug, like `edit articles`, gets a derived one, and stays as the name to
//! show.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::error::Quoted;
use rolecall::records::{Pattern, Slug};

use crate::names::{Slugs, is_key, shown, tenant_slug};
use crate::notes::Notes;
use crate::output::Output;
use crate::{Error, Imported, choose};

const TABLES: [&str; 7] =
    ["users", "roles", "permissions", "model_has_roles", "model_has_permissions", "role_has_permissions", "teams"];

/// The columns that the product itself has, and those that say nothing about access.
const KNOWN_COLUMNS: [&str; 10] = [
    "id",
    "name",
    "guard_name",
    "created_at",
    "updated_at",
    "role_id",
    "permission_id",
    "model_type",
    "model_id",
    "description",
];

/// The columns of `users` that are read, or that are about signing in.
const USER_COLUMNS: [&str; 5] = ["deleted_at", "email", "email_verified_at", "password", "remember_token"];

/// Options for reading the tables.
///
/// ```
/// use rolecall_import::laravel::Options;
///
/// let options = Options { team: Some("7".to_owned()), ..Options::default() };
/// assert_eq!(options.guard, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The id of the team to read. It may be left out if there is one, or if teams are not used.
    pub team: Option<String>,
    /// The guard to read, such as `web`. It may be left out if there is one.
    pub guard: Option<String>,
    /// The column that names a team. The default is `team_id`.
    pub team_column: Option<String>,
    /// Whether the application has turned wildcard permissions on. Then `posts.*` is a pattern; otherwise it is left out.
    pub wildcards: bool,
}

/// Reads tables, each with its name and its CSV.
///
/// ```
/// use rolecall_import::laravel::{Options, read};
///
/// let tables = [
///     ("users", "id,name,email\n1,Ana,ana@example.com\n"),
///     ("roles", "id,name,guard_name\n5,writer,web\n"),
///     ("permissions", "id,name,guard_name\n9,edit articles,web\n"),
///     ("role_has_permissions", "permission_id,role_id\n9,5\n"),
///     ("model_has_roles", "role_id,model_type,model_id\n5,App\\Models\\User,1\n"),
/// ];
/// let imported = read(&tables, &Options::default())?;
/// assert!(imported.to_json().contains("edit-articles"));
/// # Ok::<(), rolecall_import::Error>(())
/// ```
///
/// # Complexity
/// O(rows log rows).
///
/// # Errors
/// [`Error::Invalid`] for an unknown table, a missing column, and a file that is not CSV.
/// [`Error::Choose`] if the team or the guard does not exist, or if there are several and none is chosen.
pub fn read(tables: &[(&str, &str)], options: &Options) -> Result<Imported, Error> {
    let mut notes = Notes::default();
    let team_column = options.team_column.as_deref().unwrap_or("team_id");
    let mut found: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (name, csv) in tables {
        let known = TABLES.iter().find(|known| *known == name);
        let known = known.ok_or_else(|| Error::invalid(Quoted(name), format!("expected one of {TABLES:?}")))?;
        found.entry(known).or_default().extend(rows(known, csv)?);
    }
    let team = team(&found, team_column, options)?;
    let guards = ["roles", "permissions"].iter().filter_map(|table| found.get(table)).flatten();
    let guards: BTreeSet<String> = guards.map(|row| row.get("guard_name").unwrap_or_default().to_owned()).collect();
    let guard = choose("guard", guards.into_iter().collect(), options.guard.as_deref())?;
    let name = team.as_deref().map(|team| {
        let row = found.get("teams").into_iter().flatten().find(|row| row.get("id") == Some(team));
        row.and_then(|row| row.get("name")).map_or_else(|| format!("team-{team}"), str::to_owned)
    });
    let slug = tenant_slug(name.as_deref().unwrap_or("laravel"), &mut notes);
    let output = Output::new(slug.clone(), name.and_then(|name| shown(&name, &slug)));
    let tables = Tables { found, team_column, team, guard, wildcards: options.wildcards };
    Ok(Import { tables: &tables, notes, output, ..Import::new(&tables) }.run())
}

/// A row, with the values that are neither empty nor `NULL`.
struct Row {
    place: String,
    values: BTreeMap<String, String>,
}

impl Row {
    fn get(&self, column: &str) -> Option<&str> {
        self.values.get(column).map(String::as_str)
    }
}

fn rows(table: &str, text: &str) -> Result<Vec<Row>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| Error::invalid(table, error))?.clone();
    let needed: &[&str] = match table {
        "users" | "teams" => &["id"],
        "roles" | "permissions" => &["id", "name"],
        "model_has_roles" => &["role_id", "model_type", "model_id"],
        "model_has_permissions" => &["permission_id", "model_type", "model_id"],
        _ => &["permission_id", "role_id"],
    };
    if let Some(missing) = needed.iter().find(|column| !header.iter().any(|found| found == **column)) {
        return Err(Error::invalid(table, format!("the column `{missing}` is missing")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Error::invalid(table, error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let values =
            header.iter().zip(&record).filter(|(_, value)| !value.is_empty() && *value != "NULL" && *value != "\\N");
        let values = values.map(|(column, value)| (column.to_owned(), value.to_owned())).collect();
        rows.push(Row { place: format!("{table}: line {line}"), values });
    }
    Ok(rows)
}

/// The team to read. `None` if teams are not used.
fn team(found: &BTreeMap<&str, Vec<Row>>, column: &str, options: &Options) -> Result<Option<String>, Error> {
    let with_teams = ["roles", "model_has_roles", "model_has_permissions"];
    let rows = with_teams.iter().filter_map(|table| found.get(table)).flatten();
    let mut teams: BTreeSet<String> = rows.filter_map(|row| row.get(column)).map(str::to_owned).collect();
    teams.extend(found.get("teams").into_iter().flatten().filter_map(|row| row.get("id")).map(str::to_owned));
    choose("team", teams.into_iter().collect(), options.team.as_deref())
}

struct Tables<'a> {
    found: BTreeMap<&'a str, Vec<Row>>,
    team_column: &'a str,
    team: Option<String>,
    guard: Option<String>,
    wildcards: bool,
}

impl Tables<'_> {
    fn rows(&self, table: &str) -> impl Iterator<Item = &Row> {
        self.found.get(table).into_iter().flatten()
    }

    fn is_of_guard(&self, row: &Row) -> bool {
        row.get("guard_name").unwrap_or_default() == self.guard.as_deref().unwrap_or_default()
    }

    /// A column that may restrict the row, such as the end of an assignment.
    fn restriction<'r>(&self, row: &'r Row) -> Option<&'r String> {
        let mut columns = row.values.keys();
        columns.find(|column| !KNOWN_COLUMNS.contains(&column.as_str()) && *column != self.team_column)
    }
}

struct Import<'a> {
    tables: &'a Tables<'a>,
    notes: Notes,
    output: Output,
    /// From the ids of the tables to keys and slugs.
    users: BTreeMap<&'a str, &'a str>,
    roles: BTreeMap<&'a str, &'a str>,
    permissions: BTreeMap<&'a str, &'a str>,
}

impl<'a> Import<'a> {
    fn new(tables: &'a Tables<'a>) -> Self {
        Self {
            tables,
            notes: Notes::default(),
            output: Output::default(),
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            permissions: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Imported {
        self.unread_columns();
        self.users();
        self.named();
        let roles = self.roles.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned()));
        let mut roles: Vec<(String, String)> = roles.collect();
        let direct: Vec<(&Row, &str, &str)> = self.direct();
        for (_, user, _) in &direct {
            roles.push((direct_key(user), format!("direct-{user}")));
        }
        let roles = Slugs::new("role", roles, &mut self.notes);
        let literal = self.permissions.iter().filter(|(_, name)| !name.contains('*'));
        let literal = literal.map(|(id, name)| ((*id).to_owned(), (*name).to_owned()));
        let permissions = Slugs::new("permission", literal, &mut self.notes);

        for (id, name) in &self.permissions {
            if let Some(slug) = permissions.get(id) {
                self.output.permission(slug).name = shown(name, slug);
            }
        }
        for (id, name) in &self.roles {
            if let Some(slug) = roles.get(id) {
                self.output.role(slug).name = shown(name, slug);
            }
        }
        let granted = |id: &str| match permissions.get(id) {
            Some(slug) => Some(slug.clone()),
            None => self.permissions.get(id).and_then(|name| pattern(name, self.tables.wildcards)),
        };
        for row in self.tables.rows("role_has_permissions") {
            let (role, permission) =
                (row.get("role_id").unwrap_or_default(), row.get("permission_id").unwrap_or_default());
            match (roles.get(role), granted(permission)) {
                _ if self.tables.restriction(row).is_some() => restricted(self.tables, row, &mut self.notes),
                (Some(role), Some(permission)) => {
                    self.output.role(role).permissions.insert(permission);
                }
                // Roles and permissions that were left out have notes of their own.
                _ => (),
            }
        }
        for (row, user, permission) in direct {
            let Some((slug, permission)) = roles.get(&direct_key(user)).zip(granted(permission)) else { continue };
            if self.tables.restriction(row).is_some() {
                restricted(self.tables, row, &mut self.notes);
                continue;
            }
            let role = self.output.role(slug);
            role.name = shown(user, slug);
            role.permissions.insert(permission);
            self.output.user(user).roles.insert(slug.clone());
        }
        let rows: Vec<&Row> = self.tables.rows("model_has_roles").collect();
        for row in rows {
            let role = row.get("role_id").and_then(|id| roles.get(id));
            let (Some(user), Some(role)) = (self.user_of(row), role) else { continue };
            self.output.user(user).roles.insert(role.clone());
        }
        Imported { output: self.output, notes: self.notes.into_list() }
    }

    /// Notes the columns of entities that may say something about access.
    fn unread_columns(&mut self) {
        for table in ["users", "roles", "permissions"] {
            let is_unread = |column: &&String| {
                let is_known = KNOWN_COLUMNS.contains(&column.as_str()) || *column == self.tables.team_column;
                !is_known && (table != "users" || !USER_COLUMNS.contains(&column.as_str()))
            };
            let columns = self.tables.rows(table).flat_map(|row| row.values.keys()).filter(is_unread);
            let columns: BTreeSet<String> = columns.map(|column| Quoted(column).to_string()).collect();
            if !columns.is_empty() {
                let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
                let advice = "if one says that a user or role is not active, suspend the user or remove the role";
                self.notes.left_out(table, format!("these columns are not read: {columns}"), advice);
            }
        }
    }

    fn users(&mut self) {
        let mut keys = BTreeMap::new();
        for row in self.tables.rows("users") {
            let Some(id) = row.get("id") else { continue };
            let key = row.get("email").unwrap_or(id);
            if !is_key(key, &mut self.notes) {
                continue;
            }
            if let Some(other) = keys.insert(key, id) {
                let message =
                    format!("another user has the key {}: the one with the id {}", Quoted(key), Quoted(other));
                self.notes.left_out(&row.place, message, "give one of them another e-mail address");
                keys.insert(key, other);
                continue;
            }
            self.users.insert(id, key);
            let user = self.output.user(key);
            user.name = row.get("name").and_then(|name| shown(name, key));
            if row.get("deleted_at").is_some() {
                user.is_suspended = true;
                self.notes.changed(
                    &row.place,
                    format!("{} is deleted in the source, so it is suspended", Quoted(key)),
                    "",
                );
            }
        }
    }

    /// Finds the roles and permissions of this guard and team.
    fn named(&mut self) {
        let tables = self.tables;
        let (mut other_guards, mut other_teams) = (0_usize, 0_usize);
        for (table, is_role) in [("roles", true), ("permissions", false)] {
            for row in tables.rows(table) {
                let (Some(id), Some(name)) = (row.get("id"), row.get("name")) else { continue };
                let team = row.get(tables.team_column).filter(|_| is_role);
                if !tables.is_of_guard(row) {
                    other_guards += 1;
                } else if team.is_some_and(|team| Some(team) != tables.team.as_deref()) {
                    other_teams += 1;
                } else if is_role {
                    self.roles.insert(id, name);
                } else if !name.contains('*') || pattern(name, tables.wildcards).is_some() {
                    self.permissions.insert(id, name);
                    if name.contains('*') {
                        let message = format!("{} is a pattern, which covers permissions that exist", Quoted(name));
                        self.notes.changed(&row.place, message, "create a permission for everything that is asked for");
                    }
                } else {
                    let message = format!("the permission {} has a wildcard", Quoted(name));
                    let advice = "if the application has turned wildcards on, say so: a name that ends in `.*` becomes a pattern";
                    self.notes.left_out(&row.place, message, advice);
                }
                if tables.wildcards && !is_role && !name.contains('*') {
                    self.wildcard_prefix(row, name);
                }
            }
        }
        if other_guards > 0 {
            let message = match other_guards {
                1 => "1 role or permission is of another guard".to_owned(),
                more => format!("{more} roles and permissions are of other guards"),
            };
            self.notes.left_out("guards", message, "import each guard as a tenant, or give both guards the same roles");
        }
        if other_teams > 0 {
            let message = match other_teams {
                1 => "1 role is of another team".to_owned(),
                more => format!("{more} roles are of other teams"),
            };
            self.notes.left_out("teams", message, "import each team as a tenant");
        }
    }

    /// With wildcards, `posts` also gives `posts.edit`, and `posts.edit,view` gives both.
    fn wildcard_prefix(&mut self, row: &Row, name: &str) {
        let begins = format!("{name}.");
        let names = || self.tables.rows("permissions").filter_map(|row| row.get("name"));
        if name.contains(',') || names().any(|other| other.starts_with(&begins)) {
            let message =
                format!("with wildcards, {} also gives what it stands for; here it is one permission", Quoted(name));
            self.notes.left_out(&row.place, message, "grant the others to the same roles");
        }
    }

    /// The rows that give a permission to a user directly.
    fn direct(&mut self) -> Vec<(&'a Row, &'a str, &'a str)> {
        let rows: Vec<&'a Row> = self.tables.rows("model_has_permissions").collect();
        let given = |row: &'a Row| {
            let permission = row.get("permission_id").filter(|id| self.permissions.contains_key(id))?;
            Some((row, self.user_of(row)?, permission))
        };
        rows.into_iter().filter_map(given).collect()
    }

    /// The user that a row is about, if the row counts.
    fn user_of(&mut self, row: &'a Row) -> Option<&'a str> {
        let team = row.get(self.tables.team_column);
        if team != self.tables.team.as_deref() {
            if team.is_none() {
                self.notes.left_out(&row.place, "the row has no team, but others have one", "assign it in each team");
            }
            return None;
        }
        let model = row.get("model_type").unwrap_or_default();
        let name = model.rsplit('\\').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case("user") {
            let message = format!("{} is not a user", Quoted(model));
            self.notes.left_out(&row.place, message, "create a user with a key for it, such as `service:…`");
            return None;
        }
        let user = self.users.get(row.get("model_id").unwrap_or_default()).copied();
        if user.is_none() {
            let id = row.get("model_id").unwrap_or_default();
            let advice = "export the whole table `users`, unless the user was deleted";
            self.notes.left_out(&row.place, format!("there is no user with the id {}", Quoted(id)), advice);
        }
        if self.tables.restriction(row).is_some() {
            restricted(self.tables, row, &mut self.notes);
            return None;
        }
        user
    }
}

fn direct_key(user: &str) -> String {
    format!("direct\u{1f}{user}")
}

fn restricted(tables: &Tables<'_>, row: &Row, notes: &mut Notes) {
    let column = tables.restriction(row).map_or("", String::as_str);
    let message = format!("the column {} may restrict the row, and is not read", Quoted(column));
    notes.left_out(&row.place, message, "if it is the end of an assignment, add the assignment with a window");
}

/// The pattern for a name that ends in `.*`, and has no other wildcard.
fn pattern(name: &str, wildcards: bool) -> Option<String> {
    let prefix = name.strip_suffix(".*").filter(|_| wildcards)?;
    (Slug::new(prefix).is_ok() && !prefix.contains(',') && Pattern::new(name).is_ok()).then(|| name.to_owned())
}
