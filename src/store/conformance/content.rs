//! S10: what was committed is what is loaded, nothing dropped and nothing widened.

use super::case::{Hand, Verdict, cases, same};
use super::samples::{
    Records, added, applied, by_key, changed, created, go_on, group, id, member, own_fault, present, same_records,
    since, stands, tenant, tenant_id, user,
};
use crate::model::records::{
    Assignment, Change, Description, ExternalId, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Manager,
    Membership, Name, Parent, Pattern, PermissionId, PermissionRecord, PermissionRef, Record, RecordKind, RoleId,
    RoleRecord, RoleRef, Slug, Status, Timestamp, UserId, UserKey, UserRecord, Window,
};

cases! {
    S10: a_record_of_each_kind_is_kept_as_it_was_written,
        a_change_replaces_the_whole_record,
        a_removal_removes_one_record_and_none_beside_it,
        a_window_keeps_both_its_ends,
        a_reference_may_remember_another_slug_than_the_one_it_is_removed_by,
        what_is_removed_and_added_again_is_new,
        names_may_be_swapped_within_one_commit,
        what_goes_together_may_go_in_one_commit;
}

fn role_id(number: u128) -> RoleId {
    RoleId::from_uuid(id(number))
}

fn slug(text: &str) -> Verdict<Slug> {
    Slug::new(text).map_err(own_fault)
}

fn name(text: &str) -> Verdict<Name> {
    Name::new(text).map_err(own_fault)
}

/// A window whose ends are told apart by the microsecond.
pub(super) fn window(from: i64, until: i64) -> Verdict<Window> {
    let at = |micros| Timestamp::from_micros(micros).map_err(own_fault);
    Window::between(at(from)?, at(until)?).map_err(own_fault)
}

/// A directory, and an id in it, which a user and a group may share. The later variant has no id.
fn directory(variant: &str) -> Verdict<(Option<Manager>, Option<ExternalId>)> {
    let manager = Manager::new(&format!("directory of {variant}")).map_err(own_fault)?;
    let id = ExternalId::new(&format!("cn={variant}")).map_err(own_fault)?;
    Ok((Some(manager), (variant != "later").then_some(id)))
}

/// Records of every kind with every field filled. The variant changes all that may change.
pub(super) fn each_kind(variant: &str, status: Status, window: Window) -> Verdict<Vec<Record>> {
    let description = Description::new(&format!("described\n\tas {variant}")).map_err(own_fault)?;
    // One id for a user and a group: their kinds tell them apart.
    let (user, group) = (UserId::from_uuid(id(1)), GroupId::from_uuid(id(1)));
    let catalog_role = RoleRef::Catalog { id: role_id(90), slug: slug(&format!("catalog-role-{variant}"))? };
    let entry = PermissionId::from_uuid(id(91));
    let catalog_permission = PermissionRef::Catalog { id: entry, slug: slug(&format!("catalog:{variant}"))? };
    let own_permission = PermissionId::from_uuid(id(3));
    let permission = PermissionRecord {
        id: own_permission,
        slug: slug(&format!("own:{variant}"))?,
        name: name(variant)?,
        description: description.clone(),
        category: (variant != "later").then(|| name(variant)).transpose()?,
    };
    let role = |number| -> Verdict<Record> {
        let (slug, name) = (slug(&format!("role-{number}-{variant}"))?, name(variant)?);
        Ok(Record::Role(RoleRecord { id: role_id(number), slug, name, description: description.clone() }))
    };
    let directory = directory(variant)?;
    let group_record = |number: u128| -> Verdict<Record> {
        let (id, slug) = (GroupId::from_uuid(id(number)), slug(&format!("group-{number}-{variant}"))?);
        let mut group = GroupRecord::new(id, slug, name(variant)?, description.clone());
        // One of the two is the tenant's own: what no directory manages has no such columns.
        if number == 1 {
            group.set_managed_by(directory.0.clone());
            group.set_external_id(directory.1.clone());
        }
        Ok(Record::Group(group))
    };
    let key = UserKey::new(&format!("{variant}@acme.com")).map_err(own_fault)?;
    let mut user_record = UserRecord::new(user, key).with_status(status);
    user_record.set_name((variant != "later").then(|| name(variant)).transpose()?);
    user_record.set_managed_by(directory.0.clone());
    user_record.set_external_id(directory.1.clone());
    let pattern = Pattern::new("storage.*.objects.*").map_err(own_fault)?;
    let grant = |granted| Record::Grant(Grant { role: role_id(4), granted });
    let assigned = |role, holder| Record::Assignment(Assignment { role, holder, window });
    Ok(vec![
        Record::Permission(permission),
        role(4)?,
        role(5)?,
        group_record(1)?,
        group_record(6)?,
        Record::User(user_record),
        grant(Granted::Permission(PermissionRef::Own(own_permission))),
        grant(Granted::Permission(catalog_permission)),
        grant(Granted::Pattern(pattern)),
        Record::Inclusion(Inclusion { role: role_id(4), included: RoleRef::Own(role_id(5)) }),
        Record::Inclusion(Inclusion { role: role_id(4), included: catalog_role.clone() }),
        Record::Parent(Parent { group, parent: GroupId::from_uuid(id(6)), window }),
        assigned(RoleRef::Own(role_id(4)), Holder::User(user)),
        assigned(RoleRef::Own(role_id(4)), Holder::Group(group)),
        assigned(catalog_role.clone(), Holder::User(user)),
        assigned(catalog_role, Holder::Group(group)),
        Record::Membership(Membership { user, group, window }),
    ])
}

async fn a_record_of_each_kind_is_kept_as_it_was_written(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let records = each_kind("first", Status::Suspended, window(1, 2)?)?;
    let creation = created(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &added(records.clone()));
    stands(store, creation, &all).await?;
    let creation = created(store, tenant_id(2), "other", &[]).await?;
    let at = go_on(store, creation, &added(records.clone())).await?;
    let all = applied(applied(Records::new(), &added([tenant("other")?])), &added(records.clone()));
    stands(store, at, &all).await?;
    match since(store, creation).await? {
        Some(commits) => same(
            "the changes of a commit",
            &commits.iter().map(|c| by_key(&c.changes)).collect(),
            &vec![by_key(&added(records))],
        ),
        None => Ok(()),
    }
}

async fn a_change_replaces_the_whole_record(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let first = each_kind("first", Status::Active, window(1, 2)?)?;
    let later = each_kind("later", Status::Suspended, Window::ALWAYS)?;
    let mut at = created(store, tenant_id(1), "acme", &added(first.clone())).await?;
    let mut all = present(store, tenant_id(1)).await?.0;
    for (before, after) in first.into_iter().zip(later) {
        if before == after {
            continue; // an edge that has nothing which could change
        }
        let changes = [changed(before, after)?];
        at = go_on(store, at, &changes).await?;
        all = applied(all, &changes);
        stands(store, at, &all).await?;
    }
    Ok(())
}

async fn a_removal_removes_one_record_and_none_beside_it(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let records = each_kind("first", Status::Active, window(1, 2)?)?;
    let mut at = created(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let mut all = present(store, tenant_id(1)).await?.0;
    for record in records.into_iter().rev() {
        let removal = [Change::removed(record)];
        at = go_on(store, at, &removal).await?;
        all = applied(all, &removal);
        stands(store, at, &all).await?;
    }
    let kinds: Vec<_> = all.values().map(Record::kind).collect();
    same("what is left when all else was removed", &kinds, &vec![RecordKind::Tenant])
}

/// A membership, an assignment and a parent link for each window that is unlike the others.
pub(super) fn windowed() -> Verdict<Vec<Record>> {
    let at = |micros| Timestamp::from_micros(micros).map_err(own_fault);
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    let windows = [
        Window::ALWAYS,
        Window::from(at(0)?),
        Window::until(at(0)?),
        Window::from(first),
        Window::until(last),
        Window::between(first, last).map_err(own_fault)?,
        window(-1, 0)?,
        window(0, 1)?,
        window(1_700_000_000_000_001, 1_700_000_000_000_002)?,
        Window::from(last),
    ];
    let (group, wider) = (GroupId::from_uuid(id(1)), GroupId::from_uuid(id(100)));
    let mut records = Vec::new();
    for (number, window) in windows.into_iter().enumerate() {
        let number = id(u128::try_from(number).unwrap_or(0));
        let user = UserId::from_uuid(number);
        records.push(Record::Parent(Parent { group: GroupId::from_uuid(number), parent: wider, window }));
        records.push(Record::Membership(Membership { user, group, window }));
        records.push(Record::Assignment(Assignment {
            role: RoleRef::Own(role_id(1)),
            holder: Holder::User(user),
            window,
        }));
    }
    Ok(records)
}

async fn a_window_keeps_both_its_ends(hand: &Hand<'_>) -> Verdict {
    let (store, records) = (&*hand.store, windowed()?);
    created(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let expected = applied(applied(Records::new(), &added([tenant("acme")?])), &added(records));
    same_records(&present(store, tenant_id(1)).await?.0, &expected)
}

/// A newer release of the application knows the same catalog entry by another slug, and so does its change.
async fn a_reference_may_remember_another_slug_than_the_one_it_is_removed_by(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let entries = |text: &str| -> Verdict<Vec<Record>> {
        let (window, holder) = (Window::ALWAYS, Holder::User(UserId::from_uuid(id(1))));
        let role = RoleRef::Catalog { id: role_id(90), slug: slug(text)? };
        let permission = PermissionRef::Catalog { id: PermissionId::from_uuid(id(91)), slug: slug(text)? };
        Ok(vec![
            Record::Grant(Grant { role: role_id(4), granted: Granted::Permission(permission) }),
            Record::Inclusion(Inclusion { role: role_id(4), included: role.clone() }),
            Record::Assignment(Assignment { role, holder, window }),
        ])
    };
    let removed = entries("reviewer")?.into_iter().map(Change::removed).collect::<Vec<_>>();
    let at = created(store, tenant_id(1), "acme", &added(entries("auditor")?)).await?;
    let at = go_on(store, at, &removed).await?;
    let only_tenant = applied(Records::new(), &added([tenant("acme")?]));
    stands(store, at, &only_tenant).await?;
    let at = go_on(store, at, &added(entries("reviewer")?)).await?;
    let pairs = entries("auditor")?.into_iter().zip(entries("inspector")?);
    let changes = pairs.map(|(before, after)| changed(before, after)).collect::<Verdict<Vec<_>>>()?;
    let at = go_on(store, at, &changes).await?;
    stands(store, at, &applied(only_tenant, &changes)).await
}

async fn what_is_removed_and_added_again_is_new(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let at = created(store, tenant_id(1), "acme", &added([user(1, "alice")?])).await?;
    let at = go_on(store, at, &[Change::removed(user(1, "alice")?)]).await?;
    let again = [Change::added(user(2, "alice")?)];
    let at = go_on(store, at, &again).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &again);
    stands(store, at, &all).await?;
    // The old one's id, deleted and made anew in one commit with the new one's end.
    let swap = [Change::removed(user(2, "alice")?), Change::added(user(1, "alice")?)];
    let at = go_on(store, at, &swap).await?;
    stands(store, at, &applied(all, &swap)).await
}

/// An authorizer sends the changes in the order of their keys, so whoever gives a name away may come behind whoever gets it.
async fn names_may_be_swapped_within_one_commit(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let first = [user(1, "alice")?, user(2, "bob")?, group(1, "staff")?, group(2, "guests")?];
    let second = [user(1, "bob")?, user(2, "alice")?, group(1, "guests")?, group(2, "staff")?];
    let mut at = created(store, tenant_id(1), "acme", &added(first.clone())).await?;
    let mut all = present(store, tenant_id(1)).await?.0;
    for (before, after) in [(&first, &second), (&second, &first)] {
        let pairs = before.iter().zip(after);
        let swap = pairs.map(|(b, a)| changed(b.clone(), a.clone())).collect::<Verdict<Vec<_>>>()?;
        at = go_on(store, at, &swap).await?;
        all = applied(all, &swap);
        stands(store, at, &all).await?;
    }
    let heir = [Change::added(user(0, "alice")?), Change::removed(user(1, "alice")?)];
    let at = go_on(store, at, &heir).await?;
    stands(store, at, &applied(all, &heir)).await
}

/// What goes with a user or a group is among the changes, and stands behind it.
async fn what_goes_together_may_go_in_one_commit(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let mut records = vec![group(1, "staff")?, group(2, "guests")?, user(1, "alice")?, user(2, "bob")?];
    records.extend([(1, 1), (1, 2), (2, 1), (2, 2)].map(|(user, group)| member(user, group, Window::ALWAYS)));
    let at = created(store, tenant_id(1), "acme", &added(records)).await?;
    let all = present(store, tenant_id(1)).await?.0;
    let mut gone = vec![group(1, "staff")?, user(1, "alice")?];
    gone.extend([(1, 1), (1, 2), (2, 1)].map(|(user, group)| member(user, group, Window::ALWAYS)));
    let removal: Vec<_> = gone.into_iter().map(Change::removed).collect();
    let at = go_on(store, at, &removal).await?;
    stands(store, at, &applied(all, &removal)).await
}
