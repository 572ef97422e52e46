//! Times every question, commits, and opening a tenant, on the workload in `common/`.
//!
//! Prints the workload first. Compares the answers with the expected ones before timing.
//!
//! ```text
//! cargo bench -p rolecall-benches --bench check                            # S and M
//! cargo bench -p rolecall-benches --bench check -- 'check/M/uuid/mixed'    # a part
//! ROLECALL_SIZES=S,M,L cargo bench -p rolecall-benches --bench check       # with L: about 5 GB of memory
//! ROLECALL_SIZES=S cargo bench -p rolecall-benches --bench check -- \
//!     --warm-up-time 0.05 --measurement-time 0.1 --sample-size 10 --nresamples 1000   # everything, briefly
//! ```
//!
//! Names: `check/{S,M,L}/{handle,uuid,key_slug,enum}/{hot,mixed}/{throughput,latency}/CONTESTANT`. The contestants:
//!
//! | contestant | description |
//! |---|---|
//! | `rolecall` | a held snapshot |
//! | `rolecall_tenant` | the tenant, which loads the newest snapshot |
//! | `by_hand_flat` | sets of strings; left out at L, where they do not fit in memory |
//! | `by_hand_fast` | rows of bits in a hash table |
//! | `limit_one`, `limit_two` | one read of memory, and two that depend on each other |
//!
//! `limit_one` gives no answers. Nor does `limit_two` with more than 1,024 permissions.
//!
//! Criterion times one contestant after the other while the speed of a machine drifts. For ratios run the bench
//! `ratios`, whose contestants take turns.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench fails by panicking")]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use rolecall::records::UserId;

use self::common::Workload;
use self::common::contestants::{Baselines, Form, QuestionTexts};
use self::common::fixed_store::{FixedStore, tenant_id};
use self::common::organisation::{L, M, S, Size, is_wanted};
use self::common::pattern_tenant::PatternTenant;
use self::common::questions::{self, About, Question};
use self::common::records::permission_id;
use self::common::timing::TimingMode;
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
    let workload = Workload::<N>::new(size);
    check(criterion, &workload);
    check_many(criterion, &workload);
    questions(criterion, &workload);
    commits(criterion, &workload);
    session(criterion, &workload);
}

fn check<const N: usize>(criterion: &mut Criterion, workload: &Workload<N>) {
    let baselines = Baselines::new(workload, workload.size.name != "L");
    for (about, about_name) in [(About::Hot, "hot"), (About::Mixed, "mixed")] {
        let questions = questions::draw(workload, about);
        let words = QuestionTexts::new(&questions);
        for form in Form::ALL {
            let mut contestants = workload.ours(form, &questions, &words);
            contestants.extend(workload.baselines(form, &questions, &baselines));
            for (mode, mode_name) in [(TimingMode::Throughput, "throughput"), (TimingMode::Latency, "latency")] {
                let name = [workload.size.name, form.name(), about_name, mode_name].join("/");
                let mut group = criterion.benchmark_group(format!("check/{name}"));
                for contestant in &mut contestants {
                    group.bench_function(contestant.name, |b| {
                        b.iter_custom(|questions| contestant.run(mode, questions));
                    });
                }
                group.finish();
            }
        }
    }
}

/// Times batches of 64 questions. One iteration is one question.
fn check_many<const N: usize>(criterion: &mut Criterion, workload: &Workload<N>) {
    const BATCH: usize = 64;
    let held = workload.held();
    for (about, about_name) in [(About::Hot, "hot"), (About::Mixed, "mixed")] {
        let question = |question: &Question| {
            let permission = held.permission_handle(permission_id(question.permission)).unwrap();
            (workload.organisation.users[question.user as usize].id, permission)
        };
        let list: Vec<_> = questions::draw(workload, about).iter().map(question).collect();
        let mut batches = list.chunks_exact(BATCH).cycle();
        criterion.bench_function(&format!("check_many/{}/uuid/{about_name}/rolecall", workload.size.name), |b| {
            b.iter_custom(|questions| {
                let wanted = u32::try_from(questions.div_ceil(BATCH as u64)).unwrap();
                let start = Instant::now();
                for batch in batches.by_ref().take(wanted as usize) {
                    black_box(held.check_many(batch.iter().copied()).filter(|allowed| *allowed).count());
                }
                // The last batch is always complete, so the time is scaled down.
                start.elapsed().mul_f64(f64::from(u32::try_from(questions).unwrap()) / f64::from(wanted * 64))
            });
        });
    }
}

/// Times the other questions, each time about the next user and permission of the mixed list.
fn questions<const N: usize>(criterion: &mut Criterion, workload: &Workload<N>) {
    let questions = questions::draw(workload, About::Mixed);
    let held = workload.held();
    let name = workload.size.name;
    let mut next = questions
        .iter()
        .map(|question| {
            let user = UserId::from_uuid(workload.organisation.users[question.user as usize].id);
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
    let mut permissions = (0..workload.size.permissions).cycle();
    group.bench_function("rolecall", |b| {
        b.iter(|| held.who_can(permission_id(permissions.next().unwrap())).ids().collect::<Vec<_>>());
    });
    group.bench_function("by_hand_fast", |b| b.iter(|| workload.fast.who_can(permissions.next().unwrap())));
    group.finish();
}

fn commits<const N: usize>(criterion: &mut Criterion, workload: &Workload<N>) {
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
    // A deleted entity keeps its number in the tenant, so entities are created in another tenant.
    let other = FixedStore::new(Arc::clone(&workload.records)).open(None);
    let (mut writer, mut apart) =
        (Writer::new(&workload.tenant, &workload.organisation), Writer::new(&other, &workload.organisation));
    let creates = |kind: &str| matches!(kind, "thousand_new_users" | "permission");
    let mut group = criterion.benchmark_group(format!("commit/{}", workload.size.name));
    // A document contains the whole tenant. The bench `ratios` times the larger ones.
    let is_wanted = |kind: &str| kind != "thousand_by_document" || workload.size.name == "S";
    for (kind, batch, run) in kinds.into_iter().filter(|(kind, ..)| is_wanted(kind)) {
        let writer = if creates(kind) { &mut apart } else { &mut writer };
        // At most 16 runs, whose average is reported for all iterations. The slow commits would take too long.
        let runs = |iterations: u64| iterations.div_ceil(batch as u64).min(16);
        group.bench_function(kind, |b| {
            b.iter_custom(|iterations| {
                let runs = u32::try_from(runs(iterations)).unwrap();
                let took: Duration = (0..runs).map(|_| run(writer, batch)).sum();

                #[expect(clippy::cast_precision_loss, reason = "an average needs no more than 52 bits")]
                let iterations = iterations as f64;
                Duration::from_secs_f64((took / runs).as_secs_f64() * iterations)
            });
        });
    }
    group.finish();
    let mut pattern_tenant = PatternTenant::new(1_000);
    criterion.bench_function("commit/permission_under_1000_patterns", |b| {
        b.iter_custom(|iterations| {
            let count = u32::try_from(iterations.min(256)).unwrap();
            pattern_tenant.permission(count).mul_f64(u32::try_from(iterations).unwrap().into())
        });
    });
}

/// Times `load`, which builds a tenant from records in memory, and `open`, which returns a tenant that is open already.
fn session<const N: usize>(criterion: &mut Criterion, workload: &Workload<N>) {
    let name = workload.size.name;
    let store = FixedStore::new(Arc::clone(&workload.records));
    criterion.bench_function(&format!("load/{name}/rolecall"), |b| {
        b.iter_custom(|iterations| {
            let once = || {
                let authorizer = store.clone().authorizer(None);
                let start = Instant::now();
                let tenant = authorizer.tenant_by_id(tenant_id(0)).unwrap();
                let took = start.elapsed();
                drop(tenant);
                took
            };
            (0..iterations).map(|_| once()).sum()
        });
    });
    let authorizer = store.authorizer(None);
    let _open = authorizer.tenant_by_id(tenant_id(0)).unwrap();
    criterion.bench_function(&format!("open/{name}/rolecall"), |b| {
        b.iter(|| black_box(authorizer.tenant_by_id(tenant_id(0)).unwrap()));
    });
}
