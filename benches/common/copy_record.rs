//! Copies a record with all its texts, for the programs that count bytes.

use rolecall::records::{Description, Name, Record, Slug, UserKey};

/// Copies a record and allocates its texts anew, as a store over a database does.
pub(crate) fn copy(record: &Record) -> Record {
    let mut record = record.clone();
    let own = |slug: &mut Slug, name: &mut Name, description: &mut Description| {
        *slug = Slug::new(slug.as_str()).unwrap();
        *name = Name::new(name.as_str()).unwrap();
        *description = Description::new(description.as_str()).unwrap();
    };
    match &mut record {
        Record::Permission(permission) => own(&mut permission.slug, &mut permission.name, &mut permission.description),
        Record::Role(role) => own(&mut role.slug, &mut role.name, &mut role.description),
        Record::Group(group) => own(&mut group.slug, &mut group.name, &mut group.description),
        Record::User(user) => user.key = UserKey::new(user.key.as_str()).unwrap(),
        _ => {}
    }
    record
}
