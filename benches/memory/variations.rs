//! The memory of the organisation with one thing varied.
//!
//! Only a tenant as a whole can be measured. So the parts of it are differences between two tenants that differ in one part.

use std::collections::HashMap;

use allocation_counter::measure;
use rolecall::Window;
use rolecall::records::{Grant, Granted, Holder, Membership, PermissionRef, Record, UserId};
use uuid::Uuid;

use crate::copy_record::copy;
use crate::fixed_store::FixedStore;
use crate::organisation::{M, S, is_wanted};
use crate::records::{group_id, group_record, user_record};
use crate::varied::{Variation, Varied, documents};

/// The variations that change how much memory a tenant takes.
const NAMES: [&str; 6] = ["V3", "V4", "V5", "V6", "V7", "V8"];

pub(crate) fn variations() {
    let sized = |variation: Variation| if is_wanted(&S) && !is_wanted(&M) { variation.short() } else { variation };
    let plain = sized(Variation::PLAIN);
    widths(plain.users());
    print_memory(&Varied::draw(plain));
    for variation in Variation::ALL.into_iter().filter(|variation| NAMES.contains(&variation.name)) {
        print_memory(&Varied::draw(sized(variation)));
    }
    let documents = documents();
    if documents.is_empty() {
        println!("V9 is left out: ROLECALL_ROLES does not name a document");
    }
    for path in documents {
        print_memory(&Varied::of_document(&path, plain.users()));
    }
}

fn print_memory(varied: &Varied) {
    varied.print();
    let (variation, records) = (varied.variation, varied.records());
    let users = i64::from(variation.users());
    let width = match variation.entry_bytes() {
        0..=63 => "half lines",
        64..=127 => "lines",
        _ => "two lines",
    };
    let (all, given) = (bytes(records.clone()), rows_and_columns(&records));
    println!(
        "  {} bytes a user in total, {} of them in the id table by calculation ({width}); {:.2} MB of cached rows and columns",
        all / users,
        variation.entry_bytes(),
        megabytes(given)
    );
}

/// The bytes of an open tenant with these records.
fn bytes(records: Vec<Record>) -> i64 {
    let store = FixedStore::copying(records.into(), copy);
    let mut tenant = None;
    let info = measure(|| tenant = Some(store.open(None)));
    drop(tenant);
    info.bytes_current
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are printed")]
fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / 1e6
}

/// Returns the bytes of cached rows and columns: the difference to the same tenant with its permissions removed from the
/// catalog, where grants give nothing. Users are left out.
///
/// The permission entities differ, too. A tenant in which one role grants every permission shows by how much, and that is
/// subtracted.
fn rows_and_columns(records: &[Record]) -> i64 {
    let is_of_users = |record: &Record| match record {
        Record::User(_) | Record::Membership(_) => true,
        Record::Assignment(assignment) => matches!(assignment.holder, Holder::User(_)),
        _ => false,
    };
    let all: Vec<Record> = records.iter().filter(|record| !is_of_users(record)).cloned().collect();
    let role = all.iter().find_map(|record| if let Record::Role(role) = record { Some(role) } else { None }).unwrap();
    let each = all.iter().filter_map(|record| {
        let Record::Permission(permission) = record else { return None };
        let granted = Granted::Permission(PermissionRef::Own(permission.id));
        Some(Record::Grant(Grant { role: role.id, granted }))
    });
    let permissions = all.iter().filter(|record| matches!(record, Record::Permission(_)));
    let permissions_only: Vec<Record> =
        permissions.cloned().chain([Record::Role(role.clone())]).chain(each.collect::<Vec<_>>()).collect();
    let difference = |records: &[Record]| bytes(records.to_vec()) - bytes(without_permissions(records));
    difference(&all) - difference(&permissions_only)
}

/// The same records, where the catalog had the permissions and does not have them any more.
fn without_permissions(records: &[Record]) -> Vec<Record> {
    let slugs: HashMap<_, _> = records
        .iter()
        .filter_map(|record| {
            if let Record::Permission(permission) = record { Some((permission.id, &permission.slug)) } else { None }
        })
        .collect();
    let without = |record: &Record| match record {
        Record::Permission(_) => None,
        Record::Grant(Grant { role, granted: Granted::Permission(reference) }) => {
            let id = reference.id();
            let reference = PermissionRef::Catalog { id, slug: slugs[&id].clone() };
            Some(Record::Grant(Grant { role: *role, granted: Granted::Permission(reference) }))
        }
        other => Some(other.clone()),
    };
    records.iter().filter_map(without).collect()
}

/// Measures by how much wider entries make the id table larger. One user in eight may have more groups than fit into half a
/// line. If one more user has, all entries are wider: lines, or two lines if they do not fit into a line either.
fn widths(users: u32) {
    let tenant = |many: u32, groups: u32| {
        let id = |user: u32| Uuid::from_u128(u128::from(user).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
        let mut records: Vec<Record> = (0..groups).map(group_record).collect();
        records.extend((0..users).map(|user| user_record(user as usize, id(user), false)));
        let joined = (0..many).flat_map(|user| (0..groups).map(move |group| (user, group)));
        records.extend(joined.map(|(user, group)| {
            let (user, group) = (UserId::from_uuid(id(user)), group_id(group));
            Record::Membership(Membership { user, group, window: Window::ALWAYS })
        }));
        bytes(records)
    };
    let more = |groups| (tenant(users / 8 + 1, groups) - tenant(users / 8, groups)) / i64::from(users);
    // Six groups fit into half a line, and 22 into a line.
    println!(
        "id table: an entry of a line takes {} bytes more than one of half a line, an entry of two lines {} more",
        more(7),
        more(23)
    );
}
