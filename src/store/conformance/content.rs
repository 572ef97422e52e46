//! S10: a load returns exactly what was committed.

use std::num::NonZeroU32;

use super::case::{CaseContext, CaseResult, cases, expect_eq};
use super::samples::{
    Records, added, applied, changed, commit_on, commits_since, create_tenant, expect_records, expect_state, group, id,
    load_existing, member, sorted_by_key, suite_bug, tenant, tenant_id, user,
};
use crate::model::records::{
    AssertionId, AssertionRecord, Assignment, Change, Description, Expectation, ExternalId, Grant, Granted, GroupId,
    GroupRecord, Holder, Inclusion, Manager, Membership, Name, ParentLink, Pattern, PermissionId, PermissionRecord,
    PermissionRef, Record, RecordKind, RoleId, RoleRecord, RoleRef, SeparationId, SeparationRecord, Slug, Status,
    Timestamp, UserId, UserKey, UserRecord, Window,
};

cases! {
    S10: every_kind_of_record_is_kept_as_written,
        a_change_replaces_the_whole_record,
        a_removal_removes_only_its_record,
        both_ends_of_a_window_are_kept,
        a_removal_matches_a_reference_by_id_whatever_its_slug,
        a_removed_record_can_be_added_again,
        names_can_be_swapped_in_one_commit,
        entities_and_their_relations_can_be_removed_in_one_commit;
}

fn role_id(number: u128) -> RoleId {
    RoleId::from_uuid(id(number))
}

fn slug(text: &str) -> CaseResult<Slug> {
    Slug::new(text).map_err(suite_bug)
}

fn name(text: &str) -> CaseResult<Name> {
    Name::new(text).map_err(suite_bug)
}

/// A window with bounds in microseconds.
pub(super) fn window(from: i64, until: i64) -> CaseResult<Window> {
    let at = |micros| Timestamp::from_micros(micros).map_err(suite_bug);
    Window::between(at(from)?, at(until)?).map_err(suite_bug)
}

/// A directory, and an id in it, which a user and a group may share. The later variant has no id.
fn directory(variant: &str) -> CaseResult<(Option<Manager>, Option<ExternalId>)> {
    let manager = Manager::new(&format!("directory of {variant}")).map_err(suite_bug)?;
    let id = ExternalId::new(&format!("cn={variant}")).map_err(suite_bug)?;
    Ok((Some(manager), (variant != "later").then_some(id)))
}

/// Records of every kind with every field filled. The variant changes all that may change.
pub(super) fn each_kind(variant: &str, status: Status, window: Window) -> CaseResult<Vec<Record>> {
    let description = Description::new(&format!("described\n\tas {variant}")).map_err(suite_bug)?;
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
    let role = |number| -> CaseResult<Record> {
        let (slug, name) = (slug(&format!("role-{number}-{variant}"))?, name(variant)?);
        Ok(Record::Role(RoleRecord { id: role_id(number), slug, name, description: description.clone() }))
    };
    let directory = directory(variant)?;
    let group_record = |number: u128| -> CaseResult<Record> {
        let (id, slug) = (GroupId::from_uuid(id(number)), slug(&format!("group-{number}-{variant}"))?);
        let mut group = GroupRecord::new(id, slug, name(variant)?, description.clone());
        // One of the two is the tenant's own: what no directory manages has no such columns.
        if number == 1 {
            group.set_managed_by(directory.0.clone());
            group.set_external_id(directory.1.clone());
        }
        Ok(Record::Group(group))
    };
    let key = UserKey::new(&format!("{variant}@acme.com")).map_err(suite_bug)?;
    let mut user_record = UserRecord::new(user, key).with_status(status);
    user_record.set_name((variant != "later").then(|| name(variant)).transpose()?);
    user_record.set_managed_by(directory.0.clone());
    user_record.set_external_id(directory.1.clone());
    let pattern = Pattern::new("storage.*.objects.*").map_err(suite_bug)?;
    let grant = |granted| Record::Grant(Grant { role: role_id(4), granted });
    let assigned = |role, holder| Record::Assignment(Assignment { role, holder, window });
    let separation = SeparationRecord {
        id: SeparationId::from_uuid(id(7)),
        slug: slug(&format!("separation-{variant}"))?,
        description: description.clone(),
        at_most: if variant == "later" { NonZeroU32::MIN } else { NonZeroU32::MAX },
        roles: vec![RoleRef::Own(role_id(4)), catalog_role.clone()],
    };
    let expectations = [
        Expectation::Allowed { permission: PermissionRef::Own(own_permission), users: vec![user], groups: vec![group] },
        Expectation::Denied { permission: catalog_permission.clone(), users: vec![user], groups: vec![] },
        Expectation::Only { permission: catalog_permission.clone(), users: vec![], groups: vec![group] },
        Expectation::Separate { roles: vec![RoleRef::Own(role_id(4)), catalog_role.clone()] },
    ];
    let mut records = vec![
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
        Record::Parent(ParentLink { group, parent: GroupId::from_uuid(id(6)), window }),
        assigned(RoleRef::Own(role_id(4)), Holder::User(user)),
        assigned(RoleRef::Own(role_id(4)), Holder::Group(group)),
        assigned(catalog_role.clone(), Holder::User(user)),
        assigned(catalog_role, Holder::Group(group)),
        Record::Membership(Membership { user, group, window }),
        Record::Separation(separation),
    ];
    for (number, expected) in (1..).zip(expectations) {
        records.push(asserted(number, variant, &description, expected)?);
    }
    Ok(records)
}

fn asserted(number: u128, variant: &str, description: &Description, expected: Expectation) -> CaseResult<Record> {
    let (id, slug) = (AssertionId::from_uuid(id(70 + number)), slug(&format!("assertion-{number}-{variant}"))?);
    let binding = (number % 2 == 0) == (variant == "later");
    Ok(Record::Assertion(AssertionRecord { id, slug, description: description.clone(), binding, expected }))
}

async fn every_kind_of_record_is_kept_as_written(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let records = each_kind("first", Status::Suspended, window(1, 2)?)?;
    let creation = create_tenant(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &added(records.clone()));
    expect_state(store, creation, &all).await?;
    let creation = create_tenant(store, tenant_id(2), "other", &[]).await?;
    let at = commit_on(store, creation, &added(records.clone())).await?;
    let all = applied(applied(Records::new(), &added([tenant("other")?])), &added(records.clone()));
    expect_state(store, at, &all).await?;
    match commits_since(store, creation).await? {
        Some(commits) => expect_eq(
            "the changes of a commit",
            &commits.iter().map(|c| sorted_by_key(&c.changes)).collect(),
            &vec![sorted_by_key(&added(records))],
        ),
        None => Ok(()),
    }
}

async fn a_change_replaces_the_whole_record(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let first = each_kind("first", Status::Active, window(1, 2)?)?;
    let later = each_kind("later", Status::Suspended, Window::ALWAYS)?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &added(first.clone())).await?;
    let mut all = load_existing(store, tenant_id(1)).await?.0;
    for (before, after) in first.into_iter().zip(later) {
        if before == after {
            continue; // a relation without a field that can change
        }
        let changes = [changed(before, after)?];
        at = commit_on(store, at, &changes).await?;
        all = applied(all, &changes);
        expect_state(store, at, &all).await?;
    }
    Ok(())
}

async fn a_removal_removes_only_its_record(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let records = each_kind("first", Status::Active, window(1, 2)?)?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let mut all = load_existing(store, tenant_id(1)).await?.0;
    for record in records.into_iter().rev() {
        let removal = [Change::removed(record)];
        at = commit_on(store, at, &removal).await?;
        all = applied(all, &removal);
        expect_state(store, at, &all).await?;
    }
    let kinds: Vec<_> = all.values().map(Record::kind).collect();
    expect_eq("the kinds of the remaining records", &kinds, &vec![RecordKind::Tenant])
}

/// A membership, an assignment and a parent link for each window that is unlike the others.
pub(super) fn windowed() -> CaseResult<Vec<Record>> {
    let at = |micros| Timestamp::from_micros(micros).map_err(suite_bug);
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    let windows = [
        Window::ALWAYS,
        Window::from(at(0)?),
        Window::until(at(0)?),
        Window::from(first),
        Window::until(last),
        Window::between(first, last).map_err(suite_bug)?,
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
        records.push(Record::Parent(ParentLink { group: GroupId::from_uuid(number), parent: wider, window }));
        records.push(Record::Membership(Membership { user, group, window }));
        records.push(Record::Assignment(Assignment {
            role: RoleRef::Own(role_id(1)),
            holder: Holder::User(user),
            window,
        }));
    }
    Ok(records)
}

async fn both_ends_of_a_window_are_kept(case: &CaseContext<'_>) -> CaseResult {
    let (store, records) = (&*case.store, windowed()?);
    create_tenant(store, tenant_id(1), "acme", &added(records.clone())).await?;
    let expected = applied(applied(Records::new(), &added([tenant("acme")?])), &added(records));
    expect_records(&load_existing(store, tenant_id(1)).await?.0, &expected)
}

/// A newer release of the application knows the same catalog entry by another slug, and sends it in its changes.
async fn a_removal_matches_a_reference_by_id_whatever_its_slug(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let entries = |text: &str| -> CaseResult<Vec<Record>> {
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
    let at = create_tenant(store, tenant_id(1), "acme", &added(entries("auditor")?)).await?;
    let at = commit_on(store, at, &removed).await?;
    let only_tenant = applied(Records::new(), &added([tenant("acme")?]));
    expect_state(store, at, &only_tenant).await?;
    let at = commit_on(store, at, &added(entries("reviewer")?)).await?;
    let pairs = entries("auditor")?.into_iter().zip(entries("inspector")?);
    let changes = pairs.map(|(before, after)| changed(before, after)).collect::<CaseResult<Vec<_>>>()?;
    let at = commit_on(store, at, &changes).await?;
    expect_state(store, at, &applied(only_tenant, &changes)).await
}

async fn a_removed_record_can_be_added_again(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let at = create_tenant(store, tenant_id(1), "acme", &added([user(1, "alice")?])).await?;
    let at = commit_on(store, at, &[Change::removed(user(1, "alice")?)]).await?;
    let again = [Change::added(user(2, "alice")?)];
    let at = commit_on(store, at, &again).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &again);
    expect_state(store, at, &all).await?;
    // The id of the first user comes back in the commit that removes the second.
    let swap = [Change::removed(user(2, "alice")?), Change::added(user(1, "alice")?)];
    let at = commit_on(store, at, &swap).await?;
    expect_state(store, at, &applied(all, &swap)).await
}

/// An authorizer sorts changes by key, so the record that gives a name away may come after the one that takes it.
async fn names_can_be_swapped_in_one_commit(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let first = [user(1, "alice")?, user(2, "bob")?, group(1, "staff")?, group(2, "guests")?];
    let second = [user(1, "bob")?, user(2, "alice")?, group(1, "guests")?, group(2, "staff")?];
    let mut at = create_tenant(store, tenant_id(1), "acme", &added(first.clone())).await?;
    let mut all = load_existing(store, tenant_id(1)).await?.0;
    for (before, after) in [(&first, &second), (&second, &first)] {
        let pairs = before.iter().zip(after);
        let swap = pairs.map(|(b, a)| changed(b.clone(), a.clone())).collect::<CaseResult<Vec<_>>>()?;
        at = commit_on(store, at, &swap).await?;
        all = applied(all, &swap);
        expect_state(store, at, &all).await?;
    }
    let heir = [Change::added(user(0, "alice")?), Change::removed(user(1, "alice")?)];
    let at = commit_on(store, at, &heir).await?;
    expect_state(store, at, &applied(all, &heir)).await
}

/// The relations of a removed entity are among the changes, and come after it.
async fn entities_and_their_relations_can_be_removed_in_one_commit(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let mut records = vec![group(1, "staff")?, group(2, "guests")?, user(1, "alice")?, user(2, "bob")?];
    records.extend([(1, 1), (1, 2), (2, 1), (2, 2)].map(|(user, group)| member(user, group, Window::ALWAYS)));
    let at = create_tenant(store, tenant_id(1), "acme", &added(records)).await?;
    let all = load_existing(store, tenant_id(1)).await?.0;
    let mut gone = vec![group(1, "staff")?, user(1, "alice")?];
    gone.extend([(1, 1), (1, 2), (2, 1)].map(|(user, group)| member(user, group, Window::ALWAYS)));
    let removal: Vec<_> = gone.into_iter().map(Change::removed).collect();
    let at = commit_on(store, at, &removal).await?;
    expect_state(store, at, &applied(all, &removal)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_but_the_tenant_is_among_the_samples() {
        let records = each_kind("first", Status::Active, Window::ALWAYS);
        assert!(records.is_ok_and(|records| {
            let mut kinds: Vec<RecordKind> = records.iter().map(Record::kind).collect();
            kinds.dedup();
            kinds == RecordKind::ALL[1..]
        }));
    }
}
