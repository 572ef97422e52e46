//! Times checks, changes, and "who can do this".
//!
//! Every contestant has one turn in each round. All turns take about as long: a slow peer is asked a few questions, a
//! fast one the whole list.

mod changes;
mod checks;
mod who_can;

use crate::app_data::AppData;
use crate::common::Workload;
use crate::common::by_hand::Limits;
use crate::common::organisation::{M, S, Size, is_wanted};
use crate::common::questions::{self, About, Question};
use crate::common::timing::Contestant;
use crate::figures::{Figures, HOT, LEAVES, LOSES, MIXED, WHO_CAN, shown};
use crate::peers::by_hand::{Fast, Flat};
use crate::peers::casbin::Casbin;
use crate::peers::cedar::{Cedar, Design};
use crate::peers::gatehouse::Gatehouse;
use crate::peers::gatehouse_rbac::GatehouseRbac;
use crate::peers::ours::Rolecall;
use crate::peers::role_system::Roles;
use crate::peers::rs_tenant::RsTenant;
use crate::peers::{MODEL_ROLES, Peer};
use crate::race::{Effort, Timings};

use self::changes::ChangeKind;
use self::checks::Entered;

/// M with four times as many permissions.
const WIDE: Size = Size { name: "M4000", permissions: 4_000, hash: 0xe969_201b_7677_bb8a, ..M };

/// Times all contestants at the selected sizes and prints the results. Saves them if `save` is set.
pub fn run(save: bool) {
    let mut figures = Figures::default();
    if is_wanted(&S) {
        one_size::<4>(&S, &mut figures);
    }
    if is_wanted(&M) {
        one_size::<16>(&M, &mut figures);
    }
    if is_wanted(&WIDE) {
        checks_alone::<63>(&WIDE, &mut figures);
    }
    if save {
        figures.save().expect("the file can be written");
    }
}

fn one_size<const N: usize>(size: &'static Size, figures: &mut Figures) {
    let effort = Effort::at(size);
    let workload = Workload::<N>::new(size);
    let mixed = questions::draw(&workload, About::Mixed);
    let mut hot = questions::draw(&workload, About::Hot);
    hot.retain(|question| question.allowed);
    hot.truncate(1 << 16);
    let Workload { organisation, oracle, tenant, .. } = workload;
    let limits = Limits::new(&oracle);
    let mut app_data = AppData::<N>::new(&organisation);
    let derived = app_data.derive();
    assert!(
        app_data.users().map(|user| app_data.row(user, &derived)).eq(oracle.rows.iter().copied()),
        "the data of the application"
    );

    let mut ours = Rolecall::new(tenant);
    let mut all = built(&app_data);
    for (row, questions) in [(MIXED, &mixed), (HOT, &hot)] {
        let mut entered = limit(&limits, questions);
        entered.push(Entered::new(ours.asked_of_tenant(&organisation, questions), questions));
        entered.push(Entered::new(ours.asked(&app_data, questions), questions));
        for peer in &all {
            let asked = &questions[..peer.most().min(questions.len())];
            entered.push(Entered::new(peer.asked(&app_data, asked), asked));
        }
        report(figures, size, row, &checks::race(entered, effort));
    }
    let mut everybody: Vec<&mut dyn Peer<N>> = vec![&mut ours];
    everybody.extend(all.iter_mut().map(|peer| &mut **peer as &mut dyn Peer<N>));
    report(figures, size, LEAVES, &changes::race(&mut everybody, &mut app_data, ChangeKind::Leave, effort));
    report(figures, size, LOSES, &changes::race(&mut everybody, &mut app_data, ChangeKind::Revoke, effort));
    report(figures, size, WHO_CAN, &who_can::race(&everybody, &app_data, &oracle, effort));
}

/// Times checks only: at more permissions, nothing else is compared. The rows of the second limit are too short for them.
fn checks_alone<const N: usize>(size: &'static Size, figures: &mut Figures) {
    let workload = Workload::<N>::new(size);
    let mixed = questions::draw(&workload, About::Mixed);
    let Workload { organisation, oracle, tenant, .. } = workload;
    let limits = Limits::new(&oracle);
    let app_data = AppData::<N>::new(&organisation);
    let ours = Rolecall::new(tenant);
    let all = built(&app_data);
    let mut entered = limit(&limits, &mixed);
    for limit in &mut entered {
        limit.answers = false;
    }
    entered.push(Entered::new(ours.asked_of_tenant(&organisation, &mixed), &mixed));
    entered.push(Entered::new(ours.asked(&app_data, &mixed), &mixed));
    for peer in &all {
        let asked = &mixed[..peer.most().min(mixed.len())];
        entered.push(Entered::new(peer.asked(&app_data, asked), asked));
    }
    report(figures, size, MIXED, &checks::race(entered, Effort::at(size)));
}

/// Builds all contestants except rolecall and the limits.
fn built<const N: usize>(app_data: &AppData<'_, N>) -> Vec<Box<dyn Peer<N>>> {
    vec![
        Box::new(Fast::new(app_data)),
        Box::new(Flat::new(app_data)),
        Box::new(Gatehouse::new(app_data)),
        Box::new(GatehouseRbac::new(app_data)),
        Box::new(Roles::new(app_data)),
        Box::new(RsTenant::new(app_data)),
        Box::new(Cedar::new(app_data, Design::RoleBased)),
        Box::new(Cedar::new(app_data, Design::Relationship)),
        Box::new(Casbin::new(app_data)),
    ]
}

/// Returns the limits that the memory sets; see `benches/common/by_hand.rs`.
fn limit<'a>(limits: &'a Limits, asked: &'a [Question]) -> Vec<Entered<'a>> {
    let list: Vec<(u32, u32)> = asked.iter().map(|q| (q.user, q.permission)).collect();
    let one = Contestant::new("limit_one", list.clone(), |(user, permission)| limits.one(*user, *permission));
    let two = Contestant::new("limit_two", list, |(user, permission)| limits.two(*user, *permission));
    vec![Entered { answers: false, ..Entered::new(one, asked) }, Entered::new(two, asked)]
}

/// Prints a row and adds it to the results.
fn report(figures: &mut Figures, size: &Size, row: &'static str, all_timings: &[Timings]) {
    let ours = all_timings.iter().find(|timings| timings.name == "rolecall").map_or(f64::NAN, Timings::median);
    println!("{row}, {}", size.name);
    for timings in all_timings {
        let ((least, most), median) = (timings.range(), timings.median());
        let (least, most, shown) = (shown(least, "ns"), shown(most, "ns"), shown(median, "ns"));
        println!(
            "  {:<16} {shown:>10} {:>10.2} x ours  ({least} to {most}; {})",
            timings.name,
            median / ours,
            timings.how
        );
        figures.put(timings.name, size.name, row, median, &timings.how);
    }
    if row == MIXED {
        goals(all_timings, ours);
    }
}

/// Prints the ratios of P15, the latency that each goal requires, and the limits for comparison.
fn goals(all_timings: &[Timings], ours: f64) {
    let of = |name: &str| all_timings.iter().find(|timings| timings.name == name).map_or(f64::NAN, Timings::median);
    let mut model_roles = MODEL_ROLES;
    model_roles.sort_by(|one, other| of(one).total_cmp(&of(other)));
    let [fastest, next, ..] = model_roles;
    for (whom, least) in [("gatehouse", 8.0), ("gatehouse_rbac", 8.0), (fastest, 200.0), (next, 200.0)] {
        let ratio = of(whom) / ours;
        let verdict = if ratio >= least { "met" } else { "MISSED" };
        let need = shown(of(whom) / least, "ns");
        println!("  P15: {ratio:.1} x faster than {whom}; goal >= {least} at M, which is {need}: {verdict}");
    }
    let [one, two] = ["limit_one", "limit_two"].map(|name| shown(of(name), "ns"));
    println!("  (limit_one waits {one}, limit_two {two})");
}
