//! Reads and edits the rows of the file without the store. The format must not change by accident, since files outlive
//! releases. Rows that no release has written must not be misread.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use rolecall::records::{Change, Position, Record, RecordKind};
use rolecall::store::{Base, RedbError, RedbStore, Since, StoreError};

use super::common::{at, commit, created, found, loaded, one_of_each, open, since, tenant_id, user};

type Bytes = &'static [u8];
const ABOUT: TableDefinition<'_, &str, Bytes> = TableDefinition::new("rolecall");
const SLUGS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.slugs");
const TENANTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.tenants");
const RECORDS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.records");
const COMMITS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rolecall.commits");

/// Appends the checksum of a value, as the format specifies.
pub(crate) fn sealed(table: u64, key: &[u8], value: &[u8]) -> Vec<u8> {
    let seed = twox_hash::XxHash3_64::oneshot_with_seed(table, key);
    let check = twox_hash::XxHash3_64::oneshot_with_seed(seed, value);
    [value, &check.to_le_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Creates a file with every shape of record in one tenant, a second commit, and a deleted tenant.
fn filled(path: &Path) -> Position {
    let store = open(path);
    let acme = created(&store, 0xacce, "acme", one_of_each().get(1..).unwrap());
    commit(&store, Base::At(acme), 2, &[Change::new(Some(user(1, "alice@acme.com")), Some(user(1, "bob"))).unwrap()])
        .unwrap();
    commit(&store, Base::Create(tenant_id(0xdead)), 3, &[]).unwrap();
    acme
}

#[test]
fn the_file_format_is_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden");
    filled(&path);
    let mut lines = Vec::new();
    let database = Database::open(&path).unwrap();
    let reading = database.begin_read().unwrap();
    for row in reading.open_table(ABOUT).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        lines.push(format!("about {} {}", key.value(), hex(value.value())));
    }
    for (name, table) in [("slugs", SLUGS), ("tenants", TENANTS), ("records", RECORDS), ("commits", COMMITS)] {
        for row in reading.open_table(table).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            lines.push(format!("{name} {} {}", hex(key.value()), hex(value.value())));
        }
    }
    let written = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/redb.format2.txt");
    let found = lines.join("\n") + "\n";
    if std::env::var_os("ROLECALL_WRITE_GOLDEN").is_some() {
        std::fs::write(written, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(written).unwrap());
}

#[test]
fn every_kind_of_record_is_among_the_samples() {
    let mut kinds: Vec<RecordKind> = one_of_each().iter().map(Record::kind).collect();
    kinds.dedup();
    assert_eq!(kinds, RecordKind::ALL);
}

/// Changes a row of the file without the store.
fn edit(path: &Path, table: TableDefinition<'_, Bytes, Bytes>, key: &[u8], value: Option<&[u8]>) {
    let database = Database::open(path).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(table).unwrap();
        match value {
            Some(value) => drop(table.insert(key, value).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
    }
    writing.commit().unwrap();
}

fn key_of(n: u128, rest: &[u8]) -> Vec<u8> {
    [&tenant_id(n).as_uuid().as_bytes()[..], rest].concat()
}

#[test]
fn s10_an_unknown_kind_of_record_makes_only_its_tenant_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later");
    filled(&path);
    created(&open(&path), 1, "other", &[]);
    let kind = RecordKind::ALL.last().unwrap().ordinal() + 1;
    let key = key_of(0xacce, &[kind, 1, 2, 3]);
    edit(&path, RECORDS, &key, Some(&sealed(4, &key, b"a record of a later release")));
    let store = open(&path);
    assert!(matches!(loaded(&store, tenant_id(0xacce)), Err(StoreError::UnsupportedRecord(_))));
    assert_eq!(found(&store, "acme").unwrap(), Some(tenant_id(0xacce)));
    assert_eq!(loaded(&store, tenant_id(1)).unwrap().unwrap().0.len(), 1, "the other tenant");
    drop(store);

    let key = key_of(0xacce, &[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    edit(&path, COMMITS, &key, Some(&sealed(5, &key, &[kind, 1, 2, 3])));
    assert!(matches!(since(&open(&path), at(tenant_id(0xacce), 1, 0xacce)), Err(StoreError::UnsupportedRecord(_))));
}

#[test]
fn s10_a_lost_altered_or_unexpected_row_makes_only_its_tenant_corrupt() {
    let member = [&[9_u8][..], &1_u128.to_be_bytes(), &1_u128.to_be_bytes()].concat();
    let member = key_of(0xacce, &member);
    let extra = [&[9_u8][..], &1_u128.to_be_bytes(), &7_u128.to_be_bytes()].concat();
    let extra = key_of(0xacce, &extra);
    let second = key_of(0xacce, &[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    let tenant_key = key_of(0xacce, &[]);
    let table = [
        ("a lost membership", RECORDS, &member, None),
        ("an altered one", RECORDS, &member, Some(b"something else".to_vec())),
        ("an empty one", RECORDS, &member, Some(Vec::new())),
        ("an unreadable one", RECORDS, &member, Some(sealed(4, &member, b"?"))),
        ("one from another key", RECORDS, &member, Some(sealed(4, &extra, b"?"))),
        ("an extra one", RECORDS, &extra, Some(sealed(4, &extra, &value_of_a_membership()))),
        ("an unreadable commit", COMMITS, &second, Some(sealed(5, &second, &[0, 0xff]))),
        ("a lost commit", COMMITS, &second, None),
        ("an unreadable tenant row", TENANTS, &tenant_key, Some(sealed(3, &tenant_key, &[7, 7]))),
        ("an altered tenant row", TENANTS, &tenant_key, Some(b"altered".to_vec())),
    ];
    for (what, place, key, value) in table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let acme = filled(&path);
        created(&open(&path), 1, "other", &[]);
        edit(&path, place, key, value.as_deref());
        let store = open(&path);
        let (load, commits) = (loaded(&store, acme.tenant_id), since(&store, acme));
        let corrupt = [load.as_ref().err(), commits.as_ref().err()];
        assert!(corrupt.iter().any(Option::is_some), "{what}: {load:?} {commits:?}");
        assert!(corrupt.iter().flatten().all(|e| matches!(e, StoreError::Corrupt(_))), "{what}: {corrupt:?}");
        assert_eq!(loaded(&store, tenant_id(1)).unwrap().unwrap().0.len(), 1, "{what}: the other tenant");
        assert_eq!(since(&store, at(tenant_id(1), 1, 1)).unwrap(), Since::Commits(vec![]), "{what}");
        assert_eq!(found(&store, "other").unwrap(), Some(tenant_id(1)), "{what}");
    }
}

fn value_of_a_membership() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole");
    filled(&path);
    let database = Database::open(&path).unwrap();
    let rows = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    let (_, value) = rows.last().unwrap().unwrap();
    let value = value.value();
    value[..value.len() - 8].to_vec()
}

#[test]
fn an_index_that_contradicts_the_tenants_is_detected_on_opening() {
    for (key, value) in
        [(&b"acme"[..], None), (&b"ghost"[..], Some(sealed(2, b"ghost", tenant_id(0xacce).as_uuid().as_bytes())))]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        filled(&path);
        edit(&path, SLUGS, key, value.as_deref());
        assert!(matches!(RedbStore::open(&path), Err(RedbError::Damaged(_))), "{key:?}");
    }
}
