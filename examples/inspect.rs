//! Answers questions about an organisation document: who may do what at an instant, and why.
//!
//! Run `cargo run --release --example inspect -- FILE COMMAND [--at INSTANT] [--catalog CATALOG]`. Without arguments it
//! prints the commands. `inspect import` makes such a document from the files of another product. The exit status is 0 for
//! yes, 1 for no, and 2 for an error, which is printed to standard error. No is: denied, a conflict, an unexpected decision,
//! a failed assertion, an exceeded separation or a finding that matters. Findings that are errors have 3.

#[path = "inspect/catalog_file.rs"]
mod catalog_file;
#[path = "inspect/import.rs"]
mod import_command;
#[path = "inspect/load.rs"]
mod load;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog_file::catalog;
use load::load;
use rolecall::assertions::Assertions;
use rolecall::catalog::Catalog;
use rolecall::clock::SystemClock;
use rolecall::moment::Page;
use rolecall::records::{Granted, Name, Slug, TenantSlug};
use rolecall::review::{Accepted, AccessRow, Finding, Severity};
use rolecall::{ErrorKind, Moment, PageRequest, Snapshot, Timestamp, error::Quoted, what_if};

const USAGE: &str = "\
usage: inspect FILE COMMAND [--at INSTANT] [--catalog CATALOG]
       inspect import FORMAT FILES    makes a document from the files of another product; FORMAT is casbin, laravel or keycloak

FILE is an organisation document. INSTANT is in RFC 3339; the default is the present. CATALOG is a document whose
permissions and roles are the catalog of the application; without it, the catalog is empty. An entry of it that was renamed
has `renamed_from`, the list of its earlier slugs, oldest first. Commands:
  stats                      counts entities and relations
  check USER PERMISSION      prints `allowed` or `denied`; exit status 0 or 1
  explain USER PERMISSION    prints the decision and its reason
  effective USER             lists the permissions of a user
  who-can PERMISSION         lists the users with a permission
  matrix                     lists every allowed `user<TAB>permission`
  conflicts [CATALOG]        lists the slugs that are in conflict with the catalog, or with another one, for example that
                             of the next release; exit status 1 if there are any
  catalog NEXT [--accept FILE]
                             lists what the catalog NEXT would change, such as grants that would give less or more, and then
                             which users would gain or lose access; exit status as for `lint`
  verify EXPECTED.csv        compares with `user,permission,allowed`; exit status 1 if any decision is wrong
  diff OTHER                 lists the users whom the document OTHER lets do more or less, and when; exit status 1 if any
  replay LOG OTHER           lists the questions of LOG (lines of `user,permission`, and an instant if any) that OTHER answers
                             differently; exit status 1 if any
  test [ASSERTIONS]          checks the separations and assertions in FILE, and those in a file of assertions, and lists what
                             breaks them; exit status 1 if anything does
  report                     lists who has which permission, from when until when, and through what, as CSV
  lint [--since EARLIER] [--accept FILE]
                             lists what is unused, covered, expired or easy to mistake for something else, and with --since
                             the patterns that match more than in the document EARLIER (both exported, with ids); not what a
                             line of FILE accepts: a code, or a printed line; exit status 1 if there is a warning, 3 if there
                             is an error";

/// The number of wrong decisions that are explained.
const MOST_EXPLAINED: usize = 10;

/// An error message for the person who runs this.
type Failure = String;

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let answer = run(std::env::args_os().skip(1).collect(), &mut out);
    // Print the output before the error. A closed pipe is an error, not a panic.
    let answer = out.flush().map_err(|error| output_failed(&error)).and(answer);
    match answer {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            // If this fails too, nothing else can be done.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(2)
        }
    }
}

/// The command line.
struct Arguments {
    file: PathBuf,
    words: Vec<String>,
    at: Option<Timestamp>,
    catalog: Option<PathBuf>,
    accept: Option<PathBuf>,
    since: Option<PathBuf>,
}

impl Arguments {
    fn parse(args: Vec<OsString>) -> Result<Self, Failure> {
        let (mut words, mut at) = (Vec::new(), None);
        let mut files = [("--catalog", None), ("--accept", None), ("--since", None)];
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--at" {
                let instant = args.next().ok_or_else(|| format!("--at: expected an instant\n\n{USAGE}"))?;
                let instant = Timestamp::parse(&instant.to_string_lossy()).map_err(|error| format!("--at: {error}"))?;
                if at.replace(instant).is_some() {
                    return Err(format!("--at: expected one instant\n\n{USAGE}"));
                }
            } else if let Some((name, value)) = files.iter_mut().find(|(name, _)| arg == *name) {
                let file = args.next().ok_or_else(|| format!("{name}: expected a file\n\n{USAGE}"))?;
                if value.replace(PathBuf::from(file)).is_some() {
                    return Err(format!("{name}: expected one file\n\n{USAGE}"));
                }
            } else {
                words.push(arg);
            }
        }
        let mut words = words.into_iter();
        let file = words.next().map(PathBuf::from).ok_or(USAGE)?;
        let text = |word: OsString| {
            word.into_string().map_err(|word| format!("expected UTF-8: {}", Quoted(&word.to_string_lossy())))
        };
        let [(_, catalog), (_, accept), (_, since)] = files;
        Ok(Self { file, words: words.map(text).collect::<Result<_, _>>()?, at, catalog, accept, since })
    }
}

/// Writes the answer to `out`. Returns the exit status.
fn run(args: Vec<OsString>, out: &mut impl Write) -> Result<u8, Failure> {
    if args.first().is_some_and(|first| first == "import") {
        return import_command::run(args.into_iter().skip(1), out).map(|()| 0);
    }
    let arguments = Arguments::parse(args)?;
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    // Parse the command before reading the file, so that a wrong command is reported at once.
    let question = match *words.as_slice() {
        ["stats"] => Question::Stats,
        ["check", user, permission] => Question::Check(user, permission),
        ["explain", user, permission] => Question::Explain(user, permission),
        ["effective", user] => Question::Effective(user),
        ["who-can", permission] => Question::WhoCan(permission),
        ["matrix"] => Question::Matrix,
        ["conflicts"] if arguments.catalog.is_some() => Question::Conflicts(None),
        ["conflicts", file] => Question::Conflicts(Some(Path::new(file))),
        ["catalog", file] => Question::Catalog(Path::new(file)),
        ["verify", file] => Question::Verify(Path::new(file)),
        ["diff", other] => Question::Diff(Path::new(other)),
        ["replay", log, other] => Question::Replay { log: Path::new(log), other: Path::new(other) },
        ["test"] => Question::Test(None),
        ["test", file] => Question::Test(Some(Path::new(file))),
        ["report"] => Question::Report,
        ["lint"] => Question::Lint,
        _ => return Err(USAGE.to_owned()),
    };
    if arguments.accept.is_some() && !matches!(question, Question::Lint | Question::Catalog(_)) {
        return Err(format!("--accept: expected the command `lint` or `catalog`\n\n{USAGE}"));
    }
    if arguments.since.is_some() && !matches!(question, Question::Lint) {
        return Err(format!("--since: expected the command `lint`\n\n{USAGE}"));
    }
    let accepted = arguments.accept.as_deref().map_or_else(|| Ok(Accepted::default()), accepted)?;

    let present = arguments.catalog.as_deref().map(catalog).transpose()?;
    let tenant = load(present.as_ref(), &arguments.file)?;
    let other = match question {
        Question::Diff(file) | Question::Replay { other: file, .. } => Some(file),
        _ => arguments.since.as_deref(),
    };
    if let Some(earlier) = &arguments.since {
        // Without ids, nothing would be matched, and nothing reported.
        [earlier, &arguments.file].into_iter().try_for_each(|file| load::requires_ids(file))?;
    }
    let other = other.map(|file| load(present.as_ref(), file)).transpose()?;
    let (snapshot, clock) = (tenant.snapshot(), SystemClock);
    let moment = arguments.at.map_or_else(|| snapshot.now(&clock), |at| snapshot.at(at));
    match (question, other) {
        (Question::Lint, Some(earlier)) => findings(moment.lint().since(&earlier.snapshot()), &accepted, out),
        (Question::Lint, None) => findings(moment.lint(), &accepted, out),
        (Question::Catalog(next), _) => reconcile(&moment, &catalog(next)?, &accepted, out),
        (Question::Diff(_), Some(other)) => diff(&moment, &other.snapshot(), out).map(|yes| u8::from(!yes)),
        (Question::Replay { log, .. }, Some(other)) => {
            replay(&moment, &other.snapshot(), log, out).map(|yes| u8::from(!yes))
        }
        (question, _) => question.answer(&moment, out).map(|yes| u8::from(!yes)),
    }
}

enum Question<'a> {
    Stats,
    Check(&'a str, &'a str),
    Explain(&'a str, &'a str),
    Effective(&'a str),
    WhoCan(&'a str),
    Matrix,
    Conflicts(Option<&'a Path>),
    Catalog(&'a Path),
    Verify(&'a Path),
    Test(Option<&'a Path>),
    Diff(&'a Path),
    Replay { log: &'a Path, other: &'a Path },
    Report,
    Lint,
}

impl Question<'_> {
    fn answer(&self, moment: &Moment<'_>, out: &mut impl Write) -> Result<bool, Failure> {
        match self {
            Self::Stats => say(out, stats(moment)),
            Self::Check(user, permission) => {
                let allowed = moment.check(*user, *permission);
                say(out, [if allowed { "allowed" } else { "denied" }]).map(|_| allowed)
            }
            Self::Explain(user, permission) => say(out, [moment.explain(*user, *permission)]),
            Self::Effective(user) if moment.user(*user).is_none() => Err(format!("user {} not found", Quoted(user))),
            Self::Effective(user) => say(out, moment.effective(*user).slugs()),
            Self::WhoCan(permission) if moment.permission(*permission).is_none() => {
                Err(format!("permission {} not found", Quoted(permission)))
            }
            Self::WhoCan(permission) => {
                let users = moment.who_can(*permission).keys();
                say(out, users.iter().map(|key| Quoted(key.as_str()).as_field()))
            }
            Self::Matrix => say(out, matrix(moment)),
            Self::Conflicts(file) => {
                let snapshot = moment.snapshot();
                let conflicts = match file {
                    Some(file) => snapshot.catalog_conflicts(&catalog(file)?),
                    None => snapshot.conflicts(),
                };
                say(out, &conflicts).map(|_| conflicts.is_empty())
            }
            Self::Verify(file) => verify(moment, file, out),
            Self::Test(file) => test(moment, *file, out),
            Self::Report => {
                say(out, [AccessRow::CSV_HEADER])?;
                say(out, moment.access_report().rows().map(|row| row.to_csv()))
            }
            // They need another document or a list, too.
            Self::Lint | Self::Catalog(_) | Self::Diff(_) | Self::Replay { .. } => Ok(false),
        }
    }
}

fn stats(moment: &Moment<'_>) -> Vec<String> {
    let permissions = all(|page| moment.permissions(page));
    let roles = all(|page| moment.roles(page));
    let groups = all(|page| moment.groups(page));
    let users = all(|page| moment.users(page));
    let granted: Vec<Granted> = roles.iter().flat_map(|role| moment.grants_of(role.record.id)).collect();
    let of_groups: usize = groups.iter().map(|group| moment.roles_of_group(group.id).len()).sum();
    let of_users: usize = users.iter().map(|user| moment.roles_of(user.id).len()).sum();
    let counts = [
        ("permissions", permissions.len()),
        ("roles", roles.len()),
        ("groups", groups.len()),
        ("users", users.len()),
        ("suspended users", users.iter().filter(|user| user.status == rolecall::records::Status::Suspended).count()),
        ("grants", granted.len()),
        ("granted patterns", granted.iter().filter(|granted| matches!(granted, Granted::Pattern(_))).count()),
        ("included roles", roles.iter().map(|role| moment.includes_of(role.record.id).len()).sum()),
        ("parents", groups.iter().map(|group| moment.parents_of(group.id).len()).sum()),
        ("memberships", users.iter().map(|user| moment.groups_of(user.id).len()).sum()),
        ("assignments", of_groups + of_users),
        ("separations", moment.separations().len()),
        ("assertions", moment.assertions().len()),
        (
            "removed_from_catalog",
            moment.permissions_removed_from_catalog().len() + moment.roles_removed_from_catalog().len(),
        ),
    ];
    let snapshot = moment.snapshot();
    let slug = snapshot.slug().map_or("(deleted)", TenantSlug::as_str);
    let tenant = format!("tenant {} ({})", Quoted(slug), Quoted(snapshot.name().map_or("", Name::as_str)));
    std::iter::once(tenant).chain(counts.map(|(what, count)| format!("{what} {count}"))).collect()
}

fn matrix(moment: &Moment<'_>) -> Vec<String> {
    let users = all(|page| moment.users(page));
    let line = |key: &str, slug: &Slug| format!("{}\t{slug}", Quoted(key).as_field());
    let lines = users.iter().flat_map(|user| {
        moment.effective(user.id).slugs().into_iter().map(|slug| line(user.key.as_str(), &slug)).collect::<Vec<_>>()
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

/// Checks the separations and assertions of the tenant, and those of a file.
fn test(moment: &Moment<'_>, file: Option<&Path>, out: &mut impl Write) -> Result<bool, Failure> {
    let of_file = file.map(|file| Assertions::from_json(&read(file)?).map_err(|error| invalid(file, &error)));
    let of_file = of_file.transpose()?.unwrap_or_default();
    let (separations, assertions) = (moment.separations(), moment.assertions());
    let (exceeded, failed) = (moment.separation_violations(), moment.assertion_violations());
    let failures = of_file.check(moment);
    say(out, &exceeded.items)?;
    say(out, &failed.items)?;
    say(out, &failures)?;
    if !separations.is_empty() {
        let broken: BTreeSet<&str> = exceeded.iter().map(|violation| violation.separation.as_str()).collect();
        say(out, [format!("{} of {} exceeded", broken.len(), counted(separations.len(), "separation"))])?;
    }
    let carried: BTreeSet<&str> = failed.iter().map(|violation| violation.assertion.as_str()).collect();
    let listed: BTreeSet<usize> = failures.iter().map(|failure| failure.number).collect();
    let all = counted(assertions.len() + of_file.list().len(), "assertion");
    say(out, [format!("{} of {all} failed", carried.len() + listed.len())])?;
    let holds =
        [exceeded.is_known() && exceeded.is_empty(), failed.is_known() && failed.is_empty(), failures.is_empty()];
    Ok(holds.iter().all(|holds| *holds))
}

/// Lists which users another document lets do more or less, and when.
fn diff(moment: &Moment<'_>, other: &Snapshot, out: &mut impl Write) -> Result<bool, Failure> {
    let mut count = 0_usize;
    for change in moment.snapshot().compare_access(other, moment.instant()) {
        count += 1;
        say(out, [change])?;
    }
    say(out, [format!("{} would gain or lose access", counted(count, "user"))])?;
    Ok(count == 0)
}

/// Lists the questions of a log that another document would answer differently.
fn replay(moment: &Moment<'_>, other: &Snapshot, log: &Path, out: &mut impl Write) -> Result<bool, Failure> {
    let file = File::open(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let (mut wrong, mut questions, mut differing) = (None, 0_usize, 0_usize);
    let lines = (1_usize..).zip(BufReader::new(file).lines());
    let asked = lines.map_while(|(number, line)| {
        let question = line
            .map_err(|error| error.to_string())
            .and_then(|line| question(line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&line)));
        questions += 1;
        question.map_err(|what| wrong = Some(format!("{}: line {number}: {what}", log.display()))).ok()
    });
    let before = moment.snapshot();
    for answer in before.replay(other, asked, moment.instant()) {
        differing += 1;
        say(out, [answer])?;
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    say(out, [format!("{}, {} would differ", counted(questions, "question"), counted(differing, "answer"))])?;
    Ok(differing == 0)
}

/// Reads a line of a log of questions.
fn question(line: &str) -> Result<what_if::Question, String> {
    match fields(line).as_deref() {
        Some([user, permission]) => Ok(what_if::Question::new(user, permission)),
        Some([user, permission, at]) => {
            let at = Timestamp::parse(at).map_err(|error| error.to_string())?;
            Ok(what_if::Question::new(user, permission).at(at))
        }
        _ => Err("expected `user,permission` or `user,permission,instant`".to_owned()),
    }
}

/// Lists what another catalog would change, and for whom. Returns the exit status, which depends on the findings that are not
/// accepted: if there are none, the users who gain or lose access do so for reasons that somebody has accepted.
fn reconcile(moment: &Moment<'_>, next: &Catalog, accepted: &Accepted, out: &mut impl Write) -> Result<u8, Failure> {
    let reconciliation = moment.snapshot().reconcile(next, moment.instant()).map_err(|error| error.to_string())?;
    let status = findings(reconciliation.findings(), accepted, out)?;
    for change in reconciliation.access_changes() {
        say(out, [change])?;
    }
    let count = reconciliation.count();
    say(out, [format!("{} would gain access, {} would lose some", counted(count.gaining, "user"), count.losing)])?;
    Ok(status)
}

/// Writes the findings that are not accepted. Returns the exit status.
fn findings(findings: impl Iterator<Item = Finding>, accepted: &Accepted, out: &mut impl Write) -> Result<u8, Failure> {
    let mut worst = Severity::Info;
    for finding in findings.filter(|finding| !accepted.accepts(finding)) {
        worst = worst.max(finding.severity);
        say(out, [format!("{}\t{}: {}; {}", finding.key(), finding.severity, finding.message, finding.advice)])?;
    }
    Ok(match worst {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 3,
    })
}

fn accepted(file: &Path) -> Result<Accepted, Failure> {
    let text = String::from_utf8(read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    text.parse().map_err(|error| invalid(file, &error))
}

fn verify(moment: &Moment<'_>, file: &Path, out: &mut impl Write) -> Result<bool, Failure> {
    let text = String::from_utf8(read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    let at = |line: usize, what: &str| format!("{}: line {line}: {what}", file.display());
    let mut lines = (1..).zip(text.lines());
    if lines.next().is_none_or(|(_, header)| header != "user,permission,allowed") {
        return Err(at(1, "expected the header `user,permission,allowed`"));
    }
    let (mut decisions, mut wrong) = (0_usize, 0_usize);
    for (number, line) in lines {
        let (user, permission, expected) = match fields(line).as_deref() {
            Some([user, permission, allowed]) if allowed == "true" => (user.clone(), permission.clone(), true),
            Some([user, permission, allowed]) if allowed == "false" => (user.clone(), permission.clone(), false),
            _ => return Err(at(number, "expected `user,permission,true` or `user,permission,false`")),
        };
        decisions += 1;
        if moment.check(&user, &permission) != expected {
            wrong += 1;
            if wrong <= MOST_EXPLAINED {
                let explanation = moment.explain(&user, &permission);
                let asked = format!("{}, {}", Quoted(&user), Quoted(&permission));
                say(out, [at(number, &format!("expected {expected} for {asked}, found"))])?;
                say(out, [explanation])?;
            }
        }
    }
    say(out, [format!("{}, {wrong} wrong", counted(decisions, "decision"))]).map(|_| wrong == 0)
}

/// A count with its noun: `1 user`, `2 users`.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Splits a line of CSV into fields. A quoted field may contain commas, and quotes as two quotes (RFC 4180).
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let field = match rest.strip_prefix('"') {
            None => {
                let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                rest = after;
                Some(field.to_owned()).filter(|field| !field.contains('"'))?
            }
            Some(quoted) => {
                let mut field = String::new();
                rest = quoted;
                loop {
                    let (part, after) = rest.split_once('"')?;
                    field.push_str(part);
                    rest = after;
                    match rest.strip_prefix('"') {
                        Some(after) => rest = after,
                        None => break,
                    }
                    field.push('"');
                }
                field
            }
        };
        fields.push(field);
        if rest.is_empty() {
            return Some(fields);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// Collects a list page by page.
fn all<T>(list: impl Fn(&PageRequest) -> Page<T>) -> Vec<T> {
    let (mut entries, mut page) = (Vec::new(), PageRequest::of(1_000));
    loop {
        let listing = list(&page);
        entries.extend(listing.items);
        match listing.next {
            Some(next) => page = page.after(next),
            None => return entries,
        }
    }
}

/// Writes lines. Returns `true`, the answer of a command that only prints.
fn say<T: Display>(out: &mut impl Write, lines: impl IntoIterator<Item = T>) -> Result<bool, Failure> {
    lines.into_iter().try_for_each(|line| writeln!(out, "{line}")).map_err(|error| output_failed(&error))?;
    Ok(true)
}

fn output_failed(error: &io::Error) -> Failure {
    format!("standard output: {error}")
}

/// The mark that some editors write in front of UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads a file, without its byte-order mark.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(match bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()) {
        Some(bytes) => bytes.to_vec(),
        None => bytes,
    })
}

/// Formats the mistakes of a document, one a line.
fn invalid(file: &Path, error: &rolecall::Error) -> Failure {
    let file = file.display();
    match error.kind() {
        ErrorKind::Document => {
            let mut lines: Vec<String> = error.mistakes().iter().map(|mistake| format!("{file}: {mistake}")).collect();
            if error.unlisted() > 0 {
                lines.push(format!("{file}: and {} more", error.unlisted()));
            }
            lines.join("\n")
        }
        _ => format!("{file}: {error}"),
    }
}
