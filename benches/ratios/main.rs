//! Times the contestants of each ratio in turns, rounds of each within one run, and prints a table of medians and ratios
//! beside the goals. The workload is that of the bench `check`, and is printed first.
//!
//! ```text
//! cargo bench --bench ratios                            # S and M, about two minutes
//! ROLECALL_SIZES=S,M,L cargo bench --bench ratios       # L too, and what is compared between S and L: about 5 GB
//! ROLECALL_SIZES=M cargo bench --bench ratios -- P1 P8  # some of it
//! ```
//!
//! A ratio of the fastest rounds stands beside that of the medians: on a machine that is shared, medians are of others too.
//!
//! What the names say, which the lines begin with:
//!
//! | | |
//! |---|---|
//! | P1 | a check by id, each waiting for the last, beside the strongest form by hand and two dependent reads |
//! | P2 | independent checks by id, beside sets of strings and the strongest form by hand |
//! | P3 | by handle and by enum, beside by id |
//! | P4 | through the `Tenant`, beside a held snapshot |
//! | P5 | many at once, beside one by one |
//! | P6 | by key and slug, beside by id; no check allocates (the bench `memory`) |
//! | P7 | effective sets, who can, members page by page |
//! | P8 | commits of members, one and a thousand; beside an insertion into `imbl::HashMap` |
//! | P9 | commits about roles, grants, groups and permissions: how they grow |
//! | P10, P11 | bytes a user, bytes a small tenant (the bench `memory`) |
//! | P12 | a tenant from records, and from a document |
//! | P13 | readers on two threads, and a reader beside a writer |
//! | P14 | one reason why, and all of them |
//! | P15 | other libraries (`benches/peers`) |
//!
//! A goal that a line names is what we set out to reach; where it is missed, `src/docs/design.md` says why.
//!
//! Instructions of one form, of 262,144 questions at S:
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*Timed*run*' \
//!     target/release/deps/ratios-HASH --bench count uuid
//! ```
//!
//! Those of commits, without what takes them back, and of the questions about sets, at the size that is asked for:
//!
//! ```text
//! ROLECALL_SIZES=M valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*Writer*timed*' \
//!     target/release/deps/ratios-HASH --bench count member
//! ```
//!
//! Deliberately absent: memory and allocations (the bench `memory`, whose allocator slows what it counts); the libraries
//! of P15, which are a package of their own, `benches/peers`.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench that is wrong stops")]

mod documents;
mod many;
mod table;
mod threads;
#[path = "../common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall::records::UserId;
use rolecall::{Moment, PageRequest};
use uuid::Uuid;

use self::common::Bed;
use self::common::by_hand::Fast;
use self::common::forms::{Form, Rivals, Words};
use self::common::organisation::{L, M, Organisation, S, is_wanted, now};
use self::common::pace::{Contestant, Pace};
use self::common::patterned::Patterned;
use self::common::questions::{self, About, Question};
use self::common::records::{group_id, permission_id};
use self::common::shelf::{Shelf, tenant_id};
use self::common::writer::Writer;
use self::table::{Goal, Table};

fn main() {
    // `cargo test --all-targets` runs this without `--bench`: to see that it builds is enough then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if std::env::args().any(|argument| argument == "count") {
        return count();
    }
    let mut table = Table::of_arguments();
    let small = is_wanted(&S).then(|| Bed::<4>::new(&S));
    if let Some(bed) = &small {
        one_size(&mut table, bed);
    }
    if is_wanted(&M) {
        one_size(&mut table, &Bed::<16>::new(&M));
    }
    under_patterns(&mut table);
    if is_wanted(&L) {
        let large = Bed::<32>::new(&L);
        one_size(&mut table, &large);
        if let Some(small) = &small {
            two_sizes(&mut table, small, &large);
        }
    }
}

/// Asks the mixed list once, in the forms that the command line names, for a tool that counts instructions; or makes
/// the changes that it names.
fn count() {
    if !is_wanted(&S) {
        return count_changes(&Bed::<16>::new(&M));
    }
    let bed = Bed::<4>::new(&S);
    count_changes(&bed);
    let questions = questions::draw(&bed, About::Mixed);
    let words = Words::new(&questions);
    for form in Form::ALL.into_iter().filter(|form| std::env::args().any(|argument| argument == form.name())) {
        for contestant in &mut named(bed.ours(form, &questions, &words), ["rolecall"]) {
            contestant.run(Pace::Throughput, questions.len() as u64);
        }
    }
}

fn count_changes<const N: usize>(bed: &Bed<N>) {
    let kinds: [(&str, usize, Run<'_>); 7] = [
        ("member", 1_024, Writer::members),
        ("thousand_members", 16, Writer::thousand_members),
        ("thousand_new_users", 16, Writer::thousand_new_users),
        ("grant", 256, Writer::grant),
        ("role", 256, Writer::role),
        ("reparent", 256, Writer::reparent),
        ("permission", 256, Writer::permission),
    ];
    let mut writer = Writer::new(&bed.tenant, &bed.organisation);
    for (_, count, run) in kinds.into_iter().filter(|(kind, ..)| std::env::args().any(|argument| argument == *kind)) {
        run(&mut writer, count);
    }
    if std::env::args().any(|argument| argument == "sets") {
        count_sets(bed);
    }
}

/// A thousand effective sets, a thousand explanations, and who can do each of 16 permissions.
#[inline(never)]
fn count_sets<const N: usize>(bed: &Bed<N>) {
    let (held, questions) = (bed.held(), questions::draw(bed, About::Mixed));
    for (user, question) in users(bed, &questions).filter(|(_, question)| question.allowed).take(1_000) {
        black_box((held.effective(user), held.explain(user, permission_id(question.permission))));
    }
    for permission in (0..16).map(|n| n * (bed.size.permissions / 16)) {
        black_box(held.who_can(permission_id(permission)).ids().map(UserId::as_uuid).collect::<Vec<_>>());
    }
}

fn one_size<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    asked(table, bed);
    sets(table, bed);
    explained(table, bed);
    who_can(table, bed);
    members(table, bed);
    many::many(table, bed);
    if bed.size.name == "M" {
        threads::threads(table, bed);
    }
    changes(table, bed);
    loading(table, bed);
    documents::documents(table, bed);
}

/// P1 to P4 and the time of P6.
fn asked<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let questions = questions::draw(bed, About::Mixed);
    let words = Words::new(&questions);
    let rivals = Rivals::new(bed, false);
    let size = bed.size.name;
    {
        let mut all = named(bed.ours(Form::Uuid, &questions, &words), ["rolecall", "rolecall_tenant"]);
        all.extend(named(bed.rivals(Form::Uuid, &questions, &rivals), ["by_hand_fast", "limit_one", "limit_two"]));
        let mut race = table.race("P1 P4", &format!("check/{size}/uuid/mixed/latency"));
        for contestant in &mut all {
            race.enter(contestant.name, rounds(contestant, Pace::Latency, &questions));
        }
        race.run(21);
        race.ratio("P1", "rolecall", "by_hand_fast", Goal::AtMost(pick(size, [1.3, 0.6, 0.75])));
        race.ratio("P1", "rolecall", "limit_two", pick(size, [Goal::None, Goal::None, Goal::AtMost(0.8)]));
        let goal = pick(size, [Goal::None, Goal::AtMost(1.3), Goal::AtMost(1.1)]);
        race.ratio("P4", "rolecall_tenant", "rolecall", goal);
    }
    forms(table, bed, &questions, &words);
    if size != "L" && table.wants("P2") {
        let rivals = Rivals::new(bed, true);
        let mut all = named(bed.ours(Form::Uuid, &questions, &words), ["rolecall"]);
        all.extend(named(bed.rivals(Form::Uuid, &questions, &rivals), ["by_hand_flat", "by_hand_fast"]));
        let mut race = table.race("P2", &format!("check/{size}/uuid/mixed/throughput"));
        for contestant in &mut all {
            race.enter(contestant.name, rounds(contestant, Pace::Throughput, &questions));
        }
        race.run(11);
        race.ratio("P2", "by_hand_flat", "rolecall", Goal::AtLeast(pick(size, [12.0, 25.0, 0.0])));
        race.ratio("P2", "rolecall", "by_hand_fast", Goal::None);
    }
}

/// P3, and the time of P6: the forms of a question against each other.
fn forms<const N: usize>(table: &mut Table, bed: &Bed<N>, questions: &[Question], words: &Words) {
    let mut all: Vec<(Form, Contestant<'_>)> = Vec::new();
    for form in Form::ALL {
        all.extend(
            named(bed.ours(form, questions, words), ["rolecall"]).into_iter().map(|contestant| (form, contestant)),
        );
    }
    for (pace, pace_name, goals) in [(Pace::Throughput, "throughput", "P3"), (Pace::Latency, "latency", "P6")] {
        let name = format!("check/{}/FORM/mixed/{pace_name}/rolecall", bed.size.name);
        let mut race = table.race(goals, &name);
        for (form, contestant) in &mut all {
            race.enter(form.name(), rounds(contestant, pace, questions));
        }
        race.run(21);
        if let Pace::Throughput = pace {
            race.ratio("P3", "handle", "uuid", Goal::AtMost(0.65));
            race.ratio("P3", "enum", "uuid", Goal::AtMost(1.1));
        } else {
            race.ratio("P6", "key_slug", "uuid", pick(bed.size.name, [Goal::None, Goal::AtMost(3.0), Goal::None]));
        }
    }
}

/// The users of a list of questions, one after the other, for ever.
fn users<'a, const N: usize>(
    bed: &'a Bed<N>,
    questions: &'a [Question],
) -> impl Iterator<Item = (UserId, &'a Question)> {
    let id = |question: &Question| UserId::from_uuid(bed.organisation.users[question.user as usize].id);
    questions.iter().map(move |question| (id(question), question)).cycle()
}

/// P7: the effective set of a user beside a check.
fn sets<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let questions = questions::draw(bed, About::Mixed);
    let words = Words::new(&[]);
    let held = bed.held();
    let mut checks = named(bed.ours(Form::Uuid, &questions, &words), ["rolecall"]);
    let mut users = users(bed, &questions);
    let mut last = 0;
    let mut race = table.race("P7", &format!("effective/{}", bed.size.name));
    race.enter("check", rounds(&mut checks[0], Pace::Latency, &questions));
    race.enter("effective", move || {
        // Each waits for the one before, as in a check's latency.
        per(1 << 15, |_| {
            let (user, _) = users.nth(last).unwrap();
            last = held.effective(user).len() & 1;
        })
    });
    race.run(11);
    race.ratio("P7", "effective", "check", pick(bed.size.name, [Goal::None, Goal::AtMost(10.0), Goal::None]));
}

/// P14: the first path of an allowed question; an explanation, which has all of them; and one of a denied question.
fn explained<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let questions = questions::draw(bed, About::Mixed);
    let words = Words::new(&[]);
    let held = bed.held();
    let mut checks = named(bed.ours(Form::Uuid, &questions, &words), ["rolecall"]);
    let allowed = || users(bed, &questions).filter(|(_, question)| question.allowed);
    let mut allowed = allowed();
    let mut denied = users(bed, &questions).filter(|(_, question)| !question.allowed);
    let ask = |held: &Moment<'_>, next: Option<(UserId, &Question)>| {
        let (user, question) = next.unwrap();
        black_box(held.explain(user, permission_id(question.permission)));
    };
    let mut race = table.race("P14", &format!("explain/{}", bed.size.name));
    race.enter("check", rounds(&mut checks[0], Pace::Latency, &questions));
    race.enter("explain_allowed", || per(1 << 10, |_| ask(&held, allowed.next())));
    race.enter("explain_denied", || per(1 << 6, |_| ask(&held, denied.next())));
    race.run(11);
    let of_m = |most| pick(bed.size.name, [Goal::None, Goal::AtMost(most), Goal::None]);
    race.ratio("P14", "explain_allowed", "check", of_m(20.0));
    race.ratio("P14", "explain_denied", "check", of_m(100.0));
}

/// P7: who can, over permissions of the whole range.
fn who_can<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let held = bed.held();
    let size = bed.size.name;
    let asked: Vec<u32> = (0..16).map(|n| n * (bed.size.permissions / 16)).collect();
    for permission in &asked {
        let ids = held.who_can(permission_id(*permission));
        let (mut ours, mut theirs): (Vec<Uuid>, _) =
            (ids.ids().map(UserId::as_uuid).collect(), bed.fast.who_can(*permission));
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
    race.enter("by_hand_fast", || per(16, |n| drop(black_box(bed.fast.who_can(asked[n])))));
    race.run(if size == "L" { 5 } else { 11 });
    race.ratio("P7", "rolecall", "by_hand_fast", pick(size, [Goal::None, Goal::AtMost(0.75), Goal::None]));
}

/// The group with the most direct members.
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

/// P7: a page of the largest group; S against L is in [`two_sizes`].
fn members<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let held = bed.held();
    let mut race = table.race("P7", &format!("members/{}", bed.size.name));
    race.enter("first_50", first_members(&held, &bed.organisation));
    race.run(11);
}

/// P8 and P9, each size for itself.
fn changes<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let size = bed.size.name;
    let writer = || Writer::new(&bed.tenant, &bed.organisation);
    let mut race = table.race("P8", &format!("commit/{size}"));
    let (mut member, mut thousand, mut persistent) = (writer(), writer(), Persistent::new(&bed.organisation));
    race.enter("member", move || nanos(member.members(64)));
    race.enter("thousand_members", move || nanos(thousand.thousand_members(1) / 1_000));
    race.enter("imbl_insertion", move || persistent.insertions(64));
    race.run(21);
    // What was created keeps its place in the tenant when it is gone: so it is created in another one.
    let other = Shelf::new(Arc::clone(&bed.records)).open(None);
    let apart = || Writer::new(&other, &bed.organisation);
    let (mut new, mut document) = (apart(), writer());
    let goal = pick(size, [Goal::None, Goal::AtMost(0.25), Goal::AtMost(0.5)]);
    race.ratio("P8", "thousand_members", "member", goal);
    race.ratio("P8", "member", "imbl_insertion", pick(size, [Goal::None, Goal::None, Goal::AtMost(3.0)]));

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

/// A permission comes under one pattern of ten, and of a thousand: the others are not looked at.
fn under_patterns(table: &mut Table) {
    let (mut few, mut many) = (Patterned::new(10), Patterned::new(1_000));
    let mut race = table.race("P9", "commit/permission_under_patterns");
    race.enter("10", move || nanos(few.permission(64)));
    race.enter("1000", move || nanos(many.permission(64)));
    race.run(21);
    race.ratio("P9", "1000", "10", Goal::None);
}

/// What a table with structural sharing costs: a copy, one insertion into it, and the old one dropped.
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

/// P12: from records in memory; `documents.rs` has the rest of it.
fn loading<const N: usize>(table: &mut Table, bed: &Bed<N>) {
    let shelf = Shelf::new(Arc::clone(&bed.records));
    let large = bed.size.name == "L";
    let mut race = table.race("P12", &format!("load/{}", bed.size.name));
    race.enter("rolecall", || {
        let authorizer = shelf.clone().authorizer(None);
        let start = Instant::now();
        let tenant = authorizer.tenant_by_id(tenant_id(0)).unwrap();
        let took = start.elapsed();
        drop(tenant);
        nanos(took)
    });
    race.enter("by_hand_fast", || {
        let start = Instant::now();
        let built = black_box(Fast::<N>::from_records(&bed.records, now()));
        let took = start.elapsed();
        drop(built);
        nanos(took)
    });
    race.run(if large { 3 } else { 5 });
    race.ratio("P12", "rolecall", "by_hand_fast", pick(bed.size.name, [Goal::None, Goal::None, Goal::AtMost(3.0)]));
}

type Run<'a> = fn(&mut Writer<'a>, usize) -> Duration;

/// What must not grow with the size: P7's page, P8 and P9.
fn two_sizes<const A: usize, const B: usize>(table: &mut Table, small: &Bed<A>, large: &Bed<B>) {
    let (held_small, held_large) = (small.held(), large.held());
    let mut race = table.race("P7", "members/first_50");
    race.enter("S", first_members(&held_small, &small.organisation));
    race.enter("L", first_members(&held_large, &large.organisation));
    race.run(21);
    race.ratio("P7", "L", "S", Goal::AtMost(2.0));

    let kinds: [(&str, &str, usize, f64, Run<'_>); 4] = [
        ("P8", "member", 64, 3.0, Writer::members),
        ("P9", "grant", 16, 100.0, Writer::grant),
        ("P9", "role", 16, 100.0, Writer::role),
        ("P9", "reparent", 16, 100.0, Writer::reparent),
    ];
    for (goal, kind, at_once, most, run) in kinds {
        let mut race = table.race(goal, &format!("commit/{kind}"));
        let mut writers = [&small.tenant, &large.tenant]
            .into_iter()
            .zip([&small.organisation, &large.organisation])
            .map(|(tenant, organisation)| Writer::new(tenant, organisation));
        let (mut on_small, mut on_large) = (writers.next().unwrap(), writers.next().unwrap());
        race.enter("S", move || nanos(run(&mut on_small, at_once)));
        race.enter("L", move || nanos(run(&mut on_large, at_once)));
        race.run(21);
        race.ratio(goal, "L", "S", Goal::AtMost(most));
    }
}

/// A turn: half of the list to warm up, for the others have been in the cache meanwhile, then all of it.
fn rounds<'r>(contestant: &'r mut Contestant<'_>, pace: Pace, questions: &[Question]) -> impl FnMut() -> f64 + 'r {
    let length = u32::try_from(questions.len()).unwrap();
    move || {
        contestant.run(pace, u64::from(length / 2));
        nanos(contestant.run(pace, u64::from(length))) / f64::from(length)
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

/// How long one of so many takes, in nanoseconds.
fn per(count: u32, each: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..count as usize).for_each(each);
    nanos(start.elapsed()) / f64::from(count)
}

fn nanos(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}
