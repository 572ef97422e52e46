//! S8: identifiers are compared byte for byte, and every byte is kept.

use super::case::{Fail, Hand, Verdict, cases, holds, same};
use super::samples::{
    Records, added, applied, created, go_on, member, own_fault, present, since, slug, stands, tenant, tenant_id, user,
};
use super::similar_texts::{self, group, permission, role};
use crate::model::records::{Actor, Change, Note, Record, Window};
use crate::store::{Base, Commit};

cases! {
    S8: identifiers_that_differ_in_case_are_two,
        identifiers_that_differ_in_a_space_at_the_end_are_two,
        identifiers_that_differ_in_unicode_form_are_two,
        texts_that_could_be_read_as_something_else_are_kept,
        ids_that_differ_in_any_byte_are_two,
        the_longest_identifiers_and_texts_are_kept_whole,
        patterns_are_told_apart_byte_for_byte,
        tenant_slugs_are_told_apart_and_listed_byte_for_byte;
}

/// Writes these in a birth and again in commits of their own, and looks whether all of them are there, as they were.
async fn all_are_cached(hand: &Hand<'_>, records: Vec<Record>) -> Verdict {
    let store = &*hand.store;
    let changes = added(records);
    let at = created(store, tenant_id(1), "acme", &changes).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &changes);
    stands(store, at, &all).await?;
    let mut at = created(store, tenant_id(2), "other", &[]).await?;
    for change in &changes {
        at = go_on(store, at, std::slice::from_ref(change)).await?;
    }
    let all = applied(applied(Records::new(), &added([tenant("other")?])), &changes);
    stands(store, at, &all).await?;
    // Each is removed alone: the one that looks like it stays.
    let mut left = all;
    for change in changes.iter().step_by(2) {
        let removed =
            change.after().cloned().map(Change::removed).ok_or_else(|| Fail::new("the suite's own change"))?;
        at = go_on(store, at, std::slice::from_ref(&removed)).await?;
        left = applied(left, &[removed]);
        stands(store, at, &left).await?;
    }
    Ok(())
}

async fn identifiers_that_differ_in_case_are_two(hand: &Hand<'_>) -> Verdict {
    all_are_cached(hand, similar_texts::in_case()?).await
}

async fn identifiers_that_differ_in_a_space_at_the_end_are_two(hand: &Hand<'_>) -> Verdict {
    all_are_cached(hand, similar_texts::in_a_space()?).await
}

async fn identifiers_that_differ_in_unicode_form_are_two(hand: &Hand<'_>) -> Verdict {
    all_are_cached(hand, similar_texts::in_form()?).await
}

/// As a number, as what an escape stands for, as nothing at all.
async fn texts_that_could_be_read_as_something_else_are_kept(hand: &Hand<'_>) -> Verdict {
    let texts = [
        "7",
        "007",
        "7.0",
        "+7",
        "7e0",
        "0x7",
        "12345678901234567890",
        "12345678901234567891",
        "1e999",
        "nan",
        "true",
        "t",
        "null",
        "NULL",
        "undefined",
        "'",
        "''",
        "\"",
        "\"\"",
        r"\",
        r"\\",
        r"\n",
        r"\u0041",
        "A",
        "%41",
        "%",
        "_",
        "&",
        "&amp;",
        "&#38;",
        "$1",
        "?",
        "{}",
        "[]",
        "--",
        ";",
        "/*",
        "../x",
        "x",
    ];
    let mut records = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let number = u128::try_from(number).unwrap_or(0);
        records.push(user(1_000 + number, text)?);
        if !text.contains('*') {
            records.push(group(2_000 + number, text, text, text)?);
            records.push(role(3_000 + number, text, text)?);
            records.push(permission(4_000 + number, text, text)?);
        }
    }
    all_are_cached(hand, records).await
}

async fn ids_that_differ_in_any_byte_are_two(hand: &Hand<'_>) -> Verdict {
    let ids: Vec<u128> = (0..16).map(|byte| 1 << (8 * byte)).chain([0, 1 << 127, u128::MAX]).collect();
    let mut records = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        records.push(user(*id, &format!("user-{number}"))?);
        records.push(member(*id, !*id, Window::ALWAYS));
    }
    let lives = ids.iter().enumerate().map(|(number, id)| (tenant_id(*id), format!("tenant-{number}")));
    for (tenant_id, name) in lives.clone().skip(1) {
        created(&*hand.store, tenant_id, &name, &[]).await?;
    }
    for (tenant_id, name) in lives.skip(1) {
        same(&format!("find of `{name}`"), &hand.store.find(&slug(&name)?).await?, &Some(tenant_id))?;
    }
    all_are_cached(hand, records).await
}

async fn the_longest_identifiers_and_texts_are_kept_whole(hand: &Hand<'_>) -> Verdict {
    all_are_cached(hand, similar_texts::as_long_as_may_be()?).await?;
    let store = &*hand.store;
    let (_, at) = present(store, tenant_id(2)).await?;
    let mut envelope = super::samples::envelope(Base::At(at));
    envelope.actor = Some(Actor::new(&format!("{}é", "a".repeat(318))).map_err(own_fault)?);
    envelope.note = Some(Note::new(&format!("{}\n", "n".repeat(4095))).map_err(own_fault)?);
    store.commit(Commit { base: Base::At(at), envelope: &envelope, changes: &[] }).await?;
    match since(store, at).await? {
        Some(commits) => same("the envelope", &commits.first().map(|told| &told.envelope), &Some(&envelope)),
        None => Ok(()),
    }
}

async fn patterns_are_told_apart_byte_for_byte(hand: &Hand<'_>) -> Verdict {
    all_are_cached(hand, similar_texts::in_pattern()?).await
}

async fn tenant_slugs_are_told_apart_and_listed_byte_for_byte(hand: &Hand<'_>) -> Verdict {
    let store = &*hand.store;
    let (long, longer) = ("z".repeat(62), "z".repeat(63));
    // In the order of their bytes: `-` before digits, digits before letters, a shorter one before what it begins.
    let slugs = ["-", "--", "0", "00", "a", "a-", "a--b", "a-b", "a0", "aa", "ab", "b", "b-a", "ba", &long, &longer];
    for (number, text) in slugs.iter().enumerate().rev() {
        created(store, tenant_id(u128::try_from(number).unwrap_or(0)), text, &[]).await?;
    }
    for (number, text) in slugs.iter().enumerate() {
        let found = store.find(&slug(text)?).await?;
        same(&format!("find of `{text}`"), &found, &Some(tenant_id(u128::try_from(number).unwrap_or(0))))?;
    }
    for limit in [1, 3, slugs.len(), slugs.len() + 1, 1_000] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(after.as_ref(), limit).await?;
            holds(page.len() <= limit, || format!("a page of {limit} has {} tenants", page.len()))?;
            let is_last = page.len() < limit;
            listed.extend(page.iter().map(|listed| listed.slug.to_string()));
            after = page.into_iter().next_back().map(|listed| listed.slug);
            if is_last {
                break;
            }
            holds(listed.len() <= slugs.len(), || {
                format!(
                    "list after `{}` does not end: it begins with that tenant, or with an earlier one",
                    listed.last().map_or("", String::as_str)
                )
            })?;
        }
        same(&format!("all pages of {limit}"), &listed, &slugs.iter().map(ToString::to_string).collect())?;
    }
    let after_none = store.list(Some(&slug("a-a")?), 2).await?;
    let names: Vec<_> = after_none.iter().map(|listed| listed.slug.as_str()).collect();
    same("a page after a slug that is not there", &names, &vec!["a-b", "a0"])?;
    same("a page of none", &store.list(None, 0).await?, &Vec::new())
}
