//! S9: tenants share nothing but the index of their slugs.

use super::case::{Hand, Verdict, cases, same};
use super::samples::{
    Records, added, applied, changed, created, end, go_on, group, is_taken, member, send, slug, stands, tenant,
    tenant_id, user,
};
use crate::model::records::{Change, Name, Record, Window};
use crate::store::{Base, TenantSummary};

cases! {
    S9: the_same_ids_and_names_in_two_tenants_are_two_things,
        a_slug_of_a_living_tenant_is_taken,
        a_slug_is_taken_and_freed_by_rename,
        a_tenant_may_keep_its_own_slug,
        slugs_after_reopening_are_those_of_before,
        a_page_of_tenants_is_as_long_as_was_asked_for;
}

async fn the_same_ids_and_names_in_two_tenants_are_two_things(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let shared = added([user(1, "alice")?, user(2, "bob")?, group(1, "staff")?, member(1, 1, Window::ALWAYS)]);
    let one = created(store, tenant_id(1), "one", &shared).await?;
    let two = created(store, tenant_id(2), "two", &shared).await?;
    let of_one = applied(applied(Records::new(), &added([tenant("one")?])), &shared);
    let of_two = applied(applied(Records::new(), &added([tenant("two")?])), &shared);
    stands(store, one, &of_one).await?;
    stands(store, two, &of_two).await?;
    let changes = [changed(user(1, "alice")?, user(1, "alicia")?)?, Change::removed(member(1, 1, Window::ALWAYS))];
    let one = go_on(store, one, &changes).await?;
    let of_one = applied(of_one, &changes);
    stands(store, two, &of_two).await?;
    stands(store, one, &of_one).await?;
    end(store, one, tenant("one")?).await?;
    stands(store, two, &of_two).await
}

async fn a_slug_of_a_living_tenant_is_taken(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    created(store, tenant_id(1), "acme", &[]).await?;
    let creation = added([tenant("acme")?]);
    is_taken("a birth under a taken slug", send(store, Base::Create(tenant_id(2)), &creation).await.1)?;
    same("find of a slug that was tried for", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))?;
    // A refused birth has begun nothing, so the same life may be born under another slug.
    created(store, tenant_id(2), "other", &[]).await.map(drop)
}

async fn a_slug_is_taken_and_freed_by_rename(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let one = created(store, tenant_id(1), "one", &[]).await?;
    let two = created(store, tenant_id(2), "two", &[]).await?;
    let to_two = [changed(tenant("one")?, tenant("two")?)?];
    is_taken("a rename to a taken slug", send(store, Base::At(one), &to_two).await.1)?;
    same("find of the slug after a refused rename", &store.find(&slug("one")?).await?, &Some(tenant_id(1)))?;
    let two = go_on(store, two, &[changed(tenant("two")?, tenant("three")?)?]).await?;
    same("find of the slug before a rename", &store.find(&slug("two")?).await?, &None)?;
    same("find of the slug after a rename", &store.find(&slug("three")?).await?, &Some(tenant_id(2)))?;
    let creation = added([tenant("three")?]);
    is_taken("a birth under a slug taken by rename", send(store, Base::Create(tenant_id(3)), &creation).await.1)?;
    let one = go_on(store, one, &to_two).await?;
    same(
        "find of a slug freed by one rename and taken by another",
        &store.find(&slug("two")?).await?,
        &Some(tenant_id(1)),
    )?;
    let third = created(store, tenant_id(3), "one", &added([user(3, "third")?])).await?;
    stands(store, third, &applied(Records::new(), &added([tenant("one")?, user(3, "third")?]))).await?;
    stands(store, one, &applied(Records::new(), &added([tenant("two")?]))).await?;
    end(store, two, tenant("three")?).await?;
    same("find of the slug of a renamed tenant after its end", &store.find(&slug("three")?).await?, &None)?;
    created(store, tenant_id(4), "three", &[]).await.map(drop)
}

async fn a_tenant_may_keep_its_own_slug(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let at = created(store, tenant_id(1), "acme", &[]).await?;
    let before = tenant("acme")?;
    let Record::Tenant(mut after) = before.clone() else { return Ok(()) };
    after.name = Name::new("Another name").map_err(super::samples::own_fault)?;
    let after = Record::Tenant(after);
    let at = go_on(store, at, &[changed(before, after.clone())?]).await?;
    stands(store, at, &applied(Records::new(), &added([after]))).await?;
    same("find of the slug after the name was changed", &store.find(&slug("acme")?).await?, &Some(tenant_id(1)))
}

async fn slugs_after_reopening_are_those_of_before(hand: &Hand<'_>) -> Verdict {
    let store = hand.fresh().await?;
    let one = created(&*store, tenant_id(1), "one", &[]).await?;
    let two = created(&*store, tenant_id(2), "two", &[]).await?;
    let three = created(&*store, tenant_id(3), "three", &[]).await?;
    end(&*store, three, tenant("three")?).await?;
    go_on(&*store, two, &[changed(tenant("two")?, tenant("free")?)?]).await?;
    go_on(&*store, one, &[changed(tenant("one")?, tenant("two")?)?]).await?;
    let store = hand.reopened(store).await?;
    let expected = [("free", Some(tenant_id(2))), ("one", None), ("three", None), ("two", Some(tenant_id(1)))];
    for (name, bearer) in expected {
        same(&format!("find of `{name}` after reopening"), &store.find(&slug(name)?).await?, &bearer)?;
    }
    let listed = [
        TenantSummary { tenant_id: tenant_id(2), slug: slug("free")? },
        TenantSummary { tenant_id: tenant_id(1), slug: slug("two")? },
    ];
    same("list after reopening", &store.list(None, 10).await?, &listed.to_vec())?;
    let creation = added([tenant("two")?]);
    is_taken("a birth under a slug taken before", send(&*store, Base::Create(tenant_id(4)), &creation).await.1)?;
    created(&*store, tenant_id(4), "one", &[]).await.map(drop)
}

/// How many tenants there are: more than the hundred at which pages are often cut.
const CROWD: u128 = 110;

async fn a_page_of_tenants_is_as_long_as_was_asked_for(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let names: Vec<_> = (0..CROWD).map(|number| format!("tenant-{number:03}")).collect();
    for (number, name) in names.iter().enumerate() {
        created(store, tenant_id(u128::try_from(number).unwrap_or(0)), name, &[]).await?;
    }
    for limit in [105, names.len(), 1_000, usize::MAX] {
        let page: Vec<_> = store.list(None, limit).await?.iter().map(|listed| listed.slug.to_string()).collect();
        same(&format!("a page of at most {limit}"), &page, &names.iter().take(limit).cloned().collect())?;
    }
    Ok(())
}
