//! The rows that are times: checks, changes, and who can do something.
//!
//! Every contestant has its turn in each round. Turns are about as long for all, so that a peer of milliseconds is
//! asked a few questions and one of nanoseconds the whole list.

mod changes;
mod checks;
mod who_can;

use crate::common::Bed;
use crate::common::by_hand::Limits;
use crate::common::organisation::{M, S, Size, is_wanted};
use crate::common::pace::Contestant;
use crate::common::questions::{self, About, Question};
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
use crate::plain::Plain;
use crate::race::{Effort, Lane};

use self::changes::ChangeKind;
use self::checks::Entered;

/// Times all at the sizes that are wanted, prints it, and keeps the figures if they are to be kept.
pub fn run(keep: bool) {
    let mut figures = Figures::default();
    if is_wanted(&S) {
        one_size::<4>(&S, &mut figures);
    }
    if is_wanted(&M) {
        one_size::<16>(&M, &mut figures);
    }
    if keep {
        figures.keep().expect("the file can be written");
    }
}

fn one_size<const N: usize>(size: &'static Size, figures: &mut Figures) {
    let effort = Effort::at(size);
    let bed = Bed::<N>::new(size);
    let mixed = questions::draw(&bed, About::Mixed);
    let mut hot = questions::draw(&bed, About::Hot);
    hot.retain(|question| question.allowed);
    hot.truncate(1 << 16);
    let Bed { organisation, oracle, tenant, .. } = bed;
    let limits = Limits::new(&oracle);
    let mut plain = Plain::<N>::new(&organisation);
    let derived = plain.derive();
    assert!(plain.users().map(|user| plain.row(user, &derived)).eq(oracle.rows.iter().copied()), "the application's");

    let mut ours = Rolecall::new(tenant);
    let mut all = built(&plain);
    for (row, questions) in [(MIXED, &mixed), (HOT, &hot)] {
        let mut entered = limit(&limits, questions);
        entered.push(Entered::new(ours.asked_of_tenant(&organisation, questions), questions));
        entered.push(Entered::new(ours.asked(&plain, questions), questions));
        for peer in &all {
            let asked = &questions[..peer.most().min(questions.len())];
            entered.push(Entered::new(peer.asked(&plain, asked), asked));
        }
        told(figures, size, row, &checks::race(entered, effort));
    }
    let mut everybody: Vec<&mut dyn Peer<N>> = vec![&mut ours];
    everybody.extend(all.iter_mut().map(|peer| &mut **peer as &mut dyn Peer<N>));
    told(figures, size, LEAVES, &changes::race(&mut everybody, &mut plain, ChangeKind::Leave, effort));
    told(figures, size, LOSES, &changes::race(&mut everybody, &mut plain, ChangeKind::Revoke, effort));
    told(figures, size, WHO_CAN, &who_can::race(&everybody, &plain, &oracle, effort));
}

/// All but ours and the limits.
fn built<const N: usize>(plain: &Plain<'_, N>) -> Vec<Box<dyn Peer<N>>> {
    vec![
        Box::new(Fast::new(plain)),
        Box::new(Flat::new(plain)),
        Box::new(Gatehouse::new(plain)),
        Box::new(GatehouseRbac::new(plain)),
        Box::new(Roles::new(plain)),
        Box::new(RsTenant::new(plain)),
        Box::new(Cedar::new(plain, Design::RoleBased)),
        Box::new(Cedar::new(plain, Design::Relationship)),
        Box::new(Casbin::new(plain)),
    ]
}

/// What the memory costs; see `benches/common/by_hand.rs`.
fn limit<'a>(limits: &'a Limits, asked: &'a [Question]) -> Vec<Entered<'a>> {
    let list: Vec<(u32, u32)> = asked.iter().map(|q| (q.user, q.permission)).collect();
    let one = Contestant::new("limit_one", list.clone(), |(user, permission)| limits.one(*user, *permission));
    let two = Contestant::new("limit_two", list, |(user, permission)| limits.two(*user, *permission));
    vec![Entered { answers: false, ..Entered::new(one, asked) }, Entered::new(two, asked)]
}

/// Prints a row, and puts it among the figures.
fn told(figures: &mut Figures, size: &Size, row: &'static str, lanes: &[Lane]) {
    let ours = lanes.iter().find(|lane| lane.name == "rolecall").map_or(f64::NAN, Lane::median);
    println!("{row}, {}", size.name);
    for lane in lanes {
        let ((least, most), median) = (lane.range(), lane.median());
        let (least, most, shown) = (shown(least, "ns"), shown(most, "ns"), shown(median, "ns"));
        println!("  {:<16} {shown:>10} {:>10.2} x ours  ({least} to {most}; {})", lane.name, median / ours, lane.how);
        figures.put(lane.name, size.name, row, median, &lane.how);
    }
    if row == MIXED {
        goals(lanes, ours);
    }
}

/// P15, with the latency that each goal would need, between those of one read and of two that wait for each other.
fn goals(lanes: &[Lane], ours: f64) {
    let of = |name: &str| lanes.iter().find(|lane| lane.name == name).map_or(f64::NAN, Lane::median);
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
