//! Reads a directory from a list in the style of SCIM: users, and groups whose members are users or other groups.

use serde::Deserialize;

use super::synchronise::{Department, Directory, Person};

#[derive(Deserialize)]
struct List {
    users: Vec<User>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    #[serde(rename = "userName")]
    mail: String,
    display_name: String,
    active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    id: String,
    display_name: String,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    value: String,
    /// `User` or `Group`.
    #[serde(rename = "type", default)]
    kind: String,
}

/// Reads the list. In SCIM a group lists the groups inside it; here a department lists those it is part of. A byte-order
/// mark in front of the list is ignored.
pub(crate) fn read(json: &str) -> serde_json::Result<Directory> {
    let list: List = serde_json::from_str(json.strip_prefix('\u{feff}').unwrap_or(json))?;
    let people = list.users.into_iter().map(|user| {
        // Keys are compared byte for byte. Write addresses as the application does at login.
        let mail = user.mail.to_lowercase();
        Person { id: user.id, mail, name: user.display_name, active: user.active }
    });
    let parents_of = |id: &str| {
        let is_in = |group: &&Group| group.members.iter().any(|member| member.kind == "Group" && member.value == id);
        list.groups.iter().filter(is_in).map(|group| group.id.clone()).collect()
    };
    let departments = list.groups.iter().map(|group| {
        let users = group.members.iter().filter(|member| member.kind != "Group");
        Department {
            id: group.id.clone(),
            name: group.display_name.clone(),
            parents: parents_of(&group.id),
            members: users.map(|member| member.value.clone()).collect(),
        }
    });
    Ok(Directory { people: people.collect(), departments: departments.collect() })
}
