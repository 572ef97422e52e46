//! Keeps the users and groups of a tenant in step with a directory.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::error::Error;

use rolecall::blocking::Tenant;
use rolecall::error::Quoted;
use rolecall::plan::ListChanges;
use rolecall::records::{Change, Record, RecordKind, Status, UserKey, UserRecord};
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

/// The users who joined and left each department that changes, by its name.
pub(crate) type Moves = Vec<(String, ListChanges<UserKey>)>;

const OKTA: &str = "okta";

fn okta(id: &String) -> External<'_> {
    External { manager: OKTA, id }
}

/// Whether a user is as the directory lists the person.
fn is_current(user: &UserRecord, person: &Person) -> bool {
    let has_name = user.display_name().is_some_and(|name| *name == person.name.as_str());
    user.key == person.mail.as_str() && has_name && (user.status == Status::Active) == person.active
}

/// Makes the transaction's tenant equal to the directory. `people` has everybody in the list, by id.
pub(crate) fn apply(tx: &Tx, directory: &Directory, mut people: HashMap<&str, &Person>) -> rolecall::Result<Moves> {
    tx.set_manager(OKTA)?.set_actor("directory-sync")?;
    let before = tx.base().at(tx.instant());

    // On most days nobody's address changes.
    let mails = LazyCell::new(|| directory.people.iter().map(|person| person.mail.as_str()).collect::<HashSet<_>>());
    let mut differing = Vec::new();
    for user in before.users_managed_by(OKTA) {
        let person = user.external_id().and_then(|id| people.remove(id.as_str()));
        if person.is_some_and(|person| is_current(user, person)) {
            continue;
        }
        // Leavers: suspended, not deleted, so that a mistake of the directory is easy to undo.
        if person.is_none() {
            tx.user(user.id)?.suspend()?;
        }
        // An address that now belongs to somebody else: its former owner gets another key, and keeps everything else.
        if person.is_none_or(|person| user.key != person.mail.as_str()) && mails.contains(user.key.as_str()) {
            tx.user(user.id)?.set_key(&format!("{} ({})", user.key, user.id))?;
        }
        differing.extend(person);
    }
    // New names and addresses, people who come back, and joiners: those of the list whom no user is.
    differing.extend(people.into_values());
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
    let listed: HashSet<&str> = directory.departments.iter().map(|department| department.id.as_str()).collect();
    for group in before.groups_managed_by(OKTA) {
        if !group.external_id().is_some_and(|id| listed.contains(id.as_str())) {
            tx.delete_group(group.id)?;
        }
    }
    for department in &directory.departments {
        let group = tx.ensure_managed_group(okta(&department.id), &department.name)?;
        // No parents for the moment: two departments may have changed places.
        group.set_name(&department.name)?.set_parents::<External<'_>>([])?;
    }
    let mut moves = Moves::new();
    for department in &directory.departments {
        let group = tx.group(okta(&department.id))?;
        group.set_parents(department.parents.iter().map(okta))?;
        let changes = group.set_members(department.members.iter().map(okta))?;
        if !changes.is_empty() {
            moves.push((department.name.clone(), changes));
        }
    }
    Ok(moves)
}

/// Returns everybody in the list, by id. Refuses an empty list, which a bound does not catch in a small company, and a list
/// with one id twice.
fn people_by_id(directory: &Directory) -> Result<HashMap<&str, &Person>, Box<dyn Error>> {
    if directory.people.is_empty() {
        return Err("refused: the directory lists nobody".into());
    }
    let (mut people, mut departments) = (HashMap::with_capacity(directory.people.len()), HashSet::new());
    let twice = directory.people.iter().find(|person| people.insert(person.id.as_str(), *person).is_some());
    let twice = twice.map(|person| &person.id);
    let twice = twice.or(directory.departments.iter().map(|d| &d.id).find(|id| !departments.insert(*id)));
    twice.map_or(Ok(people), |id| Err(format!("refused: the directory lists {} twice", Quoted(id)).into()))
}

/// How many users lose access. A missing link between two departments is one removal, and may take access from everybody.
fn losers(tenant: &Tenant, plan: &Plan) -> usize {
    plan.access_changes(tenant.now().instant()).filter(|change| !change.lost.is_empty()).count()
}

/// How many memberships, groups and active users the plan takes away, whether they give access or not.
fn removals(plan: &Plan) -> usize {
    let is_active = |side: Option<&Record>| matches!(side, Some(Record::User(user)) if user.status == Status::Active);
    let suspended = |change: &&Change| is_active(change.before()) && !is_active(change.after());
    let suspended = plan.changes().iter().filter(suspended).count();
    suspended + plan.count(RecordKind::Membership).removed + plan.count(RecordKind::Group).removed
}

/// Plans, and checks that the plan does not remove too much. Returns the plan and its changes, for a person to read.
pub(crate) fn preview(tenant: &Tenant, directory: &Directory) -> Result<(Plan, Vec<String>), Box<dyn Error>> {
    let people = people_by_id(directory)?;
    let (moves, plan) = tenant.plan(|tx| apply(tx, directory, people.clone()))?;
    // 5 % of the people in the list, or 10 in a small company. A list that is too short has a low limit.
    let (removals, limit) = (removals(&plan).max(losers(tenant, &plan)), (directory.people.len() / 20).max(10));
    if removals > limit {
        return Err(format!("refused: {removals} removals, more than {limit}; is the list complete?").into());
    }
    let mut lines = Vec::new();
    for (department, changes) in &moves {
        // Quoted, so that no name can imitate a line.
        let line = |what, key: &UserKey| format!("{}: {what} {}", Quoted(department), Quoted(key.as_str()));
        lines.extend(changes.added.iter().map(|key| line("added", key)));
        lines.extend(changes.removed.iter().map(|key| line("removed", key)));
    }
    // Joiners, leavers, new names, parents.
    let others = plan.described().filter(|change| change.kind != RecordKind::Membership);
    lines.extend(others.map(|change| change.to_string()));
    lines.extend(plan.access_changes(tenant.now().instant()).map(|change| change.to_string()));
    Ok((plan, lines))
}

/// Commits the plan of the preview. Returns its lines, for the log.
pub(crate) fn synchronise(tenant: &Tenant, directory: &Directory) -> Result<Vec<String>, Box<dyn Error>> {
    for _ in 0..10 {
        let (plan, log) = preview(tenant, directory)?;
        match tenant.commit(plan) {
            // Somebody else committed in between: plan again.
            Err(error) if error.kind() == ErrorKind::Stale => {}
            done => return Ok(done.map(|_| log)?),
        }
    }
    Err("others commit all the time, so nothing was changed; try again later".into())
}
