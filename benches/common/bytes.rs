//! What those who count bytes share, `benches/memory` and `examples/footprint.rs`: a small tenant, and records whose
//! texts are their own, as a store over a database would make them.

use rolecall::records::{Description, Name, Record, Slug, UserKey};

use super::organisation::Size;

/// One of thousands of tenants. The permissions are the catalog's.
pub(crate) const SMALL: Size =
    Size { name: "small", users: 10, groups: 5, roles: 5, permissions: 200, questions: 0, hash: 0x11ed_6f9c_47a9_2c71 };

/// A record whose texts are its own.
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
