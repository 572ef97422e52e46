//! The organisation with one thing varied, compared with the plain one: nothing may be slow on another workload.
//!
//! Each line is a multiple of the plain organisation's time, in turns in one process. With `ROLECALL_SIZES=S` there are a
//! tenth of the users and fewer questions, to see that everything runs; the figures mean nothing then.
//!
//! `ROLECALL_ROLES` names organisation documents, separated as in `PATH`. The permissions and roles of each are one more
//! variation: those of `gcp-roles.json`, of a cloud, are V9, and those of `kubernetes.json` are V9k.
//!
//! ```text
//! ROLECALL_SIZES=none ROLECALL_ROLES=FOLDER/gcp-roles.json:FOLDER/kubernetes.json \
//!     cargo bench -p rolecall-benches --bench ratios -- V
//! ```

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rolecall::blocking::Tenant;
use rolecall::catalog::{Catalog, Definition, PermissionDef};
use rolecall::records::{Assignment, Holder, Record, UserId};
use rolecall::snapshot::{PermissionHandle, UserHandle};
use rolecall::what_if::Question;
use rolecall::{Document, Moment, Result, Tx};

use crate::common::fixed_store::FixedStore;
use crate::common::organisation::{M, S, is_wanted, now};
use crate::common::records::{permission_id, role_id};

use crate::documents::with_ten_users_renamed;
use crate::restrictions::{bind, separate};
use crate::table::{Goal, Table};
use crate::varied::{Asked, Variation, Varied, documents};
use crate::varied_by_hand::{ByHand, by_hand};
use crate::varied_changes::{ChangeSampler, Changes};
use crate::varied_reads::Reads;
use crate::{each, per, time_questions};

/// How many questions a turn of checks asks.
const QUESTIONS: usize = 1 << 17;
const FEW_QUESTIONS: usize = 1 << 14;

/// The actor of the guarded commits.
const ADMINISTRATOR: &str = "administrator";

fn is_short() -> bool {
    is_wanted(&S) && !is_wanted(&M)
}

struct Subject {
    variation: Variation,
    tenant: Tenant,
    held: Moment<'static>,
    questions: Vec<Asked>,
    by_id: Vec<(UserId, PermissionHandle)>,
    by_handle: Vec<(UserHandle, PermissionHandle)>,
    varied: Varied,
    records: usize,
    /// A table by hand of the same organisation, made when a line needs it.
    by_hand: OnceCell<Box<dyn ByHand>>,
    /// The reads of the questions, likewise.
    reads: OnceCell<Reads>,
    /// Two documents of the tenant, likewise. Turns alternate between them, so that there are always ten differences.
    documents: OnceCell<[Document; 2]>,
    replacements: Cell<usize>,
    /// The same tenant with an administrator, separations and binding assertions (none beside `*`), opened when a line needs
    /// it.
    restricted: OnceCell<Tenant>,
}

impl Subject {
    fn new(varied: Varied) -> Self {
        let variation = varied.variation;
        let tenant = open(&varied);
        let held = tenant.snapshot().at(now());
        let questions = varied.questions(if is_short() { FEW_QUESTIONS } else { QUESTIONS });
        for question in &questions {
            let answer = held.check(question.user, permission_id(question.permission));
            assert_eq!(answer, question.allowed, "{}: {question:?}", variation.name);
        }
        let handle = |p: u32| held.permission_handle(permission_id(p)).unwrap();
        let by_id = questions.iter().map(|q| (q.user, handle(q.permission))).collect();
        let by_handle = questions.iter().map(|q| (held.user_handle(q.user).unwrap(), handle(q.permission))).collect();
        Self {
            variation,
            tenant,
            held,
            questions,
            by_id,
            by_handle,
            records: varied.records().len(),
            varied,
            by_hand: OnceCell::new(),
            reads: OnceCell::new(),
            documents: OnceCell::new(),
            replacements: Cell::new(0),
            restricted: OnceCell::new(),
        }
    }

    /// The tenant as a document in which ten users have this name.
    fn renamed(&self, name: &str) -> Document {
        let exported = self.tenant.snapshot().export().unwrap().to_json();
        Document::from_json(with_ten_users_renamed(&exported, name).as_bytes()).unwrap()
    }

    /// Four empty groups are below groups of the organisation. The administrator is a member of them.
    fn restricted(&self) -> &Tenant {
        self.restricted.get_or_init(|| {
            let tenant = open(&self.varied);
            let restrict = |tx: &Tx| {
                tx.create_user(ADMINISTRATOR)?;
                for n in 0..4 {
                    tx.create_group(&format!("bench{n}"))?.add_parent(&*format!("group{}", n * 250 + 99))?;
                    tx.user(ADMINISTRATOR)?.join(&*format!("bench{n}"))?;
                }
                separate(tx, 900, 10)?;
                if self.variation.has_star() { Ok(()) } else { bind(tx, 900, 10) }
            };
            tenant.update(restrict).unwrap();
            tenant
        })
    }
}

/// Opens a tenant. With churn, that many groups are created and deleted before those of the organisation are created.
fn open(varied: &Varied) -> Tenant {
    let churn = varied.variation.churn;
    if churn == 0 {
        return FixedStore::new(varied.records().into()).open(None);
    }
    let of_groups = |record: &Record| match record {
        Record::Group(_) | Record::Membership(_) | Record::Parent(_) => true,
        Record::Assignment(assignment) => matches!(assignment.holder, Holder::Group(_)),
        _ => false,
    };
    let (later, first): (Vec<Record>, Vec<Record>) = varied.records().into_iter().partition(of_groups);
    let tenant = FixedStore::new(first.into()).open(None);
    for batch in 0..churn / 1_000 {
        let slug = |n: u32| format!("old{}", batch * 1_000 + n);
        let create = |tx: &Tx, n| tx.create_group(&slug(n))?.assign(role_id(n % 500))?.done();
        tenant.update(|tx| (0..1_000).try_for_each(|n| create(tx, n))).unwrap();
        tenant.update(|tx| (0..1_000).try_for_each(|n| tx.delete_group(&*slug(n)))).unwrap();
    }
    tenant
        .update(|tx| {
            let mut slugs = HashMap::new();
            for record in &later {
                match record {
                    Record::Group(group) => {
                        tx.create_group(group.slug.as_str())?;
                        slugs.insert(group.id, group.slug.clone());
                    }
                    // A membership that has ended gives nothing, and cannot be added.
                    Record::Membership(edge) if !edge.window.has_ended(now()) => {
                        tx.group(&slugs[&edge.group])?.ensure_member(edge.user, edge.window)?;
                    }
                    Record::Parent(edge) => {
                        tx.group(&slugs[&edge.group])?.ensure_parent(&slugs[&edge.parent], edge.window)?;
                    }
                    Record::Assignment(Assignment { role, holder: Holder::Group(group), window }) => {
                        tx.group(&slugs[group])?.ensure_assignment(role.id(), *window)?;
                    }
                    _ => {}
                }
            }
            Ok(())
        })
        .unwrap();
    tenant
}

pub(crate) fn variations(table: &Table) {
    let documents = documents();
    let of_documents = documents.iter().map(|path| Variation::name_of_document(path));
    let names: Vec<&str> = Variation::ALL.iter().map(|variation| variation.name).chain(of_documents).collect();
    let wanted = |name: &str| table.names("V") || table.names(name) || table.names_part_of(name);
    if documents.is_empty() && wanted("V9") {
        println!("V9 is left out: ROLECALL_ROLES does not name a document");
    }
    if !names.iter().copied().any(wanted) {
        return;
    }
    let sized = |variation: Variation| if is_short() { variation.short() } else { variation };
    let plain = Varied::draw(sized(Variation::PLAIN));
    plain.print();
    let plain = Subject::new(plain);
    let mut all: Vec<Box<dyn Fn() -> Varied>> = Vec::new();
    for variation in Variation::ALL {
        all.push(Box::new(move || Varied::draw(sized(variation))));
    }
    for path in documents {
        let users = sized(Variation::PLAIN).users();
        all.push(Box::new(move || Varied::of_document(&path, users)));
    }
    for (name, draw) in names.into_iter().zip(all) {
        if !wanted(name) {
            continue;
        }
        let one = draw();
        one.print();
        let varied = Subject::new(one);
        checks(table, &plain, &varied);
        answers(table, &plain, &varied);
        changes(table, &plain, &varied);
        whole(table, &plain, &varied);
        administration(table, &plain, &varied);
    }
}

fn compare(
    table: &Table,
    what: &str,
    subjects: [&Subject; 2],
    rounds: usize,
    goal: Goal,
    turn: impl Fn(&Subject) -> f64,
) {
    let [plain, varied] = subjects;
    let name = format!("{}/{what}", varied.variation.name);
    let goals = format!("V {} {name}", varied.variation.name);
    let mut race = table.race(&goals, &name);
    race.enter("plain", || plain_turn(&turn, plain));
    race.enter("varied", || varied_turn(&turn, varied));
    race.run(rounds);
    race.ratio(varied.variation.name, "varied", "plain", goal);
}

/// A function of its own, so that a tool can count the instructions of one of the two.
#[inline(never)]
fn plain_turn(turn: &impl Fn(&Subject) -> f64, plain: &Subject) -> f64 {
    turn(plain)
}

/// As [`plain_turn`].
#[inline(never)]
fn varied_turn(turn: &impl Fn(&Subject) -> f64, varied: &Subject) -> f64 {
    turn(varied)
}

fn checks(table: &Table, plain: &Subject, varied: &Subject) {
    let goal = Goal::AtMost(varied.variation.most);
    let both = [plain, varied];
    compare(table, "by_id/latency", both, 15, goal, |s| {
        latency(&s.by_id, |(user, permission)| s.held.check(*user, *permission))
    });
    compare(table, "by_id/throughput", both, 15, goal, |s| {
        throughput(&s.by_id, |(user, permission)| s.held.check(*user, *permission))
    });
    compare(table, "by_id/latency/reads", both, 15, Goal::None, |s| {
        s.reads.get_or_init(|| Reads::new(&s.varied, &s.questions)).latency()
    });
    beside_by_hand(table, varied);
    compare(table, "by_handle/latency", both, 15, goal, |s| {
        latency(&s.by_handle, |(user, permission)| s.held.check(*user, *permission))
    });
    compare(table, "check_many", both, 15, goal, |s| {
        time_questions(s.by_id.len(), |count| {
            black_box(s.held.check_many(s.by_id[..count].iter().copied()).filter(|may| *may).count());
        })
    });
}

/// Checks by id, with the strongest form by hand. It freezes windows, and its rows cannot be shared with a writer.
fn beside_by_hand(table: &Table, varied: &Subject) {
    let check = |(user, permission): &(UserId, PermissionHandle)| varied.held.check(*user, *permission);
    let by_hand = || varied.by_hand.get_or_init(|| by_hand(&varied.varied));
    for what in ["latency", "throughput"] {
        let is_latency = what == "latency";
        let name = format!("{}/by_id/{what}/by_hand", varied.variation.name);
        let mut race = table.race(&format!("V {} {name}", varied.variation.name), &name);
        race.enter("by_hand_fast", || {
            let table = by_hand();
            if is_latency { table.latency(&varied.questions) } else { table.throughput(&varied.questions) }
        });
        race.enter("rolecall", || {
            if is_latency { latency(&varied.by_id, check) } else { throughput(&varied.by_id, check) }
        });
        race.run(15);
        race.ratio(varied.variation.name, "rolecall", "by_hand_fast", Goal::None);
    }
}

fn answers(table: &Table, plain: &Subject, varied: &Subject) {
    let goal = Goal::AtMost(3.0);
    let both = [plain, varied];
    compare(table, "effective", both, 11, goal, |s| {
        let mut last = 0;
        per(1 << 13, |n| last = s.held.effective(s.questions[n + last].user).len() & 1)
    });
    compare(table, "who_can", both, 7, goal, |s| {
        let step = s.varied.permissions() / 16;
        per(16, |n| {
            drop(black_box(s.held.who_can(permission_id(u32::try_from(n).unwrap() * step)).ids().collect::<Vec<_>>()));
        })
    });
    // What a path has is inherent, so there is a line for each step, too.
    compare(table, "explain_allowed/step", both, 7, goal, |s| {
        let mut asked = s.questions.iter().filter(|question| question.allowed);
        let mut steps = 0;
        let took = per(1 << 8, |_| {
            let question = asked.next().unwrap();
            let explanation = s.held.explain(question.user, permission_id(question.permission));
            steps += explanation.paths().iter().map(|path| path.steps().len()).sum::<usize>();
        });
        took * f64::from(1 << 8) / f64::from(u32::try_from(steps).unwrap())
    });
    for (what, wanted) in [("explain_allowed", true), ("explain_denied", false)] {
        compare(table, what, both, 7, goal, |s| {
            let mut asked = s.questions.iter().filter(|question| question.allowed == wanted);
            per(1 << 8, |_| {
                let question = asked.next().unwrap();
                drop(black_box(s.held.explain(question.user, permission_id(question.permission))));
            })
        });
    }
}

/// Each change is undone, and at the end both tenants are as they were.
fn changes(table: &Table, plain: &Subject, varied: &Subject) {
    type Draw<'a> = fn(ChangeSampler<'a>) -> Changes<'a>;
    let lines: [(&str, Draw<'_>); 6] = [
        ("grant", ChangeSampler::grants),
        ("role_grants_replaced", ChangeSampler::role_grants),
        ("reparent", ChangeSampler::parents),
        ("member", ChangeSampler::members),
        ("thousand_members", ChangeSampler::thousand_members),
        ("permission", ChangeSampler::permissions),
    ];
    let name = varied.variation.name;
    let is_named =
        |what: &str| [name, "V"].iter().any(|name| table.names(name)) || table.names(&format!("{name}/{what}"));
    let wanted = |what: &str| is_named(what) || is_named(&format!("{what}/group"));
    let content = |s: &Subject| s.tenant.snapshot().export().unwrap().to_json();
    let before = lines.iter().any(|(what, _)| wanted(what)).then(|| [content(plain), content(varied)]);
    for (what, draw) in lines {
        if wanted(what) {
            compare_changes(
                table,
                what,
                varied,
                [plain, varied].map(|s| draw(ChangeSampler::new(&s.tenant, &s.varied))),
            );
        }
    }
    creations(table, plain, varied);
    if let Some(before) = before {
        assert!(before == [content(plain), content(varied)], "{name}: the changes were not undone");
    }
}

/// Compares the same kind of change in both. If it affects another number of groups, there is a line for each group, too.
fn compare_changes(table: &Table, what: &str, varied: &Subject, drawn: [Changes<'_>; 2]) {
    let variation = varied.variation;
    let name = format!("{}/{what}", variation.name);
    if drawn.iter().any(Changes::is_empty) {
        println!("     {name} is left out: no change of this kind gives a group other permissions");
        return;
    }
    let [plain, varied] = &drawn;
    let (goal, affected) = (Goal::AtMost(3.0), [varied.affected(), plain.affected()]);
    let counts_groups = !["member", "thousand_members"].contains(&what);
    let mut race = table.race(&format!("V {} {name} {name}/group", variation.name), &name);
    race.enter("plain", || plain.turn());
    race.enter("varied", || varied.turn());
    // Most turns take a few milliseconds, so other programs interrupt some of them.
    race.run(if what == "thousand_members" { 7 } else { 15 });
    race.ratio(variation.name, "varied", "plain", goal);
    // Where fewer groups are affected, the line of a commit is the stricter one.
    if counts_groups && (affected[0] - affected[1]).abs() > 0.5 {
        let goal = if affected[0] > affected[1] { goal } else { Goal::None };
        race.ratio_per(variation.name, &format!("{name}/group"), ["varied", "plain"], affected, goal);
    }
}

/// One change, or its opposite.
type Edit<'a> = dyn Fn(&Subject, &Tx, u32, bool) -> Result<()> + 'a;

/// Roles and groups that come and go. A deleted one keeps its number until the tenant is closed.
fn creations(table: &Table, plain: &Subject, varied: &Subject) {
    let goal = Goal::AtMost(3.0);
    let both = [plain, varied];
    // Groups that were created anew have other ids.
    let group = |n: u32| format!("group{}", n % 900);
    let turn = |s: &Subject, edit: &Edit<'_>| {
        per(1 << 6, |n| {
            let n = u32::try_from(n).unwrap();
            s.tenant.update(|tx| edit(s, tx, n / 2, n % 2 == 0)).unwrap();
        })
    };
    let role_of_a_group = |s: &Subject, tx: &Tx, n: u32, add: bool| {
        let name = format!("bench-role{n}");
        if !add {
            return tx.delete_role(&*name);
        }
        let step = s.varied.permissions() / 20;
        tx.create_role(&name)?.set_grants((0..20).map(|p| permission_id(p * step)))?;
        tx.group(&*group(n))?.assign(&*name)?.done()
    };
    compare(table, "role_of_a_group", both, 7, goal, |s| turn(s, &role_of_a_group));
    // Each group that inherits the role gets other permissions, so there is a line for each group, too.
    compare(table, "role_of_a_group/group", both, 7, goal, |s| {
        let inheriting: usize = (0..32).map(|n| s.varied.inheriting(n).len()).sum();
        turn(s, &role_of_a_group) * 32.0 / f64::from(u32::try_from(inheriting).unwrap())
    });
    compare(table, "group_comes_and_goes", both, 7, goal, |s| {
        turn(s, &|s, tx, n, add| {
            let named = format!("bench-group{n}");
            if add {
                let role = role_id(n % s.variation.roles().min(400));
                return tx.create_group(&named)?.add_parent(&*group(n))?.assign(role)?.done();
            }
            tx.delete_group(&*named)
        })
    });
}

/// What reads everything, for each record.
fn whole(table: &Table, plain: &Subject, varied: &Subject) {
    let goal = Goal::AtMost(3.0);
    let both = [plain, varied];
    // A store keeps nothing of a deleted group, so after churn a load is that of the plain organisation.
    if varied.variation.churn > 0 {
        println!("     {}/load is left out: a store keeps nothing of what was deleted", varied.variation.name);
    } else {
        compare(table, "load", both, 3, goal, |s| {
            let records: Arc<[Record]> = s.varied.records().into();
            let store = FixedStore::new(Arc::clone(&records));
            let start = Instant::now();
            drop(black_box(store.open(None)));
            each(start, records.len())
        });
    }
    // Without reading the JSON. P21 includes that.
    compare(table, "replace_with_ten_differences", both, 3, goal, |s| {
        let documents = s.documents.get_or_init(|| ["Ada", "Grace"].map(|name| s.renamed(name)));
        let turns = s.replacements.get();
        s.replacements.set(turns + 1);
        let start = Instant::now();
        let updated = s.tenant.replace(&documents[turns % 2]).unwrap();
        let elapsed = each(start, s.records);
        assert_eq!(updated.changes.len(), 10);
        elapsed
    });
}

/// What administrators ask and do. Lines about a whole tenant are for each record, and for each user if they compare users.
fn administration(table: &Table, plain: &Subject, varied: &Subject) {
    let goal = Goal::AtMost(3.0);
    let both = [plain, varied];
    let (rounds, more_rounds, commits) = if is_short() { (1, 1, 1 << 4) } else { (3, 7, 1 << 6) };
    // The groups and roles of a user are walked, however many they are.
    compare(table, "narrowed/step", both, 7, goal, |s| {
        let asked = &s.questions[..1 << 10];
        let took = per(1 << 10, |n| {
            let agent = s.held.narrowed(asked[n].user, (0..4).map(role_id));
            black_box(agent.check(permission_id(asked[n].permission)));
        });
        let steps = |q: &Asked| s.held.all_groups_of(q.user).len() + s.held.all_roles_of(q.user).len();
        took * f64::from(1 << 10) / f64::from(u32::try_from(asked.iter().map(steps).sum::<usize>()).unwrap())
    });
    compare(table, "report_of_a_user/row", both, 7, goal, |s| {
        let mut rows = 0;
        let took = per(1 << 6, |n| rows += s.held.access_report().user(s.questions[n].user).rows().count());
        took * f64::from(1 << 6) / f64::from(u32::try_from(rows).unwrap())
    });
    compare(table, "lint", both, rounds, goal, |s| {
        let start = Instant::now();
        black_box(s.held.lint().count());
        each(start, s.records)
    });
    // Each window that ends is found.
    compare(table, "ending", both, rounds, Goal::None, |s| {
        let start = Instant::now();
        black_box(s.held.window_changes(now()..).ending().rows().count());
        each(start, s.records)
    });
    compare(table, "compare_access", both, rounds, goal, |s| {
        let (before, after) = (s.tenant.snapshot(), s.tenant.snapshot());
        let start = Instant::now();
        black_box(before.compare_access(&after, now()).count());
        each(start, s.varied.variation.users() as usize)
    });
    compare(table, "replay", both, more_rounds, goal, |s| {
        let snapshot = s.tenant.snapshot();
        let text = |q: &Asked| {
            let permission = s.held.permission(permission_id(q.permission)).unwrap().record.slug;
            Question::new(s.held.user(q.user).unwrap().key, permission)
        };
        let asked: Vec<Question> = s.questions.iter().take(1 << 11).map(text).collect();
        let start = Instant::now();
        assert_eq!(snapshot.replay(&snapshot, asked, now()).count(), 0);
        each(start, 1 << 11)
    });
    // A document has what the user may do, so there is a line for each permission, too.
    for (what, is_each) in [("permissions_document", false), ("permissions_document/permission", true)] {
        compare(table, what, both, more_rounds, goal, |s| {
            let mut permissions = 0;
            let took = per(1 << 6, |n| {
                let document = black_box(s.held.permissions_document(s.questions[n].user));
                permissions += document.map_or(0, |document| document.permissions.len());
            });
            if is_each { took * f64::from(1 << 6) / f64::from(u32::try_from(permissions).unwrap()) } else { took }
        });
    }
    // Ten groups have the roles and permissions concerned. So the time is for each of their members.
    let members = |s: &Subject| (0..10).map(|n| s.held.all_members(&*format!("group{n}")).len()).sum::<usize>();
    compare(table, "separation_violations/member", both, rounds, goal, |s| {
        let (moment, count) = (s.restricted().snapshot().at(now()), members(s));
        let start = Instant::now();
        assert!(black_box(moment.separation_violations()).is_empty());
        each(start, count)
    });
    if !varied.variation.has_star() {
        compare(table, "assertion_violations/member", both, rounds, goal, |s| {
            let (moment, count) = (s.restricted().snapshot().at(now()), members(s));
            let start = Instant::now();
            assert!(black_box(moment.assertion_violations()).is_empty());
            each(start, count)
        });
    }
    let permissions = [PermissionDef::new("bench:new")];
    let next = Catalog::new(&Definition { permissions: &permissions, ..Definition::default() }).unwrap();
    compare(table, "reconcile", both, rounds, goal, |s| {
        let snapshot = s.tenant.snapshot();
        let start = Instant::now();
        black_box(snapshot.reconcile(&next, now()).unwrap().findings().count());
        each(start, s.records)
    });
    let join_and_leave = |what: &str, is_guarded: bool| {
        compare(table, what, both, 7, goal, |s| {
            let tenant = s.restricted();
            per(commits, |n| {
                let (user, group) = (s.questions[n / 2].user, format!("bench{}", n / 2 % 4));
                let join_or_leave = |tx: &Tx| {
                    if is_guarded {
                        tx.set_guard(ADMINISTRATOR);
                    }
                    let edit = tx.user(user)?;
                    if n % 2 == 0 { edit.join(&*group)?.done() } else { edit.leave(&*group)?.done() }
                };
                tenant.update(join_or_leave).unwrap();
            })
        });
    };
    if !varied.variation.has_star() {
        join_and_leave("restricted_join_and_leave", false);
        join_and_leave("guarded_join_and_leave", true);
    }
}

fn latency<Q>(list: &[Q], ask: impl Fn(&Q) -> bool) -> f64 {
    time_questions(list.len(), |count| {
        let mut answer = 0;
        for n in 0..count {
            answer = usize::from(ask(&list[(n + answer) % list.len()]));
        }
        black_box(answer);
    })
}

fn throughput<Q>(list: &[Q], ask: impl Fn(&Q) -> bool) -> f64 {
    time_questions(list.len(), |count| {
        black_box(list[..count].iter().filter(|one| ask(one)).count());
    })
}
