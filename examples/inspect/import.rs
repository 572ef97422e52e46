//! The command `import`: reads the files of another product and prints an organisation document.
//!
//! The notes, about everything that differs, are printed to standard error, or into a file.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rolecall::error::Quoted;
use rolecall_import::{Imported, NoteKind, casbin, keycloak, laravel};

use super::{Failure, output_failed, read};

pub(crate) const USAGE: &str = "\
usage: inspect import casbin MODEL POLICY [--domain DOMAIN]
       inspect import laravel TABLE.csv... [--team TEAM] [--team-column COLUMN] [--guard GUARD] [--wildcards]
       inspect import keycloak FILE... [--realm REALM]

Prints an organisation document. With `--report FILE`, what differs is written to the file, and otherwise to standard
error. Each table of laravel-permission is a file with the name of the table, such as `model_has_roles.csv`. `--tenant` is
another word for `--domain`, `--team` and `--realm`.";

struct Arguments {
    files: Vec<PathBuf>,
    tenant: Option<String>,
    report: Option<PathBuf>,
    guard: Option<String>,
    team_column: Option<String>,
    wildcards: bool,
}

impl Arguments {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut parsed =
            Self { files: Vec::new(), tenant: None, report: None, guard: None, team_column: None, wildcards: false };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let option = arg.to_string_lossy().into_owned();
            let mut value = || args.next().ok_or_else(|| format!("{option}: expected a value\n\n{USAGE}"));
            let text = |value: OsString| value.to_string_lossy().into_owned();
            match option.as_str() {
                "--domain" | "--tenant" | "--team" | "--realm" => parsed.tenant = Some(text(value()?)),
                "--report" => parsed.report = Some(PathBuf::from(value()?)),
                "--guard" => parsed.guard = Some(text(value()?)),
                "--team-column" => parsed.team_column = Some(text(value()?)),
                "--wildcards" => parsed.wildcards = true,
                option if option.starts_with("--") => {
                    return Err(format!("unknown option {}\n\n{USAGE}", Quoted(option)));
                }
                _ => parsed.files.push(PathBuf::from(arg)),
            }
        }
        Ok(parsed)
    }
}

/// Prints the document.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>, out: &mut impl Write) -> Result<(), Failure> {
    let mut args = args.into_iter();
    let format = args.next().ok_or(USAGE)?;
    let arguments = Arguments::parse(args)?;
    let imported = match &*format.to_string_lossy() {
        "casbin" => casbin(&arguments)?,
        "laravel" => laravel(&arguments)?,
        "keycloak" => keycloak(&arguments)?,
        _ => return Err(USAGE.to_owned()),
    };
    out.write_all(imported.to_json().as_bytes()).map_err(|error| output_failed(&error))?;
    let report = report(&imported);
    match &arguments.report {
        Some(file) => std::fs::write(file, report).map_err(|error| format!("{}: {error}", file.display()))?,
        // If this fails, nothing else can be done.
        None => _ = io::stderr().write_all(report.as_bytes()),
    }
    Ok(())
}

/// One line for each note, and a line that counts them.
fn report(imported: &Imported) -> String {
    let count = |kind| imported.notes().iter().filter(|note| note.kind == kind).count();
    let counts =
        [NoteKind::LeftOut, NoteKind::Changed, NoteKind::Renamed].map(|kind| format!("{} {kind}", count(kind)));
    let lines = imported.notes().iter().map(ToString::to_string).chain([counts.join(", ")]);
    lines.map(|line| line + "\n").collect()
}

fn casbin(arguments: &Arguments) -> Result<Imported, Failure> {
    let [model, policy] = arguments.files.as_slice() else { return Err(USAGE.to_owned()) };
    let imported = casbin::read(&text(model)?, &text(policy)?, arguments.tenant.as_deref());
    imported.map_err(|error| error.to_string())
}

fn laravel(arguments: &Arguments) -> Result<Imported, Failure> {
    let mut tables = Vec::new();
    for file in &arguments.files {
        let name = file.file_stem().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| format!("{}: expected the name of a table", file.display()))?;
        tables.push((name, text(file)?));
    }
    let tables: Vec<(&str, &str)> = tables.iter().map(|(name, text)| (*name, text.as_str())).collect();
    if tables.is_empty() {
        return Err(USAGE.to_owned());
    }
    let mut options = laravel::Options::default();
    options.team.clone_from(&arguments.tenant);
    options.guard.clone_from(&arguments.guard);
    options.team_column.clone_from(&arguments.team_column);
    options.wildcards = arguments.wildcards;
    laravel::read(&tables, &options).map_err(|error| error.to_string())
}

fn keycloak(arguments: &Arguments) -> Result<Imported, Failure> {
    if arguments.files.is_empty() {
        return Err(USAGE.to_owned());
    }
    let files = arguments.files.iter().map(|file| text(file)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    keycloak::read(&files, arguments.tenant.as_deref()).map_err(|error| error.to_string())
}

fn text(file: &Path) -> Result<String, Failure> {
    String::from_utf8(read(file)?).map_err(|error| format!("{}: {error}", file.display()))
}
