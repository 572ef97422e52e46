//! Random policies, realms and tables: decisions after an import equal those of a small evaluation of the source, written by
//! hand.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use rolecall::blocking::{Authorizer, Tenant};
use rolecall_import::{Imported, NoteKind, casbin, keycloak, laravel};

fn tenant(imported: &Imported) -> Tenant {
    Authorizer::in_memory().import(&imported.document().unwrap()).unwrap()
}

/// A rule of casbin: subject, object, action, and whether it denies.
type Rule = (usize, usize, usize, bool);

const SUBJECTS: [&str; 8] = ["ann", "ben", "cid", "dot", "r1", "r2", "r3", "r4"];
const USERS: usize = 4;
const OBJECTS: [&str; 4] = ["inv", "inv:eu", "in*", "pay"];
const ACTIONS: [&str; 3] = ["read", "eu:read", "*"];

/// The answer of casbin: the subject of a rule is reached by links, the object by `keyMatch`, and a star is any action.
fn casbin_allows(
    rules: &[Rule],
    links: &[(usize, usize)],
    user: usize,
    object: &str,
    action: &str,
    deny: bool,
) -> bool {
    let mut held = BTreeSet::from([user]);
    while let Some((_, role)) = links.iter().find(|(from, to)| held.contains(from) && !held.contains(to)) {
        held.insert(*role);
    }
    let matches = |(subject, of_object, of_action, _): &&Rule| {
        let of_object = match OBJECTS[*of_object].split_once('*') {
            Some((prefix, _)) => object.starts_with(prefix),
            None => object == OBJECTS[*of_object],
        };
        held.contains(subject) && of_object && (ACTIONS[*of_action] == "*" || ACTIONS[*of_action] == action)
    };
    let mut matching = rules.iter().filter(matches);
    let allowed = matching.clone().any(|(.., denies)| !denies);
    allowed && (!deny || matching.all(|(.., denies)| !denies))
}

fn policy(rules: &[Rule], links: &[(usize, usize)]) -> String {
    let mut policy = String::new();
    for (subject, object, action, denies) in rules {
        let effect = if *denies { "deny" } else { "allow" };
        writeln!(policy, "p, {}, {}, {}, {effect}", SUBJECTS[*subject], OBJECTS[*object], ACTIONS[*action]).unwrap();
    }
    for (from, to) in links {
        writeln!(policy, "g, {}, {}", SUBJECTS[*from], SUBJECTS[*to]).unwrap();
    }
    policy
}

fn model(effect: &str) -> String {
    format!(
        "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act, eft\n[role_definition]\ng = _, _\n\
         [policy_effect]\ne = {effect}\n\
         [matchers]\nm = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && (r.act == p.act || p.act == \"*\")"
    )
}

/// Links from users to roles, and from roles to roles that come later, or to any if cycles are wanted.
fn links(cycles: bool) -> impl Strategy<Value = Vec<(usize, usize)>> {
    let link = (0..SUBJECTS.len(), USERS..SUBJECTS.len());
    vec(link, 0..8).prop_map(move |links| links.into_iter().filter(|(from, to)| from < to || cycles).collect())
}

fn rules(objects: usize, actions: usize) -> impl Strategy<Value = Vec<Rule>> {
    vec((0..SUBJECTS.len(), 0..objects, 0..actions, any::<bool>()), 0..8)
}

/// Compares every user, object and action. Returns the number of allowed checks of both.
fn compare(rules: &[Rule], links: &[(usize, usize)], deny: bool, exact: bool) -> Result<(), TestCaseError> {
    let effect = if deny {
        "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
    } else {
        "some(where (p.eft == allow))"
    };
    let imported = casbin::read(&model(effect), &policy(rules, links), None).unwrap();
    let acme = tenant(&imported);
    for (user, key) in SUBJECTS.iter().enumerate().take(USERS) {
        for object in ["inv", "inv:eu", "inx", "pay"] {
            for action in ["read", "eu:read", "write"] {
                let slug = format!("{object}:{action}");
                // `inv` with `eu:read` and `inv:eu` with `read` have one name; the second of them has a number.
                let has_twin = slug == "inv:eu:read";
                let expected = casbin_allows(rules, links, user, object, action, deny);
                let is_registered = acme.now().permission(slug.as_str()).is_some();
                if has_twin {
                    let twins = [("inv", "eu:read"), ("inv:eu", "read")];
                    let either = twins.iter().any(|(o, a)| casbin_allows(rules, links, user, o, a, deny));
                    let both = ["inv:eu:read", "inv:eu:read-2"].iter().any(|slug| acme.check(*key, *slug));
                    prop_assert!(!both || either, "{key} {slug}");
                } else if exact && is_registered {
                    prop_assert_eq!(acme.check(*key, slug.as_str()), expected, "{} {}", key, slug);
                } else {
                    prop_assert!(!acme.check(*key, slug.as_str()) || expected, "{key} {slug} was not allowed");
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn casbin_with_wildcards_decides_the_same(rules in rules(4, 3), links in links(false)) {
        compare(&rules, &links, false, true)?;
    }

    #[test]
    fn casbin_with_denials_or_cycles_never_decides_more(rules in rules(4, 3), links in links(true), deny: bool) {
        compare(&rules, &links, deny, false)?;
    }

    #[test]
    fn casbin_keeps_what_no_denial_touches(rules in rules(2, 1), links in links(false)) {
        let rules: Vec<Rule> = rules.into_iter().map(|(s, o, a, denies)| (s, o, a, denies && o == 1)).collect();
        let imported =
            casbin::read(&model("some(where (p.eft == allow)) && !some(where (p.eft == deny))"), &policy(&rules, &links), None)
                .unwrap();
        let acme = tenant(&imported);
        for (user, key) in SUBJECTS.iter().enumerate().take(USERS) {
            prop_assert_eq!(acme.check(*key, "inv:read"), casbin_allows(&rules, &links, user, "inv", "read", true));
        }
    }

    #[test]
    fn keycloak_with_composites_and_subgroups_decides_the_same(realm in realm()) {
        let imported = keycloak::read(&[&realm.json()], None).unwrap();
        prop_assert!(imported.notes().iter().all(|note| note.kind == NoteKind::Changed), "{:?}", imported.notes());
        let acme = tenant(&imported);
        for user in 0..realm.users.len() {
            let held = realm.held(user);
            for role in 0..ROLES {
                let allowed = realm.users[user].enabled && held.contains(&role);
                prop_assert_eq!(acme.check(format!("u{user}"), name(role)), allowed, "u{} {}", user, name(role));
            }
        }
    }

    #[test]
    fn laravel_with_teams_and_guards_decides_the_same(tables in tables()) {
        let options = laravel::Options {
            team: tables.with_teams.then(|| TEAMS[0].to_owned()),
            guard: Some("web".to_owned()),
            ..laravel::Options::default()
        };
        let csv = tables.csv();
        let csv: Vec<(&str, &str)> = csv.iter().map(|(name, csv)| (*name, csv.as_str())).collect();
        let acme = tenant(&laravel::read(&csv, &options).unwrap());
        for user in 0..tables.users.len() {
            for permission in ["edit", "publish", "sync"] {
                let key = format!("u{user}@press.example");
                let allowed = tables.allows(user, permission);
                prop_assert_eq!(acme.check(&key, permission), allowed, "{} {}", key, permission);
            }
        }
    }
}

const ROLES: usize = 6;

/// The first three roles belong to the realm, the others to a client.
fn name(role: usize) -> String {
    if role < 3 { format!("r{role}") } else { format!("app:r{role}") }
}

#[derive(Clone, Debug)]
struct Realm {
    /// A composite role, and what it contains: roles with a higher number.
    composites: Vec<(usize, usize)>,
    /// The parent of each group, which comes before it, and its roles.
    groups: Vec<(Option<usize>, Vec<usize>)>,
    users: Vec<User>,
}

#[derive(Clone, Debug)]
struct User {
    enabled: bool,
    roles: Vec<usize>,
    groups: Vec<usize>,
}

fn realm() -> impl Strategy<Value = Realm> {
    let group = (proptest::option::of(0..8_usize), vec(0..ROLES, 0..2));
    let user = (any::<bool>(), vec(0..ROLES, 0..2), vec(0..8_usize, 0..3));
    (vec((0..ROLES, 0..ROLES), 0..6), vec(group, 1..6), vec(user, 1..5)).prop_map(|(composites, groups, users)| {
        let composites = composites.into_iter().filter(|(role, included)| role < included).collect();
        let numbered = groups.into_iter().enumerate();
        let groups: Vec<_> =
            numbered.map(|(n, (parent, roles))| (parent.filter(|parent| *parent < n), roles)).collect();
        let count = groups.len();
        let user = |(enabled, roles, groups): (bool, Vec<usize>, Vec<usize>)| User {
            enabled,
            roles,
            groups: groups.into_iter().filter(|group| *group < count).collect(),
        };
        Realm { composites, users: users.into_iter().map(user).collect(), groups }
    })
}

impl Realm {
    /// The roles of a user: its own, those of its groups and of the groups above, and what composites contain.
    fn held(&self, user: usize) -> BTreeSet<usize> {
        let mut held: BTreeSet<usize> = self.users[user].roles.iter().copied().collect();
        for group in &self.users[user].groups {
            let mut at = Some(*group);
            while let Some(group) = at {
                held.extend(&self.groups[group].1);
                at = self.groups[group].0;
            }
        }
        while let Some((_, role)) = self.composites.iter().find(|(from, to)| held.contains(from) && !held.contains(to))
        {
            held.insert(*role);
        }
        held
    }

    fn path(&self, group: usize) -> String {
        let above = self.groups[group].0.map_or_else(String::new, |parent| self.path(parent));
        format!("{above}/g{group}")
    }

    fn json(&self) -> String {
        let role = |role: &usize| {
            let included = |of_client: bool| {
                let included = self.composites.iter().filter(|(from, to)| from == role && (*to >= 3) == of_client);
                included.map(|(_, to)| format!(r#""r{to}""#)).collect::<Vec<_>>().join(",")
            };
            format!(
                r#"{{"name": "r{role}", "composites": {{"realm": [{}], "client": {{"app": [{}]}}}}}}"#,
                included(false),
                included(true)
            )
        };
        let roles = |range: std::ops::Range<usize>| range.map(|n| role(&n)).collect::<Vec<_>>().join(",");
        let users = self.users.iter().enumerate().map(|(n, user)| {
            let groups: Vec<String> = user.groups.iter().map(|group| format!("{:?}", self.path(*group))).collect();
            let (enabled, roles) = (user.enabled, assigned(&user.roles));
            format!(r#"{{"username": "u{n}", "enabled": {enabled}, {roles}, "groups": [{}]}}"#, groups.join(","))
        });
        let users: Vec<String> = users.collect();
        format!(
            r#"{{"realm": "acme", "roles": {{"realm": [{}], "client": {{"app": [{}]}}}}, "groups": [{}], "users": [{}]}}"#,
            roles(0..3),
            roles(3..ROLES),
            self.subgroups(None),
            users.join(",")
        )
    }

    fn subgroups(&self, of: Option<usize>) -> String {
        let subgroups = self.groups.iter().enumerate().filter(|(_, (parent, _))| *parent == of);
        let subgroups = subgroups.map(|(n, (_, roles))| {
            let (path, roles, inner) = (self.path(n), assigned(roles), self.subgroups(Some(n)));
            format!(r#"{{"name": "g{n}", "path": "{path}", {roles}, "subGroups": [{inner}]}}"#)
        });
        subgroups.collect::<Vec<_>>().join(",")
    }
}

/// The members of JSON that assign roles to a user or group.
fn assigned(roles: &[usize]) -> String {
    let named = |of_client: bool| {
        let named = roles.iter().filter(|role| (**role >= 3) == of_client).map(|role| format!(r#""r{role}""#));
        named.collect::<Vec<_>>().join(",")
    };
    format!(r#""realmRoles": [{}], "clientRoles": {{"app": [{}]}}"#, named(false), named(true))
}

const TEAMS: [&str; 2] = ["10", "20"];
const GUARDS: [&str; 2] = ["web", "api"];

/// The name and the guard of each permission. A name may be there for each guard.
const PERMISSIONS: [(&str, usize); 4] = [("edit", 0), ("publish", 0), ("edit", 1), ("sync", 1)];

#[derive(Clone, Debug)]
struct Tables {
    with_teams: bool,
    /// Whether each user is deleted.
    users: Vec<bool>,
    /// The team and the guard of each role.
    roles: Vec<(Option<usize>, usize)>,
    /// A role and a permission of the same guard: others cannot be granted.
    grants: Vec<(usize, usize)>,
    assigned: Vec<Given>,
    direct: Vec<Given>,
}

/// A role or a permission of a user, or of another model with the same id.
#[derive(Clone, Debug)]
struct Given {
    what: usize,
    user: usize,
    is_user: bool,
    team: Option<usize>,
}

fn tables() -> impl Strategy<Value = Tables> {
    let team = || proptest::option::weighted(0.8, 0..TEAMS.len());
    let given = |most: usize| {
        let given = (0..most, 0..3_usize, proptest::bool::weighted(0.8), team());
        let given = given.prop_map(|(what, user, is_user, team)| Given { what, user, is_user, team });
        vec(given, 0..8)
    };
    let deleted = proptest::bool::weighted(0.2);
    let roles = vec((proptest::option::of(0..TEAMS.len()), 0..GUARDS.len()), 4);
    let grants = vec((0..4_usize, 0..PERMISSIONS.len()), 0..10);
    (any::<bool>(), vec(deleted, 3), roles, grants, given(4), given(PERMISSIONS.len())).prop_map(
        |(with_teams, users, roles, grants, assigned, direct)| {
            let of_one_guard = |(role, permission): &(usize, usize)| roles[*role].1 == PERMISSIONS[*permission].1;
            let grants = grants.into_iter().filter(of_one_guard).collect();
            Tables { with_teams, users, roles, grants, assigned, direct }
        },
    )
}

impl Tables {
    /// The answer of laravel-permission for the first team and the first guard. It does not find deleted users.
    fn allows(&self, user: usize, permission: &str) -> bool {
        let Some(permission) = PERMISSIONS.iter().position(|asked| *asked == (permission, 0)) else { return false };
        let is_of_team = |team: Option<usize>| !self.with_teams || team == Some(0);
        let counts = |given: &&Given| given.user == user && given.is_user && is_of_team(given.team);
        let has_role = |role: usize| {
            let team = self.roles[role].0;
            (is_of_team(team) || team.is_none()) && self.assigned.iter().filter(counts).any(|given| given.what == role)
        };
        let direct = self.direct.iter().filter(counts).any(|given| given.what == permission);
        !self.users[user] && (direct || self.grants.iter().any(|(role, of)| *of == permission && has_role(*role)))
    }

    fn csv(&self) -> Vec<(&'static str, String)> {
        let (column, of) = (if self.with_teams { ",team_id" } else { "" }, |team: Option<usize>| match team {
            _ if !self.with_teams => String::new(),
            Some(team) => format!(",{}", TEAMS[team]),
            None => ",NULL".to_owned(),
        });
        let given = |what: &str, rows: &[Given]| {
            let row = |row: &Given| {
                let model = if row.is_user { "User" } else { "Device" };
                format!("{},App\\Models\\{model},{}{}\n", row.what, row.user, of(row.team))
            };
            format!("{what},model_type,model_id{column}\n{}", rows.iter().map(row).collect::<String>())
        };
        let users = self.users.iter().enumerate().map(|(user, deleted)| {
            let deleted = if *deleted { "2025-08-01 12:00:00" } else { "NULL" };
            format!("{user},u{user}@press.example,{deleted}\n")
        });
        let roles = self.roles.iter().enumerate();
        let roles = roles.map(|(role, (team, guard))| format!("{role},r{role},{}{}\n", GUARDS[*guard], of(*team)));
        let permissions = PERMISSIONS.iter().enumerate();
        let permissions = permissions.map(|(n, (name, guard))| format!("{n},{name},{}\n", GUARDS[*guard]));
        let grants = self.grants.iter().map(|(role, permission)| format!("{permission},{role}\n"));
        let mut tables = vec![
            ("users", format!("id,email,deleted_at\n{}", users.collect::<String>())),
            ("roles", format!("id,name,guard_name{column}\n{}", roles.collect::<String>())),
            ("permissions", format!("id,name,guard_name\n{}", permissions.collect::<String>())),
            ("role_has_permissions", format!("permission_id,role_id\n{}", grants.collect::<String>())),
            ("model_has_roles", given("role_id", &self.assigned)),
            ("model_has_permissions", given("permission_id", &self.direct)),
        ];
        if self.with_teams {
            tables.push(("teams", format!("id,name\n{},News\n{},Weekly\n", TEAMS[0], TEAMS[1])));
        }
        tables
    }
}
