//! Random histories over several tenants, against the store in memory: every answer is the same, closed and opened in
//! between.

use std::collections::HashMap;

use rolecall::records::{Change, CommitId, Position, Record, TenantId};
use rolecall::store::{Base, MemoryStore, RedbStore, Store};
use uuid::Uuid;

use super::common::{
    Numbers, at, commit, found, loaded, membership, one_of_each, open, since, tenant, tenant_id, user,
};

#[test]
fn it_answers_as_the_store_in_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let memory = MemoryStore::with_history(usize::MAX);
    let mut seen = [0_u32; 7];
    let mut store = open(&path);
    let mut numbers = Numbers(7);
    let mut creations = HashMap::new();
    for step in 1..=220 {
        if numbers.one_in(40) {
            drop(store);
            store = open(&path);
        }
        let (base, changes) = drawn(&memory, &mut numbers, step);
        let ours = commit(&store, base, step, &changes).map_err(|e| e.to_string());
        let theirs = commit(&memory, base, step, &changes).map_err(|e| e.to_string());
        assert_eq!(ours, theirs, "step {step}: {base} {changes:?}");
        seen[kind(&theirs)] += 1;
        if let (Base::Create(tenant_id), Ok(_)) = (base, &theirs) {
            creations.insert(tenant_id, at(tenant_id, 1, step));
        }
        compare(&store, &memory, &creations, &mut numbers, step);
    }
    assert!(seen.iter().all(|count| *count >= 3), "not every answer was met: {seen:?}");
}

fn kind(answer: &Result<rolecall::records::Revision, String>) -> usize {
    let starts = ["conflict", "tenant is deleted", "tenant slug", "corrupt: S3", "corrupt: S10", "corrupt: S1:"];
    match answer {
        Ok(_) => 0,
        Err(text) => 1 + starts.iter().position(|start| text.starts_with(start)).unwrap(),
    }
}

const SLUGS: [&str; 8] = ["a", "b", "a-", "0", "-", "aa", "z", "c"];

/// A commit that mostly fits, and sometimes in one way does not.
fn drawn(memory: &MemoryStore, numbers: &mut Numbers, step: u128) -> (Base, Vec<Change>) {
    // Lives end; new ones take their places.
    let id = tenant_id(step / 25 * 2 + numbers.below::<u128>(4));
    let Some((records, latest)) = loaded(memory, id).unwrap() else {
        let own = format!("t{step}");
        let slug = if numbers.one_in(2) { &own } else { SLUGS[numbers.below::<usize>(8)] };
        let added = [tenant(slug), user(1, "u"), membership(1, 1, None)];
        let skipped = usize::from(numbers.one_in(3));
        let base = if numbers.one_in(9) { Base::At(at(id, 1, 1)) } else { Base::Create(id) };
        let none = numbers.one_in(50);
        return (base, added.into_iter().skip(if none { 3 } else { skipped }).map(Change::added).collect());
    };
    let stale = Position { commit: CommitId::from_uuid(Uuid::nil()), ..latest };
    let base = match numbers.below(12) {
        0 => Base::At(stale),
        1 => Base::Create(id),
        _ => Base::At(latest),
    };
    (base, changes(&records, numbers))
}

fn changes(records: &[Record], numbers: &mut Numbers) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for record in records {
        let other = match (record, numbers.below(5)) {
            (Record::Tenant(_), 0) if numbers.one_in(8) => None,
            (Record::Tenant(_), 1) => Some(tenant(SLUGS[numbers.below::<usize>(8)])),
            (Record::User(r), 0) => Some(user(r.id.as_uuid().as_u128(), &format!("key{}", numbers.next() % 3))),
            (Record::Membership(r), 0) => {
                let (user, group) = (r.user.as_uuid().as_u128(), r.group.as_uuid().as_u128());
                Some(membership(user, group, Some(numbers.below(9))))
            }
            (Record::Tenant(_), _) | (_, 1..) => continue,
            _ => None,
        };
        changes.extend(Change::new(Some(record.clone()), other));
    }
    for record in one_of_each().into_iter().skip(1) {
        if numbers.one_in(9) {
            // Where it is there already, that is a change from nothing, and corrupt.
            let there = records.iter().any(|r| r.key() == record.key()) && !numbers.one_in(9);
            let touched = changes.iter().any(|change| change.key() == record.key());
            if !there && !touched {
                changes.push(Change::added(record));
            }
        }
    }
    if numbers.one_in(15) {
        changes.extend(changes.first().cloned());
    }
    changes
}

fn compare(
    store: &RedbStore,
    memory: &MemoryStore,
    creations: &HashMap<TenantId, Position>,
    numbers: &mut Numbers,
    step: u128,
) {
    for slug in SLUGS {
        assert_eq!(found(store, slug).unwrap(), found(memory, slug).unwrap(), "step {step}");
    }
    let after = SLUGS[numbers.below::<usize>(8)].parse().unwrap();
    let list = |limit| pollster::block_on(store.list(Some(&after), limit)).unwrap();
    for limit in [0, 1, 9] {
        assert_eq!(list(limit), pollster::block_on(memory.list(Some(&after), limit)).unwrap(), "step {step}");
    }
    for (tenant_id, creation) in creations {
        let (ours, theirs) = (loaded(store, *tenant_id).unwrap(), loaded(memory, *tenant_id).unwrap());
        assert_eq!(ours.is_some(), theirs.is_some(), "step {step}, {tenant_id}");
        let mut bases = vec![*creation, at(*tenant_id, 1, step)];
        if let (Some((mut ours, here)), Some((mut theirs, there))) = (ours, theirs) {
            assert!(ours.is_sorted_by_key(Record::kind), "step {step}: kind by kind");
            ours.sort_by_key(Record::key);
            theirs.sort_by_key(Record::key);
            assert_eq!((ours, here), (theirs, there), "step {step}, {tenant_id}");
            bases.extend([here, at(*tenant_id, numbers.below(here.revision.number() + 2), step)]);
        }
        for base in bases {
            assert_eq!(since(store, base).unwrap(), since(memory, base).unwrap(), "step {step}: {base:?}");
        }
    }
}
