//! S9: tenants share nothing but the slug index.

use super::case::{CaseContext, CaseResult, cases, expect_eq};
use super::samples::{
    Records, added, applied, changed, commit_on, create_tenant, delete_tenant, expect_slug_taken, expect_state, group,
    member, send, slug, tenant, tenant_id, user,
};
use crate::model::records::{Change, Name, Record, Window};
use crate::store::{Base, TenantSummary};

cases! {
    S9: the_same_identifiers_in_two_tenants_are_separate,
        creating_a_tenant_with_a_used_slug_is_rejected,
        renaming_a_tenant_takes_one_slug_and_frees_the_other,
        a_tenant_keeps_its_slug_when_its_name_changes,
        a_reopened_store_has_the_same_slugs,
        a_list_is_as_long_as_its_limit,
        a_list_begins_after_the_given_slug;
}

async fn the_same_identifiers_in_two_tenants_are_separate(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let shared = added([user(1, "alice")?, user(2, "bob")?, group(1, "staff")?, member(1, 1, Window::ALWAYS)]);
    let one = create_tenant(store, tenant_id(1), "one", &shared).await?;
    let two = create_tenant(store, tenant_id(2), "two", &shared).await?;
    let of_one = applied(applied(Records::new(), &added([tenant("one")?])), &shared);
    let of_two = applied(applied(Records::new(), &added([tenant("two")?])), &shared);
    expect_state(store, one, &of_one).await?;
    expect_state(store, two, &of_two).await?;
    let changes = [changed(user(1, "alice")?, user(1, "alicia")?)?, Change::removed(member(1, 1, Window::ALWAYS))];
    let one = commit_on(store, one, &changes).await?;
    let of_one = applied(of_one, &changes);
    expect_state(store, two, &of_two).await?;
    expect_state(store, one, &of_one).await?;
    delete_tenant(store, one, tenant("one")?).await?;
    expect_state(store, two, &of_two).await
}

async fn creating_a_tenant_with_a_used_slug_is_rejected(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let creation = added([tenant("acme")?]);
    expect_slug_taken("a creation with a used slug", send(store, Base::Create(tenant_id(2)), &creation).await.1)?;
    expect_eq("find of the used slug", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
    // A rejected creation created nothing, so the same id can be created with another slug.
    create_tenant(store, tenant_id(2), "other", &[]).await.map(drop)
}

async fn renaming_a_tenant_takes_one_slug_and_frees_the_other(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let one = create_tenant(store, tenant_id(1), "one", &[]).await?;
    let two = create_tenant(store, tenant_id(2), "two", &[]).await?;
    let to_two = [changed(tenant("one")?, tenant("two")?)?];
    expect_slug_taken("a rename to a used slug", send(store, Base::At(one), &to_two).await.1)?;
    expect_eq("find of the slug after a rejected rename", &store.find(&slug("one")?).await?, &Some(tenant_id(1)))?;
    let two = commit_on(store, two, &[changed(tenant("two")?, tenant("three")?)?]).await?;
    expect_eq("find of the former slug after a rename", &store.find(&slug("two")?).await?, &None)?;
    expect_eq("find of the slug after a rename", &store.find(&slug("three")?).await?, &Some(tenant_id(2)))?;
    let creation = added([tenant("three")?]);
    expect_slug_taken(
        "a creation with a slug taken by a rename",
        send(store, Base::Create(tenant_id(3)), &creation).await.1,
    )?;
    let one = commit_on(store, one, &to_two).await?;
    expect_eq(
        "find of a slug freed by one rename and taken by another",
        &store.find(&slug("two")?).await?,
        &Some(tenant_id(1)),
    )?;
    let third = create_tenant(store, tenant_id(3), "one", &added([user(3, "third")?])).await?;
    expect_state(store, third, &applied(Records::new(), &added([tenant("one")?, user(3, "third")?]))).await?;
    expect_state(store, one, &applied(Records::new(), &added([tenant("two")?]))).await?;
    delete_tenant(store, two, tenant("three")?).await?;
    expect_eq("find of the slug of a renamed and deleted tenant", &store.find(&slug("three")?).await?, &None)?;
    create_tenant(store, tenant_id(4), "three", &[]).await.map(drop)
}

async fn a_tenant_keeps_its_slug_when_its_name_changes(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let before = tenant("acme")?;
    let Record::Tenant(mut after) = before.clone() else { return Ok(()) };
    after.name = Name::new("Another name").map_err(super::samples::suite_bug)?;
    let after = Record::Tenant(after);
    let at = commit_on(store, at, &[changed(before, after.clone())?]).await?;
    expect_state(store, at, &applied(Records::new(), &added([after]))).await?;
    expect_eq("find of the slug after a change of the name", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))
}

async fn a_reopened_store_has_the_same_slugs(case: &CaseContext<'_>) -> CaseResult {
    let store = case.fresh().await?;
    let one = create_tenant(&*store, tenant_id(1), "one", &[]).await?;
    let two = create_tenant(&*store, tenant_id(2), "two", &[]).await?;
    let three = create_tenant(&*store, tenant_id(3), "three", &[]).await?;
    delete_tenant(&*store, three, tenant("three")?).await?;
    commit_on(&*store, two, &[changed(tenant("two")?, tenant("free")?)?]).await?;
    commit_on(&*store, one, &[changed(tenant("one")?, tenant("two")?)?]).await?;
    let store = case.reopened(store).await?;
    let expected = [("free", Some(tenant_id(2))), ("one", None), ("three", None), ("two", Some(tenant_id(1)))];
    for (name, owner) in expected {
        expect_eq(&format!("find of `{name}` after reopening"), &store.find(&slug(name)?).await?, &owner)?;
    }
    let listed = [
        TenantSummary { tenant_id: tenant_id(2), slug: slug("free")? },
        TenantSummary { tenant_id: tenant_id(1), slug: slug("two")? },
    ];
    expect_eq("list after reopening", &store.list(None, 10).await?, &listed.to_vec())?;
    let creation = added([tenant("two")?]);
    expect_slug_taken(
        "a creation with a slug taken before",
        send(&*store, Base::Create(tenant_id(4)), &creation).await.1,
    )?;
    create_tenant(&*store, tenant_id(4), "one", &[]).await.map(drop)
}

/// The number of tenants: above a hundred, where pages are often cut.
const TENANTS: u128 = 110;

async fn a_list_is_as_long_as_its_limit(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let names: Vec<_> = (0..TENANTS).map(|number| format!("tenant-{number:03}")).collect();
    for (number, name) in names.iter().enumerate() {
        create_tenant(store, tenant_id(u128::try_from(number).unwrap_or(0)), name, &[]).await?;
    }
    for limit in [105, names.len(), 1_000, usize::MAX] {
        let page: Vec<_> = store.list(None, limit).await?.iter().map(|listed| listed.slug.to_string()).collect();
        expect_eq(&format!("a page of at most {limit}"), &page, &names.iter().take(limit).cloned().collect())?;
    }
    Ok(())
}

async fn a_list_begins_after_the_given_slug(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let names = ["one", "three", "two"];
    for (name, number) in names.iter().zip(1..) {
        create_tenant(store, tenant_id(number), name, &[]).await?;
    }
    for (number, name) in names.iter().enumerate() {
        let page: Vec<_> =
            store.list(Some(&slug(name)?), 10).await?.iter().map(|listed| listed.slug.to_string()).collect();
        let after = names.iter().skip(number + 1).map(ToString::to_string).collect();
        expect_eq(&format!("list after `{name}`, without that slug"), &page, &after)?;
    }
    Ok(())
}
