//! Times every question, commits, and opening a tenant, on the workload in `common/`, which is printed first. Answers
//! are compared with the right ones before anything is timed.
//!
//! ```text
//! cargo bench --bench check                            # S and M, at leisure
//! cargo bench --bench check -- 'check/M/uuid/mixed'    # some of it
//! ROLECALL_SIZES=S,M,L cargo bench --bench check       # L too: about 5 GB
//! ROLECALL_SIZES=S cargo bench --bench check -- \
//!     --warm-up-time 0.05 --measurement-time 0.1 --sample-size 10 --nresamples 1000   # all names, briefly
//! ```
//!
//! Names: `check/{S,M,L}/{handle,uuid,key_slug,enum}/{hot,mixed}/{throughput,latency}/CONTESTANT`. `rolecall` is a held
//! snapshot, `rolecall_tenant` asks the tenant, `by_hand_flat` and `by_hand_fast` are what a program would do without the
//! crate, `limit_one` and `limit_two` what the memory costs. `limit_one` and, past 1,024 permissions, `limit_two` do not
//! answer; they only wait as long. `by_hand_flat` is left out at L, where it does not fit in memory.
//!
//! Criterion times one contestant after the other, and a machine drifts: for ratios run `ratios`, which takes turns.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench that is wrong stops")]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use rolecall::records::UserId;

use self::common::Bed;
use self::common::forms::{Form, Rivals, Words};
use self::common::organisation::{L, M, S, Size, is_wanted};
use self::common::pace::Pace;
use self::common::patterned::Patterned;
use self::common::questions::{self, About, Question};
use self::common::records::permission_id;
use self::common::shelf::{Shelf, tenant_id};
use self::common::writer::Writer;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    if is_wanted(&S) {
        size::<4>(&mut criterion, &S);
    }
    if is_wanted(&M) {
        size::<16>(&mut criterion, &M);
    }
    if is_wanted(&L) {
        size::<32>(&mut criterion, &L);
    }
    criterion.final_summary();
}

fn size<const N: usize>(criterion: &mut Criterion, size: &'static Size) {
    let bed = Bed::<N>::new(size);
    check(criterion, &bed);
    check_many(criterion, &bed);
    questions(criterion, &bed);
    commits(criterion, &bed);
    session(criterion, &bed);
}

fn check<const N: usize>(criterion: &mut Criterion, bed: &Bed<N>) {
    let rivals = Rivals::new(bed, bed.size.name != "L");
    for (about, about_name) in [(About::Hot, "hot"), (About::Mixed, "mixed")] {
        let questions = questions::draw(bed, about);
        let words = Words::new(&questions);
        for form in Form::ALL {
            let mut contestants = bed.ours(form, &questions, &words);
            contestants.extend(bed.rivals(form, &questions, &rivals));
            for (pace, pace_name) in [(Pace::Throughput, "throughput"), (Pace::Latency, "latency")] {
                let name = [bed.size.name, form.name(), about_name, pace_name].join("/");
                let mut group = criterion.benchmark_group(format!("check/{name}"));
                for contestant in &mut contestants {
                    group.bench_function(contestant.name, |b| {
                        b.iter_custom(|questions| contestant.run(pace, questions));
                    });
                }
                group.finish();
            }
        }
    }
}

/// Batches of 64; an iteration is a question.
fn check_many<const N: usize>(criterion: &mut Criterion, bed: &Bed<N>) {
    const BATCH: usize = 64;
    let held = bed.held();
    for (about, about_name) in [(About::Hot, "hot"), (About::Mixed, "mixed")] {
        let question = |question: &Question| {
            let permission = held.permission_handle(permission_id(question.permission)).unwrap();
            (bed.organisation.users[question.user as usize].id, permission)
        };
        let list: Vec<_> = questions::draw(bed, about).iter().map(question).collect();
        let mut batches = list.chunks_exact(BATCH).cycle();
        criterion.bench_function(&format!("check_many/{}/uuid/{about_name}/rolecall", bed.size.name), |b| {
            b.iter_custom(|questions| {
                let wanted = u32::try_from(questions.div_ceil(BATCH as u64)).unwrap();
                let start = Instant::now();
                for batch in batches.by_ref().take(wanted as usize) {
                    black_box(held.check_many(batch.iter().copied()).filter(|allowed| *allowed).count());
                }
                // The last batch is asked whole.
                start.elapsed().mul_f64(f64::from(u32::try_from(questions).unwrap()) / f64::from(wanted * 64))
            });
        });
    }
}

/// The other questions: each time about the next question of the mixed list.
fn questions<const N: usize>(criterion: &mut Criterion, bed: &Bed<N>) {
    let questions = questions::draw(bed, About::Mixed);
    let held = bed.held();
    let name = bed.size.name;
    let mut next = questions
        .iter()
        .map(|question| {
            let user = UserId::from_uuid(bed.organisation.users[question.user as usize].id);
            (user, permission_id(question.permission), question.allowed)
        })
        .cycle();
    criterion.bench_function(&format!("effective/{name}/rolecall"), |b| {
        b.iter_batched(|| next.next().unwrap().0, |user| held.effective(user), BatchSize::SmallInput);
    });
    for (kind, wanted) in [("allowed", true), ("denied", false)] {
        criterion.bench_function(&format!("explain/{name}/{kind}/rolecall"), |b| {
            let question = || next.find(|(_, _, allowed)| *allowed == wanted).unwrap();
            b.iter_batched(question, |(user, permission, _)| held.explain(user, permission), BatchSize::SmallInput);
        });
    }
    let mut group = criterion.benchmark_group(format!("who_can/{name}"));
    let mut permissions = (0..bed.size.permissions).cycle();
    group.bench_function("rolecall", |b| {
        b.iter(|| held.who_can(permission_id(permissions.next().unwrap())).ids().collect::<Vec<_>>());
    });
    group.bench_function("by_hand_fast", |b| b.iter(|| bed.fast.who_can(permissions.next().unwrap())));
    group.finish();
}

fn commits<const N: usize>(criterion: &mut Criterion, bed: &Bed<N>) {
    type Run<'a> = fn(&mut Writer<'a>, usize) -> Duration;
    let kinds: [(&str, usize, Run<'_>); 8] = [
        ("member", 64, Writer::members),
        ("thousand_members", 1, Writer::thousand_members),
        ("thousand_new_users", 1, Writer::thousand_new_users),
        ("thousand_by_document", 1, Writer::thousand_by_document),
        ("grant", 16, Writer::grant),
        ("role", 16, Writer::role),
        ("reparent", 16, Writer::reparent),
        ("permission", 16, Writer::permission),
    ];
    // What was created keeps its place in the tenant when it is gone: so it is created in another one.
    let other = Shelf::new(Arc::clone(&bed.records)).open(None);
    let (mut writer, mut apart) = (Writer::new(&bed.tenant, &bed.organisation), Writer::new(&other, &bed.organisation));
    let creates = |kind: &str| matches!(kind, "thousand_new_users" | "permission");
    let mut group = criterion.benchmark_group(format!("commit/{}", bed.size.name));
    // A document is the whole tenant: of the larger ones, `ratios` has it.
    let is_wanted = |kind: &str| kind != "thousand_by_document" || bed.size.name == "S";
    for (kind, at_once, run) in kinds.into_iter().filter(|(kind, ..)| is_wanted(kind)) {
        let writer = if creates(kind) { &mut apart } else { &mut writer };
        // One run's average stands for all iterations: a run of each would take too long for the slow ones.
        let runs = |iterations: u64| iterations.div_ceil(at_once as u64).min(16);
        group.bench_function(kind, |b| {
            b.iter_custom(|iterations| {
                let runs = u32::try_from(runs(iterations)).unwrap();
                let took: Duration = (0..runs).map(|_| run(writer, at_once)).sum();
                // While it warms up, criterion doubles the iterations as long as there is time.
                #[expect(clippy::cast_precision_loss, reason = "an average needs no more than 52 bits")]
                let iterations = iterations as f64;
                Duration::from_secs_f64((took / runs).as_secs_f64() * iterations)
            });
        });
    }
    group.finish();
    let mut patterned = Patterned::new(1_000);
    criterion.bench_function("commit/permission_under_1000_patterns", |b| {
        b.iter_custom(|iterations| {
            let count = u32::try_from(iterations.min(256)).unwrap();
            patterned.permission(count).mul_f64(u32::try_from(iterations).unwrap().into())
        });
    });
}

/// `load` is a tenant from records in memory; `open` asks for one that is open already.
fn session<const N: usize>(criterion: &mut Criterion, bed: &Bed<N>) {
    let name = bed.size.name;
    let shelf = Shelf::new(Arc::clone(&bed.records));
    criterion.bench_function(&format!("load/{name}/rolecall"), |b| {
        b.iter_custom(|iterations| {
            let once = || {
                let authorizer = shelf.clone().authorizer(None);
                let start = Instant::now();
                let tenant = authorizer.tenant_by_id(tenant_id(0)).unwrap();
                let took = start.elapsed();
                drop(tenant);
                took
            };
            (0..iterations).map(|_| once()).sum()
        });
    });
    let authorizer = shelf.authorizer(None);
    let _open = authorizer.tenant_by_id(tenant_id(0)).unwrap();
    criterion.bench_function(&format!("open/{name}/rolecall"), |b| {
        b.iter(|| black_box(authorizer.tenant_by_id(tenant_id(0)).unwrap()));
    });
}
