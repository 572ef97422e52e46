//! P17: an access report, a lint and the list of what ends, compared with the effective permissions of every user.
//!
//! Each figure is the time of a whole turn, divided by the number of rows or of users.

use std::hint::black_box;
use std::time::Instant;

use super::common::Workload;
use super::common::organisation::now;
use super::table::{Goal, Table};
use super::{nanos, per};

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
    // A report has as many rows as all users have permissions: 35 million at M.
    let rows = u32::try_from(held.access_report().rows().take(1 << 16).count()).unwrap();
    let report = || held.access_report().rows().take(1 << 16);
    let per_row = |turn: &dyn Fn() -> usize| per(1, |_| assert!(black_box(turn()) > 0)) / f64::from(rows);
    println!("P17 {}: {rows} rows, {} findings", workload.size.name, held.lint().count());
    let mut race = table.race("P17", &format!("report/{}", workload.size.name));
    race.enter("row", || per_row(&|| report().map(|row| row.path.steps().len()).sum()));
    race.enter("csv", || per_row(&|| report().map(|row| row.to_csv().len()).sum()));
    race.run(5);
    race.ratio("P17", "csv", "row", Goal::None);

    let mut race = table.race("P17", &format!("reviews/{}", workload.size.name));
    race.enter("effective", || per_user(&|| users.iter().map(|user| held.effective(*user).len()).sum()));
    race.enter("lint", || per_user(&|| held.lint().count()));
    race.enter("ending", || per_user(&|| held.window_changes(now()..).ending().rows().count()));
    race.enter("soonest_50", || per_user(&|| held.window_changes(now()..).ending().soonest(50).len()));
    race.run(3);
    race.ratio("P17", "lint", "effective", Goal::None);
    race.ratio("P17", "ending", "effective", Goal::None);
    race.ratio("P17", "soonest_50", "ending", Goal::None);
}
