//! Keeps the users and groups of a tenant in step with a directory.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use rolecall::blocking::Tenant;
use rolecall::error::Quoted;
use rolecall::plan::ListChanges;
use rolecall::records::{Record, RecordKey, RecordKind, Status, UserId, UserKey, UserRecord};
use rolecall::{ErrorKind, Plan, Tx, snapshot::External};

/// Everything that the directory lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) people: Vec<Person>,
    pub(crate) departments: Vec<Department>,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) mail: String,
    pub(crate) name: String,
    pub(crate) active: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Department {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The ids of the departments that this one is part of.
    pub(crate) parents: Vec<String>,
    /// The ids of the people in it.
    pub(crate) members: Vec<String>,
}

/// What `apply` did to the departments.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// The users who joined and left each department that changes, by its name.
    members: Vec<(String, ListChanges<UserKey>)>,
    /// The names of the departments that are no longer listed and had members or parents until now.
    unlisted: Vec<String>,
}

const OKTA: &str = "okta";

fn okta(id: &String) -> External<'_> {
    External { manager: OKTA, id }
}

/// Whether a user is as the directory lists the person.
fn is_current(user: &UserRecord, person: &Person) -> bool {
    let has_name = user.display_name().is_some_and(|name| *name == person.name.as_str());
    user.key == person.mail.as_str() && has_name && (user.status == Status::Active) == person.active
}

/// Makes the transaction's tenant equal to the directory.
pub(crate) fn apply(tx: &Tx, directory: &Directory, listed: &IndexedList<'_>) -> rolecall::Result<Moves> {
    tx.set_manager(OKTA)?.set_actor("directory-sync")?;
    let before = tx.base().at(tx.instant());

    let (mut joiners, mut differing) = (listed.people.clone(), Vec::new());
    for user in before.users_managed_by(OKTA) {
        let person = user.external_id().and_then(|id| joiners.remove(id.as_str()));
        if person.is_some_and(|person| is_current(user, person)) {
            continue;
        }
        // Leavers: suspended, not deleted, so that a mistake of the directory is easy to undo.
        if person.is_none() {
            tx.user(user.id)?.suspend()?;
        }
        // An address that now belongs to somebody else: its former owner gets another key, and keeps everything else.
        if person.is_none_or(|person| user.key != person.mail.as_str()) && listed.mails.contains(user.key.as_str()) {
            tx.user(user.id)?.set_key(&format!("{} ({})", user.key, user.id))?;
        }
        differing.extend(person);
    }
    // New names and addresses, people who come back, and joiners: those of the list whom no user is.
    differing.extend(joiners.into_values());
    differing.sort_by(|one, other| one.id.cmp(&other.id));
    for person in differing {
        let user = tx.ensure_managed_user(okta(&person.id), &person.mail)?;
        user.set_key(&person.mail)?.set_name(Some(&person.name))?;
        if person.active {
            user.activate()?
        } else {
            user.suspend()?
        };
    }

    // Departments. Their slugs stay when their names change.
    let mut moves = Moves::default();
    for group in before.groups_managed_by(OKTA) {
        if group.external_id().is_some_and(|id| listed.departments.contains(id.as_str())) {
            continue;
        }
        // Not deleted: with the group, its roles would be lost, and the answer may be incomplete.
        let (name, edit) = (group.name.to_string(), tx.group(group.id)?);
        let parents = edit.set_parents::<External<'_>>([])?;
        let members = edit.set_members::<External<'_>>([])?;
        if !(parents.is_empty() && members.is_empty()) {
            moves.unlisted.push(name.clone());
            moves.members.push((name, members));
        }
    }
    for department in &directory.departments {
        let group = tx.ensure_managed_group(okta(&department.id), &department.name)?;
        // No parents for the moment: two departments may have changed places.
        group.set_name(&department.name)?.set_parents::<External<'_>>([])?;
    }
    for department in &directory.departments {
        let group = tx.group(okta(&department.id))?;
        group.set_parents(department.parents.iter().map(okta))?;
        let changes = group.set_members(department.members.iter().map(okta))?;
        if !changes.is_empty() {
            moves.members.push((department.name.clone(), changes));
        }
    }
    Ok(moves)
}

/// The content of a list that does not contradict itself.
pub(crate) struct IndexedList<'a> {
    /// By id.
    people: HashMap<&'a str, &'a Person>,
    mails: HashSet<&'a str>,
    departments: HashSet<&'a str>,
}

/// Refuses an empty list, which a limit does not catch in a small company, a list with an id or an address twice, and a
/// department with a member or a parent that is not listed: the list is then incomplete.
fn check_list(directory: &Directory) -> Result<IndexedList<'_>, String> {
    if directory.people.is_empty() {
        return Err("refused: the directory lists nobody".to_owned());
    }
    let size = directory.people.len();
    let (people, mails) = (HashMap::with_capacity(size), HashSet::with_capacity(size));
    let mut listed = IndexedList { people, mails, departments: HashSet::new() };
    let twice = |name: &String| Err(format!("refused: the directory lists {} twice", Quoted(name)));
    for person in &directory.people {
        if listed.people.insert(&person.id, person).is_some() {
            return twice(&person.id);
        }
        if !listed.mails.insert(&person.mail) {
            return twice(&person.mail);
        }
    }
    for department in &directory.departments {
        if !listed.departments.insert(&department.id) {
            return twice(&department.id);
        }
    }
    for Department { name, parents, members, .. } in &directory.departments {
        let member = members.iter().find(|id| !listed.people.contains_key(id.as_str()));
        let parent = parents.iter().find(|id| !listed.departments.contains(id.as_str()));
        if let Some((what, id)) = member.map(|id| ("member", id)).or(parent.map(|id| ("parent", id))) {
            let (name, id) = (Quoted(name), Quoted(id));
            return Err(format!("refused: {name} has the {what} {id}, which is not listed; is the list complete?"));
        }
    }
    Ok(listed)
}

/// Whom a plan affects, each person once in a set.
#[derive(Default)]
struct Affected {
    joiners: HashSet<UserId>,
    suspended: HashSet<UserId>,
    renamed: usize,
    /// Those who join or leave a department and are neither joiners nor suspended.
    movers: HashSet<UserId>,
    /// Those of the movers who leave a department.
    leave: HashSet<UserId>,
    /// Those who lose access and nothing else, for example if a link between two departments is missing.
    lose_access: usize,
    /// The departments that lose all their members.
    emptied: usize,
}

impl Affected {
    fn new(plan: &Plan) -> Self {
        let (mut affected, mut left) = (Self::default(), HashSet::new());
        let is_active =
            |side: Option<&Record>| matches!(side, Some(Record::User(user)) if user.status == Status::Active);
        // Users come before memberships.
        for change in plan.changes() {
            match change.key() {
                RecordKey::User(id) => match (is_active(change.before()), is_active(change.after())) {
                    (false, true) => drop(affected.joiners.insert(id)),
                    (true, false) => drop(affected.suspended.insert(id)),
                    _ => affected.renamed += usize::from(change.before().is_some()),
                },
                RecordKey::Membership(user, group) => {
                    let is_removed = change.after().is_none();
                    left.extend(is_removed.then_some(group));
                    if !affected.joiners.contains(&user) && !affected.suspended.contains(&user) {
                        affected.movers.insert(user);
                        affected.leave.extend(is_removed.then_some(user));
                    }
                }
                _ => {}
            }
        }
        let after = plan.preview().at(plan.instant());
        affected.emptied = left.into_iter().filter(|group| after.member_count(*group) == Some(0)).count();
        affected
    }

    fn has_loss_of(&self, user: UserId) -> bool {
        self.suspended.contains(&user) || self.leave.contains(&user)
    }

    /// Says why the plan takes too much away. A person who is suspended and leaves two departments counts once, and so does
    /// one who loses access only. A department counts if it loses all its members.
    fn refusal(&self, limit: usize) -> Option<String> {
        let people = self.suspended.len() + self.leave.len() + self.lose_access;
        if people + self.emptied <= limit {
            return None;
        }
        let counted = |count, one, many| format!("{count} {}", if count == 1 { one } else { many });
        let (mut losers, emptied) =
            (counted(people, "person", "people"), counted(self.emptied, "department", "departments"));
        let (suspended, leave) =
            (format!("{} suspended", self.suspended.len()), counted(self.leave.len(), "leaves", "leave"));
        let mut parts = vec![suspended, format!("{leave} a department")];
        if self.lose_access > 0 {
            parts.push(format!("{} only access", counted(self.lose_access, "loses", "lose")));
        }
        if self.emptied > 0 {
            losers = format!("{losers} and {emptied}");
            parts.push(format!("{emptied} all members"));
        }
        let parts = parts.join(", ");
        Some(format!("refused: {losers} would lose something ({parts}), more than {limit}; is the list complete?"))
    }

    fn summary(&self, plan: &Plan, moves: &Moves) -> String {
        let groups = plan.count(RecordKind::Group);
        format!(
            "joiners: {}, leavers: {}, renamed: {}, movers: {}; departments created: {}, renamed: {}, no longer listed: {}",
            self.joiners.len(),
            self.suspended.len(),
            self.renamed,
            self.movers.len(),
            groups.added,
            groups.changed,
            moves.unlisted.len(),
        )
    }
}

/// A plan, and what a person needs to judge it.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) plan: Plan,
    /// A summary, then the changes of departments, users and access, each sorted. Empty if nothing changes.
    pub(crate) lines: Vec<String>,
    /// Why `synchronise` does not commit the plan.
    pub(crate) refusal: Option<String>,
}

/// The limit for a usual day: 5 % of the people in the list, or 10 in a small company. A list that is too short has a low
/// limit.
pub(crate) fn usual_limit(directory: &Directory) -> usize {
    (directory.people.len() / 20).max(10)
}

/// Plans, and judges whether more people and departments lose something than the limit allows. An error is about the list
/// itself: it contradicts itself or the tenant, so there is no plan.
pub(crate) fn preview(tenant: &Tenant, directory: &Directory, limit: usize) -> Result<Preview, Box<dyn Error>> {
    let listed = check_list(directory)?;
    let (moves, plan) = tenant.plan(|tx| apply(tx, directory, &listed))?;
    if plan.is_empty() {
        return Ok(Preview { plan, lines: Vec::new(), refusal: None });
    }
    let mut affected = Affected::new(&plan);
    let mut departments = Vec::new();
    for (department, changes) in &moves.members {
        // Quoted, so that no name can imitate a line.
        let line = |what, key: &UserKey| format!("{}: {what} {}", Quoted(department), Quoted(key.as_str()));
        departments.extend(changes.added.iter().map(|key| line("added", key)));
        departments.extend(changes.removed.iter().map(|key| line("removed", key)));
    }
    let unlisted = moves.unlisted.iter().map(|name| Quoted(name));
    departments.extend(
        unlisted.map(|name| format!("{name}: no longer listed, keeps its roles; an administrator may delete it")),
    );
    // Joiners, leavers, new names, parents.
    let others = plan.described().filter(|change| change.kind != RecordKind::Membership);
    let (mut others, mut access): (Vec<_>, Vec<_>) = (others.map(|change| change.to_string()).collect(), Vec::new());
    for change in plan.access_changes(plan.instant()) {
        affected.lose_access += usize::from(!change.lost.is_empty() && !affected.has_loss_of(change.user.id));
        access.push(change.to_string());
    }
    let mut lines = vec![affected.summary(&plan, &moves)];
    for section in [&mut departments, &mut others, &mut access] {
        section.sort_unstable();
        lines.append(section);
    }
    let refusal = affected.refusal(limit);
    Ok(Preview { plan, lines, refusal })
}

/// Commits the plan unless it is refused. Returns its lines, for the log.
pub(crate) fn synchronise(tenant: &Tenant, directory: &Directory, limit: usize) -> Result<Vec<String>, Box<dyn Error>> {
    for _ in 0..10 {
        let Preview { plan, lines, refusal } = preview(tenant, directory, limit)?;
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        match tenant.commit(plan) {
            // Somebody else committed in between: plan again.
            Err(error) if error.kind() == ErrorKind::Stale => {}
            done => return Ok(done.map(|_| lines)?),
        }
    }
    Err("others commit all the time, so nothing was changed; try again later".into())
}
