//! Reads a directory from two CSV files: people with the columns `id`, `email`, `name` and `department-id`, and
//! departments with `id`, `name` and `parent-id`.
//!
//! The columns are found by the names in the header, in any order and case. Further columns are ignored. The format is
//! that of RFC 4180: a field in quotation marks may contain commas, line breaks and doubled quotation marks. Lines end
//! with CRLF or LF. A byte-order mark and empty lines are ignored.

use std::collections::HashMap;

use ::csv::{ReaderBuilder, StringRecord, Trim};
use rolecall::error::Quoted;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::synchronise::{Department, Directory, Person};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct PersonRow {
    id: String,
    email: String,
    name: String,
    #[serde(rename = "department-id")]
    department: String,
}

#[derive(Deserialize)]
struct DepartmentRow {
    id: String,
    name: String,
    #[serde(rename = "parent-id")]
    parent: String,
}

/// Reads people and departments. A record that cannot be read is an error: nobody may vanish from the list silently.
pub(crate) fn read(people: &str, departments: &str) -> Result<Directory> {
    let mut directory = Directory::default();
    let mut places = HashMap::new();
    for row in rows(departments, "departments")? {
        let DepartmentRow { id, name, parent } = row;
        places.insert(id.clone(), directory.departments.len());
        let parents = if parent.is_empty() { Vec::new() } else { vec![parent] };
        directory.departments.push(Department { id, name: one_line(&name), parents, members: Vec::new() });
    }
    for row in rows(people, "people")? {
        let PersonRow { id, email, name, department } = row;
        if id.is_empty() || email.is_empty() {
            return Err(format!("people: {} ({}) has no id or no e-mail address", Quoted(&id), Quoted(&email)).into());
        }
        let place = places.get(&department).and_then(|at| directory.departments.get_mut(*at));
        place
            .ok_or_else(|| format!("people: {}: no department {}", Quoted(&id), Quoted(&department)))?
            .members
            .push(id.clone());
        // Keys are compared byte for byte. Write addresses as the application does at login.
        directory.people.push(Person { id, mail: email.to_lowercase(), name: one_line(&name), active: true });
    }
    Ok(directory)
}

/// Returns the records of a file. An error names the file and the line.
fn rows<T: DeserializeOwned>(text: &str, file: &str) -> Result<Vec<T>> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let in_file = |error: ::csv::Error| format!("{file}: {error}");
    let header: StringRecord = reader.headers().map_err(in_file)?.iter().map(str::to_lowercase).collect();
    reader.set_headers(header);
    Ok(reader.deserialize().collect::<std::result::Result<_, _>>().map_err(in_file)?)
}

/// A display name has no line breaks.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: &str = "id,email,name,department-id\n1,Alice@Acme.com,Alice Adams,d2\n2,bob@acme.com,Bob,d1\n";
    const DEPARTMENTS: &str = "id,name,parent-id\nd1,Engineering,\nd2,Backend,d1\n";

    /// Every text that says what `PEOPLE` says.
    #[test]
    fn files_that_differ_in_form_only_are_read_alike() {
        let expected = format!("{:?}", read(PEOPLE, DEPARTMENTS).unwrap());
        assert!(expected.contains("\"alice@acme.com\"") && expected.contains("parents: [\"d1\"]"), "{expected}");
        let alike = [
            format!("\u{feff}{PEOPLE}"),
            PEOPLE.replace('\n', "\r\n"),
            format!("\u{feff}{}", PEOPLE.replace('\n', "\r\n")),
            PEOPLE.trim_end().to_owned(),
            format!("{PEOPLE}\n\n"),
            format!("{}\r\n", PEOPLE.replace('\n', "\r\n")),
            PEOPLE.replace("\n2", "\n\n2"),
            PEOPLE.replace("id,email,name,department-id", "ID,E-Mail,Name,Department-ID").replace("E-Mail", "Email"),
            PEOPLE.replace("id,email", "\"id\", email "),
            PEOPLE.replace("Alice Adams", "\"Alice Adams\""),
            PEOPLE.replace("Alice Adams", "\"Alice\nAdams\""),
            PEOPLE.replace("Alice Adams", "\"Alice\r\n Adams \""),
            PEOPLE.replace("\n1,Alice@Acme.com,", "\n1 , Alice@Acme.com,"),
            "name,phone,department-id,email,id\nAlice Adams,+1,d2,Alice@Acme.com,1\nBob,,d1,bob@acme.com,2\n"
                .to_owned(),
        ];
        for text in alike {
            assert_eq!(format!("{:?}", read(&text, DEPARTMENTS).unwrap()), expected, "{text:?}");
        }
    }

    #[test]
    fn quotation_marks_and_commas_are_part_of_a_quoted_name() {
        let people = PEOPLE.replace("Alice Adams", r#""Adams, Alice ""Ally"" ""#);
        assert_eq!(read(&people, DEPARTMENTS).unwrap().people[0].name, r#"Adams, Alice "Ally""#);
    }

    /// Each file has one mistake, and the error says where it is.
    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let table = [
            (PEOPLE.replace(",email", ",mail"), "people: CSV deserialize error: record 1 (line: 2"),
            (PEOPLE.replace(",email", ",mail"), "missing field `email`"),
            (PEOPLE.replace(",email", ",id"), "duplicate field `id`"),
            (PEOPLE.replace(',', ";"), "missing field `id`"),
            (PEOPLE.replace("Bob,d1", "Bob"), "people: CSV error: record 2 (line: 3"),
            (
                PEOPLE.replace("Bob,d1", "Bob,Jr.,d1"),
                "found record with 5 fields, but the previous record has 4 fields",
            ),
            (PEOPLE.replace("bob@acme.com", ""), "people: `2` (``) has no id or no e-mail address"),
            (PEOPLE.replace("\n2,", "\n,"), "people: `` (`bob@acme.com`) has no id"),
            (PEOPLE.replace("d2", "d3"), "people: `1`: no department `d3`"),
            (PEOPLE.replace("Alice Adams", "\"Alice Adams"), "people: CSV error: record 1 (line: 2"),
        ];
        for (people, expected) in table {
            let error = read(&people, DEPARTMENTS).unwrap_err().to_string();
            assert!(error.contains(expected), "{people:?}: {error}");
        }
        let error = read(PEOPLE, &DEPARTMENTS.replace("parent-id", "parent")).unwrap_err().to_string();
        assert!(error.starts_with("departments: ") && error.contains("missing field `parent-id`"), "{error}");
    }
}
