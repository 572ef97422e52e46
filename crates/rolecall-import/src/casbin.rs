//! From casbin: a model file, and a policy with `p` and `g` lines.
//!
//! | casbin | rolecall |
//! |---|---|
//! | a domain | a tenant |
//! | `g, alice, editor` | the user `alice` has the role `editor` |
//! | `g, editor, viewer` | the role `editor` includes the role `viewer` |
//! | `p, editor, posts, write` | the permission `posts:write`, granted to `editor` |
//! | `p, alice, posts, write` | the role `direct-alice` of the user `alice`, which grants it |
//! | `*` where the matcher says `p.act == "*"`; an object like `/posts/*` with `keyMatch` | a pattern |
//!
//! A name in the second place of a `g` line is a role. Every other subject is a user.

mod model;
mod policy;
mod rule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rolecall::error::Quoted;
use rolecall::records::{Pattern, Slug};

use self::model::{Effect, Matcher, Model};
use self::policy::Line;
use self::rule::{Rule, Value, value};
use crate::cycles::{Edges, remove_cycles};
use crate::names::{Slugs, is_key, shown, tenant_slug};
use crate::notes::Notes;
use crate::output::Output;
use crate::{Error, Imported, choose};

/// The number of links that casbin follows at most from a user to a role.
const MOST_LINKS: usize = 10;

const DENY_ADVICE: &str = "rolecall has no rules that deny: give the role only to those who may, and keep roles apart with a \
                           separation of duties";

/// Reads a model and a policy. With domains, reads the named one, or the only one.
///
/// ```
/// # let model = "[request_definition]\nr = sub, dom, obj, act\n[policy_definition]\np = sub, dom, obj, act\n\
/// #   [role_definition]\ng = _, _, _\n[policy_effect]\ne = some(where (p.eft == allow))\n\
/// #   [matchers]\nm = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act";
/// let policy = "p, admin, acme, posts, write\ng, alice, admin, acme\ng, bob, admin, globex";
/// let imported = rolecall_import::casbin::read(model, policy, Some("acme"))?;
/// assert!(imported.to_json().contains("posts:write") && !imported.to_json().contains("bob"));
/// assert!(rolecall_import::casbin::read(model, policy, None).is_err(), "there are two domains");
/// # Ok::<(), rolecall_import::Error>(())
/// ```
///
/// # Complexity
/// O(lines log lines). Each rule with a wildcard is compared with every permission, each rule that denies with every rule.
///
/// # Errors
/// [`Error::Invalid`] if the model lacks a definition or is not an INI file, or if the policy is not CSV.
/// [`Error::Choose`] if the domain does not exist, or if there are several and none is chosen.
pub fn read(model: &str, policy: &str, domain: Option<&str>) -> Result<Imported, Error> {
    let model = Model::parse(model)?;
    let lines = policy::lines(policy)?;
    let domains = domains(&model, &lines);
    let domain = if domains.is_empty() && domain.is_none() { None } else { choose("domain", domains, domain)? };
    let mut notes = Notes::default();
    let slug = tenant_slug(domain.as_deref().unwrap_or("casbin"), &mut notes);
    let name = domain.as_deref().and_then(|domain| shown(domain, &slug));
    let mut import = Import { model: &model, domain: domain.as_deref(), notes, ..Import::new(&model) };
    import.sort(&lines);
    import.rules_that_deny();
    Ok(import.write(Output::new(slug, name)))
}

/// The domains of the rules and links.
fn domains<'l>(model: &Model, lines: &'l [Line]) -> Vec<String> {
    let of_rules = model.matcher.as_ref().and_then(|matcher| matcher.domain.as_ref()).and_then(|domain| domain.column);
    let of_line = |line: &'l Line| match line.kind.as_str() {
        "p" => line.values.get(of_rules?).filter(|domain| *domain != "*"),
        "g" if model.link_columns == 3 && line.values.len() == 3 => line.values.get(2),
        _ => None,
    };
    let found: BTreeSet<&String> = lines.iter().filter_map(of_line).filter(|domain| !domain.is_empty()).collect();
    found.into_iter().cloned().collect()
}

struct Import<'a> {
    model: &'a Model,
    domain: Option<&'a str>,
    notes: Notes,
    allow: Vec<Rule>,
    deny: Vec<Rule>,
    /// The links of the domain, users to roles and roles to roles.
    links: Edges,
    roles: BTreeSet<String>,
    /// The requests that rules name without wildcards: the permissions.
    asked: BTreeSet<Vec<String>>,
}

impl<'a> Import<'a> {
    fn new(model: &'a Model) -> Self {
        Self {
            model,
            domain: None,
            notes: Notes::default(),
            allow: Vec::new(),
            deny: Vec::new(),
            links: Edges::new(),
            roles: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Sorts the lines into rules and links, and leaves out all others.
    fn sort(&mut self, lines: &[Line]) {
        self.model_notes();
        let mut of_other_domains = 0_usize;
        for line in lines {
            let place = format!("policy: line {}", line.number);
            match line.kind.as_str() {
                "p" => self.rule(line, &place, &mut of_other_domains),
                "g" => self.link(line, &place, &mut of_other_domains),
                "g2" => {
                    let message = format!("objects are not grouped: {}", Quoted(&line.values.join(", ")));
                    self.notes.left_out(place, message, "grant the permission of each object, or name it by its group");
                }
                kind => {
                    let message = format!("lines of the kind {} are not read", Quoted(kind));
                    let advice =
                        "import them apart, as the `p` and `g` lines of another model, or add what they give by hand";
                    self.notes.left_out(place, message, advice);
                }
            }
        }
        if of_other_domains > 0 {
            let message = match of_other_domains {
                1 => "1 line is about another domain".to_owned(),
                more => format!("{more} lines are about other domains"),
            };
            self.notes.left_out("policy", message, "import each domain as a tenant");
        }
    }

    fn model_notes(&mut self) {
        let place = "model: [matchers]";
        for part in &self.model.left_out {
            let message = format!("what {} allows is not carried over", Quoted(part));
            let advice = "decide it in the application: who may do everything has a role with the pattern `*`, conditions on \
                          attributes need a policy engine";
            self.notes.left_out(place, message, advice);
        }
        if self.model.matcher.is_none() {
            let message = "no rule is carried over, because each depends on these conditions";
            self.notes.left_out(place, message, "take them out of the matcher, and decide them in the application");
        }
        if self.model.effect == Effect::Other {
            let message =
                "no rule is carried over, because the effect is none that begins with a denial and adds to it";
            self.notes.left_out("model: [policy_effect]", message, DENY_ADVICE);
        }
    }

    fn rule(&mut self, line: &Line, place: &str, of_other_domains: &mut usize) {
        let Some(matcher) = &self.model.matcher else { return };
        let effect = self.model.column("eft");
        let expected = self.model.columns.len();
        // The effect may be left out if it is the last column.
        let is_complete = line.values.len() == expected
            || (effect == Some(expected.saturating_sub(1)) && line.values.len() + 1 == expected);
        if !is_complete {
            let message = format!("expected {expected} values, found {}", line.values.len());
            self.notes.left_out(place, message, "correct the line; if it denies something, do so before the import");
            // An incomplete rule may deny something, and nobody knows what. So it denies everything.
            if self.model.effect != Effect::AllowOverride && line.values.iter().any(|value| value == "deny") {
                let asked = vec![Value::Any; matcher.asked.len()];
                self.deny.push(Rule { line: line.number, subject: None, asked });
            }
            return;
        }
        let denies = match effect.and_then(|effect| line.values.get(effect)).map(String::as_str) {
            None | Some("allow") => false,
            Some("deny") => true,
            Some(other) => {
                let message = format!("the effect {} neither allows nor denies", Quoted(other));
                self.notes.left_out(place, message, "write `allow` if the line is meant to give something");
                return;
            }
        };
        if !self.is_of_domain(matcher, line, denies) {
            *of_other_domains += 1;
            return;
        }
        let subject = matcher.subject.column.and_then(|column| line.values.get(column)).cloned().unwrap_or_default();
        let is_everybody = matcher.subject.star_is_any && subject == "*";
        let values: Option<Vec<Value>> = matcher.asked.iter().map(|part| value(part, line, denies)).collect();
        let Some(asked) = values else {
            let message = format!("the wildcard in {} has no counterpart", Quoted(&line.values.join(", ")));
            let advice = "create a permission for each kind of object rather than for each path, and grant it";
            self.notes.left_out(place, message, advice);
            return;
        };
        if denies {
            self.deny.push(Rule { line: line.number, subject: Some(subject).filter(|_| !is_everybody), asked });
        } else if is_everybody {
            let message = "the rule is about everybody, also about unknown users";
            self.notes.left_out(place, message, "create a group of all users, and assign a role to it");
        } else if subject.is_empty() {
            self.notes.left_out(place, "the subject is empty", "name a user or a role in the line");
        } else {
            self.allow.push(Rule { line: line.number, subject: Some(subject), asked });
        }
    }

    /// Whether a rule is about the domain. One that denies is, unless it is certainly about another one.
    fn is_of_domain(&self, matcher: &Matcher, line: &Line, denies: bool) -> bool {
        let Some(comparison) = &matcher.domain else { return true };
        let Some(column) = comparison.column else { return true };
        let value = line.values.get(column);
        let is_any = value.is_some_and(|value| value == "*") && (comparison.star_is_any || denies);
        is_any || value.map(String::as_str) == self.domain
    }

    fn link(&mut self, line: &Line, place: &str, of_other_domains: &mut usize) {
        if self.model.matcher.as_ref().is_some_and(|matcher| !matcher.follows_links) {
            let advice = "compare subjects by `g(r.sub, p.sub)` in the matcher if roles are meant to count";
            self.notes.left_out(place, "the matcher follows no links", advice);
            return;
        }
        let (user, role, domain) = match line.values.as_slice() {
            [user, role] if self.model.link_columns == 2 => (user, role, None),
            [user, role, domain] if self.model.link_columns == 3 => (user, role, Some(domain.as_str())),
            values => {
                let message = format!("expected {} values, found {}", self.model.link_columns, values.len());
                self.notes.left_out(place, message, "conditions of links need a window or a policy engine");
                return;
            }
        };
        if user.is_empty() || role.is_empty() {
            self.notes.left_out(place, "a name is empty", "name a user and a role in the line");
            return;
        }
        self.roles.insert(role.clone());
        if domain.is_some_and(|domain| Some(domain) != self.domain) {
            *of_other_domains += 1;
            return;
        }
        if role.contains('*') || user.contains('*') {
            let message = format!("the star in {} means itself", Quoted(&line.values.join(", ")));
            self.notes.changed(
                place,
                message,
                "a matching function that the application adds in code is not carried over",
            );
        }
        self.links.entry(user.clone()).or_default().insert(role.clone());
    }

    /// Leaves out rules that denials take something from: those that a user has together with a denial of the same.
    fn rules_that_deny(&mut self) {
        if self.model.effect == Effect::AllowOverride {
            for rule in std::mem::take(&mut self.deny) {
                let message = "the rule denies, which has no effect in this model";
                self.notes.changed(format!("policy: line {}", rule.line), message, "");
            }
            return;
        }
        if self.model.effect == Effect::Other {
            self.allow.clear();
            return;
        }
        let subjects = self.allow.iter().filter_map(|rule| rule.subject.as_ref());
        let users = self.links.keys().chain(subjects).filter(|name| !self.roles.contains(*name));
        let users: BTreeSet<&String> = users.collect();
        let mut holders: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for user in users {
            for held in reached(&self.links, user) {
                holders.entry(held).or_default().insert(user);
            }
        }
        let is_uncertain = !self.model.left_out.is_empty();
        let meets = |allowed: &Rule, denied: &Rule| {
            let overlaps = allowed.asked.iter().zip(&denied.asked).all(|(one, two)| one.overlaps(two));
            let of = |rule: &Rule| rule.subject.as_ref().map(|subject| holders.get(subject));
            let by_somebody = || match (of(allowed), of(denied)) {
                (Some(Some(one)), Some(Some(two))) => !one.is_disjoint(two),
                // Nobody holds a subject that is missing. A rule without a subject is about everybody.
                (Some(None), _) | (_, Some(None)) => false,
                (None, _) | (_, None) => true,
            };
            is_uncertain || (overlaps && by_somebody())
        };
        let denied_by = |rule: &Rule| self.deny.iter().find(|denied| meets(rule, denied)).map(|denied| denied.line);
        let judged: Vec<Option<u64>> = self.allow.iter().map(denied_by).collect();
        let mut judged = judged.into_iter();
        let notes = &mut self.notes;
        self.allow.retain(|rule| match judged.next().flatten() {
            Some(line) => {
                let message = format!("line {line} denies to some users what this line gives to them");
                notes.left_out(format!("policy: line {}", rule.line), message, DENY_ADVICE);
                false
            }
            None => true,
        });
        for rule in &self.deny {
            let message = "the rule denies; no user has now what it takes away, but it does not hold for later changes";
            notes.left_out(format!("policy: line {}", rule.line), message, DENY_ADVICE);
        }
    }

    /// Removes the links that a document cannot have, and those beyond the distance that casbin follows.
    fn simplify_links(&mut self) {
        for (from, to) in remove_cycles(&mut self.links) {
            let message = format!("it closes a cycle of roles: {} has {} through others", Quoted(&to), Quoted(&from));
            let advice = "roles in a cycle give the same: merge them into one";
            self.notes.left_out(format!("link of {} to {}", Quoted(&from), Quoted(&to)), message, advice);
        }
        // The longest way to each role, in topological order.
        let mut incoming: BTreeMap<&String, usize> = BTreeMap::new();
        for target in self.links.values().flatten() {
            *incoming.entry(target).or_default() += 1;
        }
        let mut ready: VecDeque<&String> = self.links.keys().filter(|name| !incoming.contains_key(name)).collect();
        let (mut longest, mut too_long): (BTreeMap<&String, usize>, Vec<(String, String)>) = <_>::default();
        while let Some(name) = ready.pop_front() {
            let length = longest.get(name).copied().unwrap_or(0) + 1;
            for target in self.links.get(name).into_iter().flatten() {
                if length > MOST_LINKS {
                    too_long.push((name.clone(), target.clone()));
                } else {
                    let longest = longest.entry(target).or_default();
                    *longest = length.max(*longest);
                }
                if let Some(count) = incoming.get_mut(target) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(target);
                    }
                }
            }
        }
        for (from, to) in too_long {
            let message =
                format!("casbin follows {MOST_LINKS} links from a user by default, and this one may be further away");
            let advice = "if the application has raised that limit, include the role";
            self.notes.left_out(format!("link of {} to {}", Quoted(&from), Quoted(&to)), message, advice);
            if let Some(targets) = self.links.get_mut(&from) {
                targets.remove(&to);
            }
        }
    }

    fn write(mut self, mut output: Output) -> Imported {
        self.simplify_links();
        self.asked = self.allow.iter().chain(&self.deny).filter_map(Rule::literals).collect();
        let subjects = self.allow.iter().filter_map(|rule| rule.subject.clone());
        let direct: BTreeSet<String> = subjects.filter(|subject| !self.roles.contains(subject)).collect();
        let users: BTreeSet<String> =
            self.links.keys().filter(|name| !self.roles.contains(*name)).chain(&direct).cloned().collect();
        let users: BTreeSet<String> = users.into_iter().filter(|user| is_key(user, &mut self.notes)).collect();

        let permissions = self.asked.iter().map(|asked| (asked.join("\u{1f}"), asked.join(":")));
        let permissions = Slugs::new("permission", permissions, &mut self.notes);
        let own_role = |user: &String| (format!("direct\u{1f}{user}"), format!("direct-{user}"));
        let of_domain = self.roles_of_domain();
        let roles = of_domain.iter().map(|role| (role.clone(), role.clone()));
        let of_users = direct.iter().filter(|user| users.contains(*user)).map(own_role);
        let roles = Slugs::new("role", roles.chain(of_users), &mut self.notes);

        for asked in &self.asked {
            if let Some(slug) = permissions.get(&asked.join("\u{1f}")) {
                output.permission(slug).name = shown(&asked.join(":"), slug);
            }
        }
        for role in &of_domain {
            if let Some(slug) = roles.get(role) {
                let links = self.links.get(role).into_iter().flatten();
                let of_output = output.role(slug);
                of_output.name = shown(role, slug);
                of_output.includes = links.filter_map(|role| roles.get(role)).cloned().collect();
            }
        }
        for user in &users {
            let held = self.links.get(user).into_iter().flatten();
            output.user(user).roles = held.filter_map(|role| roles.get(role)).cloned().collect();
            if let Some(slug) = roles.get(&own_role(user).0) {
                output.role(slug).name = shown(user, slug);
                output.user(user).roles.insert(slug.clone());
            }
        }
        for rule in std::mem::take(&mut self.allow) {
            let Some(subject) = &rule.subject else { continue };
            let Some(slug) = roles.get(subject).or_else(|| roles.get(&own_role(subject).0)) else { continue };
            let grants = self.grants(&rule, &permissions);
            output.role(slug).permissions.extend(grants);
        }
        Imported { output, notes: self.notes.into_list() }
    }

    /// The roles that links and rules of the domain name.
    fn roles_of_domain(&self) -> BTreeSet<String> {
        let linked = self.links.iter().flat_map(|(from, to)| std::iter::once(from).chain(to));
        let subjects = self.allow.iter().filter_map(|rule| rule.subject.as_ref());
        linked.chain(subjects).filter(|name| self.roles.contains(*name)).cloned().collect()
    }

    /// The grants of a rule: a permission, a pattern, or what the pattern should match.
    fn grants(&mut self, rule: &Rule, permissions: &Slugs) -> Vec<String> {
        let matches = |asked: &&Vec<String>| rule.asked.iter().zip(*asked).all(|(value, asked)| value.matches(asked));
        let slug = |asked: &Vec<String>| permissions.get(&asked.join("\u{1f}"));
        let wanted: BTreeSet<&String> = self.asked.iter().filter(matches).filter_map(slug).collect();
        if rule.asked.iter().all(|value| matches!(value, Value::Is(_))) {
            return wanted.into_iter().cloned().collect();
        }
        let place = format!("policy: line {}", rule.line);
        let text = rule.asked.iter().map(Value::pattern).collect::<Vec<_>>().join(":");
        let has_other_stars =
            rule.asked.iter().any(|value| matches!(value, Value::Is(text) if Slug::new(text).is_err()));
        let covered = Pattern::new(&text).ok().filter(|_| !has_other_stars).map(|pattern| {
            let all = self.asked.iter().filter_map(slug);
            all.filter(|slug| pattern.matches(slug)).collect::<BTreeSet<_>>()
        });
        if covered.is_some_and(|covered| covered == wanted) {
            let message = format!("the rule is the pattern {}, which covers permissions that exist", Quoted(&text));
            self.notes.changed(place, message, "create a permission for everything else that the application asks for");
            return vec![text];
        }
        let message = format!("the pattern {} would match others, so its permissions are listed", Quoted(&text));
        self.notes.changed(place, message, "grant permissions that are created later to the role yourself");
        wanted.into_iter().cloned().collect()
    }
}

/// A name and everything that its links lead to.
fn reached<'a>(links: &'a Edges, name: &'a String) -> BTreeSet<&'a String> {
    let (mut found, mut waiting) = (BTreeSet::from([name]), vec![name]);
    while let Some(name) = waiting.pop() {
        for target in links.get(name).into_iter().flatten() {
            if found.insert(target) {
                waiting.push(target);
            }
        }
    }
    found
}
