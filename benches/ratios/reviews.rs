//! P17: an access report and a lint of a whole tenant, compared with the effective permissions of every user.
//!
//! Each figure is the time of a whole turn, divided by the number of users.

use std::hint::black_box;
use std::time::Instant;

use super::common::Workload;
use super::nanos;
use super::table::{Goal, Table};

pub(super) fn reviews<const N: usize>(table: &mut Table, workload: &Workload<N>) {
    if !table.wants("P17") {
        return;
    }
    let held = workload.held();
    let users: Vec<_> =
        workload.organisation.users.iter().map(|user| rolecall::records::UserId::from_uuid(user.id)).collect();
    let per_user = |turn: &dyn Fn() -> usize| {
        let start = Instant::now();
        black_box(turn());
        #[expect(clippy::cast_precision_loss, reason = "there are fewer users than a float counts")]
        let count = users.len() as f64;
        nanos(start.elapsed()) / count
    };
    let rows = held.access_report().rows().count();
    println!("P17 {}: {rows} rows, {} findings", workload.size.name, held.lint().count());
    let mut race = table.race("P17", &format!("reviews/{}", workload.size.name));
    race.enter("effective", || per_user(&|| users.iter().map(|user| held.effective(*user).len()).sum()));
    race.enter("report", || per_user(&|| held.access_report().rows().map(|row| row.path.steps().len()).sum()));
    race.enter("csv", || per_user(&|| held.access_report().rows().map(|row| row.to_csv().len()).sum()));
    race.enter("lint", || per_user(&|| held.lint().count()));
    race.run(3);
    race.ratio("P17", "report", "effective", Goal::None);
    race.ratio("P17", "csv", "report", Goal::None);
    race.ratio("P17", "lint", "effective", Goal::None);
}
