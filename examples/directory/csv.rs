//! Reads a directory from two CSV files: `id,email,name,department-id` and `id,name,parent-id`, each with a header.
//!
//! Further columns are ignored. A field may be in quotation marks.

use super::synchronise::{Department, Directory, Person};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Reads people and departments. A line that cannot be read is an error: nobody may vanish from the list silently.
pub(crate) fn read(people: &str, departments: &str) -> Result<Directory> {
    let mut directory = Directory::default();
    for line in departments.lines().skip(1) {
        let [id, name, parent] = fields(line)?;
        let parents = if parent.is_empty() { Vec::new() } else { vec![parent] };
        directory.departments.push(Department { id, name, parents, members: Vec::new() });
    }
    for line in people.lines().skip(1) {
        let [id, mail, name, department] = fields(line)?;
        if mail.is_empty() {
            return Err(format!("`{line}`: no e-mail address").into());
        }
        let found = directory.departments.iter_mut().find(|other| other.id == department);
        found.ok_or_else(|| format!("`{line}`: no department `{department}`"))?.members.push(id.clone());
        // Keys are compared byte for byte. Write addresses as the application does at login.
        directory.people.push(Person { id, mail: mail.to_lowercase(), name, active: true });
    }
    Ok(directory)
}

/// Returns the first fields of a line.
fn fields<const N: usize>(line: &str) -> Result<[String; N]> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().ok_or("no field")?.push(character),
        }
    }
    fields.truncate(N);
    fields.try_into().map_err(|_| format!("`{line}`: expected {N} fields").into())
}
