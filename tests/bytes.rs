//! The memory per user, in bytes. This is a separate test program because it counts memory with its own allocator.

use allocation_counter::measure;
use rolecall::blocking::Authorizer;
use rolecall::store::MemoryStore;

const USERS: usize = 20_000;
const GROUPS: usize = 400;

/// The memory after a load, without the store. It is about 229 bytes per user, and up to 235 depending on the hash
/// keys. A new field in the row of a user takes eight bytes, and a new table with an entry per user takes more.
#[test]
fn a_user_with_three_groups_and_a_key_of_22_bytes_costs_at_most_240_bytes() {
    let store = MemoryStore::default();
    let authorizer = || Authorizer::builder().store(store.clone()).build();
    let fill = |tx: &rolecall::Tx| {
        for n in 0..GROUPS {
            tx.create_group(&format!("g{n}"))?;
        }
        for n in 0..USERS {
            let user = tx.create_user(&format!("user{n:06}@example.com"))?;
            for step in [1, 7, 43] {
                user.join(format!("g{}", n * step % (GROUPS - step)))?;
            }
        }
        Ok(())
    };
    authorizer().create_tenant("acme", "Acme").unwrap().update(fill).unwrap();
    let mut tenant = None;
    let info = measure(|| tenant = Some(authorizer().tenant("acme").unwrap()));
    let each = info.bytes_current / i64::try_from(USERS).unwrap();
    assert!((150..=240).contains(&each), "{each} bytes a user");
}
