//! Compares random histories of several tenants with the store in memory, before and after the file is closed and opened
//! again.

use std::collections::HashMap;

use rolecall::records::{Change, CommitId, Position, Record, TenantId};
use rolecall::store::{Base, MemoryStore, RedbStore, Store};
use uuid::Uuid;

use super::common::{Random, at, commit, found, loaded, membership, one_of_each, open, since, tenant, tenant_id, user};

#[test]
fn every_answer_equals_that_of_the_store_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let memory = MemoryStore::with_history(usize::MAX);
    let mut seen = [0_u32; 7];
    let mut store = open(&path);
    let mut random = Random(7);
    let mut creations = HashMap::new();
    let file = format!("{}: ", path.display());
    for step in 1..=220 {
        if random.one_in(40) {
            drop(store);
            store = open(&path);
        }
        let (base, changes) = drawn(&memory, &mut random, step);
        // Only this store has a file to name.
        let ours = commit(&store, base, step, &changes).map_err(|e| e.to_string().replace(&file, ""));
        let theirs = commit(&memory, base, step, &changes).map_err(|e| e.to_string());
        assert_eq!(ours, theirs, "step {step}: {base} {changes:?}");
        seen[kind(&theirs)] += 1;
        if let (Base::Create(tenant_id), Ok(_)) = (base, &theirs) {
            creations.insert(tenant_id, at(tenant_id, 1, step));
        }
        compare(&store, &memory, &creations, &mut random, step);
    }
    assert!(seen.iter().all(|count| *count >= 3), "some kinds of answers never occurred: {seen:?}");
}

fn kind(answer: &Result<rolecall::records::Revision, String>) -> usize {
    let starts = ["conflict", "tenant is deleted", "tenant slug", "corrupt: S3", "corrupt: S10", "corrupt: S1:"];
    match answer {
        Ok(_) => 0,
        Err(text) => 1 + starts.iter().position(|start| text.starts_with(start)).unwrap(),
    }
}

const SLUGS: [&str; 8] = ["a", "b", "a-", "0", "-", "aa", "z", "c"];

/// Draws a commit that is mostly valid, and sometimes invalid in one way.
fn drawn(memory: &MemoryStore, random: &mut Random, step: u128) -> (Base, Vec<Change>) {
    // Deleted tenants are replaced by new ones.
    let id = tenant_id(step / 25 * 2 + random.below::<u128>(4));
    let Some((records, latest)) = loaded(memory, id).unwrap() else {
        let own = format!("t{step}");
        let slug = if random.one_in(2) { &own } else { SLUGS[random.below::<usize>(8)] };
        let added = [tenant(slug), user(1, "u"), membership(1, 1, None)];
        let skipped = usize::from(random.one_in(3));
        let base = if random.one_in(9) { Base::At(at(id, 1, 1)) } else { Base::Create(id) };
        let none = random.one_in(50);
        return (base, added.into_iter().skip(if none { 3 } else { skipped }).map(Change::added).collect());
    };
    let stale = Position { commit: CommitId::from_uuid(Uuid::nil()), ..latest };
    let base = match random.below(12) {
        0 => Base::At(stale),
        1 => Base::Create(id),
        _ => Base::At(latest),
    };
    (base, changes(&records, random))
}

fn changes(records: &[Record], random: &mut Random) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for record in records {
        let other = match (record, random.below(5)) {
            (Record::Tenant(_), 0) if random.one_in(8) => None,
            (Record::Tenant(_), 1) => Some(tenant(SLUGS[random.below::<usize>(8)])),
            (Record::User(r), 0) => Some(user(r.id.as_uuid().as_u128(), &format!("key{}", random.next() % 3))),
            (Record::Membership(r), 0) => {
                let (user, group) = (r.user.as_uuid().as_u128(), r.group.as_uuid().as_u128());
                Some(membership(user, group, Some(random.below(9))))
            }
            (Record::Tenant(_), _) | (_, 1..) => continue,
            _ => None,
        };
        changes.extend(Change::new(Some(record.clone()), other));
    }
    for record in one_of_each().into_iter().skip(1) {
        if random.one_in(9) {
            // Sometimes add a record that already exists, which is corrupt.
            let exists = records.iter().any(|r| r.key() == record.key()) && !random.one_in(9);
            let touched = changes.iter().any(|change| change.key() == record.key());
            if !exists && !touched {
                changes.push(Change::added(record));
            }
        }
    }
    if random.one_in(15) {
        changes.extend(changes.first().cloned());
    }
    changes
}

fn compare(
    store: &RedbStore,
    memory: &MemoryStore,
    creations: &HashMap<TenantId, Position>,
    random: &mut Random,
    step: u128,
) {
    for slug in SLUGS {
        assert_eq!(found(store, slug).unwrap(), found(memory, slug).unwrap(), "step {step}");
    }
    let after = SLUGS[random.below::<usize>(8)].parse().unwrap();
    let list = |limit| pollster::block_on(store.list(Some(&after), limit)).unwrap();
    for limit in [0, 1, 9] {
        assert_eq!(list(limit), pollster::block_on(memory.list(Some(&after), limit)).unwrap(), "step {step}");
    }
    for (tenant_id, creation) in creations {
        let (ours, theirs) = (loaded(store, *tenant_id).unwrap(), loaded(memory, *tenant_id).unwrap());
        assert_eq!(ours.is_some(), theirs.is_some(), "step {step}, {tenant_id}");
        let mut bases = vec![*creation, at(*tenant_id, 1, step)];
        if let (Some((mut ours, here)), Some((mut theirs, there))) = (ours, theirs) {
            assert!(ours.is_sorted_by_key(Record::kind), "step {step}: records are ordered by kind");
            ours.sort_by_key(Record::key);
            theirs.sort_by_key(Record::key);
            assert_eq!((ours, here), (theirs, there), "step {step}, {tenant_id}");
            bases.extend([here, at(*tenant_id, random.below(here.revision.number() + 2), step)]);
        }
        for base in bases {
            assert_eq!(since(store, base).unwrap(), since(memory, base).unwrap(), "step {step}: {base:?}");
        }
    }
}
