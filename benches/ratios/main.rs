//! Compares rolecall with tables written by hand, and prints medians, ratios and goals.
//!
//! The contestants of a ratio take turns within one run. The workload is that of the bench `check`, and is printed first.
//!
//! ```text
//! cargo bench -p rolecall-benches --bench ratios                            # S and M, about two minutes
//! ROLECALL_SIZES=S,M,L cargo bench -p rolecall-benches --bench ratios       # with L, and S compared with L: about 5 GB of memory
//! ROLECALL_SIZES=M cargo bench -p rolecall-benches --bench ratios -- P1 P8  # a part
//! ROLECALL_SIZES=none cargo bench -p rolecall-benches --bench ratios -- V8/who_can  # a line of one variation
//! ROLECALL_WARM=1 ROLECALL_SIZES=none cargo bench -p rolecall-benches --bench ratios -- V8/by_id/latency  # with warm caches
//! ```
//!
//! Each line also has the ratio of the fastest rounds, since other programs on a shared machine distort the medians.
//!
//! Each line begins with the name of its goal:
//!
//! | goal | comparison |
//! |---|---|
//! | P1 | checks by id that wait for each other, with `by_hand_fast` and with two dependent reads of memory |
//! | P2 | independent checks by id, with sets of strings and with `by_hand_fast` |
//! | P3 | checks by handle and by enum, with checks by id |
//! | P4 | checks through the `Tenant`, with checks on a held snapshot |
//! | P5 | `check_many`, with checks one by one |
//! | P6 | checks by key and slug, with checks by id; no check allocates (the bench `memory`) |
//! | P7 | effective permissions, `who_can`, and pages of members |
//! | P8 | commits of one and of a thousand members, with an insertion into `imbl::HashMap` |
//! | P9 | commits of roles, grants, groups and permissions, at different sizes |
//! | P10, P11 | bytes for each user and for each small tenant (the bench `memory`) |
//! | P12 | loading a tenant from records and from a document |
//! | P13 | readers on two threads, and a reader beside a writer |
//! | P14 | explanations of allowed and of denied questions |
//! | P15 | other libraries (`benches/peers`) |
//! | P16 | calls that find nothing, with calls that create or find something |
//! | P17 | access reports, a lint, what ends, and lists of included roles, with effective permissions and rows |
//! | P18 | commits and plans with a guard, with separations and with binding assertions, with those without any |
//! | P19 | comparisons of two states and of two catalogs, and replayed questions |
//! | P20 | narrowed users and permissions documents, with checks and sets of permissions |
//! | P21 | replacing a tenant by a document with ten differences, with importing it and with loading its records |
//!
//! `src/docs/internals.md` explains the goals that are missed.
//!
//! To count the instructions of one form, for 262,144 questions at S:
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*Timed*run*' \
//!     target/release/deps/ratios-HASH --bench count uuid
//! ```
//!
//! To count the instructions of commits without undoing them, or of the questions about sets, at a chosen size:
//!
//! ```text
//! ROLECALL_SIZES=M valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*Writer*timed*' \
//!     target/release/deps/ratios-HASH --bench count member
//! ```
//!
//! Deliberately absent: memory and allocations, which the bench `memory` counts, and the libraries of P15, which are in
//! the package `benches/peers`.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench fails by panicking")]

mod documents;
mod many;
mod misses;
mod restrictions;
mod reviews;
mod table;
mod threads;
mod varied_by_hand;
mod varied_changes;
mod varied_reads;
mod variations;
mod what_if;
#[path = "../common/varied.rs"]
mod varied;
#[path = "../common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall::records::UserId;
use rolecall::{Moment, PageRequest};
use uuid::Uuid;

use self::common::Workload;
use self::common::by_hand::Fast;
use self::common::contestants::{Baselines, Form, QuestionTexts};
use self::common::fixed_store::{FixedStore, tenant_id};
use self::common::organisation::{L, M, Organisation, S, is_wanted, now};
use self::common::pattern_tenant::PatternTenant;
use self::common::questions::{self, About, Question};
use self::common::records::{group_id, permission_id};
use self::common::timing::{Contestant, TimingMode};
use self::common::writer::Writer;
use self::table::{Goal, Table};

fn main() {
    // `cargo test --all-targets` runs this program without `--bench`, to test that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if std::env::args().any(|argument| argument == "count") {
        return count();
    }
    let mut table = Table::of_arguments();
    variations::variations(&table);
    let small = is_wanted(&S).then(|| Workload::<4>::new(&S));
    if let Some(workload) = &small {
        one_size(&mut table, workload);
    }
    if is_wanted(&M) {
        one_size(&mut table, &Workload::<16>::new(&M));
    }
    under_patterns(&mut table);
    misses::misses(&mut table);
    if is_wanted(&L) {
        let large = Workload::<32>::new(&L);
        one_size(&mut table, &large);
        if let Some(small) = &small {
            two_sizes(&mut table, small, &large);
        }
    }
}

/// Asks the mixed list once in the forms that the command line names, or makes the changes that it names. A tool counts
/// the instructions.
fn count() {
    if !is_wanted(&S) {
        return count_changes(&Workload::<16>::new(&M));
    }
    let workload = Workload::<4>::new(&S);
    count_changes(&workload);
    let questions = questions::draw(&workload, About::Mixed);
    let words = QuestionTexts::new(&questions);
    for form in Form::ALL.into_iter().filter(|form| std::env::args().any(|argument| argument == form.name())) {
        for contestant in &mut named(workload.ours(form, &questions, &words), ["rolecall"]) {
            contestant.run(TimingMode::Throughput, questions.len() as u64);
        }
    }
}

fn count_changes<const N: usize>(workload: &Workload<N>) {
    let kinds: [(&str, usize, Run<'_>); 7] = [
        ("member", 1_024, Writer::members),
        ("thousand_members", 16, Writer::thousand_members),
        ("thousand_new_users", 16, Writer::thousand_new_users),
        ("grant", 256, Writer::grant),
        ("role", 256, Writer::role),
        ("reparent", 256, Writer::reparent),
        ("permission", 256, Writer::permission),
    ];
    let mut writer = Writer::new(&workload.tenant, &workload.organisation);
    for (_, count, run) in kinds.into_iter().filter(|(kind, ..)| std::env::args().any(|argument| argument == *kind)) {
        run(&mut writer, count);
    }
    if std::env::args().any(|argument| argument == "sets") {
        count_sets(workload);
    }
}

/// Asks for a thousand sets of effective permissions, a thousand explanations, and the users of 16 permissions.
#[inline(never)]
fn count_sets<const N: usize>(workload: &Workload<N>) {
    let (held, questions) = (workload.held(), questions::draw(workload, About::Mixed));
    for (user, question) in users(workload, &questions).filter(|(_, question)| question.allowed).take(1_000) {
        black_box((held.effective(user), held.explain(user, permission_id(question.permission))));
    }
    for permission in (0..16).map(|n| n * (workload.size.permissions / 16)) {
        black_box(held.who_can(permission_id(permission)).ids().map(UserId::as_uuid).collect::<Vec<_>>());
    }
}

fn one_size<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    asked(table, workload);
    sets(table, workload);
    explained(table, workload);
    who_can(table, workload);
    members(table, workload);
    reviews::reviews(table, workload);
    what_if::what_if(table, workload);
    what_if::narrowed(table, workload);
    many::many(table, workload);
    if workload.size.name == "M" {
        threads::threads(table, workload);
    }
    changes(table, workload);
    restrictions::restrictions(table, workload);
    loading(table, workload);
    documents::documents(table, workload);
    documents::replacing(table, workload);
}

/// Measures P1 to P4 and the time of P6.
fn asked<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    let words = QuestionTexts::new(&questions);
    let baselines = Baselines::new(workload, false);
    let size = workload.size.name;
    {
        let mut all = named(workload.ours(Form::Uuid, &questions, &words), ["rolecall", "rolecall_tenant"]);
        all.extend(named(
            workload.baselines(Form::Uuid, &questions, &baselines),
            ["by_hand_fast", "limit_one", "limit_two"],
        ));
        let mut race = table.race("P1 P4", &format!("check/{size}/uuid/mixed/latency"));
        for contestant in &mut all {
            race.enter(contestant.name, rounds(contestant, TimingMode::Latency, &questions));
        }
        race.run(21);
        race.ratio("P1", "rolecall", "by_hand_fast", Goal::AtMost(pick(size, [1.3, 0.6, 0.75])));
        race.ratio("P1", "rolecall", "limit_two", pick(size, [Goal::None, Goal::None, Goal::AtMost(0.8)]));
        let goal = pick(size, [Goal::None, Goal::AtMost(1.1), Goal::AtMost(1.1)]);
        race.ratio("P4", "rolecall_tenant", "rolecall", goal);
    }
    forms(table, workload, &questions, &words);
    if size != "L" && table.wants("P2") {
        let baselines = Baselines::new(workload, true);
        let mut all = named(workload.ours(Form::Uuid, &questions, &words), ["rolecall"]);
        all.extend(named(workload.baselines(Form::Uuid, &questions, &baselines), ["by_hand_flat", "by_hand_fast"]));
        let mut race = table.race("P2", &format!("check/{size}/uuid/mixed/throughput"));
        for contestant in &mut all {
            race.enter(contestant.name, rounds(contestant, TimingMode::Throughput, &questions));
        }
        race.run(11);
        race.ratio("P2", "by_hand_flat", "rolecall", Goal::AtLeast(pick(size, [12.0, 25.0, 0.0])));
        race.ratio("P2", "rolecall", "by_hand_fast", Goal::AtMost(1.5));
    }
}

/// Measures P3 and the time of P6: compares the forms of a question.
fn forms<const N: usize>(table: &mut Table, workload: &Workload<N>, questions: &[Question], words: &QuestionTexts) {
    let mut all: Vec<(Form, Contestant<'_>)> = Vec::new();
    for form in Form::ALL {
        all.extend(
            named(workload.ours(form, questions, words), ["rolecall"]).into_iter().map(|contestant| (form, contestant)),
        );
    }
    for (mode, mode_name, goals) in
        [(TimingMode::Throughput, "throughput", "P3"), (TimingMode::Latency, "latency", "P6")]
    {
        let name = format!("check/{}/FORM/mixed/{mode_name}/rolecall", workload.size.name);
        let mut race = table.race(goals, &name);
        for (form, contestant) in &mut all {
            race.enter(form.name(), rounds(contestant, mode, questions));
        }
        race.run(21);
        if let TimingMode::Throughput = mode {
            race.ratio("P3", "handle", "uuid", Goal::AtMost(0.65));
            race.ratio("P3", "enum", "uuid", Goal::AtMost(1.1));
        } else {
            race.ratio("P6", "key_slug", "uuid", pick(workload.size.name, [Goal::None, Goal::AtMost(3.0), Goal::None]));
        }
    }
}

/// Returns the users of a list of questions, repeated without end.
fn users<'a, const N: usize>(
    workload: &'a Workload<N>,
    questions: &'a [Question],
) -> impl Iterator<Item = (UserId, &'a Question)> {
    let id = |question: &Question| UserId::from_uuid(workload.organisation.users[question.user as usize].id);
    questions.iter().map(move |question| (id(question), question)).cycle()
}

/// Measures P7: the effective permissions of a user, compared with a check.
fn sets<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    let words = QuestionTexts::new(&[]);
    let held = workload.held();
    let mut checks = named(workload.ours(Form::Uuid, &questions, &words), ["rolecall"]);
    let mut users = users(workload, &questions);
    let mut last = 0;
    let mut race = table.race("P7", &format!("effective/{}", workload.size.name));
    race.enter("check", rounds(&mut checks[0], TimingMode::Latency, &questions));
    race.enter("effective", move || {
        // Each question waits for the previous answer, as in the latency of a check.
        per(1 << 15, |_| {
            let (user, _) = users.nth(last).unwrap();
            last = held.effective(user).len() & 1;
        })
    });
    race.run(11);
    race.ratio("P7", "effective", "check", pick(workload.size.name, [Goal::None, Goal::AtMost(4.0), Goal::None]));
}

/// Measures P14: explanations of allowed and of denied questions, compared with a check.
fn explained<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    let words = QuestionTexts::new(&[]);
    let held = workload.held();
    let mut checks = named(workload.ours(Form::Uuid, &questions, &words), ["rolecall"]);
    let allowed = || users(workload, &questions).filter(|(_, question)| question.allowed);
    let (mut allowed, mut once) = (allowed(), allowed());
    let mut denied = users(workload, &questions).filter(|(_, question)| !question.allowed);
    let ask = |held: &Moment<'_>, next: Option<(UserId, &Question)>| {
        let (user, question) = next.unwrap();
        black_box(held.explain(user, permission_id(question.permission)));
    };
    let mut race = table.race("P14", &format!("explain/{}", workload.size.name));
    race.enter("check", rounds(&mut checks[0], TimingMode::Latency, &questions));
    race.enter("first_path", || {
        per(1 << 12, |_| {
            let (user, question) = once.next().unwrap();
            assert!(held.first_path(user, permission_id(question.permission)).is_some());
        })
    });
    race.enter("explain_allowed", || per(1 << 10, |_| ask(&held, allowed.next())));
    race.enter("explain_denied", || per(1 << 6, |_| ask(&held, denied.next())));
    race.run(11);
    let of_m = |most| pick(workload.size.name, [Goal::None, Goal::AtMost(most), Goal::None]);
    race.ratio("P14", "explain_allowed", "first_path", Goal::None);
    race.ratio("P14", "explain_allowed", "check", of_m(20.0));
    race.ratio("P14", "explain_denied", "check", of_m(100.0));
}

/// Measures P7: `who_can`, for permissions of the whole range.
fn who_can<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let held = workload.held();
    let size = workload.size.name;
    let asked: Vec<u32> = (0..16).map(|n| n * (workload.size.permissions / 16)).collect();
    for permission in &asked {
        let ids = held.who_can(permission_id(*permission));
        let (mut ours, mut theirs): (Vec<Uuid>, _) =
            (ids.ids().map(UserId::as_uuid).collect(), workload.fast.who_can(*permission));
        ours.sort_unstable();
        theirs.sort_unstable();
        assert!(ours == theirs, "who can do {permission}");
    }
    let mut race = table.race("P7", &format!("who_can/{size}"));
    race.enter("rolecall", || {
        per(16, |n| {
            let set = held.who_can(permission_id(asked[n]));
            black_box(set.ids().map(UserId::as_uuid).collect::<Vec<_>>());
        })
    });
    race.enter("by_hand_fast", || per(16, |n| drop(black_box(workload.fast.who_can(asked[n])))));
    race.run(if size == "L" { 5 } else { 11 });
    race.ratio("P7", "rolecall", "by_hand_fast", pick(size, [Goal::None, Goal::AtMost(0.6), Goal::None]));
}

/// Returns the group with the most direct members.
fn largest_group(organisation: &Organisation) -> u32 {
    let mut members = vec![0_u32; organisation.groups.len()];
    organisation.users.iter().flat_map(|user| &user.groups).for_each(|(group, _)| members[*group as usize] += 1);
    let largest = (0..).zip(members).max_by_key(|(_, count)| *count);
    largest.map_or(0, |(group, _)| group)
}

fn first_members<'a>(held: &'a Moment<'_>, organisation: &Organisation) -> impl FnMut() -> f64 + 'a {
    let group = group_id(largest_group(organisation));
    let page = PageRequest::of(50);
    move || per(64, |_| assert_eq!(held.members(group, &page).items.len(), 50))
}

/// Measures P7: a page of the largest group. [`two_sizes`] compares S and L.
fn members<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let held = workload.held();
    let mut race = table.race("P7", &format!("members/{}", workload.size.name));
    race.enter("first_50", first_members(&held, &workload.organisation));
    race.run(11);
}

/// Measures P8 and P9 at one size.
fn changes<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let size = workload.size.name;
    let writer = || Writer::new(&workload.tenant, &workload.organisation);
    let mut race = table.race("P8", &format!("commit/{size}"));
    let (mut member, mut thousand, mut persistent) = (writer(), writer(), Persistent::new(&workload.organisation));
    race.enter("member", move || nanos(member.members(64)));
    race.enter("thousand_members", move || nanos(thousand.thousand_members(1) / 1_000));
    race.enter("imbl_insertion", move || persistent.insertions(64));
    race.run(21);
    // A deleted entity keeps its number in the tenant, so entities are created in another tenant.
    let other = FixedStore::new(Arc::clone(&workload.records)).open(None);
    let apart = || Writer::new(&other, &workload.organisation);
    let (mut new, mut document) = (apart(), writer());
    let goal = pick(size, [Goal::None, Goal::AtMost(0.25), Goal::AtMost(0.5)]);
    race.ratio("P8", "thousand_members", "member", goal);
    race.ratio("P8", "member", "imbl_insertion", pick(size, [Goal::None, Goal::None, Goal::AtMost(2.0)]));

    let mut race = table.race("P8", &format!("import/{size}"));
    race.enter("thousand_new_users", move || nanos(new.thousand_new_users(1) / 1_000));
    race.run(11);
    if size != "L" {
        let mut race = table.race("P8", &format!("document/{size}"));
        race.enter("thousand_by_document", move || nanos(document.thousand_by_document(1) / 1_000));
        race.run(3);
    }

    let mut race = table.race("P9", &format!("commit/{size}"));
    let (mut grant, mut role, mut reparent, mut permission) = (writer(), writer(), writer(), apart());
    race.enter("grant", move || nanos(grant.grant(16)));
    race.enter("role", move || nanos(role.role(16)));
    race.enter("reparent", move || nanos(reparent.reparent(16)));
    race.enter("permission", move || nanos(permission.permission(16)));
    race.run(21);
}

/// Measures P9: creating a permission that one of ten, or of a thousand, patterns matches.
fn under_patterns(table: &mut Table) {
    let (mut few, mut many) = (PatternTenant::new(10), PatternTenant::new(1_000));
    let mut race = table.race("P9", "commit/permission_under_patterns");
    race.enter("10", move || nanos(few.permission(64)));
    race.enter("1000", move || nanos(many.permission(64)));
    race.run(21);
    race.ratio("P9", "1000", "10", Goal::None);
}

/// A table with structural sharing. One insertion copies the table, inserts, and drops the old one.
struct Persistent {
    map: imbl::HashMap<Uuid, [u16; 8]>,
    next: u128,
}

impl Persistent {
    fn new(organisation: &Organisation) -> Self {
        Self { map: organisation.users.iter().map(|user| (user.id, [0; 8])).collect(), next: 0 }
    }

    fn insertions(&mut self, count: u32) -> f64 {
        let took = per(count, |_| {
            self.next += 1;
            let mut next = self.map.clone();
            next.insert(Uuid::from_u128(self.next), [1; 8]);
            self.map = next;
        });
        for number in self.next + 1 - u128::from(count)..=self.next {
            self.map.remove(&Uuid::from_u128(number));
        }
        took
    }
}

/// Measures P12: loading from records in memory. `documents.rs` measures documents.
fn loading<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    let store = FixedStore::new(Arc::clone(&workload.records));
    let large = workload.size.name == "L";
    let mut race = table.race("P12", &format!("load/{}", workload.size.name));
    race.enter("rolecall", || {
        let authorizer = store.clone().authorizer(None);
        let start = Instant::now();
        let tenant = authorizer.tenant_by_id(tenant_id(0)).unwrap();
        let took = start.elapsed();
        drop(tenant);
        nanos(took)
    });
    race.enter("by_hand_fast", || {
        let start = Instant::now();
        let built = black_box(Fast::<N>::from_records(&workload.records, now()));
        let took = start.elapsed();
        drop(built);
        nanos(took)
    });
    race.run(if large { 3 } else { 5 });
    race.ratio(
        "P12",
        "rolecall",
        "by_hand_fast",
        pick(workload.size.name, [Goal::None, Goal::None, Goal::AtMost(1.2)]),
    );
}

type Run<'a> = fn(&mut Writer<'a>, usize) -> Duration;

/// Compares S and L for what must not grow with the size: the page of P7, P8 and P9.
fn two_sizes<const A: usize, const B: usize>(table: &mut Table, small: &Workload<A>, large: &Workload<B>) {
    let (held_small, held_large) = (small.held(), large.held());
    let mut race = table.race("P7", "members/first_50");
    race.enter("S", first_members(&held_small, &small.organisation));
    race.enter("L", first_members(&held_large, &large.organisation));
    race.run(21);
    race.ratio("P7", "L", "S", Goal::AtMost(1.3));

    let kinds: [(&str, &str, usize, f64, Run<'_>); 4] = [
        ("P8", "member", 64, 3.0, Writer::members),
        ("P9", "grant", 16, 15.0, Writer::grant),
        ("P9", "role", 16, 15.0, Writer::role),
        ("P9", "reparent", 16, 15.0, Writer::reparent),
    ];
    for (goal, kind, batch, most, run) in kinds {
        let mut race = table.race(goal, &format!("commit/{kind}"));
        let mut writers = [&small.tenant, &large.tenant]
            .into_iter()
            .zip([&small.organisation, &large.organisation])
            .map(|(tenant, organisation)| Writer::new(tenant, organisation));
        let (mut on_small, mut on_large) = (writers.next().unwrap(), writers.next().unwrap());
        race.enter("S", move || nanos(run(&mut on_small, batch)));
        race.enter("L", move || nanos(run(&mut on_large, batch)));
        race.run(21);
        race.ratio(goal, "L", "S", Goal::AtMost(most));
    }
}

/// Returns a turn: half of the list to warm the cache up, then the whole list.
fn rounds<'r>(
    contestant: &'r mut Contestant<'_>,
    mode: TimingMode,
    questions: &[Question],
) -> impl FnMut() -> f64 + 'r {
    let length = u32::try_from(questions.len()).unwrap();
    move || {
        contestant.run(mode, u64::from(length / 2));
        nanos(contestant.run(mode, u64::from(length))) / f64::from(length)
    }
}

fn named<'a, const K: usize>(all: Vec<Contestant<'a>>, names: [&str; K]) -> Vec<Contestant<'a>> {
    all.into_iter().filter(|contestant| names.contains(&contestant.name)).collect()
}

fn pick<T>(size: &str, [s, m, l]: [T; 3]) -> T {
    match size {
        "S" => s,
        "M" => m,
        _ => l,
    }
}

/// Returns the average time of `count` calls, in nanoseconds.
fn per(count: u32, each: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..count as usize).for_each(each);
    nanos(start.elapsed()) / f64::from(count)
}

/// Runs `count` questions and returns the average time of one. If `ROLECALL_WARM` is set, half of them are asked before, so
/// that caches hold more of the organisation than an application with other work finds there.
fn time_questions(count: usize, mut run: impl FnMut(usize)) -> f64 {
    if std::env::var_os("ROLECALL_WARM").is_some() {
        run(count / 2);
    }
    let start = Instant::now();
    run(count);
    each(start, count)
}

/// Nanoseconds for each of `count` since `start`.
fn each(start: Instant, count: usize) -> f64 {
    nanos(start.elapsed()) / f64::from(u32::try_from(count).unwrap())
}

fn nanos(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}
