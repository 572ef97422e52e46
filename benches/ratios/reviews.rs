//! P17: access reports, a lint, the list of what ends and lists of included roles, compared with the effective permissions
//! of every user, with rows of the whole report, and with each other.
//!
//! Each figure is the time of a whole turn, divided by the number of rows or of users.

use std::hint::black_box;
use std::time::Instant;

use super::common::Workload;
use super::common::organisation::now;
use super::common::records::{group_id, permission_id, role_id};
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
    let (group, role) = (group_id(0), workload.organisation.groups[0].roles[0]);
    let permission = permission_id(workload.organisation.roles[role as usize].grants[0]);
    let some: Vec<_> = report().take(FEW_ROWS).collect();
    let mut race = table.race("P17", &format!("report/{}", workload.size.name));
    race.enter("row", || per_row(&|| report().map(|row| row.path.steps().len()).sum()));
    race.enter("csv", || per_row(&|| report().map(|row| row.to_csv().len()).sum()));
    // Reports that are restricted, with what they do before the first row.
    race.enter("every_path", || each_row(|| held.access_report().every_path().rows().take(FEW_ROWS).count()));
    race.enter("of_group", || each_row(|| held.access_report().group(group).rows().take(FEW_ROWS).count()));
    race.enter("of_role", || each_row(|| held.access_report().role(role_id(role)).rows().take(FEW_ROWS).count()));
    race.enter("of_permission", || {
        each_row(|| held.access_report().permission(permission).rows().take(FEW_ROWS).count())
    });
    race.enter("records_behind", || each_row(|| some.iter().filter_map(|row| held.records_behind(row)).count()));
    race.run(5);
    for name in ["csv", "every_path", "of_group", "of_role", "of_permission", "records_behind"] {
        race.ratio("P17", name, "row", Goal::None);
    }

    let mut race = table.race("P17", &format!("reviews/{}", workload.size.name));
    race.enter("effective", || per_user(&|| users.iter().map(|user| held.effective(*user).len()).sum()));
    race.enter("lint", || per_user(&|| held.lint().count()));
    race.enter("ending", || per_user(&|| held.window_changes(now()..).ending().rows().count()));
    race.enter("soonest_50", || per_user(&|| held.window_changes(now()..).ending().soonest(50).len()));
    race.run(3);
    race.ratio("P17", "lint", "effective", Goal::None);
    race.ratio("P17", "ending", "effective", Goal::None);
    race.ratio("P17", "soonest_50", "ending", Goal::None);

    let role = |n: usize| role_id(u32::try_from(n).unwrap() % workload.size.roles);
    let mut race = table.race("P17", &format!("roles/{}", workload.size.name));
    race.enter("includes_of", || per(1 << 7, |n| drop(black_box(held.includes_of(role(n))))));
    race.enter("all_includes_of", || per(1 << 7, |n| drop(black_box(held.all_includes_of(role(n))))));
    race.enter("includers_of", || per(1 << 7, |n| drop(black_box(held.includers_of(role(n))))));
    race.enter("all_includers_of", || per(1 << 7, |n| drop(black_box(held.all_includers_of(role(n))))));
    race.run(5);
    for name in ["all_includes_of", "includers_of", "all_includers_of"] {
        race.ratio("P17", name, "includes_of", Goal::None);
    }
}

/// So many rows of reports that take long for each row, or that are long.
const FEW_ROWS: usize = 1 << 10;

/// Returns the time of a turn for each row.
fn each_row(turn: impl FnOnce() -> usize) -> f64 {
    let start = Instant::now();
    let rows = black_box(turn());
    assert!(rows > 0);
    nanos(start.elapsed()) / f64::from(u32::try_from(rows).unwrap())
}
